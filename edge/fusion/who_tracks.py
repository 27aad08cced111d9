"""Where a track was at a time: between its points, before the first and after the last one, with growing doubt."""

from __future__ import annotations

import math
from bisect import bisect_right
from collections.abc import Sequence
from dataclasses import dataclass

from edge.trace.sighting import TrackPoint

STROLL_MM_S = 400.0  # how fast somebody may go who wasn't seen to; grows with the time, as a variance with its square
SLOWS_S = 0.5  # a velocity last seen says nothing of later than this
LASTS_S = 1.5  # a track that ended was a person still there after this with 1/e
BORN_S = 1.0  # a person was there before their track's first point, likewise
HIDDEN = 0.85  # that somebody is there whom nobody sees
CLOCK_SD_S = 0.02  # of times within a node; between nodes the points' covariance says it
LONGEST_S = 6.0  # without a point


@dataclass(frozen=True, slots=True)
class At:
    """A person at a time. ``there``: chance that the track is one of a person who is there."""

    x_mm: float
    y_mm: float
    xx: float
    xy: float
    yy: float
    there: float


def where(points: Sequence[TrackPoint], time_ns: int) -> At | None:
    """Where the person was; ``points`` in order of time. None if nothing is known of that time."""
    if not points:
        return None
    k = bisect_right(points, time_ns, key=_time)
    if k == 0:
        return _beyond(points[0], (time_ns - points[0].time_ns) * 1e-9, BORN_S)
    if k == len(points):
        return _beyond(points[-1], (time_ns - points[-1].time_ns) * 1e-9, LASTS_S)
    return _between(points[k - 1], points[k], time_ns)


def speed_mm_s(points: Sequence[TrackPoint], begin_ns: int, end_ns: int) -> float:
    """Mean speed from one time to another, from the places: what a track says of its velocity is noisier."""
    a, b = where(points, begin_ns), where(points, end_ns)
    first, last = points[0].time_ns, points[-1].time_ns
    if a is None or b is None or min(end_ns, last) - max(begin_ns, first) < 0.5 * (end_ns - begin_ns):
        near = min(points, key=lambda point: abs(point.time_ns - end_ns))
        return math.hypot(near.vx_mm_s, near.vy_mm_s)
    return math.hypot(b.x_mm - a.x_mm, b.y_mm - a.y_mm) / ((end_ns - begin_ns) * 1e-9)


def _time(point: TrackPoint) -> int:
    return point.time_ns


def _beyond(point: TrackPoint, elapsed_s: float, lasts_s: float) -> At | None:
    """From one point on, or back from it."""
    gap_s = abs(elapsed_s)
    if gap_s > LONGEST_S:
        return None
    goes_s = SLOWS_S * (1.0 - math.exp(-gap_s / SLOWS_S)) * math.copysign(1.0, elapsed_s)
    stroll = (STROLL_MM_S * gap_s) ** 2
    there = math.exp(-gap_s / lasts_s) * (HIDDEN if point.hidden else 1.0)
    return _at(point.x_mm + goes_s * point.vx_mm_s, point.y_mm + goes_s * point.vy_mm_s, point, stroll, there)


def _between(a: TrackPoint, b: TrackPoint, time_ns: int) -> At:
    """Along the line, and off it where the gap is long."""
    share = (time_ns - a.time_ns) / (b.time_ns - a.time_ns)
    near = a if share < 0.5 else b
    gap_s = min(share, 1.0 - share) * (b.time_ns - a.time_ns) * 1e-9
    stroll = (STROLL_MM_S * max(gap_s - 0.1, 0.0)) ** 2
    x, y = a.x_mm + share * (b.x_mm - a.x_mm), a.y_mm + share * (b.y_mm - a.y_mm)
    return _at(x, y, near, stroll, HIDDEN if near.hidden else 1.0)


def _at(x_mm: float, y_mm: float, point: TrackPoint, stroll_var: float, there: float) -> At:
    vx, vy = point.vx_mm_s * CLOCK_SD_S, point.vy_mm_s * CLOCK_SD_S
    return At(
        x_mm,
        y_mm,
        point.xx_mm2 + stroll_var + vx * vx,
        point.xy_mm2 + vx * vy,
        point.yy_mm2 + stroll_var + vy * vy,
        there,
    )
