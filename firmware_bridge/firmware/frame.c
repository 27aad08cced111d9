#include "frame.h"

/* CRC-16/IBM-3740 (polynomial 0x1021, begin 0xFFFF), a byte at a time without a table: the polynomial has so few terms
 * that eight steps fold into four shifts. All of them on bytes, as an 8-bit MCU likes it. */
static inline uint16_t crc16_step(uint16_t crc, uint8_t byte)
{
    uint8_t fold = (uint8_t)(crc >> 8) ^ byte;
    fold ^= fold >> 4;
    uint8_t high = (uint8_t)crc ^ (uint8_t)(fold << 4) ^ (fold >> 3);
    uint8_t low = fold ^ (uint8_t)(fold << 5);
    return (uint16_t)(high << 8 | low);
}

uint16_t crc16_update(uint16_t crc, uint8_t byte) { return crc16_step(crc, byte); }

void frame_begin(struct frame_writer *writer)
{
    writer->crc = CRC16_BEGIN;
    writer->code = 1;
    writer->code_at = writer->at++;
}

/* A run can't reach COBS' limit of 254 bytes: message and CRC together are at most 250. */
static inline void put_coded(struct frame_writer *writer, uint8_t byte)
{
    if (byte) {
        writer->ring[writer->at & writer->mask] = byte;
        writer->code++;
    } else {
        writer->ring[writer->code_at & writer->mask] = writer->code;
        writer->code_at = writer->at;
        writer->code = 1;
    }
    writer->at++;
}

void frame_put(struct frame_writer *writer, uint8_t byte)
{
    writer->crc = crc16_step(writer->crc, byte);
    put_coded(writer, byte);
}

void frame_end(struct frame_writer *writer)
{
    uint16_t crc = writer->crc;
    put_coded(writer, (uint8_t)(crc >> 8));
    put_coded(writer, (uint8_t)crc);
    writer->ring[writer->code_at & writer->mask] = writer->code;
    writer->ring[writer->at++ & writer->mask] = 0;
}

static void store(struct frame_reader *reader, uint8_t byte)
{
    if (reader->stored < sizeof reader->bytes)
        reader->bytes[reader->stored++] = byte;
    else
        reader->is_damaged = true;
}

static bool is_whole(const struct frame_reader *reader)
{
    if (reader->is_damaged || reader->left || reader->stored < 4)
        return false;
    uint16_t crc = CRC16_BEGIN;
    for (uint8_t i = 0; i < reader->stored; i++)
        crc = crc16_update(crc, reader->bytes[i]);
    return crc == 0;
}

static enum frame_event finish(struct frame_reader *reader)
{
    enum frame_event event = FRAME_NOTHING; /* two zeros in a row are padding */
    if (reader->has_begun)
        event = is_whole(reader) ? FRAME_MESSAGE : FRAME_DAMAGED;
    reader->length = event == FRAME_MESSAGE ? (uint8_t)(reader->stored - 2) : 0;
    reader->stored = 0;
    reader->left = 0;
    reader->zero_is_due = false;
    reader->has_begun = false;
    reader->is_damaged = false;
    return event;
}

enum frame_event frame_take(struct frame_reader *reader, uint8_t byte)
{
    if (byte == 0)
        return finish(reader);
    if (reader->left) {
        reader->left--;
        store(reader, byte);
        return FRAME_NOTHING;
    }
    if (reader->has_begun && reader->zero_is_due)
        store(reader, 0);
    reader->has_begun = true;
    reader->left = (uint8_t)(byte - 1);
    reader->zero_is_due = byte != 0xFF; /* a full run of 254 bytes has no zero after it */
    return FRAME_NOTHING;
}
