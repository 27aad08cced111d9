/* What this image is, so that whoever holds its bytes can tell, and the running firmware can tell about itself. */
#ifndef IMAGE_H
#define IMAGE_H

#include <stdint.h>

#define IMAGE_MAGIC "SHELFEDGE IMAGE"

struct image_descriptor {
    char magic[16];
    char name[24];
    char version[12];
    char mcu[12];
    uint8_t protocol;
    uint16_t length; /* bytes from address 0 on, this included */
} __attribute__((packed));

uint32_t image_crc32(void); /* zlib's CRC-32 of those bytes, as they are in flash now */

#endif
