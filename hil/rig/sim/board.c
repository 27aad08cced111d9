/* The MCU: libsimavr's ATmega328P with what the library leaves to its user: true time, supply, resets with their
 * causes, flash and EEPROM in files. */
#include "rig.h"

#include <fcntl.h>
#include <math.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include <simavr/avr_adc.h>
#include <simavr/avr_eeprom.h>
#include <simavr/avr_extint.h>
#include <simavr/sim_io.h>
#include <simavr/sim_regbit.h>

#define CRYSTAL_HZ 16000000u
/* From every reset to the first instruction, with the fuses of a Nano (SUT 11): so many cycles and so much time. */
#define START_UP_CYCLES (16384 + 14)
#define START_UP_NS 65000000

avr_t *avr;

static double cycles_per_ns = CRYSTAL_HZ * 1e-9;
static double anchor_cycle;   /* the line through (anchor_ns, anchor_cycle) with that slope is the MCU's clock */
static int64_t anchor_ns;
static bool powered = true;
static int64_t held_until_ns; /* in reset until then; NEVER: until the next reset */
static bool crashed;
static bool halted;
static bool stop_now;
static uint64_t asleep;
static unsigned resets;
static unsigned timers_dropped; /* grows whenever simavr has reset itself */

int64_t board_now(void)
{
    return anchor_ns + llround(((double)avr->cycle - anchor_cycle) / cycles_per_ns);
}

avr_cycle_count_t board_cycle_at(int64_t ns)
{
    double cycle = anchor_cycle + (double)(ns - anchor_ns) * cycles_per_ns;
    return cycle <= 0 ? 0 : (avr_cycle_count_t)ceil(cycle);
}

int64_t board_cycles_ns(double cycles)
{
    return llround(cycles / cycles_per_ns);
}

void board_timer(int64_t at_ns, avr_cycle_timer_t call, void *param)
{
    avr_cycle_count_t at = board_cycle_at(at_ns);
    avr_cycle_timer_register(avr, at > avr->cycle ? at - avr->cycle : 1, call, param);
}

void board_crystal(double error_ppm)
{
    anchor_ns = board_now();
    anchor_cycle = (double)avr->cycle;
    cycles_per_ns = CRYSTAL_HZ * 1e-9 * (1.0 + error_ppm * 1e-6);
    for (unsigned i = 0; i < chips_count(); i++)
        chips_changed(i); /* their edges come at other cycles now */
}

/* ---- what must be done at every reset, whoever caused it ---- */

static avr_cycle_count_t after_reset(avr_t *mcu, avr_cycle_count_t when, void *param)
{
    (void)when, (void)param;
    /* At each reset simavr goes back to polling a low INT0 or INT1 pin in every single cycle, which makes it a hundred
     * times slower. The firmware has clock outputs there. */
    avr_extint_set_strict_lvl_trig(mcu, 0, 0);
    avr_extint_set_strict_lvl_trig(mcu, 1, 0);
    return 0;
}

static void reset_module(avr_io_t *io)
{
    (void)io; /* simavr has dropped all cycle timers: ours have to be set again */
    avr->run_cycle_limit = CRYSTAL_HZ / 1000; /* instructions up to the next timer at a stretch; it would do one */
    timers_dropped++;
    if (powered)
        resets++;
    uart_after_reset();
    chips_after_reset();
    avr_cycle_timer_register(avr, 1, after_reset, NULL);
}

static avr_io_t module = {.kind = "rig", .reset = reset_module};

static void set_cause(enum reset_cause cause)
{
    if (cause & RESET_POWER)
        avr_regbit_set(avr, avr->reset_flags.porf);
    if (cause & RESET_EXTERNAL)
        avr_regbit_set(avr, avr->reset_flags.extrf); /* simavr never sets it, and bootloaders look at it */
    if (cause & RESET_BROWN_OUT)
        avr_regbit_set(avr, avr->reset_flags.borf);
}

void board_reset(enum reset_cause cause)
{
    if (!powered)
        return;
    halted = crashed = false;
    held_until_ns = board_now() + START_UP_NS + board_cycles_ns(START_UP_CYCLES);
    /* MCUSR keeps its flags until power goes or the program clears them. */
    uint8_t kept = avr->data[avr->reset_flags.extrf.reg];
    avr_reset(avr);
    avr->state = cpu_Running;
    if (!(cause & RESET_POWER))
        avr->data[avr->reset_flags.extrf.reg] |= kept;
    set_cause(cause);
    after_reset(avr, 0, NULL);
}

void board_hold(void)
{
    avr_reset(avr);
    resets--; /* one reset in all, counted when it ends */
    held_until_ns = NEVER;
}

void board_power(bool on)
{
    if (on == powered)
        return;
    powered = on;
    if (on)
        board_reset(RESET_POWER);
    else
        avr_reset(avr); /* all pins are inputs */
}

bool board_runs(void)
{
    return powered && !halted && !crashed && board_now() >= held_until_ns;
}

const char *board_state(void)
{
    if (!powered)
        return "off";
    if (held_until_ns > board_now())
        return "in reset";
    return crashed ? "crashed" : halted ? "halted" : "running";
}

unsigned board_resets(void)
{
    return resets;
}

void board_supply(unsigned mv)
{
    avr->vcc = avr->avcc = avr->aref = mv;
}

void board_analog(unsigned channel, unsigned mv)
{
    avr_irq_t *irq = avr_io_getirq(avr, AVR_IOCTL_ADC_GETIRQ, (int)(ADC_IRQ_ADC0 + channel));
    if (irq)
        avr_raise_irq(irq, mv);
}

/* ---- running ---- */

static avr_cycle_count_t stop(avr_t *mcu, avr_cycle_count_t when, void *param)
{
    (void)mcu, (void)param;
    stop_now = true;
    return when + 1; /* there to keep a sleeping MCU from going on to whatever comes next */
}

static void no_sleep(avr_t *mcu, avr_cycle_count_t cycles)
{
    (void)mcu; /* the pace is kept elsewhere, in steps of a millisecond */
    asleep += cycles + 1;
}

uint64_t board_cycles_asleep(void)
{
    return asleep;
}

static void run_program(avr_cycle_count_t until)
{
    stop_now = false;
    while (!stop_now && avr->cycle < until) {
        if (avr_cycle_timer_status(avr, stop, NULL) == 0) /* a reset drops it */
            avr_cycle_timer_register(avr, until - avr->cycle, stop, NULL);
        unsigned before = timers_dropped;
        while (!stop_now && before == timers_dropped) {
            int state = avr_run(avr);
            if (state == cpu_Done)
                halted = true; /* asleep with interrupts off: only a reset wakes it */
            if (state == cpu_Crashed)
                crashed = true;
            if (state == cpu_Done || state == cpu_Crashed) {
                avr_cycle_timer_cancel(avr, stop, NULL);
                return;
            }
        }
    }
    avr_cycle_timer_cancel(avr, stop, NULL);
}

/* Time passes for the chips and the wire while no program runs. */
static void run_idle(avr_cycle_count_t until)
{
    if (powered && !halted && !crashed && held_until_ns != NEVER) {
        avr_cycle_count_t free = board_cycle_at(held_until_ns);
        until = free < until ? free : until;
    }
    while (avr->cycle < until) {
        avr_cycle_count_t step = avr_cycle_timer_process(avr);
        if (avr->cycle < until)
            avr->cycle += step < until - avr->cycle ? (step ? step : 1) : until - avr->cycle;
    }
    avr_cycle_timer_process(avr);
}

void board_advance(int64_t until_ns)
{
    for (;;) {
        int64_t due = control_due();
        int64_t next = due < until_ns ? due : until_ns;
        avr_cycle_count_t cycle = board_cycle_at(next);
        while (avr->cycle < cycle) {
            if (board_runs())
                run_program(cycle);
            else
                run_idle(cycle);
        }
        if (next >= until_ns && due > until_ns)
            return;
        control_fire(next);
    }
}

/* ---- beginning ---- */

/* The file's bytes as the memory itself: what the MCU writes is in the file at once, whatever happens to us. */
static uint8_t *kept_in_file(const char *path, size_t size, size_t spare)
{
    uint8_t *memory = mmap(NULL, size + spare, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    if (memory == MAP_FAILED)
        fail("no memory for %zu bytes", size);
    memset(memory, 0xff, size + spare);
    if (!path)
        return memory;
    int file = open(path, O_RDWR | O_CREAT | O_CLOEXEC, 0644);
    if (file < 0)
        fail("%s: can't be opened for writing", path);
    off_t length = lseek(file, 0, SEEK_END);
    if (length != 0 && length != (off_t)size)
        fail("%s: has %lld bytes, not %zu; it is no memory of this MCU", path, (long long)length, size);
    if (length == 0 && write(file, memory, size) != (ssize_t)size)
        fail("%s: can't be written", path);
    size_t page = (size_t)sysconf(_SC_PAGESIZE);
    size_t whole = (size + page - 1) / page * page;
    if (mmap(memory, whole, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_FIXED, file, 0) == MAP_FAILED)
        fail("%s: can't be mapped", path);
    close(file);
    return memory;
}

static void *find_module(const char *kind)
{
    for (avr_io_t *io = avr->io_port; io; io = io->next)
        if (!strcmp(io->kind, kind))
            return io;
    fail("this libsimavr has no %s in its ATmega328P", kind);
}

static void to_stderr(avr_t *mcu, const int level, const char *format, va_list arguments)
{
    (void)mcu;
    if (level <= LOG_ERROR)
        vfprintf(stderr, format, arguments);
}

void board_begin(const char *flash_file, const char *eeprom_file, int64_t start_ns)
{
    avr_global_logger_set(to_stderr);
    avr = avr_make_mcu_by_name("atmega328p");
    if (!avr)
        fail("this libsimavr knows no atmega328p");
    avr_init(avr);
    avr->frequency = CRYSTAL_HZ;
    avr->log = LOG_ERROR;
    avr->sleep = no_sleep;
    board_supply(5000);
    anchor_ns = start_ns;
    anchor_cycle = (double)avr->cycle;
    avr->flash = kept_in_file(flash_file, FLASH_BYTES, 4096);
    avr->codeend = avr->flashend; /* a bootloader may jump anywhere */
    avr_eeprom_t *eeprom = find_module("eeprom");
    eeprom->eeprom = kept_in_file(eeprom_file, EEPROM_BYTES, 4096);
    avr_register_io(avr, &module);
    uart_begin();
}

void board_load(const char *hex_file, bool is_bootloader)
{
    static struct hex_image image;
    ihex_read(hex_file, &image);
    for (uint32_t i = image.lowest; i < image.end; i++)
        if (image.used[i])
            avr->flash[i] = image.byte[i];
    if (is_bootloader) /* the fuse BOOTRST is programmed and BOOTSZ fits: a reset begins where the bootloader does */
        avr->reset_pc = image.lowest;
}
