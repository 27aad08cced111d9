/* Samples on their way from the reads to the link: a short queue, so that reading never waits for writing. */
#ifndef SAMPLES_H
#define SAMPLES_H

#include <stdbool.h>
#include <stdint.h>

enum sample_flag {
    SAMPLE_SATURATED = 1,
    SAMPLE_DESYNC = 2,
    SAMPLE_SETTLING = 4,
    SAMPLE_LATE = 8,
    SAMPLE_RESTARTED = 16,
    SAMPLE_LONG_PULSE = 32,
    SAMPLE_OVERRUN = 64,
    SAMPLE_EDGE_UNSURE = 128,
};

struct sample {
    uint32_t edge_us;
    uint8_t code[3]; /* highest byte first, as the chip gives it */
    uint8_t chip;
    uint8_t flags;
    uint8_t number;
    uint8_t read_4us;
    uint8_t high_500ns;
};

void samples_stream(bool on);
bool samples_put(const struct sample *sample); /* false: no room, it is dropped and counted */
const struct sample *samples_first(void);      /* 0: none */
void samples_drop_first(void);
uint16_t samples_dropped(void);                /* since boot; stops at 65535 */
uint16_t samples_take_unreported(void);        /* dropped since the last call */

#endif
