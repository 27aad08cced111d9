"""The temperature of the room that a simulated board stands in, and of what follows it late."""

from __future__ import annotations

import cmath
import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

Floats = npt.NDArray[np.float64]

DAY_S = 86_400.0


@dataclass(frozen=True, slots=True)
class Wave:
    """One sine of it: amplitude in degrees, period in s, phase in turns at time 0."""

    celsius: float
    period_s: float
    turns: float


@dataclass(frozen=True, slots=True)
class Room:
    """A mean and waves around it: the day, and heating or cooling that goes on and off."""

    mean_c: float = 21.0
    waves: tuple[Wave, ...] = (Wave(2.5, DAY_S, 0.0), Wave(0.4, 5400.0, 0.0))

    def celsius(self, time_s: Floats | float, lags_s: Sequence[float] = ()) -> Floats:
        """Degrees at each time, float64[n]; through first-order lags, one after the other.

        A wave of angular frequency w comes out of each as ``1 / (1 + i w tau)`` of itself.
        """
        time = np.asarray(time_s, np.float64)
        degrees: Floats = np.full(time.shape, self.mean_c)
        for wave in self.waves:
            omega = 2.0 * math.pi / wave.period_s
            passed = complex(1.0)
            for tau_s in lags_s:
                passed /= 1.0 + 1j * omega * tau_s
            size, angle = cmath.polar(passed)
            degrees = degrees + wave.celsius * size * np.sin(omega * time + 2.0 * math.pi * wave.turns + angle)
        return degrees
