/* The chip model by itself, driven by lines, for the test that lays it beside the one in Python.
 *
 *   new <rate> <first edge ns> <datasheet 1|2> <level> <level b>
 *   levels <n>, then n lines <ns> <counts>
 *   fault <name> <begin ns> <end ns|-> <bit> <amount|->
 *   sck 0|1 <ns>     dout <ns>     due
 *   end              the conversions: edge counts setting settled after-restart
 *
 * Each of sck and dout is answered by the level of DOUT.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "chip.h"

static struct chip chip;
static struct truth told[100000];
static size_t told_count;

static void note(const struct truth *record)
{
    if (told_count < sizeof told / sizeof told[0])
        told[told_count++] = *record;
}

static void begin(const char *line)
{
    double rate, level, level_b;
    long long first;
    int datasheet;
    if (sscanf(line, "new %lf %lld %d %lf %lf", &rate, &first, &datasheet, &level, &level_b) != 5)
        exit(2);
    chip_begin(&chip, 0, rate, first, 1);
    chip.jitter = 0;
    chip.keeps_setting = datasheet == 2;
    chip.level = level;
    chip.level_b = level_b;
    chip.told = note;
    told_count = 0;
}

static void levels(size_t count)
{
    chip.levels = calloc(count, sizeof *chip.levels);
    chip.level_count = count;
    for (size_t i = 0; i < count; i++) {
        long long at;
        double counts;
        if (!chip.levels || scanf("%lld %lf\n", &at, &counts) != 2)
            exit(2);
        chip.levels[i] = (struct level){.at_ns = at, .counts = counts};
    }
}

static void plan(const char *line)
{
    struct fault f = {.kind = FAULT_KINDS, .end_ns = CHIP_NEVER};
    char name[32], end[32], amount[32];
    long long first;
    if (sscanf(line, "fault %31s %lld %31s %d %31s", name, &first, end, &f.bit, amount) != 5)
        exit(2);
    for (int i = 0; i < FAULT_KINDS; i++)
        if (!strcmp(name, fault_name[i]))
            f.kind = (enum fault_kind)i;
    f.begin_ns = first;
    if (end[0] != '-')
        f.end_ns = strtoll(end, NULL, 10);
    f.has_amount = amount[0] != '-';
    f.amount = atof(amount);
    if (f.kind == FAULT_KINDS || !chip_inject(&chip, &f))
        exit(2);
}

static void conversions(void)
{
    chip_power(&chip, false, chip.now_ns); /* the last one's fate is told too */
    for (size_t i = 0; i < told_count; i++)
        printf("%lld %d %d %d %d\n", (long long)told[i].edge_ns, told[i].counts, told[i].setting,
               (told[i].marks & SETTLED) != 0, (told[i].marks & AFTER_RESTART) != 0);
    printf("end\n");
}

int main(void)
{
    char line[256];
    while (fgets(line, sizeof line, stdin)) {
        long long at;
        int level;
        if (!strncmp(line, "new ", 4))
            begin(line);
        else if (!strncmp(line, "levels ", 7))
            levels(strtoul(line + 7, NULL, 10));
        else if (!strncmp(line, "fault ", 6))
            plan(line);
        else if (sscanf(line, "sck %d %lld", &level, &at) == 2) {
            chip_sck(&chip, level != 0, at);
            printf("%d\n", chip_dout(&chip, at));
        } else if (sscanf(line, "dout %lld", &at) == 1)
            printf("%d\n", chip_dout(&chip, at));
        else if (!strncmp(line, "due", 3))
            printf("%lld\n", (long long)chip_due(&chip));
        else if (!strncmp(line, "end", 3))
            conversions();
        else
            return 2;
    }
    return 0;
}
