/* Each record carries its own CRC. The two copies are written one after the other, never at once: whenever the power
 * goes, one of them is whole, and the newer whole one is used. */
#include "settings.h"

#include "frame.h"
#include "pulses.h"

#include <avr/eeprom.h>
#include <string.h>

/* The first bytes stay unused: a brown-out in a write may hit address 0. */
#define COPY_A ((uint8_t *)0x010)
#define COPY_B ((uint8_t *)0x050)
#define BOOT_SLOTS ((uint8_t *)0x100)
#define BOOT_SLOT_COUNT 8

#define LAYOUT 1

struct copy {
    uint8_t layout;
    uint8_t generation; /* of two neighbours the newer is told by their difference */
    struct settings settings;
    uint16_t crc; /* of all before it */
};

struct boot_slot {
    uint32_t count;
    uint16_t crc;
};

static struct copy saving;
static uint8_t generation;
static uint8_t saving_at;
static uint8_t *saving_to;

static uint16_t crc_of(const void *bytes, uint8_t size)
{
    const uint8_t *byte = bytes;
    uint16_t crc = CRC16_BEGIN;
    while (size--)
        crc = crc16_update(crc, *byte++);
    return crc;
}

static bool is_pulse_count(uint8_t pulses) { return pulses == 0 || (pulses >= PULSES_A128 && pulses <= PULSES_A64); }

bool settings_chips_are_valid(const struct chip_settings *chips)
{
    uint8_t common = 0;
    if (chips->clock_mode > CLOCK_SHARED)
        return false;
    for (uint8_t i = 0; i < CHIPS; i++) {
        uint8_t pulses = chips->pulses[i];
        if (!is_pulse_count(pulses))
            return false;
        if (chips->clock_mode == CLOCK_SHARED && pulses && common && pulses != common)
            return false; /* one clock line gives all chips the same number of pulses */
        if (pulses)
            common = pulses;
    }
    return true;
}

static void set_defaults(struct settings *settings)
{
    memset(settings, 0, sizeof *settings);
    memset(settings->chips.pulses, PULSES_A128, CHIPS);
}

static bool read_copy(const uint8_t *from, struct copy *copy)
{
    eeprom_read_block(copy, from, sizeof *copy);
    return copy->layout == LAYOUT && copy->crc == crc_of(copy, sizeof *copy - sizeof copy->crc) &&
           copy->settings.serial_length <= SERIAL_BYTES_MAX && settings_chips_are_valid(&copy->settings.chips);
}

static bool is_blank(const uint8_t *from)
{
    for (uint8_t i = 0; i < sizeof(struct copy); i++)
        if (eeprom_read_byte(from + i) != 0xFF)
            return false;
    return true;
}

void settings_save(const struct settings *settings)
{
    saving.layout = LAYOUT;
    saving.generation = ++generation;
    saving.settings = *settings;
    saving.crc = crc_of(&saving, sizeof saving - sizeof saving.crc);
    saving_at = 0;
    saving_to = COPY_A;
}

enum settings_found settings_load(struct settings *settings)
{
    struct copy a, b;
    bool has_a = read_copy(COPY_A, &a), has_b = read_copy(COPY_B, &b);
    if (!has_a && !has_b) {
        set_defaults(settings);
        return is_blank(COPY_A) && is_blank(COPY_B) ? SETTINGS_BLANK : SETTINGS_DAMAGED;
    }
    bool use_a = has_a && (!has_b || (int8_t)(a.generation - b.generation) >= 0);
    const struct copy *newest = use_a ? &a : &b;
    *settings = newest->settings;
    generation = newest->generation;
    if (!has_a || !has_b || a.generation != b.generation)
        settings_save(settings); /* a save was cut off, or a cell is worn: two whole copies again */
    return SETTINGS_FOUND;
}

uint32_t settings_count_boot(void)
{
    uint32_t count = 0;
    for (uint8_t i = 0; i < BOOT_SLOT_COUNT; i++) {
        struct boot_slot slot;
        eeprom_read_block(&slot, BOOT_SLOTS + i * sizeof slot, sizeof slot);
        if (slot.crc == crc_of(&slot.count, sizeof slot.count) && slot.count > count)
            count = slot.count;
    }
    struct boot_slot next = {.count = count + 1};
    next.crc = crc_of(&next.count, sizeof next.count);
    eeprom_update_block(&next, BOOT_SLOTS + next.count % BOOT_SLOT_COUNT * sizeof next, sizeof next);
    return next.count;
}

static bool copies_are_right(void)
{
    for (uint8_t i = 0; i < sizeof saving; i++) {
        uint8_t wanted = ((const uint8_t *)&saving)[i];
        if (eeprom_read_byte(COPY_A + i) != wanted || eeprom_read_byte(COPY_B + i) != wanted)
            return false;
    }
    return true;
}

enum save_state settings_save_step(void)
{
    if (!saving_to)
        return SAVE_IDLE;
    if (!eeprom_is_ready())
        return SAVE_BUSY;
    if (saving_at < sizeof saving) {
        eeprom_update_byte(saving_to + saving_at, ((const uint8_t *)&saving)[saving_at]);
        saving_at++;
        return SAVE_BUSY;
    }
    if (saving_to == COPY_A) {
        saving_to = COPY_B;
        saving_at = 0;
        return SAVE_BUSY;
    }
    saving_to = 0;
    return copies_are_right() ? SAVE_DONE : SAVE_FAILED;
}
