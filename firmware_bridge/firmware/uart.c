#include "uart.h"

#include "board.h"
#include "clock.h"
#include "count.h"

#include <avr/interrupt.h>
#include <util/atomic.h>

#define UBRR_VALUE (F_CPU / 16 / BAUD_RATE - 1)
#if F_CPU % (16 * BAUD_RATE)
#error "this baud rate is not exact at 16 samples per bit"
#endif

#define RX_RING 64 /* taken at least each ms, when 25 bytes may have come */
#define STAMP_BYTES 4

static uint8_t tx_ring[TX_RING];
static volatile uint16_t tx_released; /* run on; masked when used */
static volatile uint16_t tx_sent;
struct frame_writer uart_writer = {.ring = tx_ring, .mask = TX_RING - 1};

static uint8_t rx_ring[RX_RING];
static volatile uint8_t rx_put;
static volatile uint8_t rx_taken;
static bool rx_after_zero = true; /* touched by the receive interrupt alone */
static volatile uint16_t rx_overruns;

/* ---- sending ---- */

ISR(USART_UDRE_vect)
{
    uint16_t at = tx_sent;
    UDR0 = tx_ring[at & (TX_RING - 1)];
    tx_sent = ++at;
    if (at == tx_released)
        UCSR0B &= (uint8_t)~_BV(UDRIE0);
}

uint16_t uart_room(void)
{
    uint16_t sent;
    ATOMIC_BLOCK(ATOMIC_RESTORESTATE) { sent = tx_sent; }
    return TX_RING - (uint16_t)(uart_writer.at - sent);
}

void uart_release(void)
{
    ATOMIC_BLOCK(ATOMIC_RESTORESTATE)
    {
        tx_released = uart_writer.at;
        if (tx_released != tx_sent)
            UCSR0B |= _BV(UDRIE0);
    }
}

void uart_init(void)
{
    UBRR0 = UBRR_VALUE;
    UCSR0A = 0;
    UCSR0C = _BV(UCSZ01) | _BV(UCSZ00); /* 8N1 */
    UCSR0B = _BV(RXCIE0) | _BV(RXEN0) | _BV(TXEN0);
    /* A zero first: a reset may have cut a frame in two, and its half would spoil the first one of now, IDENTITY. */
    tx_ring[uart_writer.at++] = 0;
    uart_release();
}

bool uart_is_drained(void) { return !(UCSR0B & _BV(UDRIE0)); }

/* ---- receiving ---- */

static inline uint8_t rx_room(void) { return (uint8_t)(RX_RING - (uint8_t)(rx_put - rx_taken)); }

static inline void rx_store(uint8_t byte) { rx_ring[rx_put++ & (RX_RING - 1)] = byte; }

ISR(USART_RX_vect)
{
    uint8_t status = UCSR0A;
    uint8_t byte = UDR0;
    if (status & _BV(DOR0))
        count_up((uint16_t *)&rx_overruns);
    if (status & _BV(FE0))
        byte = 0xFF; /* not what was sent: let the CRC tell */
    if (byte == 0 && rx_after_zero)
        return; /* padding */
    if (rx_room() < 1 + STAMP_BYTES) {
        count_up((uint16_t *)&rx_overruns);
        return;
    }
    rx_after_zero = byte == 0;
    rx_store(byte);
    if (byte)
        return;
    uint32_t now_us = clock_us_locked();
    rx_store((uint8_t)now_us);
    rx_store((uint8_t)(now_us >> 8));
    rx_store((uint8_t)(now_us >> 16));
    rx_store((uint8_t)(now_us >> 24));
}

bool uart_has_received(void) { return rx_put != rx_taken; }

static uint8_t take(void)
{
    uint8_t byte = rx_ring[rx_taken & (RX_RING - 1)];
    rx_taken++;
    return byte;
}

/* A zero and its stamp are stored in one interrupt: where the zero is, the stamp is. */
bool uart_receive(struct received *received)
{
    if (!uart_has_received())
        return false;
    received->byte = take();
    if (received->byte)
        return true;
    received->at_us = take();
    received->at_us |= (uint32_t)take() << 8;
    received->at_us |= (uint32_t)take() << 16;
    received->at_us |= (uint32_t)take() << 24;
    return true;
}

uint16_t uart_overruns(void)
{
    uint16_t count;
    ATOMIC_BLOCK(ATOMIC_RESTORESTATE) { count = rx_overruns; }
    return count;
}
