/* Ready edges: a falling DOUT is stamped in its interrupt, whatever the rest of the firmware is doing. */
#ifndef EDGES_H
#define EDGES_H

#include <stdbool.h>
#include <stdint.h>

struct edge {
    uint32_t at_us;
    bool is_unsure; /* found low, the fall itself wasn't seen: at_us is when it was found */
};

void edges_init(void);
void edges_arm(uint8_t chip);    /* watch for the next fall; a DOUT that is low already counts as an unsure one */
void edges_disarm(uint8_t chip); /* not any more, and forget one that waits */
uint8_t edges_armed(void);       /* chip mask */
uint8_t edges_waiting(void);     /* chip mask: fallen, not taken yet */
uint8_t edges_oldest(uint8_t among); /* of these chips (not none) the one whose edge is the oldest */
struct edge edges_take(uint8_t chip);
struct edge edges_look(uint8_t chip); /* the same, and it goes on waiting */
void edges_beat(void); /* each ms: finds falls that made no interrupt, ends a storm of glitches */

#endif
