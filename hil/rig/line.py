"""A host's line to a board in lockstep: bytes both ways, each as late as a host gets them, on the host's own clock."""

from __future__ import annotations

import random
from collections import deque
from collections.abc import Sequence
from dataclasses import dataclass

from firmware_bridge.link.session import Link
from firmware_bridge.protocol.codes import BAUD
from hil.rig.lockstep import Chunk, LockstepRig

_STEP_NS = 10_000_000
_BYTE_NS = 10 * 10**9 // BAUD
_PACKET_BYTES = 62  # of 64, two are status
_KEPT_ASLEEP = 64  # bytes that the USB chip keeps while its host sleeps


@dataclass(frozen=True, slots=True)
class Latency:
    """How late bytes reach the host's program: USB frames, scheduling.

    Attributes:
        least_ns: always.
        typical_ns: mean of an exponential on top.
        packet_timer_ns: how long a USB chip keeps bytes that don't fill a packet: the latency timer, 16 ms in an FTDI
            that nobody told otherwise. 0: each byte goes on at once.
        out_ns: from the program to the line; half of it always, the rest by chance.
    """

    least_ns: int = 150_000
    typical_ns: int = 400_000
    packet_timer_ns: int = 0
    out_ns: int = 0


class UsbChip:
    """Collects bytes into packets: sent when full, else when the timer says so."""

    def __init__(self, timer_ns: int) -> None:
        self._timer_ns = timer_ns
        self._next_ns = 0
        self._kept = bytearray()

    def take(self, chunks: Sequence[Chunk], byte_ns: int, now_ns: int) -> list[Chunk]:
        """The packets that go to the host up to ``now_ns``, of bytes that come one ``byte_ns`` after another."""
        if not self._timer_ns:
            return list(chunks)
        packets: list[Chunk] = []
        for chunk in chunks:
            for left in range(len(chunk.data) - 1, -1, -1):
                at_ns = chunk.time_ns - left * byte_ns
                self._tick(at_ns, packets)
                self._kept.append(chunk.data[-1 - left])
                if len(self._kept) == _PACKET_BYTES:
                    self._send(at_ns, packets)
        self._tick(now_ns, packets)
        return packets

    def _tick(self, now_ns: int, packets: list[Chunk]) -> None:
        while self._next_ns <= now_ns:
            self._send(self._next_ns, packets)

    def _send(self, at_ns: int, packets: list[Chunk]) -> None:
        if self._kept:
            packets.append(Chunk(at_ns, bytes(self._kept)))
            self._kept.clear()
        self._next_ns = at_ns + self._timer_ns


class LockstepLine:
    """Keeps `drivers.mcu.McuConnection` over a rig. Time passes by `run_until` and `sleep` only.

    Attributes:
        rig, link: to be used directly as well.
        sent: bytes that went to the board.

    Args:
        latency: of the host.
        ahead_ns: the host's monotonic clock less true time, which the rig's truth is on.
    """

    def __init__(self, rig: LockstepRig, latency: Latency | None = None, seed: int = 1, ahead_ns: int = 0) -> None:
        self.rig = rig
        self._true_ns = rig.state().now_ns
        self._ahead_ns = ahead_ns
        self._latency = latency or Latency()
        self._chance = random.Random(seed)
        self._coming: deque[tuple[int, bytes]] = deque()  # with the host's time at which each is there
        self._going: deque[tuple[int, bytes]] = deque()  # with the true time at which each goes on the line
        self._usb = UsbChip(self._latency.packet_timer_ns)
        self._open = False
        self._plugged = True
        self.sent = 0
        self.link = Link(self.now_ns())

    def now_ns(self) -> int:
        """The host's monotonic clock."""
        return self._true_ns + self._ahead_ns

    def host_ns(self, true_ns: int) -> int:
        """The host's time at a true time, if it hasn't slept since."""
        return true_ns + self._ahead_ns

    # ---- as a driver uses it ----

    def start(self, must_open: bool = True) -> None:
        """Open the port, which doesn't reset this board; with a new link, as a program that starts."""
        self._open = True
        self.link = Link(self.now_ns())
        if self._plugged:
            self.link.opened(self.now_ns())

    def pump(self) -> None:
        """Bring what came in to the link, and what it says to the line."""
        now_ns = self.now_ns()
        while self._coming and self._coming[0][0] <= now_ns:
            came_ns, data = self._coming.popleft()
            self.link.received(data, came_ns)
        words = self.link.to_send(now_ns)
        if words and self._open and self._plugged:
            late_ns = round(self._latency.out_ns * (0.5 + 0.5 * self._chance.random()))
            self._going.append((self._true_ns + late_ns, words))
            self._send()

    def stop(self) -> None:
        """Close the port."""
        self._open = False
        self._coming.clear()
        self._going.clear()
        self.link.closed(self.now_ns())

    # ---- as the world uses it ----

    def run_until(self, now_ns: int) -> None:
        """Let the board go on until the host's clock says that."""
        end_ns = now_ns - self._ahead_ns
        while self._true_ns < end_ns:
            self._pass(min(_STEP_NS, end_ns - self._true_ns, *(at_ns - self._true_ns for at_ns, _ in self._going)))
            self._send()

    def sleep(self, seconds: float) -> None:
        """The host sleeps: its monotonic clock stands still, and the board talks to nobody."""
        length_ns = round(seconds * 1e9)
        kept = len(self._coming)
        self._pass(length_ns)
        self._send()
        slept = [self._coming.pop() for _ in range(len(self._coming) - kept)]
        self._ahead_ns -= length_ns
        if slept:  # the last of them came first: what is kept is from the beginning
            self._coming.append((self.now_ns(), slept[-1][1][:_KEPT_ASLEEP]))

    def jump(self, seconds: float) -> None:
        """The host's monotonic clock goes ahead by that much, as on a virtual machine that was held."""
        self._ahead_ns += round(seconds * 1e9)

    def unplug(self, powered: bool = False) -> None:
        """Pull the cable, and with it the board's power unless that is ``powered`` from elsewhere."""
        self._plugged = False
        self._going.clear()
        self.link.closed(self.now_ns())
        if not powered:
            self.rig.power(False)

    def plug(self) -> None:
        """Put the cable in again; the port is there at once."""
        self._plugged = True
        self.rig.power(True)
        self._coming.clear()
        if self._open:
            self.link.opened(self.now_ns())

    def _pass(self, length_ns: int) -> None:
        chunks = self.rig.run(length_ns / 1000)
        self._true_ns += length_ns
        if not (self._open and self._plugged):
            return
        latency = self._latency
        for chunk in self._usb.take(chunks, _BYTE_NS, self._true_ns):
            late_ns = latency.least_ns + self._chance.expovariate(1.0) * latency.typical_ns
            came_ns = chunk.time_ns + self._ahead_ns + round(late_ns)
            if self._coming:
                came_ns = max(came_ns, self._coming[-1][0])
            self._coming.append((came_ns, chunk.data))

    def _send(self) -> None:
        while self._going and self._going[0][0] <= self._true_ns:
            words = self._going.popleft()[1]
            self.sent += len(words)
            self.rig.send(words)
