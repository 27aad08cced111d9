/* What outlives a power cut: chip settings and serial (two copies), and the boot count (eight slots, for wear). */
#ifndef SETTINGS_H
#define SETTINGS_H

#include "hx711.h"

#include <stdbool.h>
#include <stdint.h>

#define SERIAL_BYTES_MAX 16

struct settings {
    struct chip_settings chips;
    uint8_t serial_length; /* 0: never set */
    char serial[SERIAL_BYTES_MAX];
};

enum settings_found { SETTINGS_FOUND, SETTINGS_BLANK, SETTINGS_DAMAGED };

enum settings_found settings_load(struct settings *settings); /* defaults where there are none; mends a damaged copy */
uint32_t settings_count_boot(void);                           /* one more; gives the count. Takes up to 25 ms */
bool settings_chips_are_valid(const struct chip_settings *chips);

/* Saving takes up to a quarter of a second, in pieces; sampling goes on. */
enum save_state { SAVE_IDLE, SAVE_BUSY, SAVE_DONE, SAVE_FAILED };
void settings_save(const struct settings *settings);
enum save_state settings_save_step(void); /* DONE or FAILED once, then IDLE */

#endif
