/* Intel HEX files into an image of the flash. Own reader: the library's complains about valid start records. */
#include "rig.h"

#include <stdio.h>
#include <string.h>

static int digit(int c)
{
    if (c >= '0' && c <= '9')
        return c - '0';
    c &= ~0x20; /* to upper case */
    return c >= 'A' && c <= 'F' ? c - 'A' + 10 : -1;
}

/* The bytes of one record, its checksum tested; -1 if it is damaged. */
static int record(const char *line, uint8_t *bytes)
{
    int count = 0;
    uint8_t sum = 0;
    if (*line++ != ':')
        return -1;
    while (count < 260) {
        int high = digit(line[0]);
        int low = high < 0 ? -1 : digit(line[1]);
        if (low < 0)
            break;
        bytes[count] = (uint8_t)(high << 4 | low);
        sum = (uint8_t)(sum + bytes[count++]);
        line += 2;
    }
    return count >= 5 && count == bytes[0] + 5 && sum == 0 ? count : -1;
}

void ihex_read(const char *path, struct hex_image *image)
{
    FILE *file = fopen(path, "r");
    if (!file)
        fail("%s: can't be opened", path);
    char line[600];
    uint32_t base = 0;
    int number = 0;
    bool ended = false;
    memset(image, 0, sizeof *image);
    image->lowest = FLASH_BYTES;
    while (!ended && fgets(line, sizeof line, file)) {
        uint8_t bytes[264];
        number++;
        if (line[0] == '\r' || line[0] == '\n')
            continue;
        if (record(line, bytes) < 0)
            fail("%s:%d: not a valid Intel HEX record", path, number);
        uint32_t address = base + (uint32_t)(bytes[1] << 8 | bytes[2]);
        switch (bytes[3]) {
        case 0:
            for (int i = 0; i < bytes[0]; i++, address++) {
                if (address >= FLASH_BYTES)
                    fail("%s:%d: address 0x%x is outside the 32 KB of flash", path, number, (unsigned)address);
                image->byte[address] = bytes[4 + i];
                image->used[address] = true;
                if (address < image->lowest)
                    image->lowest = address;
                if (address + 1 > image->end)
                    image->end = address + 1;
            }
            break;
        case 1:
            ended = true;
            break;
        case 2:
            base = (uint32_t)(bytes[4] << 8 | bytes[5]) << 4;
            break;
        case 4:
            base = (uint32_t)(bytes[4] << 8 | bytes[5]) << 16;
            break;
        default: /* start addresses mean nothing to an AVR */
            break;
        }
    }
    fclose(file);
    if (!ended)
        fail("%s: has no end record; the file is cut short", path);
    if (image->end == 0)
        fail("%s: holds no data", path);
}
