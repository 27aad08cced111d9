/* What goes to the host. Writing a long message takes longer than a read may wait, so it is done in pieces: each call of
 * messages_step does one, at most a quarter of a millisecond, and the main program looks for ready chips in between. */
#ifndef MESSAGES_H
#define MESSAGES_H

#include "settings.h"

#include <stdbool.h>
#include <stdint.h>

#define REPLY_DATA_MAX 8

struct reply {
    uint8_t token;
    uint8_t command;
    uint8_t result;
    uint8_t data[REPLY_DATA_MAX];
    uint8_t length;
};

void messages_init(uint32_t boot_count, const struct settings *settings); /* keeps the pointer: IDENTITY tells from it */
void messages_reply(const struct reply *reply);
void messages_ask_identity(void);
void messages_ask_status(void);
void messages_beat(uint8_t ms); /* so many went by: what falls due */
bool messages_step(void);  /* one piece; false: nothing to write, or no room for it yet */
bool messages_all_gone(void);
void messages_count_damaged(void); /* a frame from the host was no use */

#endif
