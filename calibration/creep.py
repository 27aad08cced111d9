"""Optional longer runs: creep under a standing load, and the zero against temperature.

Creep of a load cell goes with the logarithm of time: ``g(t) = g0 + s * log10(t / 1 min)``. A class C3 cell may creep by
0.0245 % of the load in 30 min (OIML R60, facts/loadcell.md 6); a hobby cell by about 0.05 %.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from calibration.placements import CalibrationInputError

Floats = npt.NDArray[np.float64]

C3_SHARE_30_MIN = 0.000245
HOBBY_SHARE_30_MIN = 0.0005
CREEP_RUN_S = 1200.0
FIRST_S = 10.0  # what comes before is landing and ringing
_DECADES = math.log10(30.0 * 60.0 / FIRST_S)


@dataclass(frozen=True, slots=True)
class CreepFit:
    """Creep of one load.

    Attributes:
        share_per_decade: of the load, per factor of ten in time; sd of it.
        share_30_min: from 10 s to 30 min, extrapolated if the run was shorter.
        left_share: rms of what the line leaves, of the load.
        minutes: how long it was looked at.
    """

    share_per_decade: float
    share_per_decade_sd: float
    share_30_min: float
    left_share: float
    minutes: float

    @property
    def grade(self) -> str:
        """As good as which class of cells, in words."""
        if abs(self.share_30_min) <= C3_SHARE_30_MIN:
            return "within class C3"
        if abs(self.share_30_min) <= HOBBY_SHARE_30_MIN:
            return "as a hobby cell may"
        return "more than a hobby cell may"


def fit_creep(since_s: Floats, grams: Floats, load_g: float) -> CreepFit:
    """Least squares of grams against the logarithm of the time since the load came to rest.

    Raises CalibrationInputError for less than two minutes, or no load.
    """
    late = since_s >= FIRST_S
    if load_g <= 0 or late.sum() < 10 or float(since_s[late].max()) < 120.0:
        raise CalibrationInputError("creep needs a load that has stood for two minutes at least, twenty for a verdict")
    at, seen = np.log10(since_s[late] / FIRST_S), grams[late] / load_g
    # Samples come evenly in time, so the late decades would decide alone: each decade weighs the same.
    weight = 1.0 / since_s[late]
    weight = weight / weight.sum()
    middle, mean = float(weight @ at), float(weight @ seen)
    spread = float(weight @ (at - middle) ** 2)
    slope = float(weight @ ((at - middle) * (seen - mean))) / spread
    left = seen - mean - slope * (at - middle)
    scatter = float(weight @ left**2)
    effective = 1.0 / float(weight @ weight)
    sd = math.sqrt(scatter / max(effective - 2.0, 1.0) / spread)
    return CreepFit(slope, sd, slope * _DECADES, math.sqrt(scatter), float(since_s.max()) / 60.0)


@dataclass(frozen=True, slots=True)
class TemperatureFit:
    """How the zero goes with temperature.

    Attributes:
        counts_per_degree, sd: of one cell.
        lag_min: the cell follows its thermometer so late (0 to 40 min were tried).
        explained: share of the zero's variance that it explains.
    """

    counts_per_degree: float
    sd: float
    lag_min: float
    explained: float


def fit_temperature(time_s: Floats, celsius: Floats, zero_counts: Floats) -> TemperatureFit:
    """Regress a zero on the temperature, delayed by a first-order lag, the best of nine.

    Raises CalibrationInputError when the temperature hardly changed.
    """
    if time_s.size < 10 or float(np.ptp(celsius)) < 1.0:
        raise CalibrationInputError("the zero's temperature needs ten readings at least and a change of 1 degree C")
    best: TemperatureFit | None = None
    for lag_min in np.arange(0.0, 41.0, 5.0):
        lagged = _lagged(time_s, celsius, lag_min * 60.0)
        at = lagged - lagged.mean()
        away = zero_counts - zero_counts.mean()
        spread = float(at @ at)
        if spread < 1e-9:
            continue
        slope = float(at @ away) / spread
        left = float(((away - slope * at) ** 2).sum())
        explained = 1.0 - left / max(float(away @ away), 1e-12)
        if best is None or explained > best.explained:
            sd = math.sqrt(left / (time_s.size - 2) / spread)
            best = TemperatureFit(slope, sd, float(lag_min), explained)
    assert best is not None
    return best


def _lagged(time_s: Floats, celsius: Floats, lag_s: float) -> Floats:
    """First-order lag of irregular samples: ``y += (x - y) (1 - exp(-dt / lag))``."""
    if lag_s <= 0:
        return celsius
    out = np.empty_like(celsius)
    out[0] = celsius[0]
    for k in range(1, celsius.size):
        share = 1.0 - math.exp(-(time_s[k] - time_s[k - 1]) / lag_s)
        out[k] = out[k - 1] + (celsius[k] - out[k - 1]) * share
    return out
