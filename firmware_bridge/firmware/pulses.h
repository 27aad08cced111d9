/* The clock pulses: what needs exact timing, and nothing else. */
#ifndef PULSES_H
#define PULSES_H

#include <stdbool.h>
#include <stdint.h>

#define PULSES_A128 25 /* channel A, gain 128 */
#define PULSES_B32  26
#define PULSES_A64  27

struct pulse_train {
    uint8_t longest_high_ticks; /* of CLOCK_TICK_NS; stops at 255 */
    uint8_t dout_after;         /* chip mask: DOUT levels after the last pulse; high is right */
};

void pulses_init(void);
void pulses_sck(uint8_t chip, bool high);       /* holding it high powers a chip down */
void pulses_pull_up(uint8_t chips, bool on);    /* chip mask */

/* Clocks one chip and gives its 24 bits, first bit highest. */
struct pulse_train pulses_read_one(uint8_t chip, uint8_t pulses, uint8_t code[3]);

/* Clocks chip 0's SCK and notes all DOUTs at each of the 24 bits, first bit first: a chip mask per bit. */
struct pulse_train pulses_read_all(uint8_t pulses, uint8_t masks[24]);

#endif
