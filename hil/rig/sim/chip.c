#include "chip.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "chance.h"

#define CODE_MAX 0x7fffff
#define CODE_MIN (-0x800000)
#define POWER_DOWN_NS 60000
#define UPDATE_NS 75000
#define ABANDONED_NS 100000
#define LATE_SHARE 0.7
#define A128 25
#define B32 26
#define A64 27
#define OSCILLATION_HZ 2000.0
#define NOISE_COUNTS 5000.0

const char *const fault_name[FAULT_KINDS] = {
    "late-read", "long-pulse", "missed-pulse", "extra-pulse", "reset-mid-read", "clip-high", "clip-low", "stuck",
    "all-ones", "all-zeros", "slow-clock", "swapped-lines", "brown-out", "dead", "oscillating", "noisy",
};

static const double filter[SETTLE_STEPS] = {1.0 / 24, 11.0 / 24, 11.0 / 24, 1.0 / 24};

/* ---- faults ---- */

static bool of_one_read(enum fault_kind kind)
{
    return kind <= RESET_MID_READ;
}

static const struct fault *lasting(const struct chip *chip, enum fault_kind kind, int64_t at)
{
    for (int i = 0; i < chip->fault_count; i++) {
        const struct fault *f = &chip->faults[i];
        if (f->kind == kind && f->begin_ns <= at && at < f->end_ns)
            return f;
    }
    return NULL;
}

static bool is(const struct chip *chip, enum fault_kind kind, int64_t at)
{
    return chip->fault_count > 0 && lasting(chip, kind, at);
}

/* The first planned fault of these kinds that is due, taken out of the plan: it happens once. */
static bool take_one_read(struct chip *chip, int64_t at, unsigned kinds)
{
    for (int i = 0; i < chip->fault_count; i++) {
        if (!(kinds >> chip->faults[i].kind & 1u) || chip->faults[i].begin_ns > at)
            continue;
        chip->spoilt = chip->faults[i];
        chip->has_spoilt = true;
        chip->fault_count--;
        for (int j = i; j < chip->fault_count; j++)
            chip->faults[j] = chip->faults[j + 1];
        return true;
    }
    return false;
}

static uint16_t lasting_bits(const struct chip *chip, int64_t at)
{
    unsigned bits = 0;
    for (int i = 0; i < chip->fault_count; i++) {
        const struct fault *f = &chip->faults[i];
        if (!of_one_read(f->kind) && f->begin_ns <= at && at < f->end_ns)
            bits |= 1u << f->kind;
    }
    return (uint16_t)bits;
}

bool chip_inject(struct chip *chip, const struct fault *fault)
{
    int kept = 0; /* those that are over make room */
    for (int i = 0; i < chip->fault_count; i++)
        if (of_one_read(chip->faults[i].kind) || chip->faults[i].end_ns >= chip->now_ns)
            chip->faults[kept++] = chip->faults[i];
    chip->fault_count = kept;
    if (kept == FAULTS_MAX)
        return false;
    chip->faults[chip->fault_count++] = *fault;
    return true;
}

/* ---- truth ---- */

static void tell(struct chip *chip)
{
    if (!chip->has_record)
        return;
    chip->has_record = false;
    struct truth *r = &chip->record;
    r->pulses = (uint8_t)(chip->edges < 255 ? chip->edges : 255);
    if (chip->edges == 0)
        r->marks |= LOST;
    else if (chip->edges < A128 || chip->edges > A64)
        r->marks |= SPOILT;
    if (!(r->marks & (LOST | SPOILT)))
        r->marks |= READ;
    chip->lost += (r->marks & LOST) != 0;
    chip->read += (r->marks & READ) != 0;
    chip->spoilt_reads += (r->marks & SPOILT) != 0;
    if (chip->told)
        chip->told(r);
}

static void restart(struct chip *chip, int64_t at, bool power_lost)
{
    if (chip->has_record && chip->edges > 0 && chip->edges < A128)
        chip->record.marks |= SPOILT;
    tell(chip);
    chip->powered_down = false;
    chip->waiting = false;
    chip->pulses = chip->edges = 0;
    chip->has_spoilt = false;
    chip->since_wake = 0;
    chip->restarted = true;
    chip->restarts++;
    if (power_lost || !chip->keeps_setting)
        chip->setting = A128;
    for (int i = 0; i < SETTLE_STEPS; i++)
        chip->used[i] = chip->setting;
    chip->next_ns = at + llrint(chip->wake_periods * chip->period_ns);
}

/* ---- conversions ---- */

static double source(struct chip *chip, int64_t at)
{
    if (chip->level_count == 0)
        return chip->level;
    while (chip->level_at + 1 < chip->level_count && chip->levels[chip->level_at + 1].at_ns <= at)
        chip->level_at++;
    return chip->levels[chip->level_at].counts;
}

static double chip_gain(int setting)
{
    return setting == B32 ? 32 : setting == A64 ? 64 : 128;
}

static double level_of(struct chip *chip, int setting, int64_t at)
{
    return setting == B32 ? chip->level_b : source(chip, at) / (setting == A64 ? 2.0 : 1.0);
}

static int32_t convert(struct chip *chip, int64_t at, bool *settled)
{
    memmove(chip->used + 1, chip->used, (SETTLE_STEPS - 1) * sizeof chip->used[0]);
    chip->used[0] = chip->setting;
    *settled = true;
    for (int i = 1; i < SETTLE_STEPS; i++)
        *settled &= chip->used[i] == chip->setting;
    double level = *settled ? level_of(chip, chip->setting, at) : 0;
    for (int i = 0; i < SETTLE_STEPS && !*settled; i++)
        level += filter[i] * level_of(chip, chip->used[i], at);
    if (chip->since_wake < SETTLE_STEPS) {
        *settled = false;
        level += chip->wake_counts[chip->since_wake++];
    }
    double noise = chip->noise;
    const struct fault *noisy = chip->fault_count ? lasting(chip, NOISY, at) : NULL;
    if (noisy)
        noise = hypot(noise, noisy->has_amount ? noisy->amount : NOISE_COUNTS);
    if (noise > 0)
        level += noise * chance_normal(&chip->chances) * chip_gain(chip->setting) / chip_gain(A128);
    double rounded = rint(level);
    int32_t code = rounded > CODE_MAX ? CODE_MAX : rounded < CODE_MIN ? CODE_MIN : (int32_t)rounded;
    if (is(chip, CLIP_HIGH, at))
        code = CODE_MAX;
    if (is(chip, CLIP_LOW, at))
        code = CODE_MIN;
    if (is(chip, ALL_ONES, at))
        code = -1;
    if (is(chip, STUCK, at)) {
        chip->stuck = chip->is_stuck ? chip->stuck : code;
        chip->is_stuck = true;
        code = chip->stuck;
    } else
        chip->is_stuck = false;
    return code;
}

static void end_conversion(struct chip *chip, int64_t at)
{
    bool settled;
    int32_t code = convert(chip, at, &settled);
    bool during_read =
        chip->waiting && chip->pulses >= 1 && chip->pulses <= 24 && at - chip->last_pulse_ns <= ABANDONED_NS;
    unsigned fault = 0;
    if (during_read) {
        chip->record.marks |= SPOILT;
        fault = chip->record.fault & (1u << LATE_READ);
    }
    tell(chip);
    chip->reg = (uint32_t)code & 0xffffff;
    chip->has_record = true;
    chip->record = (struct truth){
        .edge_ns = at,
        .number = (uint32_t)chip->conversions++,
        .counts = code,
        .read_begin_ns = during_read ? chip->last_pulse_ns : -1,
        .chip = chip->index,
        .setting = (uint8_t)chip->used[0],
        .marks =
            (uint8_t)((settled ? SETTLED : 0) | (chip->restarted ? AFTER_RESTART : 0) | (during_read ? SPOILT : 0)),
        .fault = (uint16_t)(fault | lasting_bits(chip, at)),
    };
    chip->restarted = false;
    if (during_read)
        return;
    chip->waiting = true;
    chip->pulses = chip->edges = 0;
    chip->has_spoilt = false;
    chip->hidden_until_ns = 0;
    if (chip->fault_count && take_one_read(chip, at, 1u << LATE_READ)) {
        chip->hidden_until_ns = at + llrint(LATE_SHARE * chip->period_ns);
        chip->record.fault |= 1u << LATE_READ;
    }
}

static void convert_until(struct chip *chip, int64_t at)
{
    while (chip->next_ns <= at && !chip->powered_down && !chip->unpowered) {
        int64_t end = chip->next_ns;
        const struct fault *slow = chip->fault_count ? lasting(chip, SLOW_CLOCK, end) : NULL;
        double period = chip->period_ns * (slow && slow->has_amount ? slow->amount : 1.0);
        if (chip->jitter > 0)
            period *= 1.0 + chip->jitter * chance_normal(&chip->chances);
        int64_t step = llrint(period);
        chip->next_ns = end + (step > 1 ? step : 1);
        if (!is(chip, DEAD, end) && !is(chip, BROWN_OUT, end))
            end_conversion(chip, end);
    }
}

/* When the supply comes back, if that is in (after, until]; else CHIP_NEVER. */
static int64_t brown_out_end(const struct chip *chip, int64_t after, int64_t until)
{
    int64_t latest = CHIP_NEVER;
    for (int i = 0; i < chip->fault_count; i++) {
        const struct fault *f = &chip->faults[i];
        bool ends_here = f->kind == BROWN_OUT && f->end_ns > after && f->end_ns <= until;
        if (ends_here && (latest == CHIP_NEVER || f->end_ns > latest))
            latest = f->end_ns;
    }
    return latest;
}

static void advance(struct chip *chip, int64_t at)
{
    if (at < chip->now_ns)
        at = chip->now_ns;
    int64_t down = chip->sck_rise_ns + POWER_DOWN_NS;
    if (chip->sck && !chip->powered_down && at > down) {
        convert_until(chip, down);
        if (chip->has_record && chip->edges > 0 && chip->edges < A128)
            chip->record.marks |= SPOILT;
        tell(chip);
        chip->powered_down = true;
        chip->power_downs++;
        chip->waiting = false;
    }
    if (chip->fault_count) {
        int64_t back = brown_out_end(chip, chip->now_ns, at);
        if (back != CHIP_NEVER)
            restart(chip, back, true);
    }
    convert_until(chip, at);
    chip->now_ns = at;
}

/* ---- pins ---- */

static void pulse(struct chip *chip, int64_t at)
{
    if (!chip->waiting) {
        chip->idle_pulses++;
        return;
    }
    if (chip->edges == 0) {
        chip->record.read_begin_ns = at;
        if (!chip->has_spoilt && chip->fault_count &&
            take_one_read(chip, at, 1u << RESET_MID_READ | 1u << LONG_PULSE | 1u << MISSED_PULSE | 1u << EXTRA_PULSE))
            chip->record.fault = (uint16_t)(chip->record.fault | 1u << chip->spoilt.kind);
        chip->record.fault |= lasting_bits(chip, at);
    }
    bool spoils = chip->has_spoilt && chip->spoilt.bit == chip->edges;
    enum fault_kind kind = chip->spoilt.kind;
    chip->edges++;
    chip->last_pulse_ns = at;
    if (spoils && (kind == RESET_MID_READ || kind == LONG_PULSE)) {
        chip->record.marks |= SPOILT;
        restart(chip, at, false);
        return;
    }
    if (!spoils || kind != MISSED_PULSE)
        chip->pulses += spoils && kind == EXTRA_PULSE ? 2 : 1;
    if (spoils)
        chip->record.marks |= SPOILT;
    if (chip->pulses >= A128)
        chip->setting = chip->pulses < A64 ? chip->pulses : A64;
    if (spoils && kind == LATE_READ) {
        chip->next_ns = at;
        convert_until(chip, at);
    }
}

void chip_sck(struct chip *chip, bool level, int64_t at)
{
    advance(chip, at);
    bool deaf = chip->unpowered || is(chip, SWAPPED_LINES, at) || is(chip, DEAD, at) || is(chip, BROWN_OUT, at);
    if (deaf || level == chip->sck)
        return;
    chip->sck = level;
    if (level) {
        chip->sck_rise_ns = at;
        pulse(chip, at);
    } else if (chip->powered_down)
        restart(chip, at, false);
}

bool chip_dout(struct chip *chip, int64_t at)
{
    advance(chip, at);
    if (chip->unpowered)
        return false;
    if (chip->fault_count) {
        if (is(chip, DEAD, at) || is(chip, SWAPPED_LINES, at))
            return true;
        if (is(chip, BROWN_OUT, at) || is(chip, ALL_ZEROS, at))
            return false;
        const struct fault *f = lasting(chip, OSCILLATING, at);
        if (f)
            return (int64_t)((double)(at - f->begin_ns) * 2e-9 * (f->has_amount ? f->amount : OSCILLATION_HZ)) & 1;
    }
    if (!chip->waiting || chip->powered_down || at < chip->hidden_until_ns)
        return true;
    if (chip->pulses == 0)
        return chip->hidden_until_ns == 0 && at >= chip->next_ns - UPDATE_NS;
    return chip->pulses > 24 || (chip->reg >> (24 - chip->pulses) & 1);
}

static void sooner(int64_t *due, int64_t now, int64_t at)
{
    if (at > now && at < *due)
        *due = at;
}

int64_t chip_due(const struct chip *chip)
{
    int64_t due = CHIP_NEVER, now = chip->now_ns;
    if (chip->unpowered)
        return due;
    if (!chip->powered_down) {
        sooner(&due, now, chip->next_ns);
        if (chip->waiting && chip->pulses == 0 && chip->hidden_until_ns == 0)
            sooner(&due, now, chip->next_ns - UPDATE_NS);
        if (chip->sck)
            sooner(&due, now, chip->sck_rise_ns + POWER_DOWN_NS + 1);
    }
    sooner(&due, now, chip->hidden_until_ns);
    for (int i = 0; i < chip->fault_count; i++) {
        const struct fault *f = &chip->faults[i];
        if (of_one_read(f->kind))
            continue;
        sooner(&due, now, f->begin_ns);
        sooner(&due, now, f->end_ns);
        if (f->kind == OSCILLATING && f->begin_ns <= now && now < f->end_ns) {
            double half_ns = 0.5e9 / (f->has_amount ? f->amount : OSCILLATION_HZ);
            int64_t done = (int64_t)((double)(now - f->begin_ns) / half_ns);
            sooner(&due, now, f->begin_ns + (int64_t)ceil((double)(done + 1) * half_ns));
        }
    }
    return due;
}

void chip_power(struct chip *chip, bool on, int64_t at)
{
    advance(chip, at);
    if (on == !chip->unpowered)
        return;
    chip->unpowered = !on;
    chip->sck = false;
    tell(chip);
    chip->waiting = false;
    if (on)
        restart(chip, at, true);
}

void chip_begin(struct chip *chip, uint8_t index, double rate_hz, int64_t first_edge_ns, uint64_t seed)
{
    static const double wake[SETTLE_STEPS] = {900, 720, 580, 460};
    *chip = (struct chip){.period_ns = 1e9 / rate_hz, .jitter = 57e-6, .keeps_setting = true, .wake_periods = 4.45};
    for (int i = 0; i < SETTLE_STEPS; i++)
        chip->wake_counts[i] = wake[i];
    chip->index = index;
    chip->setting = A128;
    for (int i = 0; i < SETTLE_STEPS; i++)
        chip->used[i] = A128;
    chip->next_ns = first_edge_ns;
    chip->now_ns = first_edge_ns - llrint(chip->period_ns);
    chance_seed(&chip->chances, seed);
}
