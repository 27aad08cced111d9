"""Weight over time per board, binned while a trace streams past: bounded memory, and no spike is lost."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt

from drivers.samples import SampleBlock, SampleFlag

if TYPE_CHECKING:
    from edge.config.setup import Setup

MAX_BINS = 16_384
BATCH_SAMPLES = 20_000
FAR_FROM_ZERO_S = 3600.0
FIRST_SAMPLES_NS = 1_000_000_000  # a cell that says nothing for so long at the start joins the sum later, as a step
Floats = npt.NDArray[np.float64]
Times = npt.NDArray[np.int64]


@dataclass(frozen=True, slots=True)
class BoardCurve:
    """One board's weight in bins of ``step_ns`` from ``begin_ns`` on; NaN where a bin has no samples.

    Attributes:
        unit: ``"g"``, or ``"counts"`` for a board without calibration.
        low, high: float64[n], extremes of the sum over the cells of what the samples said, spikes included.
        mean: float64[n], mean of the sum without flagged samples and one-sample spikes.
    """

    board: str
    unit: str
    begin_ns: int
    step_ns: int
    low: Floats
    high: Floats
    mean: Floats

    def time_s(self) -> Floats:
        """Middles of the bins in seconds on the trace's clock."""
        middles_ns = self.begin_ns + (np.arange(self.mean.size, dtype=np.float64) + 0.5) * self.step_ns
        return np.asarray(middles_ns / 1e9, np.float64)

    def coarser(self, factor: int) -> BoardCurve:
        """The same curve in bins ``factor`` times as long."""
        if factor <= 1 or self.mean.size == 0:
            return self
        starts = np.arange(0, self.mean.size, factor)
        known = ~np.isnan(self.mean)
        count = np.add.reduceat(known.astype(np.float64), starts)
        total = np.add.reduceat(np.where(known, self.mean, 0.0), starts)
        return BoardCurve(
            self.board,
            self.unit,
            self.begin_ns,
            self.step_ns * factor,
            np.fmin.reduceat(self.low, starts),
            np.fmax.reduceat(self.high, starts),
            np.divide(total, count, out=np.full(count.size, np.nan), where=count > 0),
        )


def axis_origin_s(begin_ns: int) -> float:
    """Where the axis has its zero: the trace's own, or its beginning where the clock ran long before (Unix time)."""
    begin_s = begin_ns / 1e9
    return 0.0 if abs(begin_s) <= FAR_FROM_ZERO_S else begin_s


class CurveBuilder:
    """Collects the curves of all boards from blocks in order of time.

    Attributes:
        origin_s: where the plot's axis has its zero, on the trace's clock; known from the first sample on.
    """

    def __init__(self, setup: Setup, begin_s: float | None = None, end_s: float | None = None) -> None:
        """``begin_s`` and ``end_s``, in seconds after `origin_s`, cut a part out of the trace; None keeps that end."""
        self.origin_s = 0.0
        self._begin_s = begin_s
        self._end_s = end_s
        self._started = False
        self._boards: dict[str, _BoardBins] = {}
        for board, options in setup.node.boards.items():
            zero, per_gram, unit = np.zeros(len(options.cells)), np.ones(len(options.cells)), "counts"
            if board in setup.calibration:
                cells = setup.calibration[board].cells
                zero = np.array([cells[cell].zero_counts for cell in options.cells])
                per_gram = np.array([cells[cell].counts_per_gram for cell in options.cells])
                unit = "g"
            self._boards[board] = _BoardBins(board, unit, zero, per_gram, round(1e9 / options.rate_hz))

    def add(self, blocks: Iterable[SampleBlock]) -> None:
        """Take the next blocks; those of one board must come in order of time."""
        for block in blocks:
            if not self._started and len(block):
                self._started = True
                self.origin_s = axis_origin_s(int(block.time_ns[0]))
            begin = 0 if self._begin_s is None else self._first_at(block, self._begin_s)
            end = len(block) if self._end_s is None else self._first_at(block, self._end_s)
            if end > begin:
                self._boards[block.board].add(block.part(begin, end))

    def _first_at(self, block: SampleBlock, axis_s: float) -> int:
        return int(np.searchsorted(block.time_ns, round((self.origin_s + axis_s) * 1e9)))

    def curves(self) -> list[BoardCurve]:
        """What was collected, in the node file's order of boards; a board without samples has empty arrays."""
        return [bins.curve() for bins in self._boards.values()]


class _BoardBins:
    """One board's bins. They start at the sample period and merge in pairs whenever there would be too many."""

    def __init__(self, board: str, unit: str, zero: Floats, per_gram: Floats, period_ns: int) -> None:
        self._board, self._unit = board, unit
        self._zero, self._per_gram = zero, per_gram
        self._step_ns = period_ns
        self._begin_ns: int | None = None
        self._low = np.full(MAX_BINS, np.inf)
        self._high = np.full(MAX_BINS, -np.inf)
        self._total = np.zeros(MAX_BINS)
        self._count = np.zeros(MAX_BINS)
        self._used = 0
        self._waiting: list[SampleBlock] = []
        self._waiting_samples = 0
        self._all = _RunningSum(zero.size)
        self._clean = _RunningSum(zero.size)
        self._last_two = np.full((zero.size, 2), np.nan)

    def add(self, block: SampleBlock) -> None:
        self._waiting.append(block)
        self._waiting_samples += len(block)
        if self._waiting_samples >= BATCH_SAMPLES:
            self._take_waiting()

    def curve(self) -> BoardCurve:
        self._take_waiting()
        used = slice(0, self._used)
        count = self._count[used]
        return BoardCurve(
            self._board,
            self._unit,
            self._begin_ns or 0,
            self._step_ns,
            np.where(np.isinf(self._low[used]), np.nan, self._low[used]),
            np.where(np.isinf(self._high[used]), np.nan, self._high[used]),
            np.divide(self._total[used], count, out=np.full(count.size, np.nan), where=count > 0),
        )

    def _take_waiting(self) -> None:
        if not self._waiting:
            return
        block = SampleBlock.join(self._waiting)
        self._waiting, self._waiting_samples = [], 0
        there = (block.flags & SampleFlag.MISSING) == 0
        time_ns, cell = block.time_ns[there], block.cell[there]
        grams = (block.counts[there] - self._zero[cell]) / self._per_gram[cell]
        if time_ns.size == 0:
            return
        if self._begin_ns is None:
            self._begin_ns = int(time_ns[0])
        sums, known = self._all.follow(time_ns, cell, grams)
        self._put_extremes(time_ns[known], sums[known])
        good = block.flags[there] == 0
        time_ns, cell, grams = time_ns[good], cell[good], self._without_spikes(cell[good], grams[good])
        sums, known = self._clean.follow(time_ns, cell, grams)
        self._put_means(time_ns[known], sums[known])

    def _without_spikes(self, cell: npt.NDArray[np.uint8], grams: Floats) -> Floats:
        """A median over three samples of the same cell: corrupted readings are nearly always one sample long."""
        smooth = grams.copy()
        for index in range(self._zero.size):
            mine = np.flatnonzero(cell == index)
            if mine.size == 0:
                continue
            values = np.concatenate([self._last_two[index], grams[mine]])
            values[np.isnan(values)] = grams[mine[0]]
            before, middle, after = values[1:-2], values[2:-1], values[3:]
            smooth[mine[:-1]] = np.maximum(np.minimum(before, middle), np.minimum(np.maximum(before, middle), after))
            smooth[mine[-1]] = np.median(values[-3:])  # its successor isn't known yet
            self._last_two[index] = values[-2:]
        return smooth

    def _bins(self, time_ns: Times) -> tuple[npt.NDArray[np.int64], npt.NDArray[np.int64]]:
        """The bins that these times fall into, and where in the times each begins; makes room for the last one."""
        assert self._begin_ns is not None
        while (int(time_ns[-1]) - self._begin_ns) // self._step_ns >= MAX_BINS:
            self._merge_pairs()
        numbers = (time_ns - self._begin_ns) // self._step_ns
        starts = np.flatnonzero(np.diff(numbers, prepend=-1))
        self._used = max(self._used, int(numbers[-1]) + 1)
        return numbers[starts], starts

    def _put_extremes(self, time_ns: Times, sums: Floats) -> None:
        if sums.size:
            bins, starts = self._bins(time_ns)
            self._low[bins] = np.minimum(self._low[bins], np.minimum.reduceat(sums, starts))
            self._high[bins] = np.maximum(self._high[bins], np.maximum.reduceat(sums, starts))

    def _put_means(self, time_ns: Times, sums: Floats) -> None:
        if sums.size:
            bins, starts = self._bins(time_ns)
            self._total[bins] += np.add.reduceat(sums, starts)
            self._count[bins] += np.diff(np.append(starts, sums.size))

    def _merge_pairs(self) -> None:
        half = MAX_BINS // 2
        self._low = np.append(self._low.reshape(half, 2).min(axis=1), np.full(half, np.inf))
        self._high = np.append(self._high.reshape(half, 2).max(axis=1), np.full(half, -np.inf))
        self._total = np.append(self._total.reshape(half, 2).sum(axis=1), np.zeros(half))
        self._count = np.append(self._count.reshape(half, 2).sum(axis=1), np.zeros(half))
        self._step_ns *= 2
        self._used = (self._used + 1) // 2


class _RunningSum:
    """The sum over the cells at every sample, where each cell holds its last value until its next sample."""

    def __init__(self, cells: int) -> None:
        self._held = np.full(cells, np.nan)
        self._ready_ns: int | None = None

    def follow(
        self, time_ns: Times, cell: npt.NDArray[np.uint8], grams: Floats
    ) -> tuple[Floats, npt.NDArray[np.bool_]]:
        """The sums, and which of them count: not those before every cell spoke (or a second passed) at the start."""
        if time_ns.size == 0:
            return grams, np.zeros(0, np.bool_)
        change = np.zeros(grams.size)
        base = float(np.nansum(self._held))
        first_ns = []
        for index in range(self._held.size):
            mine = np.flatnonzero(cell == index)
            if mine.size == 0:
                continue
            before = 0.0 if np.isnan(self._held[index]) else self._held[index]
            change[mine] = np.diff(grams[mine], prepend=before)
            self._held[index] = grams[mine[-1]]
            first_ns.append(int(time_ns[mine[0]]))
        if self._ready_ns is None:
            self._ready_ns = max(first for first in first_ns if first <= time_ns[0] + FIRST_SAMPLES_NS)
        return base + np.cumsum(change), time_ns >= self._ready_ns
