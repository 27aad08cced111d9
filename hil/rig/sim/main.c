/* rig: runs a real firmware hex on a simulated board. Started by hil.rig; see control.c for its commands.
 *
 *   rig [--flash FILE] [--eeprom FILE] [--bootloader HEX] [--firmware HEX] [--chips N] [--port LINK] [--seed N]
 *
 * With --port it runs in real time behind a pty of that name; without, in lockstep, by the command `run`.
 */
#define _GNU_SOURCE
#include "rig.h"

#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#define STEP_NS 1000000
#define CATCH_UP_NS 5000000    /* at most so much between two looks at the port */
#define GIVE_UP_NS 2000000000  /* further behind than that: the machine slept; time is moved */

_Noreturn void fail(const char *format, ...)
{
    va_list arguments;
    va_start(arguments, format);
    fputs("rig: ", stderr);
    vfprintf(stderr, format, arguments);
    fputc('\n', stderr);
    va_end(arguments);
    exit(2);
}

static int64_t monotonic_ns(void)
{
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (int64_t)t.tv_sec * 1000000000 + t.tv_nsec;
}

static void real_time(void)
{
    int64_t moved = 0;
    do {
        int64_t target = monotonic_ns() - moved;
        int64_t now = board_now();
        rig_lag_ns = target - now;
        if (rig_lag_ns > GIVE_UP_NS) {
            moved += rig_lag_ns;
            rig_slips++;
            continue;
        }
        int64_t step = target - now < CATCH_UP_NS ? target : now + CATCH_UP_NS;
        board_advance(step);
        pty_exchange(step);
        int64_t spare = now + STEP_NS - (monotonic_ns() - moved);
        if (step == target && spare > 0) {
            struct timespec rest = {.tv_nsec = spare < STEP_NS ? spare : STEP_NS};
            clock_nanosleep(CLOCK_MONOTONIC, 0, &rest, NULL);
        }
    } while (control_serve(false, true));
}

int main(int count, char **argument)
{
    const char *flash = NULL, *eeprom = NULL, *bootloader = NULL, *firmware = NULL, *port = NULL;
    unsigned chips = 0;
    uint64_t seed = 1;
    for (int i = 1; i < count; i += 2) {
        const char *name = argument[i], *value = i + 1 < count ? argument[i + 1] : NULL;
        if (!value)
            fail("%s: a value is missing", name);
        if (!strcmp(name, "--flash"))
            flash = value;
        else if (!strcmp(name, "--eeprom"))
            eeprom = value;
        else if (!strcmp(name, "--bootloader"))
            bootloader = value;
        else if (!strcmp(name, "--firmware"))
            firmware = value;
        else if (!strcmp(name, "--port"))
            port = value;
        else if (!strcmp(name, "--chips"))
            chips = (unsigned)atoi(value);
        else if (!strcmp(name, "--seed"))
            seed = strtoull(value, NULL, 10);
        else
            fail("%s: unknown option", name);
    }
    if (chips > CHIPS_MAX)
        fail("--chips: %u; the board has pins for %d", chips, CHIPS_MAX);
    int output = dup(STDOUT_FILENO); /* the library may print; that is none of the other end's business */
    dup2(STDERR_FILENO, STDOUT_FILENO);
    signal(SIGPIPE, SIG_IGN);
    int64_t start = port ? monotonic_ns() : 0;
    board_begin(flash, eeprom, start);
    if (firmware)
        board_load(firmware, false);
    if (bootloader)
        board_load(bootloader, true);
    uart_seed(seed);
    chips_begin(chips, start, seed);
    board_reset(RESET_POWER);
    control_begin(STDIN_FILENO, output);
    if (port) {
        pty_begin(port);
        real_time();
        pty_end();
    } else
        control_serve(true, false);
    return 0;
}
