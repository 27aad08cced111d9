"""What a ceiling camera's tracker would tell of people whose ways are known: with its errors, as track points.

Places are off by a slow and a fast error, and a covariance tells so, more or less; tracks are born late, hide, end and
begin anew under another name, and swap people who are close; a ghost stands somewhere now and then; some people are
never seen. How often and how much is `Sight`; its defaults are no better than what `hil.ceiling` finds of the tracker.
"""

from __future__ import annotations

import itertools
import math
from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np
import numpy.typing as npt

from edge.trace.sighting import TrackPoint
from hil.who_people import STEP_S

Floats = npt.NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class Sight:
    """A camera and its tracker.

    Attributes:
        slow_mm, slow_s: standard deviation and correlation time of a place's slow error. fast_mm: of each point's own.
        covariance: the one told over the true one.
        born_s: after coming into sight, at most.
        lost_per_min: of each person: hidden, then ended, for `lost_s`.
        swaps_per_s: of two people within 0.45 m.
        ghosts_per_min: tracks of nobody, near people.
        unseen: share of people who never get a track.
        clock_s: added to all times: another node's clock, as far as it isn't known.
        rate_hz: of points.
    """

    slow_mm: float = 55.0
    slow_s: float = 1.5
    fast_mm: float = 12.0
    covariance: float = 1.0
    born_s: float = 0.6
    lost_per_min: float = 1.0
    lost_s: tuple[float, float] = (0.3, 4.0)
    swaps_per_s: float = 0.02
    ghosts_per_min: float = 0.2
    unseen: float = 0.01
    clock_s: float = 0.0
    clothes_sd: float = 5.0

    @staticmethod
    def drawn(rng: np.random.Generator) -> Sight:
        """Another camera in each scene."""
        return Sight(
            slow_mm=float(rng.uniform(30.0, 100.0)),
            slow_s=float(rng.uniform(0.5, 4.0)),
            fast_mm=float(rng.uniform(5.0, 30.0)),
            covariance=float(rng.uniform(0.5, 2.0)),
            born_s=float(rng.uniform(0.2, 1.5)),
            lost_per_min=float(rng.uniform(0.0, 3.0)),
            swaps_per_s=float(rng.uniform(0.0, 0.05)),
            ghosts_per_min=float(rng.uniform(0.0, 0.5)),
            unseen=float(rng.uniform(0.0, 0.03)),
            clothes_sd=float(rng.uniform(3.0, 10.0)),
        )


@dataclass(slots=True)
class Seen:
    """What was told, and whose track was called what when.

    Attributes:
        points: in order of time.
        spans: per person, of each of their tracks: name, from and until when (s); hidden points too.
    """

    points: list[TrackPoint] = field(default_factory=list)
    spans: list[list[tuple[str, float, float]]] = field(default_factory=list)

    def names(self, person: int, at_s: float, before_s: float = 3.0, after_s: float = 1.5) -> set[str]:
        """What the person may rightly be called: the track then, else the last one before and the next one after."""
        spans = self.spans[person]
        now = {name for name, begin_s, end_s in spans if begin_s - 0.15 <= at_s <= end_s + 0.15}
        if now:
            return now
        before = [span for span in spans if at_s - before_s <= span[2] < at_s][-1:]
        after = [span for span in spans if at_s < span[1] <= at_s + after_s][:1]
        return {name for name, _, _ in before + after} or {""}


def sight_of(ways: Sequence[tuple[Floats, Floats]], sight: Sight, seed: int, camera: str = "c.1") -> Seen:
    """Track points of people whose ``ways`` are times (s) and places on the floor (mm)."""
    rng = np.random.default_rng([seed, 0x516])
    numbers = itertools.count(1)
    seen = Seen(spans=[[] for _ in ways])
    # Which person a tracker's line of points is about may change: lines are per person, swapped where they meet.
    rows: dict[int, list[tuple[int, float, float]]] = {}
    for person, (times, places) in enumerate(ways):
        if rng.random() >= sight.unseen:
            for at_s, (x, y) in zip(times.tolist(), places.tolist(), strict=True):
                rows.setdefault(round(at_s / STEP_S), []).append((person, x, y))
    lost = {person: _lost(times, sight, rng) for person, (times, _) in enumerate(ways)}
    born = {person: float(times[0] + rng.uniform(0.0, sight.born_s)) for person, (times, _) in enumerate(ways)}
    clothes = {person: rng.uniform(40.0, 215.0, 6) for person in range(len(ways))}
    error = {person: rng.normal(0.0, sight.slow_mm, 2) for person in range(len(ways))}
    last: dict[int, tuple[float, float, float, float]] = {}
    names: dict[int, str] = {}
    keep = math.exp(-STEP_S / sight.slow_s)
    told = sight.covariance * (sight.slow_mm**2 + sight.fast_mm**2)
    for step in sorted(rows):
        at_s = step * STEP_S
        here = [row for row in rows[step] if at_s >= born[row[0]]]
        for (one, ax, ay), (other, bx, by) in itertools.combinations(here, 2):
            close = math.hypot(ax - bx, ay - by) < 450.0 and rng.random() < sight.swaps_per_s * STEP_S
            if close and one in names and other in names:
                names[one], names[other] = names[other], names[one]
        for person, x, y in here:
            error[person] = keep * error[person] + rng.normal(0.0, sight.slow_mm * math.sqrt(1 - keep * keep), 2)
            gap = next(((begin, end) for begin, end in lost[person] if begin <= at_s < end), None)
            if gap is not None and (person not in names or at_s - gap[0] > 1.2):
                names.pop(person, None)  # ended; it will be somebody new
                continue
            if person not in names:
                names[person] = f"{camera}.{next(numbers)}"
                last.pop(person, None)
            if gap is not None:
                px, py, vx, vy = last.get(person, (x, y, 0.0, 0.0))
                px, py, grown = px + vx * STEP_S, py + vy * STEP_S, (250.0 * (at_s - gap[0] + STEP_S)) ** 2
                hidden = True
                vx, vy = 0.8 * vx, 0.8 * vy
            else:
                px, py = (np.array((x, y)) + error[person] + rng.normal(0.0, sight.fast_mm, 2)).tolist()
                vx, vy = _velocity(last.get(person), px, py)
                grown, hidden = 0.0, False
            last[person] = px, py, vx, vy
            colours = tuple(int(c) for c in np.clip(clothes[person] + rng.normal(0, sight.clothes_sd, 6), 0, 255))
            time_ns = round((at_s + sight.clock_s) * 1e9)
            var = told + grown
            seen.points.append(TrackPoint(names[person], time_ns, px, py, var, 0.0, var, vx, vy, hidden, colours))
            _extend(seen.spans[person], names[person], at_s)
    seen.points += _ghosts(ways, sight, told, rng, camera)
    seen.points.sort(key=lambda point: (point.time_ns, point.track))
    return seen


def _velocity(before: tuple[float, float, float, float] | None, x: float, y: float) -> tuple[float, float]:
    """Smoothed over half a second, as a tracker's filter does."""
    if before is None:
        return 0.0, 0.0
    return 0.8 * before[2] + 0.2 * (x - before[0]) / STEP_S, 0.8 * before[3] + 0.2 * (y - before[1]) / STEP_S


def _extend(spans: list[tuple[str, float, float]], name: str, at_s: float) -> None:
    if spans and spans[-1][0] == name:
        spans[-1] = name, spans[-1][1], at_s
    else:
        spans.append((name, at_s, at_s))


def _lost(times: Floats, sight: Sight, rng: np.random.Generator) -> list[tuple[float, float]]:
    found, at_s = [], float(times[0])
    while sight.lost_per_min:
        at_s += float(rng.exponential(60.0 / sight.lost_per_min))
        if at_s > times[-1]:
            break
        found.append((at_s, at_s + float(rng.uniform(*sight.lost_s))))
    return found


def _ghosts(
    ways: Sequence[tuple[Floats, Floats]], sight: Sight, told: float, rng: np.random.Generator, camera: str
) -> list[TrackPoint]:
    """Shadows, doors, trolleys: they appear near somebody, stand, and are gone."""
    found: list[TrackPoint] = []
    end_s = max((float(times[-1]) for times, _ in ways), default=0.0)
    at_s, number = 0.0, 0
    while sight.ghosts_per_min and (at_s := at_s + float(rng.exponential(60.0 / sight.ghosts_per_min))) < end_s:
        there = [(times, places) for times, places in ways if times[0] < at_s < times[-1]]
        if not there:
            continue
        times, places = there[int(rng.integers(len(there)))]
        x, y = places[int(np.searchsorted(times, at_s))] + rng.normal(0.0, 700.0, 2)
        number += 1
        for step in range(int(rng.uniform(0.5, 3.0) / STEP_S)):
            time_ns = round((round(at_s / STEP_S) + step) * STEP_S * 1e9)
            px, py = x + float(rng.normal(0, 30)), y + float(rng.normal(0, 30))
            point = TrackPoint(f"{camera}.ghost{number}", time_ns, px, py, 2 * told, 0.0, 2 * told, 0.0, 0.0)
            found.append(point)
    return found
