/* NOTICE messages waiting for the link. */
#ifndef NOTICES_H
#define NOTICES_H

#include <stdint.h>

#define NOTICE_MCU 255

enum notice_cause {
    NOTICE_READY_TIMEOUT = 1, /* ms waited */
    NOTICE_RESTART = 2,       /* enum restart_reason */
    NOTICE_SELF_RESTART = 3,  /* ms without an edge */
    NOTICE_FIRST_AFTER_SILENCE = 4, /* ms */
    NOTICE_SETTINGS_DAMAGED = 5,
    NOTICE_SAMPLES_DROPPED = 6, /* how many */
    NOTICE_BROWN_OUT = 7,       /* mV */
};

struct notice {
    uint32_t at_us;
    uint16_t value;
    uint8_t chip;
    uint8_t cause;
};

void notices_put(uint8_t chip, enum notice_cause cause, uint16_t value);
const struct notice *notices_first(void); /* 0: none */
void notices_drop_first(void);

#endif
