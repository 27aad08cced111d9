/* What can be done to the board, at once or at a time; control.c lists the words. */
#define _GNU_SOURCE
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "chips.h"
#include "orders.h"
#include "rig.h"

#define ORDERS_MAX 4096
#define WORDS_MAX 16

struct order {
    int64_t at_ns;
    char *line;
};

static struct order orders[ORDERS_MAX]; /* in order of time */
static size_t order_count;

static bool reset_command(char **word, int count)
{
    if (count == 2 && !strcmp(word[1], "external"))
        board_reset(RESET_EXTERNAL);
    else if (count == 2 && !strcmp(word[1], "brown-out"))
        board_reset(RESET_BROWN_OUT);
    else
        return refuse("reset external|brown-out");
    return true;
}

static bool wire_command(char **word, int count)
{
    static const char how[] = "wire host|mcu lose|flip|add|silent <chance>";
    if (count != 4 || (strcmp(word[1], "host") && strcmp(word[1], "mcu")))
        return refuse(how);
    struct wire_fault *f = &wire[!strcmp(word[1], "host") ? TO_HOST : TO_MCU];
    double value = atof(word[3]);
    if (!strcmp(word[2], "lose"))
        f->lose = value;
    else if (!strcmp(word[2], "flip"))
        f->flip = value;
    else if (!strcmp(word[2], "add"))
        f->add = value;
    else if (!strcmp(word[2], "silent"))
        f->silent = value != 0;
    else
        return refuse(how);
    return true;
}

bool carry_out(char *line)
{
    char *word[WORDS_MAX], *rest;
    int count = 0;
    for (char *w = strtok_r(line, " ", &rest); w && count < WORDS_MAX; w = strtok_r(NULL, " ", &rest))
        word[count++] = w;
    if (count == 0)
        return refuse("an empty command");
    const char *name = word[0];
    if (!strcmp(name, "reset"))
        return reset_command(word, count);
    if (!strcmp(name, "wire"))
        return wire_command(word, count);
    if (!strcmp(name, "chip"))
        return chip_command(word, count);
    if (!strcmp(name, "power") && count == 2) {
        bool on = !strcmp(word[1], "on");
        board_power(on);
        chips_power(on, board_now());
    } else if (!strcmp(name, "crystal") && count == 2)
        board_crystal(atof(word[1]));
    else if (!strcmp(name, "supply") && count == 2)
        board_supply((unsigned)atoi(word[1]));
    else if (!strcmp(name, "analog") && count == 3 && atoi(word[1]) >= 0 && atoi(word[1]) < 8)
        board_analog((unsigned)atoi(word[1]), (unsigned)atoi(word[2]));
    else if (!strcmp(name, "hold"))
        board_hold();
    else if (!strcmp(name, "unplug"))
        pty_unplug();
    else if (!strcmp(name, "plug"))
        pty_plug();
    else if (!strcmp(name, "dtr") && count == 2)
        pty_dtr_mode(!strcmp(word[1], "hupcl") ? DTR_HUPCL : DTR_OPEN);
    else
        return refuse("unknown command: %s, with %d words", name, count - 1);
    return true;
}

bool order_for_later(const char *text)
{
    char *end;
    int64_t at = strtoll(text, &end, 10);
    if (end == text || *end != ' ')
        return refuse("at <ns> <command>");
    if (order_count == ORDERS_MAX)
        return refuse("more than %d orders for later", ORDERS_MAX);
    size_t place = order_count++;
    while (place > 0 && orders[place - 1].at_ns > at) {
        orders[place] = orders[place - 1];
        place--;
    }
    orders[place] = (struct order){.at_ns = at, .line = strdup(end + 1)}; /* after those for the same time */
    return true;
}

int64_t control_due(void)
{
    return order_count ? orders[0].at_ns : NEVER;
}

void control_fire(int64_t now)
{
    while (order_count && orders[0].at_ns <= now) {
        struct order first = orders[0];
        memmove(orders, orders + 1, --order_count * sizeof orders[0]);
        if (!carry_out(first.line))
            fprintf(stderr, "rig: an order for %lld ns failed: %s\n", (long long)first.at_ns, refusal);
        free(first.line);
    }
}
