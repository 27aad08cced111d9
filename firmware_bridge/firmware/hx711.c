/* Each chip on its own clock line: its faults are its own. Nothing here waits: a chip that must stay powered down, or
 * whose edge doesn't come, is looked at once in a millisecond and costs the others nothing. */
#include "hx711.h"

#include "chip.h"
#include "clock.h"
#include "pulses.h"
#include "shared.h"

static struct chip_settings settings;
static uint8_t to_judge; /* chip mask: read, not judged yet */
static uint8_t latest_read;

const struct chip_settings *hx711_settings(void) { return &settings; }

static void power_down(uint8_t index, uint16_t for_ms)
{
    edges_disarm(index);
    to_judge &= (uint8_t)~bit_of(index); /* a read from before would be taken for one of the new start */
    pulses_sck(index, true);
    chip_power_down(&chips[index], for_ms);
}

static void restart(uint8_t index, enum restart_reason reason)
{
    uint16_t for_ms = 0;
    if (reason < RESTART_COMMAND) {
        chip_back_off(&chips[index]);
        for_ms = chips[index].back_off_ms;
    }
    chip_restarting(index, reason);
    power_down(index, for_ms);
}

/* A chip that is off keeps SCK high: powered down, it takes 1 µA and its DOUT stays still. */
static void switch_off(uint8_t index)
{
    power_down(index, 0);
    chips[index].phase = CHIP_OFF;
    chips[index].is_silent = false;
}

static void set_all(const struct chip_settings *wanted)
{
    settings = *wanted;
    for (uint8_t i = 0; i < CHIPS; i++)
        chips[i].pulses = wanted->pulses[i];
}

static void start(uint8_t index)
{
    chips[index].failures = 0;
    if (chips[index].pulses)
        power_down(index, 0); /* and up again at a next beat: whatever the bootloader did to its SCK is undone */
    else
        switch_off(index);
}

void hx711_init(const struct chip_settings *wanted)
{
    pulses_init();
    pulses_pull_up(0xFF, true);
    edges_init();
    set_all(wanted);
    if (settings.clock_mode == CLOCK_SHARED)
        shared_start();
    else
        for (uint8_t i = 0; i < CHIPS; i++)
            start(i);
}

void hx711_configure(const struct chip_settings *wanted)
{
    uint8_t changed = 0;
    for (uint8_t i = 0; i < CHIPS; i++)
        if (wanted->pulses[i] != settings.pulses[i] || wanted->clock_mode != settings.clock_mode)
            changed |= (uint8_t)(1 << i);
    if (!changed)
        return;
    set_all(wanted);
    for (uint8_t i = 0; i < CHIPS; i++)
        if ((changed >> i & 1) && chips[i].pulses)
            chip_restarting(i, RESTART_CONFIGURED);
    if (settings.clock_mode == CLOCK_SHARED) {
        shared_start();
        return;
    }
    for (uint8_t i = 0; i < CHIPS; i++)
        if (changed >> i & 1)
            start(i);
}

void hx711_restart(uint8_t which)
{
    if (settings.clock_mode == CLOCK_SHARED) {
        if (which)
            shared_restart(RESTART_COMMAND);
        return;
    }
    for (uint8_t i = 0; i < CHIPS; i++)
        if ((which >> i & 1) && chips[i].pulses)
            restart(i, RESTART_COMMAND);
}

/* The pull-up keeps the line of a missing chip high, `not ready`; without it the input floats and hum makes edges that
 * look like a chip. While bits are read it is off: some boards' DOUT is too weak for one, and misreads come in bands. */
static void read_chip(uint8_t index, uint8_t bit)
{
    struct chip_read *read = &chips[index].read;
    pulses_pull_up(bit, false);
    uint32_t begin_us = clock_us();
    struct pulse_train train = pulses_read_one(index, chips[index].pulses, read->code);
    chip_note_times(read, begin_us, clock_us());
    pulses_pull_up(bit, true);
    read->longest_high_ticks = train.longest_high_ticks;
    read->dout_high_after = train.dout_after & bit;
    to_judge |= bit;
}

static void serve_chip(uint8_t index, uint8_t bit)
{
    struct edge edge = edges_take(index);
    if (dout_levels() & bit) {
        chips[index].hold_off_ms = 1; /* high again: a glitch, no conversion. Looked at again at the next beat */
        return;
    }
    chips[index].read.edge_us = edge.at_us;
    chips[index].read.edge_is_unsure = edge.is_unsure;
    read_chip(index, bit);
}

/* In turn, so that a chip that is always ready waits for all others before it is read again. */
bool hx711_serve(void)
{
    if (settings.clock_mode == CLOCK_SHARED)
        return shared_serve();
    uint8_t waiting = edges_waiting();
    if (!waiting)
        return false;
    uint8_t index = latest_read, bit;
    do {
        index = (index + 1) % CHIPS;
        bit = bit_of(index);
    } while (!(waiting & bit));
    latest_read = index;
    serve_chip(index, bit);
    return true;
}

bool hx711_judge(void)
{
    if (settings.clock_mode == CLOCK_SHARED)
        return shared_judge();
    if (!to_judge)
        return false;
    uint8_t index = 0;
    for (uint8_t rest = to_judge; !(rest & 1); rest >>= 1)
        index++;
    to_judge &= to_judge - 1;
    enum restart_reason reason = chip_judge(index);
    if (reason)
        restart(index, reason);
    return true;
}

static void beat_chip(uint8_t index, uint8_t ms, bool has_edge)
{
    struct chip *chip = &chips[index];
    if (chip->phase == CHIP_OFF)
        return;
    bool is_over = chip_wait(chip, ms);
    if (chip->phase == CHIP_POWERED_DOWN) {
        if (is_over) {
            pulses_sck(index, false);
            chip_power_up(chip);
        }
        return;
    }
    if (is_over && !has_edge) {
        chip_timed_out(index);
        restart(index, RESTART_TIMEOUT);
        return;
    }
    chip_hold_off(index, ms);
}

/* Four chips at a time, in turn: a beat is one piece of work, and a ready chip may have to wait for it. */
static void beat_half(uint8_t ms)
{
    static uint8_t owed_ms[2];
    static uint8_t half;
    owed_ms[0] += ms;
    owed_ms[1] += ms;
    half ^= 1;
    uint8_t have_edge = edges_waiting() | to_judge;
    uint8_t first = half ? CHIPS / 2 : 0;
    for (uint8_t i = first; i < first + CHIPS / 2; i++)
        beat_chip(i, owed_ms[half], have_edge & bit_of(i));
    owed_ms[half] = 0;
}

void hx711_beat(uint8_t ms)
{
    edges_beat();
    if (settings.clock_mode == CLOCK_SHARED)
        shared_beat(ms);
    else
        beat_half(ms);
}
