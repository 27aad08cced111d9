/* Commands as lines of text; each is answered by `ok <n>` and n bytes, or `no <why>`.
 *
 *   run <us>                        lockstep: that much true time; answer: the bytes that came, see add_chunks()
 *   send <n>, then n bytes          host to MCU, in lockstep
 *   state                           name=value lines
 *   truth                           the records of chips/truth since the last time (struct truth, little-endian)
 *   at <ns> <command>               carries a command out at a true time; any of those below
 *   reset external|brown-out        a reset of the MCU, power stays
 *   hold                            keeps the MCU in reset until the next reset
 *   codes <chip> <n>, then n times i64 true ns, f64 counts: what the chip converts from those times on
 *   power on|off                    the MCU's and the chips' supply
 *   crystal <ppm> | supply <mv> | analog <channel> <mv>
 *   wire host|mcu lose|flip|add <chance> | wire host|mcu silent 0|1   bytes to host or MCU
 *   unplug | plug | dtr open|hupcl
 *   chip ...                        see chip_command() in chips.c
 */
#define _GNU_SOURCE
#include "rig.h"

#include <errno.h>
#include <poll.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "chips.h"
#include "orders.h"

#define LINE_MAX_BYTES 4096
#define CHUNK_MAX 32 /* bytes that a USB-serial chip hands over at once */
#define RUN_SLICE_NS 200000000 /* what comes in that time fits between UART and answer, at 2 Mbaud too */

int64_t rig_lag_ns;
unsigned rig_slips;

static int from, to;
static uint8_t taken[1 << 16];
static size_t taken_begin, taken_end;
char refusal[512];

/* ---- bytes in and out ---- */

static bool fill(bool wait)
{
    if (taken_begin == taken_end)
        taken_begin = taken_end = 0;
    if (taken_end == sizeof taken) {
        memmove(taken, taken + taken_begin, taken_end - taken_begin);
        taken_end -= taken_begin;
        taken_begin = 0;
    }
    struct pollfd look = {.fd = from, .events = POLLIN};
    if (poll(&look, 1, wait ? -1 : 0) <= 0)
        return true;
    ssize_t count = read(from, taken + taken_end, sizeof taken - taken_end);
    if (count <= 0)
        return count < 0 && (errno == EAGAIN || errno == EINTR);
    taken_end += (size_t)count;
    return true;
}

static bool take_bytes(uint8_t *bytes, size_t count)
{
    while (count > 0) {
        if (taken_begin == taken_end && !fill(true))
            return false;
        size_t part = taken_end - taken_begin < count ? taken_end - taken_begin : count;
        memcpy(bytes, taken + taken_begin, part);
        taken_begin += part;
        bytes += part;
        count -= part;
    }
    return true;
}

static void put(const void *bytes, size_t count)
{
    const uint8_t *next = bytes;
    while (count > 0) {
        ssize_t written = write(to, next, count);
        if (written < 0 && errno == EINTR)
            continue;
        if (written <= 0)
            exit(0); /* nobody is there any more */
        next += written;
        count -= (size_t)written;
    }
}

static void answer(const void *bytes, size_t count)
{
    char head[32];
    put(head, (size_t)snprintf(head, sizeof head, "ok %zu\n", count));
    put(bytes, count);
}

bool refuse(const char *format, ...)
{
    va_list arguments;
    va_start(arguments, format);
    vsnprintf(refusal, sizeof refusal, format, arguments);
    va_end(arguments);
    return false;
}

/* ---- what is answered with more than ok ---- */

static uint8_t *reply;
static size_t reply_size, reply_room;

/* The bytes up to then, in pieces as a USB-serial chip hands them over: i64 true time of the last bit of the last byte,
 * u32 count, bytes. A piece ends at 32 bytes, and where the line was quiet for more than a byte. */
static void add_chunks(int64_t until_ns)
{
    static uint8_t bytes[1 << 16];
    static int64_t ends[1 << 16];
    size_t count = uart_take(until_ns, bytes, ends, sizeof bytes);
    int64_t quiet = 2 * (int64_t)(10e9 / uart_baud());
    if (reply_size + count * 13 > reply_room) { /* at worst each byte is a piece of its own */
        reply_room = (reply_size + count * 13) * 2;
        reply = realloc(reply, reply_room);
        if (!reply)
            fail("no memory for %zu bytes of an answer", reply_room);
    }
    for (size_t begin = 0; begin < count;) {
        size_t end = begin + 1;
        while (end < count && end - begin < CHUNK_MAX && ends[end] - ends[end - 1] < quiet)
            end++;
        uint32_t length = (uint32_t)(end - begin);
        memcpy(reply + reply_size, &ends[end - 1], 8);
        memcpy(reply + reply_size + 8, &length, 4);
        memcpy(reply + reply_size + 12, bytes + begin, length);
        reply_size += 12 + length;
        begin = end;
    }
}

static void run(double us)
{
    static int64_t now; /* the host's time; the MCU may be ahead by the rest of an instruction */
    int64_t until = now + (int64_t)(us * 1e3);
    reply_size = 0;
    while (now < until) {
        now = until - now < RUN_SLICE_NS ? until : now + RUN_SLICE_NS;
        board_advance(now);
        add_chunks(now);
    }
    answer(reply, reply_size);
}

static void state(void)
{
    static char text[8192];
    int n = snprintf(text, sizeof text,
                     "now_ns=%lld\ncycle=%llu\nasleep=%llu\nmcu=%s\nresets=%u\nbaud=%u\n"
                     "plugged=%d\nopen=%d\nlag_ns=%lld\nslips=%u\nuart_overruns=%llu\nhost_dropped=%llu\n",
                     (long long)board_now(), (unsigned long long)avr->cycle,
                     (unsigned long long)board_cycles_asleep(), board_state(), board_resets(), uart_baud(),
                     pty_plugged(), pty_open_by_host(), (long long)rig_lag_ns, rig_slips,
                     (unsigned long long)uart_overruns(), (unsigned long long)pty_dropped());
    for (int way = 0; way < WAYS; way++)
        n += snprintf(text + n, sizeof text - (size_t)n,
                      "wire_%s_lost=%llu\nwire_%s_flipped=%llu\nwire_%s_added=%llu\nwire_%s_passed=%llu\n",
                      way ? "mcu" : "host", (unsigned long long)wire[way].lost, way ? "mcu" : "host",
                      (unsigned long long)wire[way].flipped, way ? "mcu" : "host", (unsigned long long)wire[way].added,
                      way ? "mcu" : "host", (unsigned long long)wire[way].passed);
    n += chips_describe(text + n, sizeof text - (size_t)n);
    answer(text, (size_t)n);
}

static bool send_command(const char *text, bool realtime)
{
    static uint8_t bytes[8192];
    size_t count = strtoul(text, NULL, 10);
    if (count > sizeof bytes || !take_bytes(bytes, count))
        return false;
    if (realtime || count > uart_send_room()) {
        refuse("%s", realtime ? "send is for lockstep; here is the port" : "more than the line takes; run first");
        return true;
    }
    uart_send(bytes, count, 0);
    return true;
}

/* One command line; false: the other end has closed. */
static bool serve_line(char *line, bool realtime)
{
    refusal[0] = 0;
    if (!strncmp(line, "run ", 4) && !realtime) {
        run(atof(line + 4));
        return true;
    }
    if (!strncmp(line, "send ", 5)) {
        if (!send_command(line + 5, realtime))
            return false;
    } else if (!strcmp(line, "state")) {
        state();
        return true;
    } else if (!strcmp(line, "truth")) {
        const void *records;
        size_t size = chips_truth(&records);
        answer(records, size);
        chips_truth_taken();
        return true;
    } else if (!strncmp(line, "codes ", 6)) {
        unsigned chip = 0;
        size_t count = 0;
        if (sscanf(line + 6, "%u %zu", &chip, &count) != 2 || count == 0 || count > (1u << 26))
            return false;
        struct level *levels = malloc(count * sizeof *levels + 1);
        if (!levels || !take_bytes((uint8_t *)levels, count * sizeof *levels))
            return false;
        chips_levels(chip, levels, count);
    } else if (!strncmp(line, "at ", 3))
        order_for_later(line + 3);
    else
        carry_out(line);
    if (refusal[0]) {
        char text[600];
        put(text, (size_t)snprintf(text, sizeof text, "no %s\n", refusal));
    } else
        answer(NULL, 0);
    return true;
}

void control_begin(int input, int output)
{
    from = input;
    to = output;
}

bool control_serve(bool wait, bool realtime)
{
    for (;;) {
        uint8_t *begin = taken + taken_begin;
        uint8_t *end = memchr(begin, '\n', taken_end - taken_begin);
        if (end) {
            char line[LINE_MAX_BYTES];
            size_t length = (size_t)(end - begin);
            if (length >= sizeof line)
                fail("a command of %zu bytes", length);
            memcpy(line, begin, length);
            line[length] = 0;
            taken_begin += length + 1;
            if (!serve_line(line, realtime))
                return false;
            continue;
        }
        size_t before = taken_end - taken_begin;
        if (!fill(wait))
            return false;
        if (!wait && taken_end - taken_begin == before)
            return true;
    }
}
