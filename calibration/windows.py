"""Samples of cells on clocks of their own, gathered into common windows of time, in counts.

Window ``w`` covers ``[w, w + 1) * window_ns`` of monotonic time, so it is the same however the stream is cut into
blocks. Flagged samples are left out; how many there were, and of which kind, is counted.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from drivers.samples import SampleBlock, SampleFlag

Floats = npt.NDArray[np.float64]

LEAST_NS = 100_000_000  # one period of a shelf's slowest ringing (10 Hz), which the mean over a window then leaves out
SAMPLES = 3  # and at least so many samples of each cell, so that one wild one is outvoted
SATURATED_LOW, SATURATED_HIGH = -0x800000, 0x7FFFFF
_TRIM_FROM = 5  # windows of so many samples lose their least and greatest


def window_length_ns(rate_hz: float) -> int:
    """Length of a window for a nominal rate per cell."""
    return max(LEAST_NS, round(SAMPLES * 1e9 / rate_hz))


@dataclass(frozen=True, slots=True)
class Window:
    """One window of one board.

    Attributes:
        index: number of the window since time 0.
        counts: float64[cells], robust mean of the good samples; nan where a cell had none.
        spread: float64[cells], standard deviation of the good samples within the window; nan with fewer than two.
        samples: int64[cells], good samples.
        saturated: int64[cells], samples at the converter's end stops.
        bad: int64[cells], all samples that were left out, the saturated ones among them.
        stuck: bool[cells], all of several samples were the same code, or were flagged as such.
    """

    index: int
    counts: Floats
    spread: Floats
    samples: npt.NDArray[np.int64]
    saturated: npt.NDArray[np.int64]
    bad: npt.NDArray[np.int64]
    stuck: npt.NDArray[np.bool_]


class WindowMaker:
    """Blocks in, whole windows out; bounded by one window's samples."""

    def __init__(self, cells: int, rate_hz: float) -> None:
        self.window_ns = window_length_ns(rate_hz)
        self._cells = cells
        self._waiting: list[SampleBlock] = []
        self._index: int | None = None

    def push(self, block: SampleBlock) -> list[Window]:
        """The windows that are complete now: a later sample of any cell ends a window. Gaps give no windows."""
        made: list[Window] = []
        while len(block):
            index = int(block.time_ns[0]) // self.window_ns
            if self._index is not None and index != self._index:
                made.append(self._close(self._index))
            self._index = index
            cut = int(np.searchsorted(block.time_ns, (index + 1) * self.window_ns))
            self._waiting.append(block.part(0, cut))
            block = block.part(cut, len(block))
        return made

    def _close(self, index: int) -> Window:
        block = SampleBlock.join(self._waiting)
        self._waiting = []
        counts, spread = np.full(self._cells, np.nan), np.full(self._cells, np.nan)
        samples, saturated, bad = (np.zeros(self._cells, np.int64) for _ in range(3))
        stuck = np.zeros(self._cells, np.bool_)
        at_end_stop = (block.counts <= SATURATED_LOW) | (block.counts >= SATURATED_HIGH)
        at_end_stop |= (block.flags & SampleFlag.SATURATED) != 0
        good = (block.flags == 0) & ~at_end_stop
        for cell in range(self._cells):
            mine = block.cell == cell
            values = np.sort(block.counts[mine & good].astype(np.float64))
            saturated[cell] = int((mine & at_end_stop).sum())
            bad[cell] = int((mine & ~good).sum())
            samples[cell] = values.size
            stuck[cell] = bool((block.flags[mine] & SampleFlag.STUCK).any())
            if values.size:
                stuck[cell] |= bool(values.size >= SAMPLES and values[0] == values[-1])
                counts[cell] = _robust_mean(values)
            if values.size > 1:
                spread[cell] = float(values.std(ddof=1))
        return Window(index, counts, spread, samples, saturated, bad, stuck)


def _robust_mean(ordered: Floats) -> float:
    """Mean without the two ends of many samples, the median of three or four."""
    if ordered.size >= _TRIM_FROM:
        return float(ordered[1:-1].mean())
    return float(np.median(ordered)) if ordered.size >= SAMPLES else float(ordered.mean())
