"""Least squares for a level that wanders: what a load cell's zero does by itself isn't white, and a slow effect must be
told from it.

``y = X b + white + walk``: white noise of each value, and a random walk whose variance grows by ``walk²`` per second.
How much there is of each isn't known; the likelihood of their ratio (restricted, so that what X takes up isn't counted
twice) weighs all ratios, and the doubt of b has the doubt of the ratio in it. What X can't describe looks like a walk,
so a wrong form of curve makes b less sure as well.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

Floats = npt.NDArray[np.float64]

_RATIOS = np.concatenate([[0.0], np.logspace(-7.0, 3.0, 31)])  # walk² per second over white²
_FLAT = 1e9  # times the data's own scale: as good as no prior
_ROUNDS = 8
_CLOSE = 1e-3
_RIDGE = 1e-12  # columns that say the same share what they say


@dataclass(frozen=True, slots=True)
class WanderFit:
    """What a fit comes to.

    Attributes:
        values: float64[p]. cov: float64[p, p], their covariance.
        left: float64[n], what the curves leave of y.
        white: rms of a value of weight 1. walk: per square root of a second.
        likelihood: log of the likelihood at the best values, all ratios together; to compare designs.
    """

    values: Floats
    cov: Floats
    left: Floats
    white: float
    walk: float
    likelihood: float

    def of(self, functional: Floats) -> tuple[float, float]:
        """A sum ``functional · values`` (float64[p]) and its standard deviation."""
        variance = float(functional @ self.cov @ functional)
        return float(functional @ self.values), math.sqrt(max(variance, 0.0))


class Wander:
    """The times of a series, prepared for any number of fits."""

    def __init__(self, time_s: Floats, weight: Floats) -> None:
        """Times ascending, float64[n]; ``weight``: how many values each is the mean of, float64[n]."""
        self._root = np.sqrt(weight)
        since = time_s - time_s[0]
        shared = np.minimum.outer(since, since) * self._root[:, None] * self._root[None, :]
        eigen, turn = np.linalg.eigh(shared)
        self._eigen: Floats = np.clip(eigen, 0.0, None)
        self._turn: Floats = turn

    def fit(self, design: Floats, y: Floats, prior_sd: Floats | None = None) -> WanderFit:
        """``design``: float64[n, p]; ``prior_sd``: float64[p] around 0, inf where nothing is known before."""
        n, p = design.shape
        x, z = self._turned(design), self._turned(y[:, None])[:, 0]
        scale = max(float(np.ptp(y)), 1e-9)
        size = np.maximum(np.abs(design).max(axis=0), 1e-12)
        flat = _FLAT * scale / size
        sd = flat if prior_sd is None else np.minimum(prior_sd, flat)
        found = _at_ratios(x, z, self._eigen, sd, n - p)
        weights = np.exp(found.restricted - found.restricted.max())
        weights /= weights.sum()
        best = found.at_best
        likelihood = float(best.max() + np.log(np.exp(best - best.max()).sum()))
        mean: Floats = weights @ found.values
        away = found.values - mean
        cov: Floats = np.tensordot(weights, found.cov + away[:, :, None] * away[:, None, :], 1)
        white, walk = math.sqrt(weights @ found.variance), math.sqrt(weights @ (found.variance * _RATIOS))
        return WanderFit(mean, cov, y - design @ mean, white, walk, likelihood)

    def _turned(self, columns: Floats) -> Floats:
        turned: Floats = self._turn.T @ (columns * self._root[:, None])
        return turned


@dataclass(frozen=True, slots=True)
class _AtRatios:
    """For each ratio of walk to white: float64[r], but values [r, p] and cov [r, p, p].

    restricted: log of the restricted likelihood. at_best: log of the likelihood at the values. variance: of white.
    """

    restricted: Floats
    at_best: Floats
    variance: Floats
    values: Floats
    cov: Floats


def _at_ratios(x: Floats, z: Floats, eigen: Floats, prior_sd: Floats, degrees: int) -> _AtRatios:
    """All ratios together. The prior is absolute and the variance isn't known, so the two are found in turns."""
    n, p = x.shape
    spread = 1.0 + _RATIOS[:, None] * eigen
    weight = 1.0 / spread
    normal = (weight @ (x[:, :, None] * x[:, None, :]).reshape(n, p * p)).reshape(-1, p, p)
    right = weight @ (x * z[:, None])
    size = np.sqrt(np.maximum(np.einsum("rii->ri", normal), 1e-300))
    scaled = normal / (size[:, :, None] * size[:, None, :])
    variance = np.maximum(weight @ z**2 / n, 1e-30)
    for _ in range(_ROUNDS):
        held = scaled + np.eye(p) * (variance[:, None] / (prior_sd * size) ** 2 + _RIDGE)[:, None, :]
        inverse = np.linalg.inv(held)
        values = np.einsum("rij,rj->ri", inverse, right / size) / size
        left = z - values @ x.T
        before, variance = variance, np.maximum((weight * left**2).sum(axis=1) / max(degrees, 1), 1e-30)
        if (np.abs(variance - before) < _CLOSE * variance).all():
            break
    spreads = np.log(spread).sum(axis=1)
    log_size = np.linalg.slogdet(held)[1] + 2.0 * np.log(size).sum(axis=1)
    restricted = -0.5 * (degrees * np.log(variance) + spreads + log_size)
    at_best = -0.5 * (n * np.log(variance * max(degrees, 1) / n) + spreads)
    cov = variance[:, None, None] * inverse / (size[:, :, None] * size[:, None, :])
    return _AtRatios(restricted, at_best, variance, values, cov)
