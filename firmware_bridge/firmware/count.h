/* Counters that stop at their end: a count that wraps to a small number would look like good news. */
#ifndef COUNT_H
#define COUNT_H

#include <stdint.h>

static inline void count_up(uint16_t *counter)
{
    if (*counter != UINT16_MAX)
        ++*counter;
}

static inline void count_add(uint16_t *counter, uint16_t more)
{
    *counter = *counter > UINT16_MAX - more ? UINT16_MAX : (uint16_t)(*counter + more);
}

static inline uint16_t stop_at_u16(uint32_t value) { return value > UINT16_MAX ? UINT16_MAX : (uint16_t)value; }

#endif
