#include "commands.h"

#include "clock.h"
#include "frame.h"
#include "messages.h"
#include "samples.h"
#include "uart.h"

#include <avr/interrupt.h>
#include <avr/wdt.h>
#include <string.h>

enum result { DONE = 0, UNKNOWN_COMMAND = 1, BAD_LENGTH = 2, OUT_OF_RANGE = 3, EEPROM_FAILED = 4, NOT_YET = 0xFF };

#define HEAD_BYTES 2 /* command, token */

const uint8_t commands_known[] = {PING, IDENTIFY, CONFIGURE, SAVE, SET_SERIAL, RESTART, STREAM, REBOOT, ASK_STATUS};
const uint8_t commands_known_count = sizeof commands_known;

static struct settings *kept;
static struct frame_reader reader;
static struct reply last; /* what the last token was answered; also the one being worked on */
static bool has_last, is_busy, reboot_waits;
static uint8_t quiet_beats;

void commands_init(struct settings *settings) { kept = settings; }

static void answer(enum result result)
{
    last.result = (uint8_t)result;
    is_busy = false;
    messages_reply(&last);
}

/* ---- each command: its data in, its result out ---- */

static void store32(uint8_t *to, uint32_t value) { memcpy(to, &value, sizeof value); }

static enum result ping(uint32_t arrived_us)
{
    store32(last.data, arrived_us);
    store32(last.data + 4, clock_us());
    last.length = 8;
    return DONE;
}

static enum result configure(const uint8_t *data)
{
    struct chip_settings wanted = {.clock_mode = data[0]};
    memcpy(wanted.pulses, data + 1, CHIPS);
    if (!settings_chips_are_valid(&wanted))
        return OUT_OF_RANGE;
    hx711_configure(&wanted);
    return DONE;
}

static enum result save(void)
{
    kept->chips = *hx711_settings();
    settings_save(kept);
    return NOT_YET;
}

static enum result set_serial(const uint8_t *data, uint8_t length)
{
    for (uint8_t i = 0; i < length; i++)
        if (data[i] < 0x20 || data[i] == 0x7F)
            return OUT_OF_RANGE; /* text only: it is shown to people */
    memset(kept->serial, 0, sizeof kept->serial);
    memcpy(kept->serial, data, length);
    kept->serial_length = length;
    settings_save(kept); /* with the chip settings as they were saved: CONFIGURE alone is for now only */
    return NOT_YET;
}

static enum result stream(uint8_t on)
{
    if (on > 1)
        return OUT_OF_RANGE;
    samples_stream(on);
    return DONE;
}

static bool has_right_length(uint8_t command, uint8_t length)
{
    switch (command) {
    case CONFIGURE:
        return length == 1 + CHIPS;
    case SET_SERIAL:
        return length >= 1 && length <= SERIAL_BYTES_MAX;
    case RESTART:
    case STREAM:
        return length == 1;
    default:
        return length == 0;
    }
}

static bool is_known(uint8_t command) { return memchr(commands_known, command, sizeof commands_known) != 0; }

static enum result carry_out(uint8_t command, const uint8_t *data, uint8_t length, uint32_t arrived_us)
{
    if (!is_known(command))
        return UNKNOWN_COMMAND;
    if (!has_right_length(command, length))
        return BAD_LENGTH;
    switch ((enum command)command) {
    case PING:
        return ping(arrived_us);
    case IDENTIFY:
        messages_ask_identity();
        return DONE;
    case CONFIGURE:
        return configure(data);
    case SAVE:
        return save();
    case SET_SERIAL:
        return set_serial(data, length);
    case RESTART:
        hx711_restart(data[0]);
        return DONE;
    case STREAM:
        return stream(data[0]);
    case REBOOT:
        reboot_waits = true;
        return DONE;
    case ASK_STATUS:
        messages_ask_status();
        return DONE;
    }
    return UNKNOWN_COMMAND;
}

/* ---- taking them ---- */

/* The same command with the same token is the host asking again because an answer got lost. */
static bool is_repeated(uint8_t command, uint8_t token)
{
    return has_last && last.token == token && last.command == command;
}

static void take_command(const uint8_t *message, uint8_t length, uint32_t arrived_us)
{
    uint8_t command = message[0], token = message[1];
    if (is_repeated(command, token)) {
        if (!is_busy)
            messages_reply(&last);
        return;
    }
    if (is_busy)
        return; /* a save takes a quarter of a second; the host asks again */
    last = (struct reply){.token = token, .command = command};
    has_last = true;
    enum result result = carry_out(command, message + HEAD_BYTES, length - HEAD_BYTES, arrived_us);
    if (result == NOT_YET)
        is_busy = true;
    else
        answer(result);
}

bool commands_step(void)
{
    struct received received;
    if (!uart_receive(&received))
        return false;
    do {
        enum frame_event event = frame_take(&reader, received.byte);
        if (event == FRAME_DAMAGED)
            messages_count_damaged();
        if (event == FRAME_MESSAGE)
            take_command(reader.bytes, reader.length, received.at_us);
        if (event != FRAME_NOTHING)
            break;
    } while (uart_receive(&received));
    return true;
}

static void reboot(void)
{
    cli();
    wdt_enable(WDTO_15MS);
    for (;;)
        ;
}

void commands_beat(void)
{
    enum save_state state = settings_save_step();
    if (is_busy && (state == SAVE_DONE || state == SAVE_FAILED))
        answer(state == SAVE_DONE ? DONE : EEPROM_FAILED);
    if (!messages_all_gone())
        quiet_beats = 0;
    else if (reboot_waits && ++quiet_beats > 2)
        reboot(); /* the last bytes have left the shift register too */
}
