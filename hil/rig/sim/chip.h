/* An HX711 at its two pins. The same model, word for word, as drivers/hx711/chip.py: its docstring says what a chip
 * does and what each fault is, and tests/hil/test_rig_chip_alike.py holds the two together. Nothing here knows an MCU.
 */
#ifndef CHIP_H
#define CHIP_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define CHIP_NEVER INT64_MAX
#define FAULTS_MAX 256
#define SETTLE_STEPS 4

enum fault_kind { /* bit n of `truth.fault`; drivers.hx711.ChipFault and then hil.rig's BoardFault, in their order */
    LATE_READ, LONG_PULSE, MISSED_PULSE, EXTRA_PULSE, RESET_MID_READ, /* spoil one read */
    CLIP_HIGH, CLIP_LOW, STUCK, ALL_ONES, ALL_ZEROS, SLOW_CLOCK, SWAPPED_LINES, BROWN_OUT, DEAD, /* last */
    OSCILLATING, NOISY,
    FAULT_KINDS
};
extern const char *const fault_name[FAULT_KINDS];

struct fault {
    enum fault_kind kind;
    int64_t begin_ns, end_ns; /* end: CHIP_NEVER for good */
    int bit;
    double amount;
    bool has_amount;
};

struct level { /* what the chip would convert from a time on */
    int64_t at_ns;
    double counts;
};

enum mark { SETTLED = 1, AFTER_RESTART = 2, READ = 4, LOST = 8, SPOILT = 16 };

struct truth { /* hil/rig/truth.py reads it: 36 bytes, packed */
    int64_t edge_ns;
    uint32_t number;
    int32_t counts;
    int64_t read_begin_ns;
    uint8_t chip, setting, pulses, marks;
    uint16_t fault, spare;
} __attribute__((packed));

struct chip {
    /* its nature */
    double period_ns, jitter, noise, level, level_b;
    bool keeps_setting; /* datasheet V2.0: through power-down */
    double wake_periods, wake_counts[SETTLE_STEPS];
    struct level *levels; /* instead of `level`, if there are any */
    size_t level_count, level_at;
    /* its state */
    int64_t now_ns, next_ns;
    bool sck, powered_down, unpowered;
    int64_t sck_rise_ns;
    uint32_t reg;
    bool waiting;   /* a conversion is in the register and not read to its 25th pulse */
    int pulses;     /* as the chip counts them */
    int edges;      /* as the reader gave them */
    int64_t last_pulse_ns, hidden_until_ns;
    bool has_spoilt;
    struct fault spoilt;
    int setting;            /* 25..27: channel and gain, as the pulses that select them */
    int used[SETTLE_STEPS]; /* those of the last conversions, the newest first */
    int since_wake;
    bool restarted, is_stuck;
    int32_t stuck;
    struct fault faults[FAULTS_MAX];
    int fault_count;
    uint64_t chances;
    /* its truth */
    bool has_record;
    struct truth record;
    uint8_t index;
    void (*told)(const struct truth *record);
    uint64_t conversions, read, lost, spoilt_reads, restarts, power_downs, idle_pulses;
};

void chip_begin(struct chip *chip, uint8_t index, double rate_hz, int64_t first_edge_ns, uint64_t seed);
bool chip_inject(struct chip *chip, const struct fault *fault); /* false: too many */
void chip_sck(struct chip *chip, bool level, int64_t at_ns);
bool chip_dout(struct chip *chip, int64_t at_ns);
int64_t chip_due(const struct chip *chip); /* when DOUT may change next without a pulse */
void chip_power(struct chip *chip, bool on, int64_t at_ns);

#endif
