"""An hour of eight chips at 80 samples/s through firmware, line, link and driver, in minutes: how true the times are,
what is lost, and what the host's side costs. `python -m hil.link_hour`.
"""

from __future__ import annotations

import argparse
import sys
import time
from collections import deque
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt

import firmware_bridge
from drivers.bridge import BridgeDriver
from drivers.mcu import Mcu
from drivers.samples import SampleBlock
from firmware_bridge.errors import ShelfedgeError
from hil.rig.controls import ChipSetup
from hil.rig.line import Latency, LockstepLine
from hil.rig.lockstep import LockstepRig
from hil.rig.truth import Mark

FIRMWARE = Path(firmware_bridge.__file__).parent / "firmware" / "shelfedge-atmega328p.hex"
FTDI = Latency(packet_timer_ns=16_000_000, out_ns=1_000_000)
"""A USB-serial chip whose latency timer is as it was delivered: bytes are up to 16 ms late."""
CHIPS, RATE_HZ = 8, 80.0
LEARNED_NS = 10_000_000_000  # how long the clock is given at the start, before its errors count
_READ_NS = 50_000_000
_LEVEL, _STEP, _NOISE = 210_000.0, 90_000.0, 40.0
_CRYSTAL_PPM, _WARM_UP_PPM, _WARM_UP_S = 3000.0, 300.0, 600.0  # a ceramic resonator
_ROUND_S = 10.0


@dataclass(frozen=True, slots=True)
class LinkHour:
    """What came of it.

    Attributes:
        seconds: of the board's time.
        conversions: that the chips made from each one's first sample to its last.
        received: samples delivered.
        explained: conversions lost, as notices tell.
        flagged: samples with flags once settled (the first five of each chip are).
        wrong: samples that aren't what their chip converted.
        error_ms: 50th and 99th percentile and the largest of the distance between sample time and true edge.
        drift_ms: mean of the last tenth's errors less that of the first tenth's.
        cpu_share: of one core, for link and driver, at this machine's speed.
        speed: how many times real time it ran.
    """

    seconds: float
    conversions: int
    received: int
    explained: int
    flagged: int
    wrong: int
    error_ms: tuple[float, float, float]
    drift_ms: float
    cpu_share: float
    speed: float

    def __str__(self) -> str:
        p50, p99, most = self.error_ms
        return (
            f"{self.seconds:.0f} s of {CHIPS} chips: {self.conversions} conversions, {self.received} received, "
            f"{self.explained} lost and explained, {self.conversions - self.received - self.explained} unexplained, "
            f"{self.flagged} flagged, {self.wrong} wrong\n"
            f"time error: p50 {p50:.2f} ms, p99 {p99:.2f} ms, largest {most:.2f} ms; drift {self.drift_ms:+.2f} ms\n"
            f"link and driver: {100 * self.cpu_share:.2f} % of a core; the run was {self.speed:.1f} times real time"
        )


def link_hour(seconds: float = 3600.0, latency: Latency = FTDI, seed: int = 1) -> LinkHour:
    """Run it. Deterministic but for the last two figures. Raises RigError where the rig can't be built."""
    begun_s, spent_ns = time.perf_counter(), 0
    with LockstepRig(FIRMWARE, chips=CHIPS, seed=seed) as rig:
        for chip in range(CHIPS):
            level = _LEVEL + _STEP * chip
            rig.setup(chip, ChipSetup(rate_hz=RATE_HZ + 0.9 * chip, level_counts=level, noise_counts=_NOISE))
        rig.crystal(_CRYSTAL_PPM)
        for step in range(1, 61):
            share = 1.0 - np.exp(-step / 20.0)
            rig.crystal(_CRYSTAL_PPM + _WARM_UP_PPM * share, at_ns=round(step * _WARM_UP_S / 60.0 * 1e9))
        line = LockstepLine(rig, latency, seed)
        mcu = Mcu("the rig", lambda: line, clock=line.now_ns)
        driver = BridgeDriver("b", [f"c{chip}" for chip in range(CHIPS)], RATE_HZ, {}, line.now_ns, lambda _: mcu)
        driver.start()
        books = _Books()
        explained = 0
        while line.now_ns() < seconds * 1e9:
            parts = []
            round_end_ns = line.now_ns() + round(_ROUND_S * 1e9)
            while line.now_ns() < round_end_ns:
                line.run_until(line.now_ns() + _READ_NS)
                before_ns = time.thread_time_ns()
                parts.append(driver.read(line.now_ns()))
                explained += sum(notice.samples_lost for notice in driver.take_notices())
                spent_ns += time.thread_time_ns() - before_ns
            books.add(SampleBlock.join(parts), rig.truth())
        driver.stop()
    return books.sum_up(seconds, explained, spent_ns / 1e9 / seconds, seconds / (time.perf_counter() - begun_s))


class _Books:
    """Samples held against the truth, ten seconds at a time, so that an hour fits into memory."""

    def __init__(self) -> None:
        self._truth: list[npt.NDArray[np.void]] = []  # of the last rounds
        self._waiting: deque[SampleBlock] = deque()
        self._numbers: list[list[npt.NDArray[np.int64]]] = [[] for _ in range(CHIPS)]
        self._errors: list[npt.NDArray[np.float64]] = []
        self._flagged = self._wrong = self._received = 0

    def add(self, block: SampleBlock, truth: npt.NDArray[np.void]) -> None:
        """The truth of a sample is known a little after the sample, so a block waits for the next round."""
        self._truth = [*self._truth[-2:], truth]
        self._waiting.append(block)
        if len(self._waiting) > 1:
            self._check(self._waiting.popleft())

    def sum_up(self, seconds: float, explained: int, cpu_share: float, speed: float) -> LinkHour:
        """All but the last round, which is left to settle."""
        conversions = 0
        for parts in self._numbers:
            numbers = np.concatenate(parts)
            conversions += int(numbers[-1] - numbers[0]) + 1
            self._wrong += int((np.diff(numbers) <= 0).sum())  # twice the same, or out of order
        errors = np.concatenate(self._errors)
        tenth = max(1, errors.size // 10)
        p50, p99, most = np.percentile(np.abs(errors), [50, 99, 100]).tolist()
        drift_ms = float(errors[-tenth:].mean() - errors[:tenth].mean())
        return LinkHour(
            seconds, conversions, self._received, explained, self._flagged, self._wrong, (p50, p99, most), drift_ms,
            cpu_share, speed,
        )  # fmt: skip

    def _check(self, block: SampleBlock) -> None:
        truth = np.sort(np.concatenate(self._truth), order="edge_ns")
        for cell in range(CHIPS):
            own, mine = truth[truth["chip"] == cell], np.flatnonzero(block.cell == cell)
            times = block.time_ns[mine]
            after = np.clip(np.searchsorted(own["edge_ns"], times), 1, own.size - 1)
            origin = own[after - (times - own["edge_ns"][after - 1] < own["edge_ns"][after] - times)]
            first = not self._numbers[cell]
            self._numbers[cell].append(origin["number"].astype(np.int64))
            self._received += mine.size
            flags = block.flags[mine][5 if first else 0 :]
            self._flagged += int((flags != 0).sum())
            same = (block.counts[mine] == origin["counts"]) & ((origin["marks"] & int(Mark.READ)) != 0)
            self._wrong += int((~same).sum())
            learned = times > LEARNED_NS
            self._errors.append((times - origin["edge_ns"])[learned] / 1e6)


def main() -> int:
    """Print the figures; 1 where a sample is unexplained, wrong, or late by more than promised."""
    parser = argparse.ArgumentParser(prog="python -m hil.link_hour", description=__doc__)
    parser.add_argument("--minutes", type=float, default=60.0, help="of the board's time (60)")
    chosen = parser.parse_args()
    try:
        found = link_hour(60.0 * chosen.minutes)
    except ShelfedgeError as error:
        print(error, file=sys.stderr)  # noqa: T201 - a command's output
        return error.exit_code
    print(found)  # noqa: T201 - a command's output
    bad = found.wrong or found.conversions != found.received + found.explained or found.error_ms[1] > 1.0
    return 1 if bad else 0


if __name__ == "__main__":
    sys.exit(main())
