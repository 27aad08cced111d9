/* All chips of the board: started, read when they are ready, restarted when they fail. */
#ifndef HX711_H
#define HX711_H

#include "board.h"

#include <stdbool.h>
#include <stdint.h>

enum clock_mode { CLOCK_OWN = 0, CLOCK_SHARED = 1 };

struct chip_settings {
    uint8_t clock_mode;
    uint8_t pulses[CHIPS]; /* 0 off, 25, 26, 27 */
};

void hx711_init(const struct chip_settings *settings);
void hx711_configure(const struct chip_settings *settings); /* chips whose setting changed restart */
const struct chip_settings *hx711_settings(void);
void hx711_restart(uint8_t chips); /* chip mask; by command */
bool hx711_serve(void);            /* one read, if a chip is ready */
bool hx711_judge(void);            /* judges one read, if there is one */
void hx711_beat(uint8_t ms);       /* so many went by */

#endif
