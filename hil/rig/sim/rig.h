/* The simulated bench: one ATmega328P on libsimavr, its serial line, its supply, and the HX711s on its pins.
 *
 * libsimavr is GPL-3, so a program linked to it is GPL-3 as a whole. That is why only this source is kept (MIT, like
 * the rest): each test set-up compiles it for itself, into the user's cache, and no binary of it is ever shipped.
 *
 * Time: `true time` is int64 nanoseconds of an ideal clock. Chips and host live on it; the MCU's cycles run off it by
 * its crystal's error. In real time it is CLOCK_MONOTONIC itself, so the truth log can be laid over what a host saw.
 */
#ifndef RIG_H
#define RIG_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <simavr/sim_avr.h>

#include "chance.h"

#define NEVER INT64_MAX
#define CHIPS_MAX 8
#define FLASH_BYTES 32768
#define EEPROM_BYTES 1024

/* ---- board.c: the MCU, its clock, its supply ---- */
enum reset_cause { RESET_POWER = 1, RESET_EXTERNAL = 2, RESET_BROWN_OUT = 4 };

extern avr_t *avr;

void board_begin(const char *flash_file, const char *eeprom_file, int64_t start_ns);
void board_load(const char *hex_file, bool is_bootloader);
int64_t board_now(void);                       /* true time at the MCU's present cycle */
avr_cycle_count_t board_cycle_at(int64_t ns);  /* cycle that is under way at a true time */
int64_t board_cycles_ns(double cycles);        /* how long so many cycles take, in true time */
void board_crystal(double error_ppm);
void board_supply(unsigned mv);
void board_analog(unsigned channel, unsigned mv);
void board_reset(enum reset_cause cause);
void board_hold(void);                         /* in reset until the next board_reset() */
void board_power(bool on);                     /* off: nothing runs, no pin is driven; on: a power-on reset */
bool board_runs(void);                         /* false without power, in reset, when its program ended or crashed */
const char *board_state(void);                 /* "running", "off", "in reset", "halted", "crashed" */
uint64_t board_cycles_asleep(void);            /* that the program slept through */
unsigned board_resets(void);                   /* of any cause, the first power-on included */
void board_advance(int64_t until_ns);          /* runs everything up to a true time */
void board_timer(int64_t at_ns, avr_cycle_timer_t call, void *param);

/* ---- uart.c: the serial line between MCU and host ---- */
enum way { TO_HOST, TO_MCU, WAYS };
struct wire_fault {
    double lose, flip, add; /* chance for each byte: lost, one bit turned over, a made-up byte put before it */
    bool silent;            /* nothing comes through */
    uint64_t lost, flipped, added, passed;
};
extern struct wire_fault wire[WAYS];

void uart_begin(void);
void uart_seed(uint64_t seed);
void uart_after_reset(void);                               /* simavr forgets its settings at each reset */
/* Host to MCU, one character time each; baud 0: the MCU's own. */
void uart_send(const uint8_t *bytes, size_t count, unsigned baud);
size_t uart_send_room(void);
void uart_host_baud(unsigned baud);                        /* what the host set; 0: always the MCU's own */
unsigned uart_baud(void);                                  /* as the firmware set it, 0: not set */
size_t uart_take(int64_t until_ns, uint8_t *bytes, int64_t *ends_ns, size_t room); /* bytes whose last bit has passed */
void uart_drop_sent(void);                                 /* the host went: what was on its way is gone */
uint64_t uart_overruns(void);

/* ---- chips.c: which chip hangs on which pins ---- */
void chips_begin(unsigned count, int64_t now, uint64_t seed);
void chips_after_reset(void);
void chips_power(bool on, int64_t now);
unsigned chips_count(void);
void chips_changed(unsigned index);            /* after a setting or a fault: sees that it acts at its time */

/* ---- pty.c: the line as a serial port of the host ---- */
/* Each open resets; or one that finds DTR dropped, as HUPCL makes it at a close. */
enum dtr_mode { DTR_OPEN, DTR_HUPCL };
void pty_begin(const char *link_path);
void pty_plug(void);
void pty_unplug(void);
bool pty_plugged(void);
bool pty_open_by_host(void);
void pty_dtr_mode(enum dtr_mode mode);
void pty_exchange(int64_t until_ns);           /* opens and closes seen, bytes both ways */
uint64_t pty_dropped(void);                    /* bytes to a host that had the port open and didn't read */
void pty_end(void);

/* ---- control.c and orders.c: commands, now or at a time ---- */
void control_begin(int input, int output);
bool control_serve(bool wait, bool realtime); /* false: the other end has closed */
int64_t control_due(void);
void control_fire(int64_t now);               /* what was ordered for a time up to now */
extern int64_t rig_lag_ns;                    /* real time only: how far the simulation is behind */
extern unsigned rig_slips;                    /* ... and how often it gave up catching up */

/* ---- ihex.c ---- */
struct hex_image {
    uint8_t byte[FLASH_BYTES];
    bool used[FLASH_BYTES];
    uint32_t lowest, end;
};
void ihex_read(const char *path, struct hex_image *image);

_Noreturn void fail(const char *format, ...) __attribute__((format(printf, 1, 2)));

#endif
