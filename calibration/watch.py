"""One board's stream, watched: its rests, and channels that are silent, stuck or at their end stops."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterator

import numpy as np
import numpy.typing as npt

from calibration.findings import Finding, Reason
from calibration.levels import RestBegan, RestEnded, RestFinder
from calibration.windows import Window, WindowMaker
from drivers.samples import SampleBlock

Floats = npt.NDArray[np.float64]

LOOK_S = 3.0  # a channel that is bad for so long isn't bad by chance
SATURATED_SHARE = 0.5
KEPT_WINDOWS = 600  # whose scatter is kept


class BoardWatch:
    """Blocks in; windows with what they began or ended out."""

    def __init__(self, cells: int, rate_hz: float) -> None:
        self._maker = WindowMaker(cells, rate_hz)
        self.window_ns = self._maker.window_ns
        self.finder = RestFinder(cells, self.window_ns)
        self._recent: deque[Window] = deque(maxlen=max(4, round(LOOK_S * 1e9 / self.window_ns)))
        self._spreads: deque[Floats] = deque(maxlen=KEPT_WINDOWS)
        self._per_window = np.ones(cells)
        self.end_ns = 0

    def push(self, block: SampleBlock) -> Iterator[list[RestBegan | RestEnded]]:
        """What each window that is complete now began or ended; between two of them `finder` is as it was then."""
        for window in self._maker.push(block):
            self._recent.append(window)
            self.end_ns = (window.index + 1) * self.window_ns
            if self.finder.rest is not None:
                self._spreads.append(window.spread)
                self._per_window = np.maximum(self._per_window, window.samples)
            yield self.finder.push(window)

    def sample_noise(self, window_cov: Floats) -> Floats:
        """Rms of single samples at rest, float64[cells]: what they scatter within windows and the windows' means do.

        Within windows by the median, which knocks don't reach; that of chi² with f degrees is ``f (1 - 2 / 9f)³``.
        """
        noise: Floats = np.sqrt(np.diag(window_cov))
        if self._spreads:
            degrees = np.maximum(self._per_window - 1.0, 1.0)
            within = np.nanmedian(np.array(self._spreads) ** 2, axis=0) / (1.0 - 2.0 / (9.0 * degrees)) ** 3
            noise = np.sqrt(within * (1.0 - 1.0 / (degrees + 1.0)) + noise**2)
        return noise

    def broken(self) -> list[Finding]:
        """Channels that can't be calibrated as they are; empty before `LOOK_S` have passed."""
        if len(self._recent) < (self._recent.maxlen or 1):
            return []
        good = sum((w.samples for w in self._recent), np.zeros_like(self._recent[0].samples))
        ends = sum((w.saturated for w in self._recent), np.zeros_like(good))
        bad = sum((w.bad for w in self._recent), np.zeros_like(good))
        stuck = np.all([w.stuck for w in self._recent], axis=0)
        found = []
        for k in range(good.size):
            name = f"channel {k}"
            if ends[k] > SATURATED_SHARE * (good[k] + bad[k]):
                evidence = f"{ends[k]} of {good[k] + bad[k]} samples are at the converter's end stop"
                remedy = "look for an open or swapped lead, a broken gauge, or far too much weight on this cell"
                found.append(Finding(Reason.SATURATED, name, evidence, remedy))
            elif stuck[k]:
                evidence = f"the same code for {LOOK_S:.0f} s, without any noise"
                remedy = "look for a short between A+ and A-, missing excitation, or a dead chip"
                found.append(Finding(Reason.STUCK_CELL, name, evidence, remedy))
            elif good[k] == 0:
                evidence = f"no good sample for {LOOK_S:.0f} s ({bad[k]} bad ones)"
                remedy = "check its chip's plug, power and data wires; shelfedge diagnose tells more"
                found.append(Finding(Reason.SILENT_CELL, name, evidence, remedy))
        return found
