"""Small programs for the rig's MCU: no firmware of ours, only what shows that the rig behaves like a board."""

from __future__ import annotations

ECHO = r"""
/* Says why it started, then sends every byte back; some of them make it do something first. 250 000 baud. */
#include <avr/eeprom.h>
#include <avr/interrupt.h>
#include <avr/io.h>
#include <avr/sleep.h>
#include <avr/wdt.h>
#include <stdlib.h>
#include <util/delay.h>

static volatile uint8_t ticks, got[256], got_in, got_out;
ISR(TIMER2_COMPA_vect) { ticks++; }
ISR(USART_RX_vect) { got[got_in++] = UDR0; }

static void put(char c)
{
    while (!(UCSR0A & 1 << UDRE0))
        ;
    UDR0 = c;
}
static void say(const char *text)
{
    while (*text)
        put(*text++);
}
static void number(uint16_t value)
{
    char text[8];
    say(utoa(value, text, 10));
    put(' ');
}
static uint16_t adc(uint8_t mux)
{
    ADMUX = 1 << REFS0 | mux;
    ADCSRA = 1 << ADEN | 1 << ADSC | 7;
    while (ADCSRA & 1 << ADSC)
        ;
    return ADC;
}
int main(void)
{
    uint8_t cause = MCUSR, ticking = 0, last = 0;
    MCUSR = 0;
    wdt_disable();
    UCSR0A = 1 << U2X0;
    UBRR0 = 7;
    UCSR0B = 1 << RXEN0 | 1 << TXEN0 | 1 << RXCIE0;
    UCSR0C = 3 << UCSZ00;
    TCCR2A = 1 << WGM21;
    TCCR2B = 4;
    OCR2A = 249; /* 1 ms */
    TIMSK2 = 1 << OCIE2A;
    uint8_t starts = eeprom_read_byte((uint8_t *)5) + 1;
    eeprom_write_byte((uint8_t *)5, starts);
    sei();
    say("start ");
    number(cause);
    number(starts);
    put('\n');
    set_sleep_mode(SLEEP_MODE_IDLE);
    for (;;) {
        while (got_out != got_in) {
            uint8_t c = got[got_out++];
            switch (c) {
            case 'W': wdt_enable(WDTO_15MS); for (;;);
            case 'H': cli(); sleep_mode(); break;
            case 'B': cli(); _delay_ms(2); sei(); break;
            case 'A': number(adc(14)); number(adc(7)); break;
            case 'T': ticking = 1; last = ticks; break;
            }
            put(c);
        }
        if (ticking && (uint8_t)(ticks - last) >= 100) {
            last += 100;
            put('.');
        }
        sleep_mode();
    }
}
"""

READER = r"""
/* Reads all eight HX711s when their DOUT falls, 25 pulses; sends chip with the 25th bit above it, code, 0xA5. */
#include <avr/interrupt.h>
#include <avr/io.h>
#include <avr/sleep.h>

static volatile uint8_t woke, queue[256], in, out;
ISR(PCINT1_vect) { woke = 1; }
ISR(PCINT2_vect) { woke = 1; }
ISR(USART_UDRE_vect)
{
    if (in == out)
        UCSR0B &= ~(1 << UDRIE0);
    else
        UDR0 = queue[out++];
}
static void put(uint8_t c)
{
    queue[in] = c;
    in++;
    UCSR0B |= 1 << UDRIE0;
}
static uint8_t dout(uint8_t chip) { return (chip < 4 ? PIND >> (4 + chip) : PINC >> (chip - 4)) & 1; }
static void sck(uint8_t chip, uint8_t level)
{
    volatile uint8_t *port = chip < 6 ? &PORTB : &PORTD;
    uint8_t mask = 1 << (chip < 6 ? chip : chip - 4);
    *port = level ? *port | mask : *port & ~mask;
}
int main(void)
{
    UCSR0A = 1 << U2X0;
    UBRR0 = 7;
    UCSR0C = 3 << UCSZ00;
    UCSR0B = 1 << TXEN0;
    DDRB = 0x3f;
    DDRD = 0x0c;
    PORTC = 0x0f; /* pull-ups: a pin without a chip is silent */
    PORTD = 0xf0;
    PCMSK2 = 0xf0;
    PCMSK1 = 0x0f;
    PCICR = 1 << PCIE2 | 1 << PCIE1;
    set_sleep_mode(SLEEP_MODE_IDLE);
    sei();
    for (;;) {
        cli();
        if (!woke) {
            sleep_enable();
            sei();
            sleep_cpu();
            sleep_disable();
        }
        sei();
        woke = 0;
        for (uint8_t chip = 0; chip < 8; chip++) {
            if (dout(chip))
                continue;
            uint32_t code = 0;
            uint8_t last = 0;
            for (uint8_t pulse = 0; pulse < 25; pulse++) {
                cli();
                sck(chip, 1);
                last = dout(chip);
                sck(chip, 0);
                sei();
                if (pulse < 24)
                    code = code << 1 | last;
            }
            put(chip | last << 7);
            put(code >> 16);
            put(code >> 8);
            put(code);
            put(0xa5);
        }
    }
}
"""

STOPWATCH = r"""
/* Measures at chip 0 and sends as 16 bits each: how many cycles DOUT is high before an edge when the one before wasn't
 * read; how many from SCK's rise to DOUT's, when SCK stays up; how many half microseconds from edge to edge. */
#include <avr/io.h>
#define DOUT (PIND & 1 << 4)

static void put(uint16_t value)
{
    for (uint8_t i = 0; i < 2; i++) {
        while (!(UCSR0A & 1 << UDRE0))
            ;
        UDR0 = value >> 8 * i;
    }
}
static void fall(void)
{
    while (!DOUT)
        ;
    while (DOUT)
        ;
}
int main(void)
{
    UCSR0A = 1 << U2X0;
    UBRR0 = 7;
    UCSR0C = 3 << UCSZ00;
    UCSR0B = 1 << TXEN0;
    DDRB = 1;
    TCCR1B = 1;
    fall();
    while (!DOUT)
        ;
    TCNT1 = 0;
    while (DOUT)
        ;
    put(TCNT1);
    PORTB = 1; /* a code of zeros: DOUT stays low */
    TCNT1 = 0;
    while (!DOUT)
        ;
    put(TCNT1);
    PORTB = 0;
    TCCR1B = 2; /* / 8 */
    fall();
    TCNT1 = 0;
    fall();
    put(TCNT1);
    for (;;)
        ;
}
"""
