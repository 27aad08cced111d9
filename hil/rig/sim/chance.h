/* Chance: the same numbers for the same seed, on every machine. */
#ifndef CHANCE_H
#define CHANCE_H

#include <stdint.h>

void chance_seed(uint64_t *state, uint64_t seed);
double chance_even(uint64_t *state);   /* 0 <= x < 1 */
double chance_normal(uint64_t *state); /* mean 0, sigma 1 */

#endif
