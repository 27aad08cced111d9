/* The serial line, both ways by interrupt. */
#ifndef UART_H
#define UART_H

#include "frame.h"

#include <stdbool.h>
#include <stdint.h>

#define TX_RING 512 /* a STATUS and a full SAMPLES frame together */

void uart_init(void);

/* Sending: frames are written into the ring by uart_writer, and go once they are closed and released. */
extern struct frame_writer uart_writer;
uint16_t uart_room(void);  /* bytes */
void uart_release(void);   /* everything written so far may go */
bool uart_is_drained(void); /* nothing waits; the last two bytes are on the line for another 80 µs */

/* Receiving. Each zero comes with the time of its arrival, so that PING's answer doesn't depend on when it is looked at. */
struct received {
    uint8_t byte;
    uint32_t at_us; /* only of a zero */
};
bool uart_has_received(void);
bool uart_receive(struct received *received);
uint16_t uart_overruns(void); /* bytes lost; stops at 65535 */

#endif
