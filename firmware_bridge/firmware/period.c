#include "period.h"

#include <stdbool.h>

#define AGREEING_ENOUGH 3

/* Within 1/16: chips keep their period to 0.01 %, two chips differ by up to 20 %. */
static bool is_near(uint32_t interval_us, uint32_t period_us)
{
    uint32_t apart_us = interval_us > period_us ? interval_us - period_us : period_us - interval_us;
    return apart_us < period_us >> 4;
}

/* Steps of 1 µs toward each interval end at the median: a gap pulls no harder than a jitter. What is far off counts for
 * nothing, unless four in a row agree on it; then the chip's rate has really changed (its RATE pin, another chip). */
void period_learn(struct period *period, uint32_t interval_us)
{
    if (period->us && is_near(interval_us, period->us)) {
        period->agreeing = 0;
        if (interval_us > period->us)
            period->us++;
        else if (interval_us < period->us)
            period->us--;
        return;
    }
    if (!period->candidate_us || !is_near(interval_us, period->candidate_us)) {
        period->candidate_us = interval_us;
        period->agreeing = 0;
        return;
    }
    period->candidate_us += (int32_t)(interval_us - period->candidate_us) / 2;
    if (++period->agreeing >= AGREEING_ENOUGH) {
        period->us = period->candidate_us;
        period->agreeing = 0;
    }
}
