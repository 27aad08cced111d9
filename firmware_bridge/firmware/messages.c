#include "messages.h"

#include "boot.h"
#include "chip.h"
#include "clock.h"
#include "commands.h"
#include "count.h"
#include "image.h"
#include "notices.h"
#include "samples.h"
#include "status.h"
#include "uart.h"

#include <avr/pgmspace.h>

enum message_type { SAMPLES = 1, STATUS = 2, NOTICE = 3, IDENTITY = 4, REPLY = 5 };

#define HEADER_BYTES 5
#define SAMPLE_BYTES 10
#define SAMPLES_PER_FRAME 16
#define SAMPLES_AGE_US 25000
#define SAMPLES_SPAN_US 32000 /* what edge_us can say */
#define STATUS_EVERY_MS 1000
#define STATUS_BYTES (HEADER_BYTES + 22 + 24 * CHIPS)

static uint16_t seq;
static uint32_t boot;
static uint32_t image_crc;
static const struct settings *kept;
static uint32_t frames_sent;
static uint16_t rx_damaged;

static struct reply reply_due;
static bool has_reply, has_identity_due, has_status_due;
static int16_t ms_to_status = STATUS_EVERY_MS;

/* The long message that is being written, and the next piece of it. */
static uint8_t writing; /* STATUS, IDENTITY, 0 none */
static uint8_t piece;

/* The SAMPLES frame that is open. */
static uint8_t in_frame;
static uint32_t base_us;
static bool is_over_age;

void messages_init(uint32_t boot_count, const struct settings *settings)
{
    boot = boot_count;
    kept = settings;
    image_crc = image_crc32();
    has_identity_due = true;
}

void messages_reply(const struct reply *reply)
{
    reply_due = *reply;
    has_reply = true;
}

void messages_ask_identity(void) { has_identity_due = true; }

void messages_ask_status(void) { has_status_due = true; }

void messages_count_damaged(void) { count_up(&rx_damaged); }

/* ---- numbers, little-endian ---- */

static void put8(uint8_t value) { frame_put(&uart_writer, value); }

static void put16(uint16_t value)
{
    put8((uint8_t)value);
    put8((uint8_t)(value >> 8));
}

static void put32(uint32_t value)
{
    put16((uint16_t)value);
    put16((uint16_t)(value >> 16));
}

static void put_bytes(const void *bytes, uint8_t count)
{
    const uint8_t *byte = bytes;
    while (count--)
        put8(*byte++);
}

static void put_record(uint8_t tag, const void *bytes, uint8_t length)
{
    put8(tag);
    put8(length);
    put_bytes(bytes, length);
}

/* ---- frames ---- */

static bool has_room(uint16_t message_bytes) { return uart_room() >= message_bytes + FRAME_EXTRA_BYTES; }

static void begin(enum message_type type)
{
    frame_begin(&uart_writer);
    put8((uint8_t)type);
    put16(seq++);
    put16((uint16_t)boot);
}

static void end(void)
{
    frame_end(&uart_writer);
    uart_release();
    frames_sent++;
}

/* ---- SAMPLES ---- */

static void close_samples(void)
{
    if (!in_frame)
        return;
    in_frame = 0;
    is_over_age = false;
    end();
}

static void put_sample(const struct sample *sample)
{
    put8(sample->chip);
    put8(sample->flags);
    put8(sample->number);
    put16((uint16_t)(sample->edge_us - base_us));
    put8(sample->code[2]);
    put8(sample->code[1]);
    put8(sample->code[0]);
    put8(sample->read_4us);
    put8(sample->high_500ns);
}

static bool fits_span(uint32_t edge_us)
{
    int32_t apart_us = (int32_t)(edge_us - base_us);
    return apart_us > -SAMPLES_SPAN_US && apart_us < SAMPLES_SPAN_US;
}

static bool open_samples(uint32_t edge_us)
{
    if (!has_room(HEADER_BYTES + 4 + SAMPLE_BYTES * SAMPLES_PER_FRAME))
        return false;
    base_us = edge_us;
    begin(SAMPLES);
    put32(base_us);
    return true;
}

static bool step_samples(void)
{
    const struct sample *sample = samples_first();
    if (in_frame && (is_over_age || (sample && !fits_span(sample->edge_us)))) {
        close_samples();
        return true;
    }
    if (!sample || (!in_frame && !open_samples(sample->edge_us)))
        return false;
    put_sample(sample);
    samples_drop_first();
    if (++in_frame == SAMPLES_PER_FRAME)
        close_samples();
    return true;
}

/* ---- STATUS ---- */

static void put_status_mcu(void)
{
    put32(clock_uptime_ms());
    put8(boot_reset_cause());
    put16(status_supply_mv());
    put16(status_sensor_mv());
    put32(frames_sent);
    put16(samples_dropped());
    put16(rx_damaged);
    put16(uart_overruns());
}

static void put_status_chip(const struct chip *chip)
{
    const struct chip_counts *counts = &chip->counts;
    put32(counts->conversions);
    put16(stop_at_u16((chip->period.us + 5) / 10));
    put16(counts->desync);
    put16(counts->timeouts);
    put16(counts->restarts);
    put16(counts->self_restarts);
    put16(counts->late);
    put16(counts->overruns);
    put16(counts->saturated);
    put16(counts->long_pulses);
    put8(counts->longest_high_ticks);
    put8((uint8_t)chip_state(chip));
}

static bool step_status(void)
{
    if (piece == 0) {
        begin(STATUS);
        put_status_mcu();
    } else if (piece == 1) {
        put16(boot_stack_free());
        put8(CHIPS);
    } else {
        put_status_chip(&chips[piece - 2]);
    }
    return piece++ < CHIPS + 1;
}

/* ---- IDENTITY ---- */

static const char pin_names[CHIPS][16] PROGMEM = PIN_NAMES;

static uint8_t pin_map_length(void)
{
    uint8_t length = CHIPS - 1; /* the semicolons */
    for (uint8_t i = 0; i < CHIPS; i++)
        length += (uint8_t)strlen_P(pin_names[i]);
    return length;
}

static void put_firmware_and_board(void)
{
    static const uint8_t protocol = PROTOCOL_VERSION;
    put_record(1, &protocol, 1);
    put_record(2, FIRMWARE_VERSION, sizeof FIRMWARE_VERSION - 1);
    put_record(3, BOARD_NAME, sizeof BOARD_NAME - 1);
}

static void put_serial(void)
{
    if (kept->serial_length)
        put_record(4, kept->serial, kept->serial_length);
    else
        put_record(4, "unset", 5);
}

static void put_boot_and_line(void)
{
    static const uint8_t chip_count = CHIPS;
    static const uint32_t baud = BAUD_RATE;
    put_record(5, &boot, 4);
    put_record(6, &baud, 4);
    put_record(7, &chip_count, 1);
    put8(8);
    put8(pin_map_length());
}

static void put_pin_name(uint8_t index)
{
    if (index)
        put8(';');
    for (const char *at = pin_names[index]; pgm_read_byte(at); at++)
        put8(pgm_read_byte(at));
}

static void put_settings(void)
{
    static const uint16_t tick_ns = CLOCK_TICK_NS;
    uint8_t cause = boot_reset_cause();
    const struct chip_settings *settings = hx711_settings();
    put_record(9, settings->pulses, CHIPS);
    put_record(10, &settings->clock_mode, 1);
    put_record(11, &cause, 1);
    put_record(12, &tick_ns, 2);
}

static void put_abilities(void)
{
    static const uint8_t largest = MESSAGE_BYTES_MAX;
    put_record(13, &largest, 1);
    put_record(14, commands_known, commands_known_count);
    put_record(15, &image_crc, 4);
}

static bool step_identity(void)
{
    switch (piece) {
    case 0:
        begin(IDENTITY);
        put_firmware_and_board();
        break;
    case 1:
        put_serial();
        break;
    case 2:
        put_boot_and_line();
        break;
    default:
        put_pin_name(piece - 3);
        break;
    case 3 + CHIPS:
        put_settings();
        break;
    case 4 + CHIPS:
        put_abilities();
        break;
    }
    return piece++ < 4 + CHIPS;
}

/* ---- short ones ---- */

static void write_reply(void)
{
    begin(REPLY);
    put8(reply_due.token);
    put8(reply_due.command);
    put8(reply_due.result);
    put_bytes(reply_due.data, reply_due.length);
    end();
    has_reply = false;
}

static void write_notice(const struct notice *notice)
{
    begin(NOTICE);
    put32(notice->at_us);
    put8(notice->chip);
    put8(notice->cause);
    put16(notice->value);
    end();
    notices_drop_first();
}

/* ---- in which order ---- */

static bool step_long(void)
{
    bool goes_on = writing == STATUS ? step_status() : step_identity();
    if (!goes_on) {
        writing = 0;
        end();
    }
    return true;
}

static void start_long(enum message_type type, bool *due)
{
    *due = false;
    writing = (uint8_t)type;
    piece = 0;
}

/* Everything but samples. An open SAMPLES frame is closed first: frames don't nest, and its room is taken already. While
 * one of these waits for room no sample is written, so its turn does come. */
static bool step_due(void)
{
    if (in_frame) {
        close_samples();
        return true;
    }
    if (has_reply) {
        if (!has_room(HEADER_BYTES + 3 + REPLY_DATA_MAX))
            return false;
        write_reply();
    } else if (notices_first()) {
        if (!has_room(HEADER_BYTES + 8))
            return false;
        write_notice(notices_first());
    } else if (has_identity_due) {
        if (!has_room(MESSAGE_BYTES_MAX))
            return false;
        start_long(IDENTITY, &has_identity_due);
    } else {
        if (!has_room(STATUS_BYTES))
            return false;
        start_long(STATUS, &has_status_due);
    }
    return true;
}

bool messages_step(void)
{
    if (writing)
        return step_long();
    if (has_reply || notices_first() || has_identity_due || has_status_due)
        return step_due();
    return step_samples();
}

bool messages_all_gone(void)
{
    return !writing && !has_reply && !notices_first() && !has_identity_due && !has_status_due && uart_is_drained();
}

void messages_beat(uint8_t ms)
{
    ms_to_status -= ms;
    if (ms_to_status <= 0) {
        ms_to_status += STATUS_EVERY_MS;
        has_status_due = true;
        uint16_t dropped = samples_take_unreported();
        if (dropped)
            notices_put(NOTICE_MCU, NOTICE_SAMPLES_DROPPED, dropped);
    }
    if (in_frame && clock_us() - base_us >= SAMPLES_AGE_US)
        is_over_age = true;
}
