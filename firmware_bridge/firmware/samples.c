#include "samples.h"

#include "count.h"

#define QUEUE 24 /* all chips at once, and what comes at 750 samples/s while STATUS and IDENTITY are on the line */

static struct sample queue[QUEUE];
static uint8_t first, filled;
static bool is_streaming = true;
static uint16_t dropped, unreported;

void samples_stream(bool on) { is_streaming = on; }

bool samples_put(const struct sample *sample)
{
    if (!is_streaming)
        return true; /* the host asked for silence: nothing is lost */
    if (filled == QUEUE) {
        count_up(&dropped);
        count_up(&unreported);
        return false;
    }
    uint8_t at = first + filled;
    queue[at < QUEUE ? at : at - QUEUE] = *sample;
    filled++;
    return true;
}

const struct sample *samples_first(void) { return filled ? &queue[first] : 0; }

void samples_drop_first(void)
{
    if (++first == QUEUE)
        first = 0;
    filled--;
}

uint16_t samples_dropped(void) { return dropped; }

uint16_t samples_take_unreported(void)
{
    uint16_t count = unreported;
    unreported = 0;
    return count;
}
