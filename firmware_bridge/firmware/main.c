/* The shelf MCU: reads up to eight HX711s, and says everything it knows about each sample.
 *
 * One loop, four interrupts. Interrupts only stamp and move bytes: a ready edge (edges.c), a byte in or out (uart.c), a
 * millisecond or the timer's overflow (clock.c). The loop does one small thing at a time, the most urgent one first, and
 * sleeps when there is none. No piece takes longer than a quarter of a millisecond, so a ready chip never waits long. */
#include "boot.h"
#include "clock.h"
#include "commands.h"
#include "edges.h"
#include "hx711.h"
#include "messages.h"
#include "notices.h"
#include "settings.h"
#include "status.h"
#include "uart.h"

#include <avr/interrupt.h>
#include <avr/sleep.h>
#include <avr/wdt.h>

static struct settings settings;

static void start(void)
{
    wdt_enable(WDTO_500MS);
    enum settings_found found = settings_load(&settings);
    messages_init(settings_count_boot(), &settings);
    wdt_reset();
    commands_init(&settings);
    clock_init();
    uart_init();
    status_init();
    set_sleep_mode(SLEEP_MODE_IDLE); /* timers, pin changes and the serial line stay awake */
    sei();
    hx711_init(&settings.chips);
    if (found == SETTINGS_DAMAGED)
        notices_put(NOTICE_MCU, NOTICE_SETTINGS_DAMAGED, 0);
}

static void beat(uint8_t ms)
{
    wdt_reset();
    hx711_beat(ms);
    status_beat();
    messages_beat(ms);
    commands_beat();
}

/* One piece of work; false when there is none. */
static bool work(void)
{
    if (hx711_serve() || hx711_judge())
        return true;
    uint8_t ms = clock_take_beats();
    if (ms) {
        beat(ms);
        return true;
    }
    return commands_step() || messages_step();
}

/* Asleep until there is something to do. A byte sent isn't: what waits for room in the ring is looked at each beat. The
 * instruction after sei() is always carried out before an interrupt is, so none can come between the look and the sleep. */
static void rest(void)
{
    sleep_enable();
    cli();
    while (!edges_waiting() && !clock_beats && !uart_has_received()) {
        sei();
        sleep_cpu();
        __asm__ volatile("nop\n\tnop"); /* the interrupt comes before these on a chip, between them in an emulator */
        cli();
    }
    sei();
    sleep_disable();
}

int main(void)
{
    start();
    for (;;)
        if (!work())
            rest();
}
