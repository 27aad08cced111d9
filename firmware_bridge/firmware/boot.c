#include "boot.h"

#include <avr/io.h>
#include <avr/wdt.h>

#define PAINT 0xC5

static uint8_t mcusr __attribute__((section(".noinit")));
static uint8_t from_bootloader __attribute__((section(".noinit")));

/* A watchdog reset leaves the watchdog on at 16 ms, shorter than the rest of the start-up: it must go off before anything
 * else. A bootloader has usually cleared MCUSR; Optiboot and its kin hand its value on in r2. */
void boot_first(void) __attribute__((naked, used, section(".init3")));
void boot_first(void)
{
    __asm__ volatile("mov %0, r2" : "=r"(from_bootloader));
    mcusr = MCUSR;
    MCUSR = 0;
    wdt_disable();
}

extern uint8_t _end;

/* Before .data and .bss are set up and before anything is on the stack. */
void boot_paint(void) __attribute__((naked, used, section(".init3")));
void boot_paint(void)
{
    for (uint8_t *at = &_end; at <= (uint8_t *)RAMEND; at++)
        *at = PAINT;
}

uint8_t boot_reset_cause(void)
{
    const uint8_t known = _BV(PORF) | _BV(EXTRF) | _BV(BORF) | _BV(WDRF);
    if (mcusr & known)
        return mcusr & known;
    return from_bootloader & (uint8_t)~known ? 0 : from_bootloader; /* with other bits set it wasn't meant for us */
}

uint16_t boot_stack_free(void)
{
    const uint8_t *at = &_end;
    while (at <= (const uint8_t *)RAMEND && *at == PAINT)
        at++;
    return (uint16_t)(at - &_end);
}
