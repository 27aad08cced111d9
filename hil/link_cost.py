"""What the link costs: CPU time for each sample, from the bytes of the line to a sample with its time and its books."""

from __future__ import annotations

import random
import time
from dataclasses import dataclass, replace

from firmware_bridge.link.session import Link
from firmware_bridge.protocol.codes import NO_SENSOR_MV, PROTOCOL_VERSION
from firmware_bridge.protocol.commands import decode_command
from firmware_bridge.protocol.frames import Deframer, encode_frame
from firmware_bridge.protocol.identity import Identity
from firmware_bridge.protocol.messages import (
    ChipStatus,
    McuMessage,
    RawSample,
    Reply,
    Samples,
    Status,
    encode_message,
)

_MOST_SAMPLES = 16
_OLDEST_S = 0.025
_STATUS_US = 1_000_000


@dataclass(frozen=True, slots=True)
class LinkCost:
    """CPU of the whole link without the system's reads.

    Attributes:
        samples: how many were decoded.
        cpu_us_per_sample: CPU time of this thread for each, in µs.
        core_share: of one core, at the rate asked for.
    """

    samples: int
    cpu_us_per_sample: float
    core_share: float


def measure_link_cost(seconds: float = 20.0, chips: int = 8, rate_hz: float = 80.0) -> LinkCost:
    """Run ``seconds`` of a line, frames filled as an MCU fills them, pings and STATUS included; time the `Link` alone.

    Deterministic but for the machine's speed. A second of the line takes some 10 ms here.
    """
    line = _Line(chips, rate_hz)
    link = Link(0)
    link.opened(0)
    samples = spent_ns = 0
    asked = b""
    for _ in range(int(seconds * chips * rate_hz / line.samples_a_frame)):
        data = line.next_read(asked)
        begun_ns = time.thread_time_ns()
        link.received(data, line.now_us * 1000)
        asked = link.to_send(line.now_us * 1000)
        samples += len(link.samples())
        link.losses()
        spent_ns += time.thread_time_ns() - begun_ns
    per_sample_us = spent_ns / 1000.0 / max(samples, 1)
    return LinkCost(samples, per_sample_us, per_sample_us * chips * rate_hz / 1e6)


class _Line:
    """An MCU without physics: a read is a frame, with what was asked and is due before it."""

    def __init__(self, chips: int, rate_hz: float) -> None:
        self.now_us = 0
        self.samples_a_frame = min(max(int(_OLDEST_S * chips * rate_hz), 1), _MOST_SAMPLES)
        self._frame_us = int(1e6 * self.samples_a_frame / (chips * rate_hz))
        self._turn = 0
        self._conversions = [0] * chips
        self._seq = 0
        self._random = random.Random(1)
        self._commands = Deframer(decode_command)

    def next_read(self, asked: bytes) -> bytes:
        """What comes next, `_frame_us` later."""
        data = b"" if self._seq else self._frame(Identity(0, 1, PROTOCOL_VERSION, boot_count=1, high_tick_ns=500))
        for received in self._commands.feed(asked):
            times = (self.now_us + 1000).to_bytes(4, "little") * 2
            data += self._frame(Reply(0, 1, received.message.token, received.message.code, 0, times))
        begin_us = self.now_us
        self.now_us += self._frame_us
        rows = []
        for k in range(self.samples_a_frame):
            chip = self._turn = (self._turn + 1) % len(self._conversions)
            self._conversions[chip] += 1
            edge_us = k * self._frame_us // self.samples_a_frame
            counts = 100_000 + self._random.randrange(200)
            rows.append(RawSample(chip, 0, self._conversions[chip] & 0xFF, edge_us, counts, 15, 3))
        data += self._frame(Samples(0, 1, begin_us & 0xFFFFFFFF, tuple(rows)))
        if self.now_us // _STATUS_US != begin_us // _STATUS_US:
            chips = tuple(ChipStatus(n, 1250, 0, 0, 0, 0, 0, 0, 0, 0, 3, 3) for n in self._conversions)
            data += self._frame(Status(0, 1, self.now_us // 1000, 1, 5000, NO_SENSOR_MV, 0, 0, 0, 0, 900, chips))
        return data

    def _frame(self, message: McuMessage) -> bytes:
        message = replace(message, seq=self._seq & 0xFFFF)
        self._seq += 1
        return encode_frame(encode_message(message))
