/* The board: which pin does what on an Arduino Nano (ATmega328P, 16 MHz crystal, 5 V), and what is built into an image.
 *
 *   chip   0    1    2    3    4    5    6    7
 *   SCK    D8   D9   D10  D11  D12  D13  D2   D3      PB0..PB5, PD2, PD3
 *   DOUT   D4   D5   D6   D7   A0   A1   A2   A3      PD4..PD7, PC0..PC3
 *
 * The DOUT pins fill one nibble of port D and one of port C: both have pin change interrupts of their own, and eight
 * chips are one byte after one swap. D0/D1 are the USB serial line, A7 is the temperature sensor, A4/A5 stay free.
 */
#ifndef BOARD_H
#define BOARD_H

#include <avr/io.h>
#include <stdint.h>

#define FIRMWARE_NAME    "shelfedge-atmega328p"
#define FIRMWARE_VERSION "1.0.0"
#define PROTOCOL_VERSION 1
#define BOARD_NAME       "atmega328p-nano"
#define BOARD_MCU        "atmega328p"

#ifndef F_CPU
#define F_CPU 16000000UL
#endif
#ifndef BAUD_RATE
#define BAUD_RATE 250000UL /* F_CPU / 16 / 250000 = 4 without a remainder: no baud error at all */
#endif

#define CHIPS 8

/* What goes into IDENTITY, a piece per chip, in order. */
#define PIN_NAMES                                                                                                      \
    {                                                                                                                  \
        "SCK=D8,DOUT=D4", "SCK=D9,DOUT=D5", "SCK=D10,DOUT=D6", "SCK=D11,DOUT=D7", "SCK=D12,DOUT=A0", "SCK=D13,DOUT=A1", \
            "SCK=D2,DOUT=A2", "SCK=D3,DOUT=A3"                                                                         \
    }

#define SENSOR_ADC_CHANNEL 7

#define SCK_MASK_B  0x3F /* chips 0..5 */
#define SCK_MASK_D  0x0C /* chips 6, 7 */
#define DOUT_MASK_D 0xF0 /* chips 0..3 */
#define DOUT_MASK_C 0x0F /* chips 4..7 */

static inline uint8_t swap_nibbles(uint8_t value) { return (uint8_t)(value << 4 | value >> 4); }

/* An AVR shifts by one bit at a time: for masks of single chips a look into a table is quicker. */
extern const uint8_t chip_bits[CHIPS];
static inline uint8_t bit_of(uint8_t chip) { return chip_bits[chip]; }

/* Port nibbles <-> chip mask (bit i is chip i). */
static inline uint8_t chips_of_ports(uint8_t port_d, uint8_t port_c)
{
    return swap_nibbles((uint8_t)((port_d & DOUT_MASK_D) | (port_c & DOUT_MASK_C)));
}

/* DOUT levels of all chips, as a chip mask. */
static inline uint8_t dout_levels(void) { return chips_of_ports(PIND, PINC); }

#endif
