/* The ADC measures the 1.1 V bandgap against the supply, so a small result is a high supply. Nothing waits: a beat sets
 * the multiplexer, a later one starts a conversion, the next one takes its result.
 *
 * Is a sensor there? Its pin is measured twice, once after the ADC's sampling capacitor was emptied to 0 V and once after
 * it was filled to 1.1 V. A sensor gives the same both times; a pin with nothing on it keeps what the capacitor brought. */
#include "status.h"

#include "board.h"
#include "notices.h"

#include <stdbool.h>

#define MUX_BANDGAP 0x0E
#define MUX_GROUND  0x0F
#define BANDGAP_MV  1100UL /* ±10 % from chip to chip: good for changes, not for a calibration */
#define FULL_SCALE  1024UL

#define SETTLE_BEATS 4    /* the bandgap is weak and takes its time to fill the capacitor */
#define SENSOR_EVERY 1000 /* beats */
#define FLOATING_MV  40   /* two readings of one sensor never differ by that */
#define LEAST_MV     20   /* A7 tied to GND says "no sensor" as well */

enum step { SUPPLY, EMPTY, AFTER_EMPTY, FILL, AFTER_FILL };

static enum step step;
static uint8_t beats_in_step;
static uint16_t beats_to_sensor = 50;
static uint16_t supply_mv, usual_mv_x8, sensor_mv = SENSOR_NONE, after_empty_mv;
static bool is_dipped;

static void select(uint8_t mux)
{
    ADMUX = _BV(REFS0) | mux; /* against AVcc */
    beats_in_step = 0;
}

static void convert(void) { ADCSRA |= _BV(ADSC); }

/* At once: this is about what the capacitor still holds. */
static void convert_sensor(void)
{
    select(SENSOR_ADC_CHANNEL);
    convert();
    beats_in_step = SETTLE_BEATS + 1;
}

void status_init(void)
{
    ADCSRA = _BV(ADEN) | _BV(ADPS2) | _BV(ADPS1) | _BV(ADPS0); /* 125 kHz: 104 µs a conversion */
    select(MUX_BANDGAP);
}

/* By shifts: a division takes 40 µs here. */
static uint16_t dipped_at(uint16_t usual_mv) { return usual_mv - usual_mv / 16 - usual_mv / 64; } /* 92 %: told */
static uint16_t well_at(uint16_t usual_mv) { return usual_mv - usual_mv / 32; }                   /* 97 % */

static void watch_supply(void)
{
    if (!usual_mv_x8)
        usual_mv_x8 = supply_mv * 8;
    uint16_t usual_mv = usual_mv_x8 / 8;
    if (!is_dipped && supply_mv < dipped_at(usual_mv)) {
        is_dipped = true;
        notices_put(NOTICE_MCU, NOTICE_BROWN_OUT, supply_mv);
    } else if (supply_mv > well_at(usual_mv)) {
        is_dipped = false;
    }
    if (supply_mv > usual_mv)
        usual_mv_x8++;
    else if (supply_mv < usual_mv && !is_dipped)
        usual_mv_x8--;
}

static void take_supply(uint16_t result)
{
    supply_mv = result ? (uint16_t)(BANDGAP_MV * FULL_SCALE / result) : 0;
    if (supply_mv > 6500)
        supply_mv = 0; /* no such supply: the reference isn't there */
    if (supply_mv)
        watch_supply();
}

static uint16_t millivolts(uint16_t result) { return (uint16_t)((uint32_t)result * supply_mv / FULL_SCALE); }

static void judge_sensor(uint16_t after_fill_mv)
{
    uint16_t apart = after_fill_mv > after_empty_mv ? after_fill_mv - after_empty_mv : after_empty_mv - after_fill_mv;
    bool is_there = supply_mv && apart < FLOATING_MV && after_fill_mv >= LEAST_MV;
    sensor_mv = is_there ? (uint16_t)(((uint32_t)after_empty_mv + after_fill_mv) / 2) : SENSOR_NONE;
}

static void go_on(uint16_t result)
{
    switch (step) {
    case SUPPLY:
        take_supply(result);
        if (beats_to_sensor) {
            beats_in_step = SETTLE_BEATS; /* the same again, at once */
            return;
        }
        beats_to_sensor = SENSOR_EVERY;
        step = EMPTY;
        select(MUX_GROUND);
        return;
    case EMPTY:
        step = AFTER_EMPTY;
        convert_sensor();
        return;
    case AFTER_EMPTY:
        after_empty_mv = millivolts(result);
        step = FILL;
        select(MUX_BANDGAP);
        return;
    case FILL:
        step = AFTER_FILL;
        convert_sensor();
        return;
    case AFTER_FILL:
        judge_sensor(millivolts(result));
        step = SUPPLY;
        select(MUX_BANDGAP);
        return;
    }
}

void status_beat(void)
{
    if (beats_to_sensor)
        beats_to_sensor--;
    if (beats_in_step < SETTLE_BEATS) {
        beats_in_step++;
    } else if (beats_in_step == SETTLE_BEATS) {
        convert();
        beats_in_step++;
    } else if (!(ADCSRA & _BV(ADSC))) {
        go_on(ADC);
    }
}

uint16_t status_supply_mv(void) { return supply_mv; }

uint16_t status_sensor_mv(void) { return sensor_mv; }
