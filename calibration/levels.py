"""From windows of counts to rests: when nothing moves on a board, and where each cell stands then.

Gains, signs and wiring aren't known yet, so everything is judged cell by cell in counts, against the cell's own noise.
The board rests when over the last second no cell's two half-second means differ by more than that noise allows, and no
cell scatters more than it does at rest. The noise is learnt from what happens (lower quartile of the steps from window
to window, which hands on the board for half of the time don't reach); once the empty board has rested, nothing may
raise it above three times what it was then, so that a trembling hand never counts as rest.

Creep and ringing after a step are a share of the step: `SETTLED_SHARE` of it is tolerated within a second. A slow drift
is part of a rest: levels are taken from its first or its last seconds, whichever is nearer to the step.
"""

from __future__ import annotations

import math
from collections import deque
from dataclasses import dataclass, field

import numpy as np
import numpy.typing as npt

from calibration.windows import Window

Floats = npt.NDArray[np.float64]

REST_S = 1.0
_LEAST_WINDOWS = 6
NOISE_S = 6.0  # over which the steps from window to window are looked at
SIGMAS = 4.5
END_SIGMAS = 7.0
SETTLED_SHARE = 0.0005
_SCATTER = 2.5  # times the noise; a window's scatter over a second doesn't reach that by chance
_QUARTILE = 0.3186 * math.sqrt(2.0)  # lower quartile of |step| between independent windows, in standard deviations
LEAST_NOISE = 0.3  # counts: rounding to whole ones
MOST_RAISE = 3.0
KEPT_S = 30.0  # of a rest, at its beginning and at its end
MOST_MISSING = 0.4  # of the windows of a second may lack a cell's samples: a chip that was reset needs half a second
LEFT_OUT = 2  # windows before the one that ended a rest: what ended it may have begun there


@dataclass(frozen=True, slots=True)
class Level:
    """Where every cell stood, in counts.

    Attributes:
        time_ns: middle of the stretch it is the mean of.
        counts: float64[cells]; nan for a cell without good samples.
        cov: float64[cells, cells], covariance of the means (cells move together when a plate hums).
        drift: float64[cells], counts per second within the stretch.
        seconds: length of the stretch.
    """

    time_ns: int
    counts: Floats
    cov: Floats
    drift: Floats
    seconds: float


@dataclass(slots=True, eq=False)
class Rest:
    """A rest, growing until `ended`. `first` and `last` give its level next to the step before and after it."""

    begin_ns: int
    window_ns: int
    ended: bool = False
    windows: int = 0
    _begin: list[Floats] = field(default_factory=list)
    _end: deque[Floats] = field(default_factory=deque)

    @property
    def seconds(self) -> float:
        """How long it has lasted."""
        return self.windows * self.window_ns / 1e9

    @property
    def end_ns(self) -> int:
        """End of its last window so far."""
        return self.begin_ns + self.windows * self.window_ns

    def add(self, counts: Floats) -> None:
        """One more window."""
        kept = math.ceil(KEPT_S * 1e9 / self.window_ns)
        self.windows += 1
        if len(self._begin) < kept:
            self._begin.append(counts)
        self._end.append(counts)
        if len(self._end) > kept:
            self._end.popleft()

    def drop_last(self, windows: int) -> None:
        """Forget the last windows; two stay at least."""
        windows = max(0, min(windows, self.windows - 2, len(self._end) - 2))
        for _ in range(windows):
            self._end.pop()
        self.windows -= windows
        del self._begin[self.windows :]

    def first(self, seconds: float) -> Level:
        """Level over the first ``seconds``, or all that there is."""
        n = self._count(seconds, len(self._begin))
        return _level(np.array(self._begin[:n]), self.begin_ns, self.window_ns)

    def last(self, seconds: float) -> Level:
        """Level over the last ``seconds``, or all that there is."""
        n = self._count(seconds, len(self._end))
        rows = np.array(list(self._end)[-n:])
        return _level(rows, self.end_ns - n * self.window_ns, self.window_ns)

    def scatter(self) -> Floats:
        """Covariance of a window's means in the first part of the rest, a drift left out: float64[cells, cells]."""
        level = _level(np.array(self._begin), self.begin_ns, self.window_ns)
        return level.cov * len(self._begin)

    def _count(self, seconds: float, there: int) -> int:
        return max(1, min(math.ceil(seconds * 1e9 / self.window_ns - 1e-9), there))


@dataclass(frozen=True, slots=True)
class RestBegan:
    """Everything stands still; ``rest`` grows from here on."""

    rest: Rest


@dataclass(frozen=True, slots=True)
class RestEnded:
    """Something moves again, or the samples stopped."""

    rest: Rest


class RestFinder:
    """Windows in, beginnings and ends of rests out.

    Attributes:
        rest: the one that goes on now, or None.
        level: float64[cells], where the one before it ended; None before that.
        noise: float64[cells], counts rms of a window's mean at rest.
        baseline: the same at the first rest; zeros before it.
        most: float64[cells], the farthest that each cell has been from the last rest since that ended.
        moving_s: for how long the board has moved since then.
        latest: float64[cells], the newest window's counts.
    """

    def __init__(self, cells: int, window_ns: int) -> None:
        self.rest: Rest | None = None
        self.level: Floats | None = None
        self.noise: Floats = np.full(cells, np.inf)
        self.baseline: Floats = np.zeros(cells)
        self.most: Floats = np.zeros(cells)
        self.moving_s = 0.0
        self.latest: Floats = np.full(cells, np.nan)
        self._window_ns = window_ns
        self._span = max(_LEAST_WINDOWS, round(REST_S * 1e9 / window_ns))
        self._recent: deque[Floats] = deque(maxlen=max(round(NOISE_S * 1e9 / window_ns), 4 * self._span // 2))
        self._index: int | None = None
        self._strays = 0
        self._since = 0

    def push(self, window: Window) -> list[RestBegan | RestEnded]:
        """What this window began or ended."""
        found: list[RestBegan | RestEnded] = []
        if self._index is not None and window.index != self._index + 1:
            found += self._end(0)
            self._recent.clear()
            self._since = 0
        self._index = window.index
        self.latest = window.counts
        self._recent.append(window.counts)
        self._since += 1
        self._learn()
        if self.rest is not None:
            return found + self._go_on(self.rest, window.counts)
        self.moving_s += self._window_ns / 1e9
        if self.level is not None:
            away = np.abs(window.counts - self.level)
            self.most = np.fmax(self.most, away)
        if self._is_still():
            found.append(RestBegan(self._begin(window.index)))
        return found

    def steady_drift(self) -> float | None:
        """Counts per second of the fastest cell, if all that goes on for the last seconds is a straight drift."""
        if len(self._recent) < 2 * self._span:
            return None
        rows = np.array(list(self._recent)[-2 * self._span :])
        rows = rows[:, ~np.isnan(rows).any(axis=0)]
        if not rows.size:
            return None
        at = np.arange(len(rows)) - (len(rows) - 1) / 2.0
        slope = at @ rows / float(at @ at)
        scatter = (rows - rows.mean(axis=0) - np.outer(at, slope)).std(axis=0)
        moved = np.abs(slope) * len(rows)
        k = int(np.argmax(moved))
        if (scatter > np.maximum(0.1 * moved, _SCATTER * LEAST_NOISE)).any() and scatter[k] > 0.1 * moved[k]:
            return None
        return float(slope[k]) * 1e9 / self._window_ns

    def _learn(self) -> None:
        if len(self._recent) < _LEAST_WINDOWS:
            return
        steps = np.abs(np.diff(np.array(self._recent), axis=0))
        dead = np.isnan(steps).all(axis=0)
        quarter = np.full(steps.shape[1], LEAST_NOISE)
        quarter[~dead] = np.nanquantile(steps[:, ~dead], 0.25, axis=0) / _QUARTILE
        noise = np.maximum(quarter, LEAST_NOISE)
        known = self.baseline > 0
        noise[known] = np.clip(noise[known], 0.6 * self.baseline[known], MOST_RAISE * self.baseline[known])
        self.noise = noise

    def _is_still(self) -> bool:
        """Whether the last second of windows is a rest: formulas as in the module's docstring."""
        if self._since < self._span:
            return False
        rows = np.array(list(self._recent)[-self._span :])
        alive = np.isnan(rows).sum(axis=0) <= MOST_MISSING * self._span
        if not alive.any():
            return False
        rows, noise = rows[:, alive], self.noise[alive]
        rows = np.where(np.isnan(rows), np.nanmean(rows, axis=0), rows)
        half = self._span // 2
        step = 0.0
        if self.level is not None:
            step = float(np.nanmax(np.abs(rows.mean(axis=0) - self.level[alive]), initial=0.0))
        allowed = SETTLED_SHARE * step
        tilt = np.abs(rows[-half:].mean(axis=0) - rows[:half].mean(axis=0))
        if (tilt > SIGMAS * noise * math.sqrt(2.0 / half) + allowed).any():
            return False
        return bool((rows.std(axis=0, ddof=1) <= _SCATTER * noise + allowed).all())

    def _begin(self, index: int) -> Rest:
        rest = Rest((index + 1 - self._span) * self._window_ns, self._window_ns)
        for counts in list(self._recent)[-self._span :]:
            rest.add(counts)
        self.rest = rest
        self._strays = 0
        return rest

    def _go_on(self, rest: Rest, counts: Floats) -> list[RestBegan | RestEnded]:
        """Add a window to the rest, or end it: two windows in a row, or one far one, away from the last second."""
        reference = rest.last(REST_S).counts
        scale = 1.0 if self.level is None else 0.0
        if self.level is not None:
            scale = SETTLED_SHARE * float(np.nanmax(np.abs(reference - self.level), initial=0.0))
        away = np.abs(counts - reference)
        alive = ~np.isnan(away)
        far = away[alive] / (self.noise[alive] + scale)
        if (far > 3 * END_SIGMAS).any():
            return self._end(LEFT_OUT)
        if (far > END_SIGMAS).any():
            self._strays += 1
            if self._strays > 1:
                return self._end(LEFT_OUT)
            return []
        if self._strays:  # one window away and back: a knock; it is left out, its time isn't
            rest.add(reference)
            self._strays = 0
        rest.add(counts)
        if (self.baseline == 0).all() and rest.seconds >= 2 * REST_S:
            self.baseline = self.noise.copy()
        return []

    def _end(self, left_out: int) -> list[RestBegan | RestEnded]:
        rest, self.rest = self.rest, None
        if rest is None:
            return []
        rest.drop_last(left_out)
        rest.ended = True
        self.level = rest.last(REST_S).counts
        self.most = np.zeros_like(self.most)
        self.moving_s = 0.0
        self._strays = 0
        self._since = 0
        return [RestEnded(rest)]


def _level(rows: Floats, begin_ns: int, window_ns: int) -> Level:
    """Mean, its covariance and the drift: float64[n, cells] of windows.

    A straight line is taken out before the scatter is looked at. The variance of the mean of correlated windows is
    ``C / n * (1 + 2 sum rho)``; the correlation between neighbours is taken from the scatter, where there is enough of
    it, and never below 1.
    """
    n, cells = rows.shape
    middle = begin_ns + n * window_ns // 2
    there = ~np.isnan(rows)
    mean = np.where(there, rows, 0.0).sum(axis=0) / np.where(there.any(axis=0), there.sum(axis=0), np.nan)
    rows = np.where(there, rows, mean)
    if n < 3:
        return Level(middle, mean, np.full((cells, cells), np.nan), np.zeros(cells), n * window_ns / 1e9)
    at = (np.arange(n) - (n - 1) / 2.0) * (window_ns / 1e9)
    drift = at @ rows / float(at @ at)
    rest = rows - mean - np.outer(at, drift)
    cov = rest.T @ rest / (n - 2)
    stretch = 1.0
    if n >= 8:
        power = float(np.nansum(rest * rest))
        if power > 0:
            stretch = 1.0 + 2.0 * max(0.0, float(np.nansum(rest[1:] * rest[:-1])) / power)
    floor = np.eye(cells) * (1.0 / 12.0)
    return Level(middle, mean, (cov + floor) / n * stretch, drift, n * window_ns / 1e9)


def change(before: Level, after: Level) -> tuple[Floats, Floats]:
    """Change vector per cell in counts and its covariance."""
    return after.counts - before.counts, before.cov + after.cov
