"""The temperature run: minute after minute the level of each cell and the temperature; blocks in, rows out."""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np
import numpy.typing as npt

from calibration.temperature_log import LogRow
from calibration.windows import SATURATED_HIGH, SATURATED_LOW
from drivers.samples import SampleBlock, SampleFlag

Floats = npt.NDArray[np.float64]

MINUTE_NS = 60_000_000_000
_PIECES = 12  # of a minute: those that are far from the others were disturbed
_FAR = 6.0
_LEAST_COUNTS = 3.0


class TemperatureRun:
    """Gathers samples and readings of a thermometer into rows; the level is the median of the minute's quiet pieces."""

    def __init__(self, board: str, cells: int, row_ns: int = MINUTE_NS) -> None:
        self._board = board
        self._cells = cells
        self._row_ns = row_ns
        self._waiting: list[SampleBlock] = []
        self._celsius: list[float] = []
        self._begin_ns: int | None = None

    def take_celsius(self, celsius: float) -> None:
        """A reading of the thermometer."""
        if math.isfinite(celsius):
            self._celsius.append(celsius)

    def push(self, blocks: Sequence[SampleBlock], now_ns: int, wall_s: float) -> LogRow | None:
        """The row of the minute that has just ended, if one has; samples that come too late are lost.

        ``wall_s``: the Unix time at ``now_ns``.
        """
        if self._begin_ns is None:
            self._begin_ns = now_ns
        self._waiting += [block for block in blocks if block.board == self._board and len(block)]
        if now_ns - self._begin_ns < self._row_ns:
            return None
        middle_s = wall_s - (now_ns - self._begin_ns) / 2e9
        joined = SampleBlock.join(self._waiting) if self._waiting else None
        celsius = float(np.mean(self._celsius)) if self._celsius else math.nan
        self._waiting, self._celsius, self._begin_ns = [], [], now_ns
        if joined is None:
            return LogRow(middle_s, celsius, 0.0, (math.nan,) * self._cells)
        counts, rested = _levels(joined, self._cells)
        return LogRow(middle_s, celsius, rested, tuple(float(each) for each in counts))


def _levels(block: SampleBlock, cells: int) -> tuple[Floats, float]:
    """Each cell's level, float64[cells], and the share of the time in which none of them was disturbed."""
    good = (block.flags & ~np.uint16(SampleFlag.STUCK)) == 0
    good &= (block.counts > SATURATED_LOW) & (block.counts < SATURATED_HIGH)
    begin, end = int(block.time_ns[0]), int(block.time_ns[-1]) + 1
    piece = (block.time_ns - begin) * _PIECES // max(end - begin, 1)
    levels = np.full((_PIECES, cells), np.nan)
    for cell in range(cells):
        mine = good & (block.cell == cell)
        for k in range(_PIECES):
            values = block.counts[mine & (piece == k)]
            if values.size:
                levels[k, cell] = float(np.median(values)) if values.size < 8 else _trimmed(values)
    alive = np.isfinite(levels).any(axis=0)
    if not alive.any():
        return np.full(cells, np.nan), 0.0
    away = np.abs(levels - np.nanmedian(np.where(alive, levels, 0.0), axis=0))
    usual = np.nanmedian(np.where(alive, away, 0.0), axis=0) * 1.4826
    quiet = ~(away > _FAR * np.maximum(usual, _LEAST_COUNTS)).any(axis=1) & np.isfinite(levels[:, alive]).all(axis=1)
    if not quiet.any():
        return np.full(cells, np.nan), 0.0
    found = np.full(cells, np.nan)
    found[alive] = levels[quiet][:, alive].mean(axis=0)
    return found, float(quiet.mean())


def _trimmed(values: npt.NDArray[np.int32]) -> float:
    """Mean without the outer tenths: spikes don't reach it, and it is surer than a median."""
    ordered = np.sort(values.astype(np.float64))
    cut = max(1, ordered.size // 10)
    return float(ordered[cut:-cut].mean())
