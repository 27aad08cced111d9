/* All chips hang on one SCK, so they are powered, clocked and restarted together. A chip that doesn't take part is left
 * out (`excluded`) and costs the others nothing; it is taken in again when its DOUT shows a ready edge. */
#include "shared.h"

#include "clock.h"
#include "notices.h"
#include "pulses.h"

#define PATIENCE_US 150000UL   /* 1.5 periods of a slow chip, while none is known */
#define FAILURES_TO_EXCLUDE 3
#define RETRY_ALL_MS 1000      /* when nobody is left */

static uint8_t excluded;
static uint8_t to_judge; /* chip mask: read, not judged yet */
static uint16_t nobody_ms;

static uint8_t enabled(void)
{
    uint8_t mask = 0;
    for (uint8_t i = 0; i < CHIPS; i++)
        if (chips[i].pulses)
            mask |= (uint8_t)(1 << i);
    return mask;
}

/* The one setting that all enabled chips have (CONFIGURE refuses others here). */
static uint8_t common_pulses(void)
{
    for (uint8_t i = 0; i < CHIPS; i++)
        if (chips[i].pulses)
            return chips[i].pulses;
    return PULSES_A128;
}

static void power_down_all(uint16_t for_ms)
{
    pulses_sck(0, true);
    for (uint8_t i = 0; i < CHIPS; i++) {
        edges_disarm(i);
        if (i)
            pulses_sck(i, false); /* not used, kept quiet */
        chip_power_down(&chips[i], for_ms);
        if (!chips[i].pulses) {
            chips[i].phase = CHIP_OFF;
            chips[i].is_silent = false;
        }
    }
    excluded = 0;
    to_judge = 0;
}

void shared_start(void)
{
    for (uint8_t i = 0; i < CHIPS; i++)
        chips[i].failures = 0;
    power_down_all(0);
}

void shared_restart(enum restart_reason reason)
{
    uint16_t for_ms = 0;
    for (uint8_t i = 0; i < CHIPS; i++) {
        if (!chips[i].pulses)
            continue;
        if (reason < RESTART_COMMAND && chips[i].back_off_ms > for_ms && chips[i].failures)
            for_ms = chips[i].back_off_ms;
        chip_restarting(i, reason);
    }
    power_down_all(for_ms);
}

/* ---- reading ---- */

/* Counts the bits of each chip out of the masks: bit `index` of each of 24 masks, first bit highest. */
static void pick_code(const uint8_t masks[24], uint8_t bit, uint8_t code[3])
{
    for (uint8_t part = 0; part < 3; part++) {
        uint8_t value = 0;
        for (uint8_t i = 0; i < 8; i++) {
            value = (uint8_t)(value << 1);
            if (*masks++ & bit)
                value |= 1;
        }
        code[part] = value;
    }
}

static void read_group(uint8_t taking_part)
{
    uint8_t masks[24];
    for (uint8_t i = 0; i < CHIPS; i++)
        if (!(taking_part >> i & 1))
            edges_disarm(i); /* it is clocked as well, and what its DOUT does now is no ready edge */
    pulses_pull_up(taking_part, false);
    uint32_t begin_us = clock_us();
    struct pulse_train train = pulses_read_all(common_pulses(), masks);
    uint32_t end_us = clock_us();
    pulses_pull_up(taking_part, true);

    for (uint8_t i = 0; i < CHIPS; i++) {
        uint8_t bit = (uint8_t)(1 << i);
        struct chip_read *read = &chips[i].read;
        if (!(taking_part & bit)) {
            if (chips[i].phase >= CHIP_FIRST)
                chips[i].hold_off_ms = 1;
            continue;
        }
        struct edge edge = edges_take(i);
        read->edge_us = edge.at_us;
        read->edge_is_unsure = edge.is_unsure;
        chip_note_times(read, begin_us, end_us);
        read->longest_high_ticks = train.longest_high_ticks;
        read->dout_high_after = train.dout_after & bit;
        pick_code(masks, bit, read->code);
    }
    to_judge = taking_part;
}

/* An excluded chip comes back with a fall that was seen; one that is just low is stuck. */
static uint8_t readmit(uint8_t waiting)
{
    for (uint8_t i = 0; i < CHIPS; i++) {
        uint8_t bit = (uint8_t)(1 << i);
        if (!(waiting & excluded & bit))
            continue;
        if (edges_look(i).is_unsure) {
            edges_take(i);
            chips[i].hold_off_ms = HOLD_OFF_MS;
            waiting &= (uint8_t)~bit;
        } else {
            excluded &= (uint8_t)~bit;
            chips[i].failures = 0;
            chip_power_up(&chips[i]);
            chips[i].hold_off_ms = 0; /* its edge is here already */
        }
    }
    return waiting;
}

static bool patience_is_over(uint8_t waiting)
{
    uint8_t first = edges_oldest(waiting);
    uint32_t period_us = chips[first].period.us;
    uint32_t patience_us = period_us ? period_us + period_us / 2 : PATIENCE_US;
    return clock_us() - edges_look(first).at_us > patience_us;
}

bool shared_serve(void)
{
    uint8_t waiting = edges_waiting();
    if (waiting & excluded)
        waiting = readmit(waiting);
    if (!waiting)
        return false;
    uint8_t missing = enabled() & (uint8_t)~(excluded | waiting);
    if (missing && !patience_is_over(waiting))
        return false;
    read_group(waiting);
    return true;
}

static void note_failure(uint8_t index, enum restart_reason reason, enum restart_reason *group_reason)
{
    chip_back_off(&chips[index]);
    if (chips[index].failures < FAILURES_TO_EXCLUDE) {
        *group_reason = reason;
    } else {
        excluded |= (uint8_t)(1 << index); /* restarting everybody for it, for ever, would cost the good ones */
        chips[index].is_silent = true;
    }
}

bool shared_judge(void)
{
    enum restart_reason group_reason = RESTART_NONE;
    if (!to_judge)
        return false;
    for (uint8_t i = 0; i < CHIPS; i++) {
        if (!(to_judge >> i & 1))
            continue;
        enum restart_reason reason = chip_judge(i);
        if (reason)
            note_failure(i, reason, &group_reason);
    }
    to_judge = 0;
    if (group_reason)
        shared_restart(group_reason);
    return true;
}

/* ---- each millisecond ---- */

static void power_up_all(void)
{
    pulses_sck(0, false);
    for (uint8_t i = 0; i < CHIPS; i++)
        if (chips[i].pulses)
            chip_power_up(&chips[i]);
}

/* True while they are powered down. They went down together and come up together. */
static bool wait_for_power(uint8_t ms)
{
    bool is_down = false, is_over = true;
    for (uint8_t i = 0; i < CHIPS; i++) {
        if (chips[i].phase != CHIP_POWERED_DOWN)
            continue;
        is_down = true;
        is_over = chip_wait(&chips[i], ms) && is_over;
    }
    if (is_down && is_over)
        power_up_all();
    return is_down;
}

static void beat_chip(uint8_t index, uint8_t ms)
{
    uint8_t bit = (uint8_t)(1 << index);
    struct chip *chip = &chips[index];
    if (!chip_is_running(chip))
        return;
    bool is_over = chip_wait(chip, ms);
    if (is_over && !((excluded | edges_waiting() | to_judge) & bit)) {
        chip_timed_out(index);
        excluded |= bit;
    }
    chip_hold_off(index, ms);
}

void shared_beat(uint8_t ms)
{
    if (wait_for_power(ms)) {
        nobody_ms = 0;
        return;
    }
    for (uint8_t i = 0; i < CHIPS; i++)
        beat_chip(i, ms);
    if (enabled() & (uint8_t)~excluded)
        nobody_ms = 0;
    else if (enabled() && (nobody_ms += ms) > RETRY_ALL_MS)
        shared_restart(RESTART_TIMEOUT);
}
