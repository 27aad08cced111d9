#include "notices.h"

#include "clock.h"

#define QUEUE 16

static struct notice queue[QUEUE];
static uint8_t first, filled;

/* When the queue is full the notice is left out: what it tells is also in STATUS' counters, each second. */
void notices_put(uint8_t chip, enum notice_cause cause, uint16_t value)
{
    if (filled == QUEUE)
        return;
    queue[(uint8_t)(first + filled) % QUEUE] = (struct notice){clock_us(), value, chip, (uint8_t)cause};
    filled++;
}

const struct notice *notices_first(void) { return filled ? &queue[first] : 0; }

void notices_drop_first(void)
{
    first = (uint8_t)(first + 1) % QUEUE;
    filled--;
}
