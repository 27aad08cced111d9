/* The serial line. Bytes take the time they take on a wire at the baud the firmware has set, in both directions; a host
 * at another baud gets and gives garbage; bytes the firmware fetches too late are overrun, as in the real receiver.
 *
 * simavr counts eleven bit times for a byte of ten and spaces received bytes by when the last one was read. So the
 * number of cycles it uses is set here before each of its own steps.
 */
#include "rig.h"

#include <math.h>
#include <string.h>

#include <simavr/avr_uart.h>
#include <simavr/sim_io.h>

DEFINE_FIFO(uint16_t, uart_fifo);

#define OUT_ROOM 65536u /* bytes to the host whose time hasn't come or that nobody took */
#define IN_ROOM 8192u
#define RECEIVER_DEPTH 3 /* two in the FIFO, one in the shift register */
#define UCSR0A 0xc0
#define DOR0 (1u << 3)
#define UDRE0 (1u << 5)
#define U2X0 (1u << 1)
#define READ_ONLY 0xbc /* RXC, UDRE, FE, DOR, UPE */
#define RXEN0 (1u << 4)
#define UCSR0B 0xc1
#define UBRR0L 0xc4
#define UBRR0H 0xc5
#define BITS_PER_BYTE 10

struct wire_fault wire[WAYS];

static avr_uart_t *uart;
static avr_irq_t *input;
static struct {
    uint8_t byte;
    int64_t end_ns;
} out[OUT_ROOM];
static size_t out_head, out_count;
static int64_t out_free_ns; /* when the wire to the host is free again */
static struct {
    uint8_t byte;
    unsigned baud;
} in[IN_ROOM];
static size_t in_head, in_count;
static int64_t in_end_ns = NEVER; /* when the byte under way has arrived at the MCU */
static unsigned host_baud;
static uint64_t overruns;
static uint64_t chances;

struct handler { /* one of simavr's own, which ours calls */
    avr_io_read_t read;
    avr_io_write_t write;
    void *read_param, *write_param;
};
static struct handler library_data, library_status, library_control;

static double byte_cycles(void)
{
    unsigned divider = (unsigned)(avr->data[UBRR0L] | (avr->data[UBRR0H] & 0x0f) << 8) + 1;
    return BITS_PER_BYTE * (avr->data[UCSR0A] & U2X0 ? 8.0 : 16.0) * divider;
}

unsigned uart_baud(void)
{
    return (unsigned)lround(BITS_PER_BYTE * 1e9 / (double)board_cycles_ns(byte_cycles()));
}

void uart_host_baud(unsigned baud)
{
    host_baud = baud;
}

/* A receiver samples in the middle of the tenth bit: half a bit off in nine and a half, less what each end adds. */
static bool bauds_fit(unsigned host, unsigned mcu)
{
    return host == 0 || fabs((double)host / mcu - 1.0) < 0.042;
}

/* What a receiver at another baud makes of a byte: something else, the same each time. */
static uint8_t garbled(uint8_t byte)
{
    return (uint8_t)((byte << 1 | 1) ^ (byte >> 3) ^ 0xe0);
}

/* Puts a byte through a faulty wire: how many bytes come out (0..2). */
static int through(enum way way, uint8_t byte, uint8_t *result)
{
    struct wire_fault *f = &wire[way];
    int count = 0;
    if (f->silent || (f->lose > 0 && chance_even(&chances) < f->lose)) {
        f->lost++;
        return 0;
    }
    if (f->add > 0 && chance_even(&chances) < f->add) {
        f->added++;
        result[count++] = (uint8_t)(chance_even(&chances) * 256);
    }
    if (f->flip > 0 && chance_even(&chances) < f->flip) {
        f->flipped++;
        byte ^= (uint8_t)(1u << (unsigned)(chance_even(&chances) * 8));
    }
    f->passed++;
    result[count++] = byte;
    return count;
}

/* ---- MCU to host ---- */

static void sent(struct avr_irq_t *irq, uint32_t value, void *param)
{
    (void)irq, (void)param;
    uint8_t bytes[2];
    int64_t now = board_now();
    out_free_ns = (now > out_free_ns ? now : out_free_ns) + board_cycles_ns(byte_cycles());
    uint8_t byte = (uint8_t)value;
    if (!bauds_fit(host_baud, uart_baud()))
        byte = garbled(byte);
    int count = through(TO_HOST, byte, bytes);
    for (int i = 0; i < count; i++) {
        if (out_count == OUT_ROOM) { /* nobody takes them: the oldest go */
            out_head = (out_head + 1) % OUT_ROOM;
            out_count--;
        }
        size_t at = (out_head + out_count++) % OUT_ROOM;
        out[at].byte = bytes[i];
        out[at].end_ns = out_free_ns;
    }
}

size_t uart_take(int64_t until_ns, uint8_t *bytes, int64_t *ends_ns, size_t room)
{
    size_t count = 0;
    while (count < room && out_count > 0 && out[out_head].end_ns <= until_ns) {
        bytes[count] = out[out_head].byte;
        ends_ns[count++] = out[out_head].end_ns;
        out_head = (out_head + 1) % OUT_ROOM;
        out_count--;
    }
    return count;
}

void uart_drop_sent(void)
{
    out_count = 0;
}

/* ---- host to MCU ---- */

static void arrive(uint8_t byte)
{
    uint8_t bytes[2];
    int count = through(TO_MCU, byte, bytes);
    for (int i = 0; i < count; i++) {
        if (!board_runs() || !(avr->data[UCSR0B] & RXEN0))
            continue;
        if (uart_fifo_get_read_size(&uart->input) >= RECEIVER_DEPTH) {
            overruns++;
            avr->data[UCSR0A] |= DOR0;
            continue;
        }
        uart->cycles_per_byte = 1; /* it has arrived: its time has passed here already */
        avr_raise_irq(input, bytes[i]);
        uart->cycles_per_byte = (avr_cycle_count_t)byte_cycles();
    }
}

static int64_t next_byte_ns(void)
{
    unsigned baud = in[in_head].baud ? in[in_head].baud : uart_baud();
    return (int64_t)(BITS_PER_BYTE * 1e9 / baud);
}

static avr_cycle_count_t byte_came(avr_t *mcu, avr_cycle_count_t when, void *param)
{
    (void)mcu, (void)when, (void)param;
    uint8_t byte = in[in_head].byte;
    if (!bauds_fit(in[in_head].baud, uart_baud()))
        byte = garbled(byte);
    in_head = (in_head + 1) % IN_ROOM;
    in_count--;
    arrive(byte);
    in_end_ns = in_count ? in_end_ns + next_byte_ns() : NEVER;
    if (in_count)
        board_timer(in_end_ns, byte_came, NULL);
    return 0;
}

size_t uart_send_room(void)
{
    return IN_ROOM - in_count;
}

void uart_send(const uint8_t *bytes, size_t count, unsigned baud)
{
    for (size_t i = 0; i < count && in_count < IN_ROOM; i++) {
        size_t at = (in_head + in_count++) % IN_ROOM;
        in[at].byte = bytes[i];
        in[at].baud = baud;
    }
    if (in_end_ns == NEVER && in_count) {
        in_end_ns = board_now() + next_byte_ns();
        board_timer(in_end_ns, byte_came, NULL);
    }
}

void uart_seed(uint64_t seed)
{
    chance_seed(&chances, seed ^ 0x77697265);
}

uint64_t uart_overruns(void)
{
    return overruns;
}

/* ---- simavr's own handlers, with the right number of cycles for each ---- */

static uint8_t read_udr(avr_t *mcu, avr_io_addr_t address, void *param)
{
    (void)param;
    uart->cycles_per_byte = 1; /* what waits behind it has arrived already */
    uint8_t value = library_data.read(mcu, address, library_data.read_param);
    uart->cycles_per_byte = (avr_cycle_count_t)byte_cycles();
    mcu->data[UCSR0A] &= (uint8_t)~DOR0;
    return value;
}

static void write_udr(avr_t *mcu, avr_io_addr_t address, uint8_t value, void *param)
{
    (void)param;
    uart->cycles_per_byte = (avr_cycle_count_t)byte_cycles();
    library_data.write(mcu, address, value, library_data.write_param);
}

/* Only U2X, MPCM and the clearing of TXC can be written; simavr would let a program switch UDRE off for good. */
static void write_status(avr_t *mcu, avr_io_addr_t address, uint8_t value, void *param)
{
    (void)param;
    uint8_t fixed = mcu->data[UCSR0A] & READ_ONLY;
    library_status.write(mcu, address, value, library_status.write_param);
    mcu->data[UCSR0A] = (uint8_t)((mcu->data[UCSR0A] & ~READ_ONLY) | fixed);
}

/* simavr lets UDRE go when the transmitter is switched off; the real one's buffer is just as empty as before. */
static void write_control(avr_t *mcu, avr_io_addr_t address, uint8_t value, void *param)
{
    (void)param;
    library_control.write(mcu, address, value, library_control.write_param);
    if (uart->tx_cnt == 0)
        mcu->data[UCSR0A] |= UDRE0;
}

static void take_over(avr_io_addr_t reg, struct handler *library, avr_io_read_t read, avr_io_write_t write)
{
    avr_io_addr_t address = AVR_DATA_TO_IO(reg);
    library->read = avr->io[address].r.c;
    library->read_param = avr->io[address].r.param;
    library->write = avr->io[address].w.c;
    library->write_param = avr->io[address].w.param;
    if ((read && !library->read) || (write && !library->write))
        fail("this libsimavr handles the UART's register 0x%02x in another way", reg);
    if (read)
        avr->io[address].r.c = read;
    if (write)
        avr->io[address].w.c = write;
}

void uart_after_reset(void)
{
    uint32_t flags = 0; /* no copy on the console, no sleeping while the firmware polls */
    avr_ioctl(avr, AVR_IOCTL_UART_SET_FLAGS('0'), &flags);
    if (in_count)
        board_timer(in_end_ns, byte_came, NULL);
}

void uart_begin(void)
{
    for (avr_io_t *io = avr->io_port; io; io = io->next)
        if (!strcmp(io->kind, "uart"))
            uart = (avr_uart_t *)io;
    avr_irq_t *output = avr_io_getirq(avr, AVR_IOCTL_UART_GETIRQ('0'), UART_IRQ_OUTPUT);
    input = avr_io_getirq(avr, AVR_IOCTL_UART_GETIRQ('0'), UART_IRQ_INPUT);
    if (!uart || !output || !input)
        fail("this libsimavr has no UART 0 in its ATmega328P");
    avr_irq_register_notify(output, sent, NULL);
    take_over(uart->r_udr, &library_data, read_udr, write_udr);
    take_over(UCSR0A, &library_status, NULL, write_status);
    take_over(UCSR0B, &library_control, NULL, write_control);
    uart_after_reset();
}
