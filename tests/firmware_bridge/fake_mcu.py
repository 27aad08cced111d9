"""A shelf MCU with physics, on its line: own crystal and chips, a slow wire, a USB bridge that hoards, a stalling host.

All in true time (the host's monotonic clock, ns), stepped by `FakeMcu.run`: an hour takes seconds. It speaks through
the same dataclasses as the host; what the bytes must be is fixed by the vectors, not by this.
"""

from __future__ import annotations

import heapq
import math
import random
from dataclasses import dataclass, field, replace

from firmware_bridge.protocol.codes import CommandCode, McuFlag, ReplyResult
from firmware_bridge.protocol.commands import Command, decode_command
from firmware_bridge.protocol.frames import Deframer, encode_frame
from firmware_bridge.protocol.identity import Identity
from firmware_bridge.protocol.messages import (
    ChipStatus,
    McuMessage,
    McuNotice,
    RawSample,
    Reply,
    Samples,
    Status,
    encode_message,
)

MS = 1_000_000
SECOND = 1_000_000_000


@dataclass
class Crystal:
    """Off by a share, and wandering: ``ppm`` for good, ``wander_ppm`` to either side with a period of ``wander_s``."""

    ppm: float = 0.0
    wander_ppm: float = 0.0
    wander_s: float = 600.0

    def elapsed_us(self, begin_ns: int, at_ns: int) -> float:
        """What a clock on this crystal counts between two instants."""
        turn = 2.0 * math.pi / (self.wander_s * 1e9)
        wander = self.wander_ppm * 1e-6 / turn * (math.cos(turn * begin_ns) - math.cos(turn * at_ns))
        return ((at_ns - begin_ns) * (1.0 + self.ppm * 1e-6) + wander) / 1000.0


@dataclass
class Bridge:
    """A USB-serial chip: sends a packet when it is full or when its timer runs out; the host polls each millisecond."""

    packet: int = 32
    timer_ns: int = 2 * MS

    @classmethod
    def ftdi(cls) -> Bridge:
        """An FT232 as it comes: 62 bytes or 16 ms."""
        return cls(62, 16 * MS)


@dataclass
class Chip:
    """One converter on its own clock. ``silent`` stops it."""

    period_ns: float
    next_ns: float
    silent: bool = False
    conversions: int = 0
    overruns: int = 0
    to_lose: int = 0  # of its next conversions, so many are lost in the MCU
    flag_next: int = 0


@dataclass
class Truth:
    """One conversion as it was."""

    boot: int
    chip: int
    conversion: int
    edge_ns: int
    counts: int


@dataclass
class FakeMcu:
    """The MCU, its chips and its cable."""

    chips: list[Chip]
    seed: int = 1
    crystal: Crystal = field(default_factory=Crystal)
    bridge: Bridge = field(default_factory=Bridge)
    byte_ns: int = 40_000
    tx_bytes: int = 400
    host_delay_ns: float = 150_000.0  # mean of an exponential: what the host's kernel and scheduler add
    stalls: list[tuple[int, int]] = field(default_factory=list)  # the host reads nothing within these
    flip_share: float = 0.0  # of frames that get one bit flipped on the wire
    drop_share: float = 0.0  # of packets lost between bridge and host
    protocol: int = 1
    serial: str = "bay-07"
    boot_count: int = 7

    def __post_init__(self) -> None:
        self.random = random.Random(self.seed)
        self.truth: list[Truth] = []
        self.commands: list[Command] = []
        self.ignore_commands = 0  # so many of the next ones never arrive
        self.now_ns = 0
        self._wire_free_ns = 0
        self._held = bytearray()
        self._held_deadline_ns = 0
        self._arrivals: list[tuple[int, bytes]] = []
        self._last_arrival_ns = 0
        self._coming: list[tuple[int, int, bytes]] = []
        self._order = 0
        self._last_reply: Reply | None = None
        self.powered = False

    @classmethod
    def with_chips(cls, count: int, rate_hz: float, **options: object) -> FakeMcu:
        """Chips at about ``rate_hz``, no two alike (-2..+4 %)."""
        periods = [1e9 / (rate_hz * (0.98 + 0.06 * k / max(count - 1, 1))) for k in range(count)]
        chips = [Chip(period, period * (0.3 + 0.1 * k)) for k, period in enumerate(periods)]
        return cls(chips, **options)  # type: ignore[arg-type]

    # ---- what happens to it
    def boot(self, at_ns: int, startup_ns: int = 1100 * MS) -> None:
        """Power on, or the reset line: the bootloader first, then the firmware with all counters at zero."""
        self.powered = True
        self.boot_count += 1
        self.boot_ns = at_ns + startup_ns
        self.seq = 0
        self.frames_sent = 0
        self.samples_dropped = 0
        self.streaming = True
        self._deframer = Deframer(decode_command)
        self._samples: list[tuple[int, RawSample]] = []
        self._next_status_ns = self.boot_ns + SECOND
        self._booted = False
        self._last_reply = None
        for chip in self.chips:
            chip.conversions = chip.overruns = 0
            chip.next_ns = self.boot_ns + chip.period_ns * (4 + self.random.random())

    def cut(self) -> None:
        """The cable is out: no power, and nothing of what was on its way arrives."""
        self.powered = False
        self._held.clear()
        self._arrivals.clear()
        self._coming.clear()

    def lose_wire(self) -> None:
        """What is on its way to the host is gone; the MCU knows nothing of it."""
        self._held.clear()
        self._arrivals.clear()

    def mcu_us(self, at_ns: int) -> int:
        """Its clock, 32 bits, in the 4 µs steps of a Nano's timer."""
        return int(self.crystal.elapsed_us(self.boot_ns, at_ns)) & ~3 & 0xFFFFFFFF

    # ---- the host's side
    def send(self, data: bytes, at_ns: int) -> None:
        """The host writes."""
        if data and self.powered:
            delay = 200_000 + self.random.expovariate(1 / self.host_delay_ns) + self.random.random() * MS
            arrival = int(at_ns + delay + len(data) * self.byte_ns)
            self._order += 1
            heapq.heappush(self._coming, (arrival, self._order, data))

    def run(self, until_ns: int) -> list[tuple[int, bytes]]:
        """Live until then. What the host got meanwhile, with the time it got it."""
        while self.powered:
            at_ns, what = self._next_event()
            if at_ns >= until_ns:
                break
            self.now_ns = at_ns
            what()
        self._flush_bridge(until_ns)
        self.now_ns = until_ns
        due = [a for a in self._arrivals if a[0] <= until_ns]
        self._arrivals = [a for a in self._arrivals if a[0] > until_ns]
        return due

    # ---- inside
    def _next_event(self):  # type: ignore[no-untyped-def]
        if not self._booted:
            return self.boot_ns, self._say_hello
        index = min(range(len(self.chips)), key=lambda k: self.chips[k].next_ns)
        best = (int(self.chips[index].next_ns), lambda: self._convert(index))
        if self._samples and (first := self._samples[0][0] + 25 * MS) < best[0]:
            best = (first, self._send_samples)
        if self._next_status_ns < best[0]:
            best = (self._next_status_ns, self._send_status)
        if self._coming and self._coming[0][0] < best[0]:
            best = (max(self._coming[0][0], self.boot_ns), self._obey)
        return best

    def _say_hello(self) -> None:
        self._booted = True
        self.put(self._identity())

    def _identity(self) -> Identity:
        n = len(self.chips)
        return Identity(
            0, 0, self.protocol, "0.1.0", "fake", self.serial, self.boot_count, 250_000, n, "SCK=D8,DOUT=D4",
            bytes([25] * n), 0, 2, 500, 248, bytes(range(0x41, 0x4A)), 0,
        )  # fmt: skip

    def _convert(self, index: int) -> None:
        chip = self.chips[index]
        edge_ns = int(chip.next_ns)
        chip.next_ns += chip.period_ns * (1.0 + self.random.gauss(0.0, 57e-6))
        if chip.silent:
            return
        chip.conversions += 1
        counts = self.random.randrange(-(1 << 23), 1 << 23)
        self.truth.append(Truth(self.boot_count, index, chip.conversions, edge_ns, counts))
        if chip.to_lose:
            chip.to_lose -= 1
            chip.overruns += 1
            chip.flag_next = McuFlag.OVERRUN
            return
        flags, chip.flag_next = chip.flag_next, 0
        self._samples.append((edge_ns, RawSample(index, flags, chip.conversions & 255, 0, counts, 15, 3)))
        if len(self._samples) == 16:
            self.now_ns = edge_ns + 60_000
            self._send_samples()

    def _send_samples(self) -> None:
        first_ns = self._samples[0][0]
        base_us = self.mcu_us(first_ns)
        rows = tuple(
            s._replace(edge_us=(self.mcu_us(t) - base_us + (1 << 31)) % (1 << 32) - (1 << 31)) for t, s in self._samples
        )
        self._samples = []
        if self.streaming and not self.put(Samples(0, 0, base_us, rows)):
            self.samples_dropped += len(rows)

    def _send_status(self) -> None:
        self._next_status_ns += SECOND
        chips = tuple(
            ChipStatus(c.conversions, round(c.period_ns / 10_000), 0, 0, 0, 0, 0, c.overruns, 0, 0, 3, 3)
            for c in self.chips
        )
        uptime_ms = (self.now_ns - self.boot_ns) // MS
        self.put(
            Status(0, 0, uptime_ms, 2, 5000, 0xFFFF, self.frames_sent, self.samples_dropped, 0, 0, 900, chips)
        )  # fmt: skip

    def notice(self, chip: int, cause: int, value: int) -> None:
        """Something happened now."""
        self.put(McuNotice(0, 0, self.mcu_us(self.now_ns), chip, cause, value))

    def _obey(self) -> None:
        arrival_ns, _, data = heapq.heappop(self._coming)
        if arrival_ns < self.boot_ns:
            return  # the bootloader had it
        came_us = self.mcu_us(arrival_ns)
        for received in self._deframer.feed(data):
            command = received.message
            if self.ignore_commands:
                self.ignore_commands -= 1
                continue
            self.commands.append(command)
            last = self._last_reply
            if last is not None and (last.token, last.command) == (command.token, command.code):
                self.put(replace(last))
                continue
            self.now_ns = arrival_ns + self.random.randrange(50_000, 300_000)
            reply = Reply(0, 0, command.token, command.code, ReplyResult.DONE)
            if command.code == CommandCode.PING:
                times = came_us.to_bytes(4, "little") + self.mcu_us(self.now_ns).to_bytes(4, "little")
                reply = replace(reply, data=times)
            elif command.code == CommandCode.STREAM:
                self.streaming = bool(command.data[0])
            elif command.code == CommandCode.SET_SERIAL:
                self.serial = command.data.decode()
            elif command.code == CommandCode.CONFIGURE and len(command.data) != 1 + len(self.chips):
                reply = replace(reply, result=ReplyResult.BAD_LENGTH)
            self._last_reply = reply
            self.put(reply)
            if command.code == CommandCode.IDENTIFY:
                self.put(self._identity())
            if command.code == CommandCode.STATUS:
                self._next_status_ns = self.now_ns
            if command.code == CommandCode.REBOOT:
                self.boot(self.now_ns + 20 * MS, 0)

    def put(self, message: McuMessage) -> bool:
        """Into the send buffer, if it has room."""
        stamped = replace(message, seq=self.seq & 0xFFFF, boot=self.boot_count & 0xFFFF)
        frame = encode_frame(encode_message(stamped))
        begin_ns = max(self._wire_free_ns, self.now_ns)
        self._flush_bridge(begin_ns)
        if (begin_ns - self.now_ns) // self.byte_ns + len(frame) > self.tx_bytes:
            return False
        self.seq += 1
        self.frames_sent += 1
        self._wire_free_ns = begin_ns + len(frame) * self.byte_ns
        if self.random.random() < self.flip_share:
            spoiled = bytearray(frame)
            spoiled[self.random.randrange(len(frame))] ^= 1 << self.random.randrange(8)
            frame = bytes(spoiled)
        self._over_wire(frame, begin_ns)
        return True

    def _over_wire(self, frame: bytes, begin_ns: int) -> None:
        while frame:
            room = self.bridge.packet - len(self._held)
            if not self._held:
                self._held_deadline_ns = begin_ns + int(self.bridge.timer_ns * self.random.random())
            if len(frame) < room:
                self._held += frame
                return
            self._held += frame[:room]
            begin_ns += room * self.byte_ns
            frame = frame[room:]
            self._packet(begin_ns)

    def _flush_bridge(self, until_ns: int) -> None:
        if self._held and max(self._held_deadline_ns, self._wire_free_ns) <= until_ns:
            self._packet(max(self._held_deadline_ns, self._wire_free_ns))

    def _packet(self, at_ns: int) -> None:
        data = bytes(self._held)
        self._held.clear()
        if self.random.random() < self.drop_share:
            return
        polled = at_ns + self.random.randrange(MS)
        arrival = int(polled + 80_000 + self.random.expovariate(1 / self.host_delay_ns))
        for begin, end in self.stalls:
            if begin <= arrival < end:
                arrival = end
        self._last_arrival_ns = max(self._last_arrival_ns, arrival)
        self._arrivals.append((self._last_arrival_ns, data))
