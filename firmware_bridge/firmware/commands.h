/* Commands from the host: taken, checked, carried out once, answered. */
#ifndef COMMANDS_H
#define COMMANDS_H

#include "settings.h"

#include <stdbool.h>
#include <stdint.h>

enum command {
    PING = 0x41,
    IDENTIFY = 0x42,
    CONFIGURE = 0x43,
    SAVE = 0x44,
    SET_SERIAL = 0x45,
    RESTART = 0x46,
    STREAM = 0x47,
    REBOOT = 0x48,
    ASK_STATUS = 0x49,
};

extern const uint8_t commands_known[];
extern const uint8_t commands_known_count;

void commands_init(struct settings *settings); /* keeps the pointer: SAVE and SET_SERIAL write to it */
bool commands_step(void);                      /* takes what has come in, up to one command; false: nothing there */
void commands_beat(void);                      /* each ms: a save going on, a reboot waiting */

#endif
