#include "image.h"

#include "board.h"

#include <avr/pgmspace.h>

extern const char __data_load_end; /* from the linker: where the image ends in flash */

/* In a section that --gc-sections is told to keep: no code refers to it but image_crc32. */
const struct image_descriptor image_descriptor __attribute__((used, section(".progmem.image"))) = {
    .magic = IMAGE_MAGIC,
    .name = FIRMWARE_NAME,
    .version = FIRMWARE_VERSION,
    .mcu = BOARD_MCU,
    .protocol = PROTOCOL_VERSION,
    .length = (uint16_t)&__data_load_end,
};

/* Four bits at a time: a table of 64 bytes, and 12 KB take 40 ms, once at boot. */
static const uint32_t crc32_of_nibble[16] PROGMEM = {
    0x00000000, 0x1DB71064, 0x3B6E20C8, 0x26D930AC, 0x76DC4190, 0x6B6B51F4, 0x4DB26158, 0x5005713C,
    0xEDB88320, 0xF00F9344, 0xD6D6A3E8, 0xCB61B38C, 0x9B64C2B0, 0x86D3D2D4, 0xA00AE278, 0xBDBDF21C,
};

uint32_t image_crc32(void)
{
    uint16_t length = pgm_read_word(&image_descriptor.length);
    uint32_t crc = 0xFFFFFFFF;
    for (uint16_t at = 0; at < length; at++) {
        crc ^= pgm_read_byte(at);
        crc = crc >> 4 ^ pgm_read_dword(&crc32_of_nibble[crc & 15]);
        crc = crc >> 4 ^ pgm_read_dword(&crc32_of_nibble[crc & 15]);
    }
    return ~crc;
}
