"""Load changes between two rests of one board, out of its cells' levels several times a second.

For somebody who lifts an item to see whether the shelf sees it. What is sold is `edge.fusion`'s affair, on samples.
"""

from __future__ import annotations

import dataclasses
from collections import deque
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

Floats = npt.NDArray[np.float64]

REST_S = 0.8  # alike for so long is a rest: a hand doesn't hold that still, and nobody wants to wait
SIGMAS = 5.0
"""Two levels differ, and a change is one, beyond so many standard deviations of a level."""
SETTLES_S = 2.5  # a change's figure is made better for so long
SETTLED_SHARE = 0.002  # of a change: creep and ringing that a rest may still have
LEFT_SHARE = 0.005  # of what pressed meanwhile: friction and creep leave so much behind, and it is no change
LEVEL_SAMPLES_S = 0.25  # what a level is the mean of
LEAST_SD = 1e-9
LEARNT_S, LEARNT_QUANTILE, LEARNT_TIMES = 30.0, 0.25, 3.0
"""A shelf that shakes all the time rests too: three times what the calmer quarter of the time has is still rest."""
_KEPT = 8


@dataclass(frozen=True, slots=True)
class Step:
    """A change of the cells' levels, in their unit.

    Attributes:
        time_ns: when the board came to rest behind it. delta, sd: float64[cells].
    """

    time_ns: int
    delta: Floats
    sd: Floats
    settled: bool


class ChangeFinder:
    """Levels in; rests and the steps between them out.

    Attributes:
        moving: None before the first rest. steps: the last ones, the newest first.
        rest: float64[cells], the level at the last rest; follows drift while it lasts. None before the first.
    """

    def __init__(self, least: float = 0.0) -> None:
        """``least``: smaller sums are no change."""
        self._least = least
        self.moving: bool | None = None
        self.rest: Floats | None = None
        self.steps: deque[Step] = deque(maxlen=_KEPT)
        self._recent: deque[tuple[int, Floats]] = deque(maxlen=64)
        self._spreads: deque[tuple[int, Floats]] = deque(maxlen=512)
        self._before: Floats | None = None  # the rest before the current one
        self._began_ns = 0
        self._pressed = 0.0  # the most that the sum was off the rest before, while it moved

    def push(self, time_ns: int, levels: Floats, sample_sd: Floats, rate_hz: float) -> None:
        """The cells' levels now. ``sample_sd``: rms of single samples, in the levels' unit.

        A level that is NaN (a cell without samples) ends what is known: nothing is compared across it.
        """
        if not np.isfinite(levels).all():
            self._recent.clear()
            self.moving = self.rest = self._before = None
            return
        sd = np.maximum(sample_sd / np.sqrt(max(rate_hz * LEVEL_SAMPLES_S, 1.0)), LEAST_SD)
        self._recent.append((time_ns, levels))
        # The cells, and last their sum: a plate that rocks moves the cells against each other.
        window = [
            np.append(level, level.sum()) for at_ns, level in self._recent if at_ns > time_ns - round(REST_S * 1e9)
        ]
        if self._recent[0][0] > time_ns - round(REST_S * 1e9) + round(0.2 * REST_S * 1e9) or len(window) < 3:
            return  # not long enough seen
        spread = np.ptp(np.array(window), axis=0)
        noise = np.append(sd, np.sqrt((sd * sd).sum()))
        last = self.rest if self.rest is not None else levels  # while it moves, the rest before
        unlike = np.maximum(SIGMAS * np.sqrt(2.0) * noise, self._shaking(time_ns, spread))
        sd = unlike[:-1] / (SIGMAS * np.sqrt(2.0))
        tolerance = np.maximum(unlike, self._least) + SETTLED_SHARE * float(np.abs(levels - last).max())
        mean = np.mean(window, axis=0)[:-1]
        if (spread > tolerance).any():
            if self.moving is not True:
                self._before, self._pressed = self.rest, 0.0
                self._settled()
            self.moving = True
            self._pressed = max(self._pressed, abs(float((levels - last).sum())))
            return
        if self.moving is not False:
            self._begin(time_ns, mean, sd, max(float(unlike[-1]), self._least))
        elif self.steps and not self.steps[0].settled:
            self._settle(time_ns, mean, sd)
        self.moving = False
        self.rest = mean

    def _shaking(self, time_ns: int, spread: Floats) -> Floats:
        """How far apart levels of a rest may be by what was seen lately."""
        self._spreads.append((time_ns, spread))
        while self._spreads[0][0] < time_ns - round(LEARNT_S * 1e9):
            self._spreads.popleft()
        lately = np.array([each for _, each in self._spreads])
        if time_ns - self._spreads[0][0] < round(0.1 * LEARNT_S * 1e9):
            return np.zeros_like(spread)
        found: Floats = LEARNT_TIMES * np.quantile(lately, LEARNT_QUANTILE, axis=0)
        return found

    def _begin(self, time_ns: int, mean: Floats, sd: Floats, least: float) -> None:
        self._began_ns = time_ns
        if self._before is None:
            return
        delta = mean - self._before
        if abs(float(delta.sum())) > max(least, LEFT_SHARE * self._pressed):
            self.steps.appendleft(Step(time_ns, delta, sd, False))

    def _settle(self, time_ns: int, mean: Floats, sd: Floats) -> None:
        if self._before is None or time_ns - self._began_ns > round(SETTLES_S * 1e9):
            self._settled()
        elif self.steps[0].time_ns == self._began_ns:
            self.steps[0] = Step(self._began_ns, mean - self._before, sd, False)

    def _settled(self) -> None:
        if self.steps:
            self.steps[0] = dataclasses.replace(self.steps[0], settled=True)
