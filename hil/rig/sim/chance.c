/* splitmix64: small, and good enough for noise and for the odd lost byte. */
#include "chance.h"

#include <math.h>

static uint64_t next(uint64_t *state)
{
    uint64_t z = (*state += 0x9e3779b97f4a7c15u);
    z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9u;
    z = (z ^ (z >> 27)) * 0x94d049bb133111ebu;
    return z ^ (z >> 31);
}

void chance_seed(uint64_t *state, uint64_t seed)
{
    *state = seed;
}

double chance_even(uint64_t *state)
{
    return (double)(next(state) >> 11) * 0x1p-53;
}

double chance_normal(uint64_t *state)
{
    double u = 1.0 - chance_even(state); /* never 0 */
    return sqrt(-2.0 * log(u)) * cos(2.0 * 3.14159265358979323846 * chance_even(state));
}
