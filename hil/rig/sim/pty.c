/* The line as a serial port: a pty under a name that stays, opened and closed by whoever likes.
 *
 * Opening stands for DTR, which resets an Arduino. It is counted by inotify, so that a close and an open right after it
 * aren't missed; where inotify can't be had, by POLLHUP at the master, which is there while nobody has the slave open
 * (once it was opened and closed). The port is a new one after each plug: HUPCL set.
 */
#define _GNU_SOURCE
#include "rig.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/inotify.h>
#include <sys/ioctl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <asm/termbits.h> /* struct termios2: bauds that have no constant, such as 250000 */

#define DRIVER_BUFFER 4096u /* what a serial driver keeps for a host that doesn't read */

static const char *link_name;
static int master = -1;
static int watch = -1; /* inotify on the slave's device */
static int openers;
static bool was_open;
static bool dtr_dropped;
static enum dtr_mode mode = DTR_OPEN;
static uint8_t waiting[DRIVER_BUFFER];
static size_t waiting_count;
static uint64_t dropped;

static void spare_what_is_no_link(const char *name)
{
    struct stat there;
    if (lstat(name, &there) == 0 && !S_ISLNK(there.st_mode))
        fail("%s is there already and isn't a link, so the rig doesn't replace it: give its port another name", name);
}

static void point_link_at(const char *device)
{
    char fresh[4096];
    if ((size_t)snprintf(fresh, sizeof fresh, "%s.new", link_name) >= sizeof fresh)
        fail("the name of the port is too long: %s", link_name);
    spare_what_is_no_link(link_name);
    spare_what_is_no_link(fresh);
    unlink(fresh);
    if (symlink(device, fresh) != 0 || rename(fresh, link_name) != 0)
        fail("%s: can't be made a link to %s: %s", link_name, device, strerror(errno));
}

void pty_plug(void)
{
    if (master >= 0)
        return;
    master = posix_openpt(O_RDWR | O_NOCTTY | O_NONBLOCK | O_CLOEXEC);
    if (master < 0 || grantpt(master) != 0 || unlockpt(master) != 0)
        fail("no pty to be had: %s", strerror(errno));
    char device[256];
    if (ptsname_r(master, device, sizeof device) != 0)
        fail("the pty has no name: %s", strerror(errno));
    int slave = open(device, O_RDWR | O_NOCTTY | O_CLOEXEC);
    struct termios2 settings;
    if (slave < 0 || ioctl(slave, TCGETS2, &settings) != 0)
        fail("%s: %s", device, strerror(errno));
    settings.c_iflag = 0; /* raw: nothing is echoed or translated before the host has set it so */
    settings.c_oflag = 0;
    settings.c_lflag = 0;
    settings.c_cflag = (settings.c_cflag & ~(tcflag_t)CSIZE) | CS8 | CREAD | HUPCL;
    ioctl(slave, TCSETS2, &settings);
    close(slave);
    watch = inotify_init1(IN_NONBLOCK | IN_CLOEXEC);
    if (watch >= 0 && inotify_add_watch(watch, device, IN_OPEN | IN_CLOSE) < 0) {
        close(watch);
        watch = -1;
    }
    openers = 0;
    was_open = false;
    dtr_dropped = true;
    waiting_count = 0;
    point_link_at(device);
}

void pty_unplug(void)
{
    if (master < 0)
        return;
    unlink(link_name);
    close(master);
    if (watch >= 0)
        close(watch);
    master = watch = -1;
    was_open = false;
    uart_drop_sent();
    uart_host_baud(0);
}

bool pty_plugged(void)
{
    return master >= 0;
}

bool pty_open_by_host(void)
{
    return was_open;
}

void pty_dtr_mode(enum dtr_mode wanted)
{
    mode = wanted;
}

uint64_t pty_dropped(void)
{
    return dropped;
}

static unsigned read_settings(bool *hupcl)
{
    struct termios2 settings;
    if (ioctl(master, TCGETS2, &settings) != 0)
        return 0;
    *hupcl = (settings.c_cflag & HUPCL) != 0;
    return settings.c_ospeed;
}

static void opened(void)
{
    if (mode == DTR_OPEN || dtr_dropped)
        board_reset(RESET_EXTERNAL);
    dtr_dropped = false;
    waiting_count = 0;
    uart_drop_sent();
    was_open = true;
}

static void closed(bool hupcl)
{
    dtr_dropped = hupcl;
    waiting_count = 0;
    was_open = false;
}

static bool held_open(void)
{
    struct pollfd look = {.fd = master, .events = 0};
    poll(&look, 1, 0);
    return !(look.revents & POLLHUP);
}

static void gone(bool hupcl)
{
    ioctl(master, TCFLSH, TCIOFLUSH); /* what it didn't read is gone with it */
    closed(hupcl);
}

static void count_openers(bool hupcl)
{
    char events[4096] __attribute__((aligned(__alignof__(struct inotify_event))));
    ssize_t size;
    while ((size = read(watch, events, sizeof events)) > 0)
        for (ssize_t at = 0; at < size;) {
            const struct inotify_event *event = (const void *)(events + at);
            at += (ssize_t)(sizeof *event + event->len);
            if (event->mask & IN_CLOSE && openers > 0)
                openers--;
            if (event->mask & IN_OPEN && openers++ == 0) {
                if (was_open) /* closed and opened again before anybody looked */
                    closed(hupcl);
                opened();
            }
        }
}

/* inotify tells two opens, or closes, in a row as one, so the count may be wrong. POLLHUP then has the last word, but
 * only at the second look: an open between the count and the look at POLLHUP has its event there by then. */
static void see_open_and_close(bool hupcl)
{
    static bool doubt;
    if (watch >= 0)
        count_openers(hupcl);
    bool is_open = held_open();
    if (watch < 0 && is_open && !was_open)
        opened();
    else if (!is_open && was_open && (openers == 0 || doubt))
        gone(hupcl);
    else if (is_open && was_open && openers == 0 && doubt)
        openers = 1;
    doubt = was_open && is_open != (openers > 0);
    if (!was_open)
        openers = 0;
}

static void from_host(unsigned baud)
{
    uint8_t bytes[1024];
    size_t room = uart_send_room();
    ssize_t count = room ? read(master, bytes, room < sizeof bytes ? room : sizeof bytes) : 0;
    if (count > 0)
        uart_send(bytes, (size_t)count, baud);
}

static void to_host(int64_t until_ns)
{
    uint8_t bytes[512];
    int64_t ends[512];
    size_t count;
    while ((count = uart_take(until_ns, bytes, ends, sizeof bytes)) > 0) {
        if (!was_open)
            continue;
        size_t fits = DRIVER_BUFFER - waiting_count < count ? DRIVER_BUFFER - waiting_count : count;
        memcpy(waiting + waiting_count, bytes, fits);
        waiting_count += fits;
        dropped += count - fits;
    }
    if (waiting_count == 0 || !was_open)
        return;
    ssize_t written = write(master, waiting, waiting_count);
    if (written > 0) {
        waiting_count -= (size_t)written;
        memmove(waiting, waiting + written, waiting_count);
    }
}

void pty_exchange(int64_t until_ns)
{
    if (master < 0) {
        uint8_t bytes[512];
        int64_t ends[512];
        while (uart_take(until_ns, bytes, ends, sizeof bytes) > 0)
            ; /* into the open */
        return;
    }
    bool hupcl = true;
    unsigned baud = read_settings(&hupcl);
    see_open_and_close(hupcl);
    uart_host_baud(was_open ? baud : 0);
    from_host(baud);
    to_host(until_ns);
}

void pty_begin(const char *link_path)
{
    link_name = link_path;
    pty_plug();
}

void pty_end(void)
{
    pty_unplug();
}
