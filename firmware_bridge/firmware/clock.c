#include "clock.h"

#include <util/atomic.h>

/* Another value lets a test see what happens when it wraps, without an hour of waiting. */
#ifndef CLOCK_BEGIN_US
#define CLOCK_BEGIN_US 0
#endif

volatile uint32_t clock_overflow_us = CLOCK_BEGIN_US;
volatile uint8_t clock_beats;
static volatile uint32_t uptime_ms;

void clock_init(void)
{
    TCCR1A = 0;
    TCNT1 = 0;
    TIFR1 = _BV(TOV1); /* a bootloader that used this timer may have left it over: that would be 33 ms too much */
    TCCR1B = _BV(CS11); /* /8: 2 MHz, over every 32.768 ms */
    TIMSK1 = _BV(TOIE1);

    TCCR2A = _BV(WGM21); /* clear on compare */
    TCCR2B = _BV(CS22);  /* /64: 250 kHz */
    OCR2A = 249;
    TIMSK2 = _BV(OCIE2A);
}

ISR(TIMER1_OVF_vect) { clock_overflow_us += 0x8000; }

ISR(TIMER2_COMPA_vect)
{
    clock_beats++;
    uptime_ms++;
}

uint32_t clock_us(void)
{
    uint32_t us;
    ATOMIC_BLOCK(ATOMIC_RESTORESTATE) { us = clock_us_locked(); }
    return us;
}

uint32_t clock_uptime_ms(void)
{
    uint32_t ms;
    ATOMIC_BLOCK(ATOMIC_RESTORESTATE) { ms = uptime_ms; }
    return ms;
}

uint8_t clock_take_beats(void)
{
    uint8_t beats = 0;
    if (clock_beats) /* a byte: one look is atomic, and most looks find none */
        ATOMIC_BLOCK(ATOMIC_RESTORESTATE)
        {
            beats = clock_beats;
            clock_beats = 0;
        }
    return beats;
}
