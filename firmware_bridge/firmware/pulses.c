/* Why bit by bit: SCK held high for over 50 µs may power a chip down in mid-read, and any interrupt between the rise and
 * the fall adds to it. So interrupts are off from just before the rise to just after the fall, some 1.5 µs, 25 times. While
 * SCK is low a chip waits for as long as it must; there the serial line and other chips' ready edges get their turn.
 *
 * Why it is measured as well: code that must never be slow is code whose slowness nobody would notice. */
#include "pulses.h"

#include "board.h"
#include "clock.h"

#include <avr/interrupt.h>
#include <avr/pgmspace.h>

#define HIGH_CYCLES 12 /* plus the instructions around it: 1 µs and a little from rise to fall */

const uint8_t chip_bits[CHIPS] = {1, 2, 4, 8, 16, 32, 64, 128};

struct wire {
    volatile uint8_t *sck_port;
    volatile uint8_t *dout_pin;
    uint8_t sck_bit;
    uint8_t dout_bit;
};

static const struct wire wires[CHIPS] PROGMEM = {
    {&PORTB, &PIND, _BV(0), _BV(4)}, {&PORTB, &PIND, _BV(1), _BV(5)}, {&PORTB, &PIND, _BV(2), _BV(6)},
    {&PORTB, &PIND, _BV(3), _BV(7)}, {&PORTB, &PINC, _BV(4), _BV(0)}, {&PORTB, &PINC, _BV(5), _BV(1)},
    {&PORTD, &PINC, _BV(2), _BV(2)}, {&PORTD, &PINC, _BV(3), _BV(3)},
};

static inline struct wire wire_of(uint8_t chip)
{
    const struct wire *wire = &wires[chip];
    return (struct wire){
        (volatile uint8_t *)pgm_read_word(&wire->sck_port),
        (volatile uint8_t *)pgm_read_word(&wire->dout_pin),
        pgm_read_byte(&wire->sck_bit),
        pgm_read_byte(&wire->dout_bit),
    };
}

/* Ports B, C and D are written by the main program alone, so read-modify-write is safe, and the two levels of a port with
 * SCK high and low can be worked out once for a whole train. */
struct clock_line {
    volatile uint8_t *port;
    uint8_t high, low;
    uint16_t longest;
};

void pulses_init(void)
{
    PORTB &= (uint8_t)~SCK_MASK_B;
    PORTD &= (uint8_t)~SCK_MASK_D;
    DDRB |= SCK_MASK_B;
    DDRD |= SCK_MASK_D;
    DDRD &= (uint8_t)~DOUT_MASK_D;
    DDRC &= (uint8_t)~DOUT_MASK_C;
}

void pulses_sck(uint8_t chip, bool high)
{
    struct wire wire = wire_of(chip);
    if (high)
        *wire.sck_port |= wire.sck_bit;
    else
        *wire.sck_port &= (uint8_t)~wire.sck_bit;
}

void pulses_pull_up(uint8_t chips, bool on)
{
    uint8_t ports = swap_nibbles(chips);
    if (on) {
        PORTD |= ports & DOUT_MASK_D;
        PORTC |= ports & DOUT_MASK_C;
    } else {
        PORTD &= (uint8_t)~(ports & DOUT_MASK_D);
        PORTC &= (uint8_t)~(ports & DOUT_MASK_C);
    }
}

static inline struct clock_line clock_line_of(const struct wire *wire)
{
    uint8_t level = *wire->sck_port;
    return (struct clock_line){wire->sck_port, level | wire->sck_bit, (uint8_t)(level & ~wire->sck_bit), 0};
}

static inline void keep_longest(struct clock_line *line, uint16_t ticks)
{
    if (ticks > line->longest)
        line->longest = ticks;
}

/* One pulse; gives DOUT's port as it was just before the fall, when it has had the longest time to get there. */
static inline uint8_t pulse(struct clock_line *line, volatile uint8_t *pin)
{
    volatile uint8_t *port = line->port;
    uint8_t high = line->high, low = line->low;
    cli();
    uint16_t rise = TCNT1;
    *port = high;
    __builtin_avr_delay_cycles(HIGH_CYCLES);
    uint8_t level = *pin;
    *port = low;
    uint16_t fall = TCNT1;
    sei();
    keep_longest(line, fall - rise);
    return level;
}

static inline struct pulse_train finish(const struct clock_line *line)
{
    return (struct pulse_train){line->longest > 255 ? 255 : (uint8_t)line->longest, dout_levels()};
}

struct pulse_train pulses_read_one(uint8_t chip, uint8_t pulses, uint8_t code[3])
{
    const struct wire wire = wire_of(chip);
    struct clock_line line = clock_line_of(&wire);
    volatile uint8_t *pin = wire.dout_pin;
    uint8_t bit = wire.dout_bit;
    for (uint8_t part = 0; part < 3; part++) {
        uint8_t value = 0;
        for (uint8_t i = 0; i < 8; i++) {
            uint8_t level = pulse(&line, pin);
            value = (uint8_t)(value << 1);
            if (level & bit)
                value |= 1;
        }
        code[part] = value;
    }
    for (uint8_t extra = pulses - 24; extra; extra--) {
        pulse(&line, pin);
        __builtin_avr_delay_cycles(8); /* less work than for a bit: the low phase still gets its 1 µs */
    }
    return finish(&line);
}

struct pulse_train pulses_read_all(uint8_t pulses, uint8_t masks[24])
{
    const struct wire wire = wire_of(0);
    struct clock_line line = clock_line_of(&wire);
    for (uint8_t i = 0; i < pulses; i++) {
        cli();
        uint16_t rise = TCNT1;
        *line.port = line.high;
        __builtin_avr_delay_cycles(HIGH_CYCLES);
        uint8_t level_d = PIND, level_c = PINC; /* one clock apart */
        *line.port = line.low;
        uint16_t fall = TCNT1;
        sei();
        keep_longest(&line, fall - rise);
        if (i < 24)
            masks[i] = chips_of_ports(level_d, level_c);
    }
    return finish(&line);
}
