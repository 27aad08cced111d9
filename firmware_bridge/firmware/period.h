/* What a chip's own conversion period is, learned from the intervals between its ready edges. No hardware in it. */
#ifndef PERIOD_H
#define PERIOD_H

#include <stdint.h>

struct period {
    uint32_t us;           /* 0: not known yet */
    uint32_t candidate_us; /* what it may be instead */
    uint8_t agreeing;      /* intervals in a row that say so */
};

void period_learn(struct period *period, uint32_t interval_us);

#endif
