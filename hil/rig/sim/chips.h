/* What the command side needs of the chips on the board. */
#ifndef CHIPS_H
#define CHIPS_H

#include "chip.h"
#include "rig.h"

bool chip_command(char **word, int count); /* chip <i> ...; false: refused, with the reason in refuse() */
int chips_describe(char *text, size_t room);
size_t chips_truth(const void **records); /* bytes of records since the last chips_truth_taken() */
void chips_truth_taken(void);
bool chips_levels(unsigned index, struct level *levels, size_t count); /* takes the array over */

#endif
