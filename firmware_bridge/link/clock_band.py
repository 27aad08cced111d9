"""The straight line between what can't be earlier and what can't be later: MCU clock to host clock, from bounds alone.

Every delay on the way is a delay: a message comes to the host later than it was queued, never earlier, and a command
comes to the MCU later than it was handed over. So arrivals bound the host's time of an MCU instant from above,
departures from below, and the true line runs through the band between. Slope by one-sided least absolute deviation: the
edge of the convex hull that faces the line, over the centre of the points (S. Moon, P. Skelly, D. Towsley: Estimation
and removal of clock skew from network delay measurements, 1999). A late message costs nothing, however late it is.
"""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise
from typing import NamedTuple

Point = tuple[float, float]  # MCU µs, host ns, both after some common origin

_LEAST_SCATTER_NS = 20_000.0  # what a delay varies by at best: hull edges aren't better than this
_WANDER = 15e-6  # a bound loosens with age: by what the rate isn't sure to, and by what a resonator wanders meanwhile


class Band(NamedTuple):
    """Where the line is.

    Attributes:
        rate: host ns per MCU µs.
        at_us: MCU time at which the band was taken, the newest point.
        upper_ns: host time of `at_us` that no arrival contradicts; None without arrivals.
        lower_ns: the same for departures.
    """

    rate: float
    at_us: float
    upper_ns: float | None
    lower_ns: float | None


def fit_band(
    arrivals: Sequence[Point], departures: Sequence[Point], prior_rate: float, prior_sigma: float, most_off: float
) -> Band:
    """The band of at least one point.

    Args:
        arrivals: upper bounds in order of MCU time.
        departures: lower bounds in order of MCU time.
        prior_rate: host ns per MCU µs as known before.
        prior_sigma: how far the rate may be from that, as a share.
        most_off: the rate is kept within this share of 1000 ns per µs.
    """
    weight = 1.0 / prior_sigma**2
    total, mean = weight, weight * (prior_rate - 1000.0)
    for points, side in ((arrivals, 1.0), (departures, -1.0)):
        if len(points) > 2:
            slope, sigma = _facing_edge(points, side, prior_rate)
            weight = 1.0 / sigma**2
            total += weight
            mean += weight * (slope - 1000.0)
    rate = 1000.0 + min(max(mean / total, -1000.0 * most_off), 1000.0 * most_off)
    at_us = max(points[-1][0] for points in (arrivals, departures) if points)
    ageing = _WANDER + total**-0.5
    upper = min((h + (at_us - m) * rate * (1.0 + ageing) for m, h in arrivals), default=None)
    lower = max((h + (at_us - m) * rate * (1.0 - ageing) for m, h in departures), default=None)
    return Band(rate, at_us, upper, lower)


def _facing_edge(points: Sequence[Point], side: float, rate: float) -> tuple[float, float]:
    """Slope of the hull's edge over the centre (side 1: lower hull, -1: upper), and how sure it is, as a share."""
    hull: list[Point] = []
    centre = spread = 0.0
    first_m, first_h = points[0]
    for m, h in points:
        centre += m
        x, y = m - first_m, side * (h - first_h - (m - first_m) * rate)  # what is left after the rate known so far
        spread += y
        while len(hull) > 1 and _turns_up_less(hull[-2], hull[-1], (x, y)):
            hull.pop()
        hull.append((x, y))
    centre = centre / len(points) - first_m
    left, right = hull[0], hull[-1]
    for a, b in pairwise(hull):
        if a[0] <= centre <= b[0]:
            left, right = a, b
            break
    span = points[-1][0] - first_m
    if span <= 0.0 or right[0] <= left[0]:
        return rate, 1.0
    tilt = (right[1] - left[1]) / (right[0] - left[0])
    scatter = spread / len(points) - (left[1] + (centre - left[0]) * tilt)
    return rate + side * tilt, max(scatter, _LEAST_SCATTER_NS) / (span * 1000.0)


def _turns_up_less(a: Point, b: Point, c: Point) -> bool:
    """True where ``b`` is on or above the line from ``a`` to ``c``, so no corner of the lower hull."""
    return (b[1] - a[1]) * (c[0] - a[0]) >= (c[1] - a[1]) * (b[0] - a[0])
