/* The chips on the board's pins, each woken by a cycle timer of its own just when its DOUT may change. */
#include "chips.h"
#include "orders.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <simavr/avr_ioport.h>
#include <simavr/sim_io.h>

struct pin {
    char port;
    int bit;
};

/* As in firmware_bridge/firmware/board.h. */
static const struct pin dout_pin[CHIPS_MAX] = {
    {'D', 4}, {'D', 5}, {'D', 6}, {'D', 7}, {'C', 0}, {'C', 1}, {'C', 2}, {'C', 3},
};
static const struct pin sck_pin[CHIPS_MAX] = {
    {'B', 0}, {'B', 1}, {'B', 2}, {'B', 3}, {'B', 4}, {'B', 5}, {'D', 2}, {'D', 3},
};

struct place {
    struct chip chip;
    avr_ioport_t *dout_port;
    avr_irq_t *dout, *sck;
    uint8_t dout_mask;
    bool connected, level;
    int64_t armed_ns; /* when its timer fires; it may fire too early and is then set again */
};

static struct place places[CHIPS_MAX];
static unsigned count;
static struct truth *told;
static size_t told_count, told_room;

unsigned chips_count(void)
{
    return count;
}

/* ---- pins ---- */

static avr_ioport_t *find_port(char name)
{
    for (avr_io_t *io = avr->io_port; io; io = io->next)
        if (!strcmp(io->kind, "port") && ((avr_ioport_t *)io)->name == name)
            return (avr_ioport_t *)io;
    fail("this libsimavr has no port %c in its ATmega328P", name);
}

static void drive(struct place *p, bool level)
{
    p->level = level;
    /* simavr raises every input with a pull-up at any write to its port, unless it knows what drives the pin. */
    p->dout_port->external.pull_mask |= p->dout_mask;
    if (level)
        p->dout_port->external.pull_value |= p->dout_mask;
    else
        p->dout_port->external.pull_value &= (uint8_t)~p->dout_mask;
    avr_raise_irq(p->dout, level);
}

static avr_cycle_count_t wake(avr_t *mcu, avr_cycle_count_t when, void *param);

static void see(struct place *p, int64_t now)
{
    bool level = chip_dout(&p->chip, now);
    if (p->connected && level != p->level)
        drive(p, level);
    int64_t due = chip_due(&p->chip);
    if (due < p->armed_ns) {
        p->armed_ns = due;
        board_timer(due, wake, p);
    }
}

static avr_cycle_count_t wake(avr_t *mcu, avr_cycle_count_t when, void *param)
{
    (void)mcu, (void)when;
    struct place *p = param;
    int64_t now = board_now();
    p->armed_ns = NEVER;
    see(p, now);
    return 0;
}

static void sck_changed(struct avr_irq_t *irq, uint32_t value, void *param)
{
    (void)irq;
    struct place *p = param;
    if (!p->connected)
        return;
    int64_t now = board_now();
    chip_sck(&p->chip, value != 0, now);
    see(p, now);
}

void chips_changed(unsigned index)
{
    struct place *p = &places[index];
    p->armed_ns = NEVER;
    see(p, board_now());
}

void chips_after_reset(void)
{
    for (unsigned i = 0; i < count; i++) {
        struct place *p = &places[i];
        avr_raise_irq(p->sck, 0); /* the pin is an input now, and a resistor on the board keeps the chip's clock low */
        if (p->connected) {       /* the library has cleared what it knew of the inputs */
            avr->data[p->dout_port->r_pin] &= (uint8_t)~p->dout_mask;
            if (p->level)
                avr->data[p->dout_port->r_pin] |= p->dout_mask;
        }
        chips_changed(i);
    }
    for (unsigned i = 0; i < CHIPS_MAX; i++) /* where there is no chip, the MCU's pull-up must be a change to be seen */
        if (i >= count || !places[i].connected)
            avr_io_getirq(avr, AVR_IOCTL_IOPORT_GETIRQ(dout_pin[i].port), dout_pin[i].bit)->value = 0;
}

void chips_power(bool on, int64_t now)
{
    for (unsigned i = 0; i < count; i++) {
        chip_power(&places[i].chip, on, now);
        chips_changed(i);
    }
}

static void connect(struct place *p, bool connected)
{
    p->connected = connected;
    if (connected)
        drive(p, p->level);
    else { /* only the MCU's own pull-up is left */
        p->dout_port->external.pull_mask &= (uint8_t)~p->dout_mask;
        p->dout_port->external.pull_value &= (uint8_t)~p->dout_mask;
        avr_raise_irq(p->dout, 1);
        chip_sck(&p->chip, false, board_now());
    }
}

/* ---- truth ---- */

static void note(const struct truth *record)
{
    if (told_count == told_room) {
        told_room = told_room ? told_room * 2 : 4096;
        told = realloc(told, told_room * sizeof *told);
        if (!told)
            fail("no memory for %zu records of truth", told_room);
    }
    told[told_count++] = *record;
}

size_t chips_truth(const void **records)
{
    *records = told;
    return told_count * sizeof *told;
}

void chips_truth_taken(void)
{
    told_count = 0;
}

int chips_describe(char *text, size_t room)
{
    int n = 0;
    for (unsigned i = 0; i < count; i++) {
        const struct chip *c = &places[i].chip;
        n += snprintf(text + n, room - (size_t)n,
                      "chip%u=conversions:%llu read:%llu lost:%llu spoilt:%llu "
                      "restarts:%llu power_downs:%llu idle_pulses:%llu\n",
                      i, (unsigned long long)c->conversions, (unsigned long long)c->read, (unsigned long long)c->lost,
                      (unsigned long long)c->spoilt_reads, (unsigned long long)c->restarts,
                      (unsigned long long)c->power_downs, (unsigned long long)c->idle_pulses);
    }
    return n;
}

/* ---- commands: chip <i> <what> ... ---- */

/* chip <i> fault <name> <begin ns> <end ns|-> <bit> <amount|-> */
static bool fault_command(struct chip *chip, char **word, int words)
{
    struct fault f = {.kind = FAULT_KINDS, .end_ns = NEVER};
    if (words != 8)
        return refuse("chip <i> fault <name> <begin ns> <end ns|-> <bit> <amount|->");
    for (int i = 0; i < FAULT_KINDS; i++)
        if (!strcmp(word[3], fault_name[i]))
            f.kind = (enum fault_kind)i;
    if (f.kind == FAULT_KINDS)
        return refuse("no fault is called %s", word[3]);
    f.begin_ns = strtoll(word[4], NULL, 10);
    if (strcmp(word[5], "-"))
        f.end_ns = strtoll(word[5], NULL, 10);
    f.bit = atoi(word[6]);
    f.has_amount = strcmp(word[7], "-") != 0;
    f.amount = f.has_amount ? atof(word[7]) : 0;
    if (f.has_amount && f.amount <= 0)
        return refuse("%s: the amount has to be over 0", word[3]);
    if (!chip_inject(chip, &f))
        return refuse("%s: more than %d faults planned for one chip", word[3], FAULTS_MAX);
    return true;
}

bool chip_command(char **word, int words)
{
    unsigned index = words >= 4 ? (unsigned)atoi(word[1]) : count;
    if (index >= count)
        return refuse("chip <0..%u> <what> <value>", count ? count - 1 : 0);
    struct place *p = &places[index];
    struct chip *c = &p->chip;
    const char *what = word[2];
    double value = atof(word[3]);
    chip_dout(c, board_now()); /* up to now it was as before */
    if (!strcmp(what, "fault")) {
        if (!fault_command(c, word, words))
            return false;
    } else if (!strcmp(what, "rate_hz") && value > 0)
        c->period_ns = 1e9 / value;
    else if (!strcmp(what, "jitter"))
        c->jitter = value;
    else if (!strcmp(what, "noise_counts"))
        c->noise = value;
    else if (!strcmp(what, "level_counts"))
        c->level = value;
    else if (!strcmp(what, "level_b_counts"))
        c->level_b = value;
    else if (!strcmp(what, "first_edge_ns")) {
        c->next_ns = strtoll(word[3], NULL, 10);
        c->waiting = false;
    } else if (!strcmp(what, "datasheet"))
        c->keeps_setting = value == 2;
    else if (!strcmp(what, "wake_periods"))
        c->wake_periods = value;
    else if (!strcmp(what, "wake_counts") && words == 3 + SETTLE_STEPS)
        for (int i = 0; i < SETTLE_STEPS; i++)
            c->wake_counts[i] = atof(word[3 + i]);
    else if (!strcmp(what, "connected"))
        connect(p, value != 0);
    else
        return refuse("chip %u: %s can't be set to %s", index, what, word[3]);
    chips_changed(index);
    return true;
}

bool chips_levels(unsigned index, struct level *levels, size_t level_count)
{
    if (index >= count) {
        free(levels);
        return refuse("codes <chip 0..%u> <n>", count ? count - 1 : 0);
    }
    struct chip *c = &places[index].chip;
    chip_dout(c, board_now());
    free(c->levels);
    c->levels = levels;
    c->level_count = level_count;
    c->level_at = 0;
    return true;
}

void chips_begin(unsigned wanted, int64_t now, uint64_t seed)
{
    uint64_t chances;
    chance_seed(&chances, seed ^ 0x63686970);
    count = wanted;
    for (unsigned i = 0; i < count; i++) {
        struct place *p = &places[i];
        double period = 1e9 / 80;
        int64_t first = now + llrint((4.45 + chance_even(&chances)) * period);
        chip_begin(&p->chip, (uint8_t)i, 80, first, seed * 64 + i);
        p->chip.told = note;
        p->dout_port = find_port(dout_pin[i].port);
        p->dout_mask = (uint8_t)(1u << dout_pin[i].bit);
        p->dout = avr_io_getirq(avr, AVR_IOCTL_IOPORT_GETIRQ(dout_pin[i].port), dout_pin[i].bit);
        p->sck = avr_io_getirq(avr, AVR_IOCTL_IOPORT_GETIRQ(sck_pin[i].port), sck_pin[i].bit);
        p->connected = true;
        p->armed_ns = NEVER;
        drive(p, true);
        avr_irq_register_notify(p->sck, sck_changed, p);
    }
}
