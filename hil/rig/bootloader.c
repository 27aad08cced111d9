/* Serial bootloader of the emulated Nano, written from Atmel's application note AVR061 ("STK500 Communication Protocol").
 *
 * It stands where the old Nano's does (the last 2 KB, 0x7800) and keeps that one's promises, and no more: after a reset by the
 * line (DTR) it listens for WINDOW_MS, then the application starts. It never writes on its own half of the flash, so
 * whatever is cut off in the middle, the next reset finds it whole.
 *
 * Build constants: BAUD_RATE (115200 or 57600); CHIP_FAMILY and CHIP_NUMBER (another chip, which a host must refuse);
 * WORN_CELL (address of a byte of flash whose lowest bit can't be programmed any more, which a host must notice).
 */
#include <avr/boot.h>
#include <avr/eeprom.h>
#include <avr/io.h>
#include <avr/pgmspace.h>
#include <avr/wdt.h>
#include <stdint.h>

#ifndef BAUD_RATE
#define BAUD_RATE 115200
#endif
#ifndef CHIP_FAMILY /* the second and third byte of the signature; 95 0F is the ATmega328P */
#define CHIP_FAMILY 0x95
#endif
#ifndef CHIP_NUMBER
#define CHIP_NUMBER 0x0F
#endif
#define WINDOW_MS 1000
#define BOOT_START 0x7800u

/* AVR061, chapter "Command Definitions". */
enum {
    RESP_FAILED = 0x11,
    RESP_OK = 0x10,
    RESP_INSYNC = 0x14,
    RESP_NOSYNC = 0x15,
    SYNC_CRC_EOP = 0x20,
    CMND_GET_SYNC = 0x30,
    CMND_GET_PARAMETER = 0x41,
    CMND_SET_DEVICE = 0x42,
    CMND_SET_DEVICE_EXT = 0x45,
    CMND_ENTER_PROGMODE = 0x50,
    CMND_LEAVE_PROGMODE = 0x51,
    CMND_LOAD_ADDRESS = 0x55,
    CMND_UNIVERSAL = 0x56,
    CMND_PROG_PAGE = 0x64,
    CMND_READ_PAGE = 0x74,
    CMND_READ_SIGN = 0x75,
    PARM_SW_MAJOR = 0x81,
    PARM_SW_MINOR = 0x82,
};

#define WINDOW_TICKS ((uint16_t)(F_CPU / 1024UL * WINDOW_MS / 1000UL))

static uint8_t page[256];

/* Page 0 of the map: no vectors, the reset lands here. */
__attribute__((naked, used, section(".init0"))) void entry(void) {
    __asm__ volatile("cli\n\t"
                     "clr __zero_reg__\n\t"
                     "ldi r28, lo8(%0)\n\t"
                     "ldi r29, hi8(%0)\n\t"
                     "out __SP_H__, r29\n\t"
                     "out __SP_L__, r28\n\t"
                     "jmp boot" ::"i"(RAMEND));
}

/* The registers as a reset leaves them; the cause of the reset goes along in r2, since the watchdog can't be
 * stopped without clearing its flag in MCUSR. */
__attribute__((noreturn)) static void start_application(uint8_t cause) {
    UCSR0B = 0;
    UCSR0A = _BV(TXC0); /* writing a one clears it, and U2X0 with the rest */
    UCSR0C = _BV(UCSZ01) | _BV(UCSZ00);
    UBRR0 = 0;
    TCCR1B = 0;
    TCNT1 = 0;
    TIFR1 = 0xFF;
    __asm__ volatile("mov r2, %0\n\t"
                     "jmp 0" ::"r"(cause));
    __builtin_unreachable();
}

static uint8_t has_application(void) { return pgm_read_word(0) != 0xFFFF; }

/* Ends in the application when nothing that makes sense comes for the whole window. */
static uint8_t receive(uint8_t cause) {
    for (;;) {
        if (TCNT1 >= WINDOW_TICKS) {
            if (has_application()) start_application(cause);
            TCNT1 = 0;
        }
        uint8_t state = UCSR0A;
        if (!(state & _BV(RXC0))) continue;
        uint8_t got = UDR0;
        if (!(state & _BV(FE0))) return got; /* a framing error: somebody talks at another baud rate */
    }
}

static void send(uint8_t what) {
    while (!(UCSR0A & _BV(UDRE0)))
        ;
    UCSR0A = (UCSR0A & _BV(U2X0)) | _BV(TXC0);
    UDR0 = what;
}

static void write_page(uint16_t address, uint16_t size) {
#ifdef WORN_CELL
    if (address == (WORN_CELL & ~(SPM_PAGESIZE - 1))) page[WORN_CELL % SPM_PAGESIZE] ^= 1;
#endif
    boot_page_erase(address);
    boot_spm_busy_wait();
    for (uint16_t i = 0; i < size; i += 2)
        boot_page_fill(address + i, page[i] | (uint16_t)page[i + 1] << 8);
    boot_page_write(address);
    boot_spm_busy_wait();
    boot_rww_enable();
}

__attribute__((noreturn, used)) void boot(void) {
    uint8_t cause = MCUSR;
    wdt_reset();
    MCUSR = cause & (uint8_t)~_BV(WDRF);
    WDTCSR = _BV(WDCE) | _BV(WDE);
    WDTCSR = 0;
    /* A restart that nobody asked for over the line (power, watchdog, brown-out) shall be short; EXTRF may still stand from
     * before, WDRF can't, it was cleared above. Without an application there is nothing to start. */
    if ((cause & (_BV(EXTRF) | _BV(WDRF))) != _BV(EXTRF) && has_application()) start_application(cause);

    UCSR0A = _BV(U2X0);
    UBRR0 = (F_CPU / 4 / BAUD_RATE - 1) / 2;
    UCSR0C = _BV(UCSZ01) | _BV(UCSZ00);
    UCSR0B = _BV(RXEN0) | _BV(TXEN0);
    TCCR1A = 0;
    TCCR1B = _BV(CS12) | _BV(CS10); /* F_CPU / 1024 */
    TCNT1 = 0;

    uint16_t address = 0; /* in bytes */
    for (;;) {
        uint8_t command = receive(cause);
        uint8_t first = 0, second = 0, kind = 0;
        uint16_t size = 0;
        switch (command) {
        case CMND_GET_SYNC:
        case CMND_ENTER_PROGMODE:
        case CMND_LEAVE_PROGMODE:
        case CMND_READ_SIGN:
            break;
        case CMND_GET_PARAMETER:
            first = receive(cause);
            break;
        case CMND_SET_DEVICE:
            for (uint8_t i = 0; i < 20; i++) receive(cause);
            break;
        case CMND_SET_DEVICE_EXT: /* its first byte counts itself too */
            for (uint8_t left = receive(cause); left > 1; left--) receive(cause);
            break;
        case CMND_LOAD_ADDRESS: /* in words */
            first = receive(cause);
            second = receive(cause);
            break;
        case CMND_UNIVERSAL:
            for (uint8_t i = 0; i < 4; i++) receive(cause);
            break;
        case CMND_PROG_PAGE:
        case CMND_READ_PAGE:
            size = (uint16_t)receive(cause) << 8;
            size |= receive(cause);
            kind = receive(cause);
            if (command == CMND_PROG_PAGE)
                for (uint16_t i = 0; i < size; i++) page[(uint8_t)i] = receive(cause);
            break;
        default:
            continue; /* what isn't a command keeps nobody here */
        }
        if (receive(cause) != SYNC_CRC_EOP) {
            send(RESP_NOSYNC);
            continue;
        }
        TCNT1 = 0;
        send(RESP_INSYNC);

        uint8_t verdict = RESP_OK;
        switch (command) {
        case CMND_GET_PARAMETER:
            send(first == PARM_SW_MAJOR ? 1 : first == PARM_SW_MINOR ? 0 : 3);
            break;
        case CMND_UNIVERSAL:
            send(0);
            break;
        case CMND_READ_SIGN:
            send(0x1E);
            send(CHIP_FAMILY);
            send(CHIP_NUMBER);
            break;
        case CMND_LOAD_ADDRESS:
            address = ((uint16_t)second << 8 | first) << 1;
            break;
        case CMND_PROG_PAGE: /* the EEPROM holds the shelf's settings: it isn't written from here */
            if (kind != 'F' || address % SPM_PAGESIZE || size == 0 || size % 2 || size > SPM_PAGESIZE ||
                address >= BOOT_START)
                verdict = RESP_FAILED;
            else
                write_page(address, size);
            break;
        case CMND_READ_PAGE:
            for (uint16_t i = 0; i < size; i++)
                send(kind == 'E' ? eeprom_read_byte((const uint8_t *)(address + i)) : pgm_read_byte(address + i));
            break;
        }
        send(verdict);
        TCNT1 = 0;
        if (command == CMND_LEAVE_PROGMODE) {
            while (!(UCSR0A & _BV(TXC0)))
                ;
            start_application(cause);
        }
    }
}
