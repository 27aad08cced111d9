/* One HX711 as the firmware knows it: where it stands, what it has learned about it, what it has counted. The rules for
 * judging a read are here; who clocks it and when is in hx711.c (a clock line each) and shared.c (one for all). */
#ifndef CHIP_H
#define CHIP_H

#include "board.h"
#include "edges.h"
#include "period.h"

#include <stdbool.h>
#include <stdint.h>

#define SETTLING_READS 4      /* after the throw-away read: 400 ms at 10 SPS, 50 ms at 80 SPS, four conversions at either */
#define FORGIVING_READS 40
#define PERIOD_LEAST_US 6500  /* 144 SPS, at 20 MHz on XI, are 6.9 ms */
#define FIRST_EDGE_MS 600     /* 4 conversions of the slowest chip, and half as much again */
#define TIMEOUT_PERIODS 7     /* a chip that restarts by itself is away for up to 5.5: it shall be named so, not `timeout` */
#define TIMEOUT_MS_LEAST 60
#define HOLD_OFF_MS 3         /* less than any chip's period, so that no edge is missed; what is faster is noise */
#define POWER_DOWN_MS 1       /* SCK high: over 60 µs, and the datasheet's own margin is not known. The first ms may be short */
#define BACK_OFF_MS_MOST 1000

enum chip_phase { CHIP_OFF, CHIP_POWERED_DOWN, CHIP_FIRST, CHIP_SETTLING, CHIP_GOOD };

enum chip_state { STATE_OFF, STATE_FIRST, STATE_SETTLING, STATE_GOOD, STATE_SILENT }; /* as in STATUS */

enum restart_reason { RESTART_NONE, RESTART_TIMEOUT, RESTART_DESYNC, RESTART_LONG_PULSE, RESTART_COMMAND, RESTART_CONFIGURED };

struct chip_counts {
    uint32_t conversions;
    uint16_t desync, timeouts, restarts, self_restarts, late, overruns, saturated, long_pulses;
    uint8_t longest_high_ticks;
};

/* One read, as it was. Judged a little later: when all chips become ready at once, each must be read within a millisecond. */
struct chip_read {
    uint32_t edge_us;
    uint16_t begin_age_us, end_age_us; /* since the edge; stop at 65535 */
    uint8_t code[3];
    uint8_t longest_high_ticks;
    bool edge_is_unsure;
    bool dout_high_after;
};

struct chip {
    struct period period;
    struct chip_counts counts;
    struct chip_read read;
    uint32_t last_edge_us;
    uint32_t last_seen_ms; /* uptime at its last read */
    uint16_t left_ms;      /* until it is powered up, or has timed out */
    uint16_t back_off_ms;  /* how long it stays powered down after the latest failure */
    uint8_t hold_off_ms;   /* until its edge is watched for again */
    uint8_t pulses;        /* 25..27, what CONFIGURE says; 0 off */
    uint8_t phase;
    uint8_t to_settle;     /* reads before it is good */
    uint8_t to_forgive;    /* good reads before its failures are forgotten */
    uint8_t failures;      /* in a row */
    uint8_t number;        /* of its last conversion */
    uint8_t flags_next;    /* for its next sample */
    bool last_edge_known;
    bool is_silent;
};

extern struct chip chips[CHIPS];

void chip_note_times(struct chip_read *read, uint32_t begin_us, uint32_t end_us);

/* Judges the chip's read, queues it as a sample, and tells what the chip must be restarted for, if anything. */
enum restart_reason chip_judge(uint8_t index);

void chip_power_down(struct chip *chip, uint16_t for_ms);
void chip_power_up(struct chip *chip);                           /* from now on its first edge is waited for */
void chip_restarting(uint8_t index, enum restart_reason reason); /* counts and tells it */
void chip_back_off(struct chip *chip);                           /* one more failure in a row */
void chip_timed_out(uint8_t index);                              /* counts and tells it */
bool chip_is_running(const struct chip *chip);
enum chip_state chip_state(const struct chip *chip);

/* Milliseconds went by. True when what it waits for is over: its time powered down, or its time to show an edge. */
bool chip_wait(struct chip *chip, uint8_t ms);
void chip_hold_off(uint8_t index, uint8_t ms); /* watches for its edge, once its hold-off is over */

#endif
