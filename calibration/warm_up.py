"""The warm-up gate: a converter and its cell drift for 5-15 minutes after power-up (facts/loadcell.md 5, row 13)."""

from __future__ import annotations

import math

import numpy as np

from calibration.levels import Rest

WARM_UP_S = 900.0
LEAST_S = 6.0
LOOK_S = 15.0
MOST_COUNTS_PER_MIN = 215.0  # 0.01 % of what a 1 mV/V cell gives at capacity
MOST_G_PER_MIN = 2.0
WANDERING = 2.0  # counts/s: a healthy cell's random walk (5 counts per root second) looks like this over some seconds


def drift_of(rest: Rest) -> float:
    """Counts per second of the channel that drifts the most, over the last seconds of a rest."""
    drift = rest.last(LOOK_S).drift
    return float(drift[np.nanargmax(np.abs(drift))]) if not np.isnan(drift).all() else 0.0


def is_warm(rest: Rest, counts_per_gram: float | None) -> bool:
    """Whether the empty board has rested for long enough to know, and doesn't drift by more than is tolerated.

    The doubt of a slope over T seconds of n windows is ``sd * sqrt(12 / n) / T``; two of them are given away.
    """
    if rest.seconds < LEAST_S:
        return False
    level = rest.last(LOOK_S)
    windows = max(level.seconds * 1e9 / rest.window_ns, 3.0)
    sd = np.sqrt(np.diag(level.cov) * windows) * math.sqrt(12.0 / windows) / level.seconds
    most = MOST_COUNTS_PER_MIN / 60.0
    if counts_per_gram is not None:
        most = max(most, counts_per_gram * MOST_G_PER_MIN / 60.0)
    alive = ~np.isnan(level.drift)
    return bool((np.abs(level.drift[alive]) < most + WANDERING + 2.0 * sd[alive]).all())
