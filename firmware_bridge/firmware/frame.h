/* Frames of the link: COBS( message, CRC16 high byte first ), 0x00. Plain C with no hardware in it: the tests compile it
 * with the host's compiler and hold it against the vectors that the Python side is held against. */
#ifndef FRAME_H
#define FRAME_H

#include <stdbool.h>
#include <stdint.h>

#define MESSAGE_BYTES_MAX 248
#define FRAME_EXTRA_BYTES 4 /* COBS 1, CRC 2, the closing zero 1 */

uint16_t crc16_update(uint16_t crc, uint8_t byte);
#define CRC16_BEGIN 0xFFFF

/* Encodes byte by byte straight into a ring (of a size that is a power of 2), so that no message is ever held twice.
 * Nothing before `at` may be sent until the frame is closed: the code byte is only known when the next zero comes. */
struct frame_writer {
    uint8_t *ring;
    uint16_t mask;    /* ring size - 1 */
    uint16_t at;      /* where the next byte goes; runs on, masked when used */
    uint16_t code_at; /* where the code byte of the present run goes */
    uint16_t crc;
    uint8_t code;
};

void frame_begin(struct frame_writer *writer);
void frame_put(struct frame_writer *writer, uint8_t byte);
void frame_end(struct frame_writer *writer);

/* Decodes what the host sends. Commands are short: a longer frame is damage. */
#define COMMAND_BYTES_MAX 24

enum frame_event { FRAME_NOTHING, FRAME_MESSAGE, FRAME_DAMAGED };

struct frame_reader {
    uint8_t bytes[COMMAND_BYTES_MAX + 2]; /* message and CRC */
    uint8_t length;                       /* of the message, once FRAME_MESSAGE was returned */
    uint8_t stored;
    uint8_t left;      /* bytes to come before the next code byte */
    bool zero_is_due;  /* the run before ended in a zero that COBS took out */
    bool has_begun;
    bool is_damaged;
};

enum frame_event frame_take(struct frame_reader *reader, uint8_t byte);

#endif
