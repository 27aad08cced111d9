"""What acts on a board: forces of items and hands at a place, shakes of the whole board; all functions of time."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Protocol

import numpy as np
import numpy.typing as npt

Floats = npt.NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class Force:
    """A force downwards at one place: straight lines between breakpoints, 0 before them, the last value for ever after.

    Attributes:
        at_s, grams: the breakpoints, in order of time; the first is 0 g.
        tremor: how much a hand's force wavers, as a share of it, rms.
        tremor_hz: slow sway of the arm and physiological tremor of the hand.
        tremor_turns: their phases, in turns.
    """

    x_mm: float
    y_mm: float
    at_s: tuple[float, ...]
    grams: tuple[float, ...]
    tremor: float = 0.0
    tremor_hz: tuple[float, float] = (2.0, 10.0)
    tremor_turns: tuple[float, float] = (0.0, 0.0)

    @property
    def begin_s(self) -> float:
        return self.at_s[0]

    @property
    def end_s(self) -> float:
        return self.at_s[-1]

    @property
    def stays_g(self) -> float:
        """What is left for ever."""
        return self.grams[-1]

    def on(self, time_s: Floats) -> Floats:
        """Grams at each time, float64[n]."""
        grams: Floats = np.interp(time_s, self.at_s, self.grams, left=0.0)
        if self.tremor:
            slow, fast = (
                np.sin(2 * np.pi * (hz * (time_s - self.at_s[0]) + turns))
                for hz, turns in zip(self.tremor_hz, self.tremor_turns, strict=True)
            )
            grams = grams * (1.0 + self.tremor * (1.2 * slow + 0.75 * fast))  # 1.2² / 2 + 0.75² / 2 = 1: rms as said
        return grams


class Shake(Protocol):
    """Motion of the board itself: an apparent change of weight that sums to nothing over time."""

    @property
    def begin_s(self) -> float:
        """Nothing before it."""

    @property
    def end_s(self) -> float:
        """Nothing worth counting after it."""

    @property
    def x_mm(self) -> float:
        """Where it seems to act, from the board's left edge."""

    @property
    def y_mm(self) -> float:
        """Where it seems to act, from the board's front edge."""

    def on(self, time_s: Floats) -> Floats:
        """Grams at each time, float64[n]."""


@dataclass(frozen=True, slots=True)
class Shock:
    """One knock somewhere in the rack or on the floor: an oscillation that dies away.

    Attributes:
        peak_g: what it would begin with (the start is softened over half an oscillation).
        hz: FR 4.1.2: 10.4-15 Hz by shelf; the brief: footsteps 5-20 Hz.
        decay_s: time to 1/e.
    """

    x_mm: float
    y_mm: float
    begin_s: float
    peak_g: float
    hz: float
    decay_s: float

    @property
    def end_s(self) -> float:
        return self.begin_s + self.decay_s * math.log(max(abs(self.peak_g), 0.01) / 0.001)

    def on(self, time_s: Floats) -> Floats:
        """Grams at each time, float64[n]."""
        since_s = time_s - self.begin_s
        started = since_s >= 0.0
        since_s = np.where(started, since_s, 0.0)
        softened = 1.0 - np.exp(-since_s * 2.0 * self.hz)
        wave: Floats = self.peak_g * softened * np.exp(-since_s / self.decay_s) * np.sin(2 * np.pi * self.hz * since_s)
        return np.where(started, wave, 0.0)


@dataclass(frozen=True, eq=False, slots=True)
class RecordedShake:
    """A recording played back, for example the residual of a real shelf on which nothing moved.

    Attributes:
        grams: float64[n], the recording less its mean, repeated until `end_s`.
    """

    x_mm: float
    y_mm: float
    begin_s: float
    end_s: float
    rate_hz: float
    grams: Floats

    def on(self, time_s: Floats) -> Floats:
        """Grams at each time, float64[n]."""
        at = (time_s - self.begin_s) * self.rate_hz
        wave: Floats = np.interp(at, np.arange(self.grams.size), self.grams, period=self.grams.size)
        return np.where((time_s >= self.begin_s) & (time_s < self.end_s), wave, 0.0)
