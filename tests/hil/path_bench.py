"""The whole path on one bench: chips, firmware, line, link and driver, in lockstep, with the truth beside it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np
import numpy.typing as npt
from rig_ready import FIRMWARE

from drivers.bridge import BridgeDriver
from drivers.mcu import Mcu
from drivers.notices import Notice
from drivers.samples import SampleBlock
from hil.rig.controls import ChipSetup
from hil.rig.line import Latency, LockstepLine
from hil.rig.lockstep import LockstepRig

LEVEL, STEP, NOISE = 210_000.0, 90_000.0, 40.0
AHEAD_NS = 7_000_000_000_000  # the host has been up for two hours
READ_NS = 50_000_000
USB = Latency(packet_timer_ns=16_000_000, out_ns=1_000_000)
"""A USB-serial chip whose latency timer is as it was delivered: bytes are up to 16 ms late."""


@dataclass
class PathBench:
    """One board on the first chips of a rig, read twenty times a second.

    Attributes:
        truth: the conversions so far whose fate is known, `hil.rig.truth.TRUTH`.
        notices: all so far.
        got: all samples so far.
    """

    rig: LockstepRig
    line: LockstepLine
    driver: BridgeDriver
    truth: npt.NDArray[np.void] = field(default_factory=lambda: np.empty(0))
    notices: list[Notice] = field(default_factory=list)
    got: list[SampleBlock] = field(default_factory=list)

    @property
    def now_ns(self) -> int:
        return self.line.now_ns()

    def run(self, seconds: float) -> SampleBlock:
        """Let time pass; the samples that came."""
        end_ns = self.now_ns + round(seconds * 1e9)
        parts = [SampleBlock.empty(self.driver.board)]
        while self.now_ns < end_ns:
            self.line.run_until(min(end_ns, self.now_ns + READ_NS))
            parts.append(self.driver.read(self.now_ns))
        block = SampleBlock.join(parts)
        self.got.append(block)
        self.notices += self.driver.take_notices()
        return block

    def all(self) -> SampleBlock:
        return SampleBlock.join(self.got)

    def know(self) -> npt.NDArray[np.void]:
        """The truth so far, on the host's clock as it is now, in order of time."""
        new = self.rig.truth()
        self.truth = np.concatenate([self.truth, new]) if self.truth.size else new
        told = np.sort(self.truth, order="edge_ns")
        told["edge_ns"] += self.line.host_ns(0)
        return told

    def close(self) -> None:
        self.driver.stop()
        self.rig.close()


def path_bench(
    chips: int,
    rates_hz: Sequence[float] | None = None,
    latency: Latency | None = USB,
    board: str = "b",
    cells: Sequence[str] | None = None,
    seed: int = 1,
    nominal_hz: float = 80.0,
    **options: object,
) -> PathBench:
    """A bench whose driver is started. Chips are at levels of their own with the noise of a good HX711."""
    rig = LockstepRig(FIRMWARE, chips=chips, seed=seed)
    for chip in range(chips):
        rate_hz = rates_hz[chip] if rates_hz is not None else 80.0 + 0.9 * chip
        rig.setup(chip, ChipSetup(rate_hz=rate_hz, level_counts=LEVEL + STEP * chip, noise_counts=NOISE))
    line = LockstepLine(rig, latency, seed, AHEAD_NS)
    mcu = Mcu("the rig", lambda: line, clock=line.now_ns)
    names = list(cells) if cells is not None else [f"c{chip}" for chip in range(chips)]
    driver = BridgeDriver(board, names, nominal_hz, options, line.now_ns, lambda _: mcu)
    driver.start()
    return PathBench(rig, line, driver)


def origins(block: SampleBlock, truth: npt.NDArray[np.void], cell: int) -> tuple[npt.NDArray[np.int64], ...]:
    """One cell's samples beside the conversions they came from, found by the nearest true edge.

    Returns:
        error_ns: int64[n], the sample's time less the true edge.
        at: int64[n], index into ``truth`` of that conversion.
        mine: int64[n], index into ``block`` of the sample.
    """
    chip = np.flatnonzero(truth["chip"] == cell)
    edges = truth["edge_ns"][chip]
    mine = np.flatnonzero(block.cell == cell)
    times = block.time_ns[mine]
    after = np.clip(np.searchsorted(edges, times), 1, edges.size - 1)
    nearest = after - (times - edges[after - 1] < edges[after] - times)
    return times - edges[nearest], chip[nearest], mine
