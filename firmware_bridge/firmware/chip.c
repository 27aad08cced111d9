#include "chip.h"

#include "clock.h"
#include "count.h"
#include "notices.h"
#include "samples.h"

#define LATE_US 1000
#define LONG_PULSE_TICKS (50000 / CLOCK_TICK_NS)

struct chip chips[CHIPS];

bool chip_is_running(const struct chip *chip) { return chip->phase >= CHIP_FIRST; }

enum chip_state chip_state(const struct chip *chip)
{
    if (chip->phase == CHIP_OFF)
        return STATE_OFF;
    if (chip->is_silent)
        return STATE_SILENT;
    if (chip->phase <= CHIP_FIRST)
        return STATE_FIRST;
    return chip->phase == CHIP_SETTLING ? STATE_SETTLING : STATE_GOOD;
}

/* ---- power and waiting ---- */

static uint16_t allowed_ms(const struct chip *chip)
{
    if (chip->phase != CHIP_GOOD || !chip->period.us)
        return FIRST_EDGE_MS;
    uint16_t ms = stop_at_u16(chip->period.us * TIMEOUT_PERIODS >> 10); /* /1024: near enough, and no division */
    return ms < TIMEOUT_MS_LEAST ? TIMEOUT_MS_LEAST : ms;
}

void chip_power_down(struct chip *chip, uint16_t for_ms)
{
    chip->phase = CHIP_POWERED_DOWN;
    chip->left_ms = for_ms + POWER_DOWN_MS + 1; /* the first of them may be nearly over */
    chip->hold_off_ms = 0;
    chip->last_edge_known = false;
}

/* Two data sheets contradict each other on the gain after a power-up. So the first read only sets it (its own value is at
 * whichever gain it was), and four more settle. */
void chip_power_up(struct chip *chip)
{
    chip->phase = CHIP_FIRST;
    chip->left_ms = allowed_ms(chip);
    chip->hold_off_ms = 1;
    chip->flags_next |= SAMPLE_RESTARTED;
}

/* 0, 125, 250, 500, 1000, 1000 ... ms: a loose contact gets many chances, a dead chip costs next to nothing. */
void chip_back_off(struct chip *chip)
{
    if (chip->failures < 255)
        chip->failures++;
    if (chip->failures < 2)
        chip->back_off_ms = 0;
    else if (chip->failures < 5)
        chip->back_off_ms = (uint16_t)(BACK_OFF_MS_MOST >> (5 - chip->failures));
    else
        chip->back_off_ms = BACK_OFF_MS_MOST;
}

/* The first failure in a row is told, the others are counted: a board with four chips wired would otherwise send notices
 * for the other four for ever. */
static bool is_news(const struct chip *chip, enum restart_reason reason)
{
    return reason >= RESTART_COMMAND || chip->failures <= 1;
}

void chip_restarting(uint8_t index, enum restart_reason reason)
{
    struct chip *chip = &chips[index];
    count_up(&chip->counts.restarts);
    if (is_news(chip, reason))
        notices_put(index, NOTICE_RESTART, reason);
}

void chip_timed_out(uint8_t index)
{
    struct chip *chip = &chips[index];
    count_up(&chip->counts.timeouts);
    if (!chip->is_silent)
        notices_put(index, NOTICE_READY_TIMEOUT, allowed_ms(chip));
    chip->is_silent = true;
}

bool chip_wait(struct chip *chip, uint8_t ms)
{
    bool is_over = chip->left_ms <= ms;
    chip->left_ms = is_over ? 0 : chip->left_ms - ms;
    return is_over;
}

void chip_hold_off(uint8_t index, uint8_t ms)
{
    struct chip *chip = &chips[index];
    if (chip->hold_off_ms > ms)
        chip->hold_off_ms -= ms;
    else if (chip->hold_off_ms) {
        chip->hold_off_ms = 0;
        edges_arm(index);
    }
}

/* ---- judging a read ---- */

void chip_note_times(struct chip_read *read, uint32_t begin_us, uint32_t end_us)
{
    read->begin_age_us = stop_at_u16(begin_us - read->edge_us);
    read->end_age_us = stop_at_u16(end_us - read->edge_us);
}

/* Moves the edge that the read is said to belong to. */
static void shift_edge(struct chip_read *read, uint32_t later_us)
{
    read->edge_us += later_us;
    read->begin_age_us -= (uint16_t)later_us;
    read->end_age_us -= (uint16_t)later_us;
}

/* A read that began more than a period after its edge shows a later conversion: those between are lost. */
static void count_lost(struct chip *chip, uint8_t *flags)
{
    struct chip_read *read = &chip->read;
    if (!chip->period.us || read->begin_age_us < chip->period.us)
        return;
    uint16_t lost = read->begin_age_us / (uint16_t)chip->period.us; /* it fits: it is less than an age */
    count_add(&chip->counts.overruns, lost);
    chip->number = (uint8_t)(chip->number + lost);
    shift_edge(read, lost * chip->period.us);
    *flags |= SAMPLE_OVERRUN | SAMPLE_EDGE_UNSURE;
}

/* Found low without its fall having been seen: when it should have fallen is a better guess than when it was found. */
static void guess_edge(struct chip *chip)
{
    if (!chip->last_edge_known || !chip->period.us)
        return;
    uint32_t early_us = chip->read.edge_us - (chip->last_edge_us + chip->period.us);
    if (early_us < chip->period.us)
        shift_edge(&chip->read, -early_us);
}

static void seen_restart(uint8_t index, uint32_t interval_us, uint8_t *flags)
{
    struct chip *chip = &chips[index];
    count_up(&chip->counts.self_restarts);
    notices_put(index, NOTICE_SELF_RESTART, stop_at_u16(interval_us / 1000));
    chip->phase = CHIP_FIRST; /* its gain is anybody's guess again: this read sets it */
    *flags |= SAMPLE_RESTARTED;
}

/* 2.5 periods: a lost edge makes 2, a restart at least 4. */
static bool is_restart(const struct period *period, uint32_t interval_us)
{
    return period->us && interval_us > period->us * 2 + period->us / 2;
}

/* No chip is that quick, or this one never was: its line is noisy, or its RATE pin was moved. What it says is worth
 * nothing until its edges come evenly again. */
static bool is_too_short(const struct period *period, uint32_t interval_us)
{
    return interval_us < PERIOD_LEAST_US || interval_us < period->us - period->us / 4;
}

static void judge_interval(uint8_t index, uint8_t *flags)
{
    struct chip *chip = &chips[index];
    uint32_t edge_us = chip->read.edge_us;
    uint32_t interval_us = edge_us - chip->last_edge_us;
    bool is_sure = !(*flags & SAMPLE_EDGE_UNSURE);
    if (chip->phase >= CHIP_SETTLING && is_too_short(&chip->period, interval_us))
        chip->phase = CHIP_FIRST;
    if (chip->last_edge_known && is_sure) {
        if (is_restart(&chip->period, interval_us))
            seen_restart(index, interval_us, flags);
        if (interval_us >= PERIOD_LEAST_US)
            period_learn(&chip->period, interval_us);
    }
    chip->last_edge_us = edge_us;
    chip->last_edge_known = is_sure;
}

static bool is_saturated(const uint8_t code[3])
{
    uint8_t low = code[2];
    return code[1] == low && ((code[0] == 0x7F && low == 0xFF) || (code[0] == 0x80 && low == 0x00));
}

static bool is_late(const struct chip *chip)
{
    if (chip->read.begin_age_us > LATE_US)
        return true;
    return chip->period.us && chip->read.end_age_us >= chip->period.us;
}

static void judge_code(struct chip *chip, uint8_t *flags)
{
    const struct chip_read *read = &chip->read;
    if (is_saturated(read->code)) {
        *flags |= SAMPLE_SATURATED;
        count_up(&chip->counts.saturated);
    }
    if (!read->dout_high_after) {
        *flags |= SAMPLE_DESYNC;
        count_up(&chip->counts.desync);
    }
    if (read->longest_high_ticks > LONG_PULSE_TICKS) {
        *flags |= SAMPLE_LONG_PULSE;
        count_up(&chip->counts.long_pulses);
    }
    if (read->longest_high_ticks > chip->counts.longest_high_ticks)
        chip->counts.longest_high_ticks = read->longest_high_ticks;
}

/* A failing chip may do well for a moment: its failures are forgotten only when it has done well for a while. */
static void forgive(struct chip *chip)
{
    if (chip->to_forgive && --chip->to_forgive == 0)
        chip->failures = 0;
}

static void settle(struct chip *chip, uint8_t *flags)
{
    if (chip->phase == CHIP_GOOD) {
        forgive(chip);
        return;
    }
    *flags |= SAMPLE_SETTLING;
    if (chip->phase == CHIP_FIRST) {
        chip->phase = CHIP_SETTLING;
        chip->to_settle = SETTLING_READS;
    } else if (--chip->to_settle == 0) {
        chip->phase = CHIP_GOOD;
        chip->to_forgive = FORGIVING_READS;
    }
}

static void end_silence(uint8_t index)
{
    struct chip *chip = &chips[index];
    uint32_t now_ms = clock_uptime_ms();
    if (chip->is_silent)
        notices_put(index, NOTICE_FIRST_AFTER_SILENCE, stop_at_u16(now_ms - chip->last_seen_ms));
    chip->is_silent = false;
    chip->last_seen_ms = now_ms;
}

static void queue_sample(uint8_t index, uint8_t flags)
{
    struct chip *chip = &chips[index];
    const struct chip_read *read = &chip->read;
    uint16_t took_4us = read->end_age_us / 4;
    struct sample sample = {
        .edge_us = read->edge_us,
        .code = {read->code[0], read->code[1], read->code[2]},
        .chip = index,
        .flags = flags,
        .number = chip->number,
        .read_4us = took_4us > 255 ? 255 : (uint8_t)took_4us,
        .high_500ns = read->longest_high_ticks,
    };
    if (!samples_put(&sample)) {
        chip->flags_next |= flags & SAMPLE_RESTARTED; /* the next one is then the first that the host sees */
        chip->flags_next |= SAMPLE_OVERRUN; /* counted by samples_put as dropped, not as an overrun too */
    }
}

enum restart_reason chip_judge(uint8_t index)
{
    struct chip *chip = &chips[index];
    uint8_t flags = chip->flags_next;
    chip->flags_next = 0;
    if (chip->read.edge_is_unsure) {
        flags |= SAMPLE_EDGE_UNSURE;
        guess_edge(chip);
    }
    if (is_late(chip)) {
        flags |= SAMPLE_LATE;
        count_up(&chip->counts.late);
    }
    count_lost(chip, &flags);
    chip->number++;
    chip->counts.conversions++;
    judge_interval(index, &flags);
    judge_code(chip, &flags);
    settle(chip, &flags);
    end_silence(index);
    queue_sample(index, flags);
    chip->left_ms = allowed_ms(chip);
    chip->hold_off_ms = HOLD_OFF_MS;

    if (flags & SAMPLE_DESYNC)
        return RESTART_DESYNC;
    return flags & SAMPLE_LONG_PULSE ? RESTART_LONG_PULSE : RESTART_NONE;
}
