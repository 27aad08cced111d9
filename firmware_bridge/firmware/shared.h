/* Clock mode 1: chip 0's SCK clocks every chip. For chips whose oscillators run off one source (XI); free-running ones
 * drift through each other, and their samples are then rightly flagged LATE. */
#ifndef SHARED_H
#define SHARED_H

#include "chip.h"

#include <stdbool.h>

void shared_start(void);
void shared_restart(enum restart_reason reason);
bool shared_serve(void);
bool shared_judge(void);
void shared_beat(uint8_t ms);

#endif
