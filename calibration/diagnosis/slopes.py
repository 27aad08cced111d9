"""How a cell's level goes with time while nobody touches the board: drift, warming up, creep after a load change."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np

from calibration.diagnosis.samples import Bools, CellSamples, Floats

LEAST_SECONDS = 8.0
_KEPT_SHARE, _CALM_SHARE, _CALM_ALL = 0.6, 0.85, 0.97
_TIME_CONSTANTS_S = (10.0, 20.0, 40.0, 80.0, 160.0, 320.0, 640.0, 1280.0)
TOLD_FROM_S = 90.0  # shorter than that, no time constant of minutes can be told from a straight line


@dataclass(frozen=True, slots=True)
class Slope:
    """Attributes:
    counts_per_s: typical change per second; sd_counts_per_s: its standard deviation.
    straight_share: of the seconds, those that go the same way.
    time_constant_s: of an exponential that explains the level better than a straight line; None where none does.
    """

    counts_per_s: float
    sd_counts_per_s: float
    straight_share: float
    time_constant_s: float | None


def slope_of(cell: CellSamples, noise_counts: float, rate_hz: float) -> Slope | None:
    """From changes over a second or more; steps and bursts are outliers among them. None where it is too short.

    The change between two seconds of means scatters by ``noise sqrt(2 · 2 / n)``: n samples of correlated noise count
    as n/2. What changes much more than most do is a movement, and is left out.
    """
    time_s, counts = cell.time_s[cell.usable], cell.counts[cell.usable]
    if counts.size < 24 or time_s[-1] - time_s[0] < LEAST_SECONDS or rate_hz <= 0:
        return None
    apart_s = max(1.0, 8.0 / rate_hz)
    at, means = _means(time_s, counts, apart_s, rate_hz)
    if means.size < 6:
        return None
    changes, spans = np.diff(means), np.diff(at)
    rates = changes / spans
    middle = float(np.median(rates))
    off = np.abs(rates - middle)
    kept = off <= np.quantile(off, _KEPT_SHARE)
    doubt = noise_counts * math.sqrt(4.0 / (apart_s * rate_hz)) / apart_s
    scatter = max(float(off[kept].max()) / 0.84, doubt)  # 0.84: where the inner 60 % of a Gaussian end, in sigmas
    sd = 1.25 * scatter / math.sqrt(rates.size)
    same = float(np.mean(np.sign(rates) == np.sign(middle)))
    calm = off <= 6.0 * max(float(np.quantile(off, 0.3)) / 0.385, doubt)  # 0.385 sigmas: the inner 30 %
    if float(calm.mean()) >= _CALM_SHARE:
        straight, spread, left = _straight(at, means, calm)
        if float(calm.mean()) >= _CALM_ALL or left < 3.0 * doubt * apart_s:  # else hands do more than noise does
            middle, sd = straight, spread
        same = float(np.mean(np.sign(rates[calm]) == np.sign(middle)))
    return Slope(middle, sd, same, _time_constant(at, means, 2.0 * scatter * apart_s))


def _straight(at: Floats, means: Floats, calm: Bools) -> tuple[float, float, float]:
    """Slope that the stretches between movements have in common, each at a level of its own, by least squares.

    ``calm``: of the changes. With its sd, neighbouring residuals hang together; and the rms of these.
    """
    stretch = np.concatenate([[0], np.cumsum(~calm)])
    many = np.bincount(stretch)
    since = at - (np.bincount(stretch, at) / many)[stretch]
    level = means - (np.bincount(stretch, means) / many)[stretch]
    spread = float(since @ since)
    slope = float(since @ level) / spread
    left = level - slope * since
    free = max(at.size - many.size - 1, 1)
    rms = math.sqrt(float(left @ left) / free)
    return slope, 2.0 * rms / math.sqrt(spread), rms


def _means(time_s: Floats, counts: Floats, apart_s: float, rate_hz: float) -> tuple[Floats, Floats]:
    number = np.floor((time_s - time_s[0]) / apart_s).astype(np.int64)
    many = np.bincount(number)
    full = many >= 0.7 * apart_s * rate_hz
    at = np.bincount(number, time_s)[full] / many[full]
    means = np.bincount(number, counts)[full] / many[full]
    return at, means


def _time_constant(at: Floats, means: Floats, jump: float) -> float | None:
    """Of ``a + b exp(-t / tau)``, steps taken out; None unless it leaves half of what a straight line does."""
    if at[-1] - at[0] < TOLD_FROM_S:
        return None
    changes = np.diff(means)
    level = np.concatenate([[0.0], np.cumsum(np.where(np.abs(changes - np.median(changes)) > jump, 0.0, changes))])
    since = at - at[0]

    def left(shape: Floats) -> float:
        design = np.column_stack([np.ones(since.size), shape])
        fit = np.linalg.lstsq(design, level, rcond=None)[0]
        return float(((level - design @ fit) ** 2).sum())

    straight = left(since)
    best = min(_TIME_CONSTANTS_S, key=lambda tau: left(np.exp(-since / tau)))
    return best if left(np.exp(-since / best)) < 0.5 * straight else None
