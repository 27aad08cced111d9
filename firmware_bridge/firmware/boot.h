/* The first instructions after a reset, and what they learn. */
#ifndef BOOT_H
#define BOOT_H

#include <stdint.h>

uint8_t boot_reset_cause(void); /* MCUSR's bits: 1 power-on, 2 external, 4 brown-out, 8 watchdog */
uint16_t boot_stack_free(void); /* bytes of RAM that neither data nor stack ever touched */

#endif
