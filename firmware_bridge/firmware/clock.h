/* Time: microseconds from Timer1 for stamps, a millisecond beat from Timer2 for whatever must happen in a while. */
#ifndef CLOCK_H
#define CLOCK_H

#include <avr/interrupt.h>
#include <avr/io.h>
#include <stdbool.h>
#include <stdint.h>

#define CLOCK_TICK_NS 500 /* Timer1: 16 MHz / 8 */

extern volatile uint32_t clock_overflow_us;
extern volatile uint8_t clock_beats;

void clock_init(void);
uint32_t clock_uptime_ms(void);

/* Microseconds since boot; wraps after 71.6 min. With interrupts off only. An overflow whose interrupt still waits is
 * told by its flag, and by a count that has begun anew. */
static inline uint32_t clock_us_locked(void)
{
    uint16_t ticks = TCNT1;
    uint32_t us = clock_overflow_us;
    if ((TIFR1 & _BV(TOV1)) && ticks < 0x8000)
        us += 0x8000;
    return us + (ticks >> 1);
}

uint32_t clock_us(void);

/* Milliseconds gone by since the last call. */
uint8_t clock_take_beats(void);

#endif
