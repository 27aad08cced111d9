/* An armed chip has its bit in the pin change mask. The first fall is stamped and the bit goes: so a DOUT that swings
 * wildly costs one interrupt per read, and whatever its chip does while it is clocked makes none at all, while the bits
 * of all others stay and their falls are stamped even during a read.
 *
 * The interrupt doesn't ask "which pin changed" (the hardware doesn't tell) but "which armed pin is low". A pin that falls
 * after the port was read raises the flag again, so no fall is lost between two of them. */
#include "edges.h"

#include "board.h"
#include "clock.h"

#include <util/atomic.h>

#define STAMP_DELAY_US 2 /* from the fall to the timer's being read: wake up, vector, registers saved */
#define STORM 40         /* interrupts without a cause in one ms; eight good chips make none */

static volatile uint32_t stamp_us[CHIPS];
static volatile uint8_t waiting;
static volatile uint8_t unsure;
static volatile uint8_t causeless;

void edges_init(void)
{
    /* PD2 and PD3 are outputs, yet INT0/INT1 are set to an edge: a low level would be polled each cycle by simulators. */
    EICRA = _BV(ISC11) | _BV(ISC01);
    PCMSK1 = 0;
    PCMSK2 = 0;
    PCICR = _BV(PCIE1) | _BV(PCIE2);
}

uint8_t edges_armed(void) { return chips_of_ports(PCMSK2, PCMSK1); }

static inline void watch(uint8_t chips)
{
    uint8_t ports = swap_nibbles(chips);
    PCMSK2 |= ports & DOUT_MASK_D;
    PCMSK1 |= ports & DOUT_MASK_C;
}

static inline void unwatch(uint8_t chips)
{
    uint8_t ports = (uint8_t)~swap_nibbles(chips);
    PCMSK2 &= ports | (uint8_t)~DOUT_MASK_D;
    PCMSK1 &= ports | (uint8_t)~DOUT_MASK_C;
}

static inline void stamp(uint8_t fallen, uint32_t now_us)
{
    waiting |= fallen;
    for (volatile uint32_t *slot = stamp_us; fallen; fallen >>= 1, slot++)
        if (fallen & 1)
            *slot = now_us;
}

static inline void note_causeless(void)
{
    if (++causeless >= STORM)
        PCICR = 0; /* until the next beat; falls are then found by edges_beat */
}

ISR(PCINT1_vect)
{
    uint32_t now_us = clock_us_locked() - STAMP_DELAY_US;
    uint8_t fallen = (uint8_t)~PINC & PCMSK1;
    if (!fallen) {
        note_causeless();
        return;
    }
    PCMSK1 &= (uint8_t)~fallen;
    stamp(swap_nibbles(fallen), now_us);
}

ISR(PCINT2_vect)
{
    uint32_t now_us = clock_us_locked() - STAMP_DELAY_US;
    uint8_t fallen = (uint8_t)~PIND & PCMSK2;
    if (!fallen) {
        note_causeless();
        return;
    }
    PCMSK2 &= (uint8_t)~fallen;
    stamp(swap_nibbles(fallen), now_us);
}

static void take_as_unsure(uint8_t chips)
{
    unwatch(chips);
    unsure |= chips;
    stamp(chips, clock_us_locked());
}

void edges_arm(uint8_t chip)
{
    uint8_t bit = bit_of(chip);
    ATOMIC_BLOCK(ATOMIC_RESTORESTATE)
    {
        /* First watch, then look: a fall between the two is in the flag; the other way round it would be in neither. */
        watch(bit);
        __asm__ volatile("nop\n\tnop"); /* the pin passes a synchroniser of two clocks */
        if (!(dout_levels() & bit))
            take_as_unsure(bit);
    }
}

void edges_disarm(uint8_t chip)
{
    uint8_t bit = bit_of(chip);
    ATOMIC_BLOCK(ATOMIC_RESTORESTATE)
    {
        unwatch(bit);
        waiting &= (uint8_t)~bit;
        unsure &= (uint8_t)~bit;
    }
}

uint8_t edges_waiting(void) { return waiting; }

uint8_t edges_oldest(uint8_t among)
{
    uint8_t oldest = 0, index = 0;
    if (!(among & (uint8_t)(among - 1))) { /* one alone: the usual case */
        while (among >>= 1)
            oldest++;
        return oldest;
    }
    uint32_t now_us = clock_us();
    uint32_t oldest_age = 0;
    for (; among; among >>= 1, index++) {
        if (!(among & 1))
            continue;
        uint32_t age = now_us - stamp_us[index]; /* a waiting chip isn't armed: no interrupt writes this any more */
        if (age >= oldest_age) {
            oldest = index;
            oldest_age = age;
        }
    }
    return oldest;
}

struct edge edges_look(uint8_t chip)
{
    struct edge edge;
    ATOMIC_BLOCK(ATOMIC_RESTORESTATE)
    {
        edge.at_us = stamp_us[chip];
        edge.is_unsure = unsure >> chip & 1;
    }
    return edge;
}

struct edge edges_take(uint8_t chip)
{
    struct edge edge;
    uint8_t bit = bit_of(chip);
    edge.at_us = stamp_us[chip]; /* a waiting chip isn't armed: no interrupt writes this any more */
    ATOMIC_BLOCK(ATOMIC_RESTORESTATE)
    {
        edge.is_unsure = unsure & bit;
        waiting &= (uint8_t)~bit;
        unsure &= (uint8_t)~bit;
    }
    return edge;
}

/* First the flags are cleared, then the levels are looked at: a fall before that counts as unsure, one after it as seen. */
static void end_storm(void)
{
    ATOMIC_BLOCK(ATOMIC_RESTORESTATE)
    {
        PCIFR = _BV(PCIF1) | _BV(PCIF2);
        PCICR = _BV(PCIE1) | _BV(PCIE2);
        uint8_t low = edges_armed() & (uint8_t)~dout_levels();
        if (low)
            take_as_unsure(low);
    }
}

void edges_beat(void)
{
    causeless = 0;
    if (!PCICR)
        end_storm();
    uint8_t low = (uint8_t)~dout_levels();
    __asm__ volatile("nop\n\tnop"); /* here a fall that did raise the flag gets its interrupt, and leaves `armed` */
    ATOMIC_BLOCK(ATOMIC_RESTORESTATE)
    {
        low &= (uint8_t)(edges_armed() & ~dout_levels());
        if (low)
            take_as_unsure(low);
    }
}
