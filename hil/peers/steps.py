"""From moments of change to events: the part that all change detectors share.

A detector is given the sum of a board's cells at 20 samples/s and says when it changed. Moments not more than 0.6 s
apart are one visit. The level before and after it is the median of up to one second of each cell, kept clear of the
visits before and after; a difference of less than half the lightest product (at least 5 g) is nothing. Everything
else is named by the nearest weight. The constants were chosen on tuning scenes, never on reporting ones.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass

import numpy as np

from edge.trace.event import Event
from hil.peers.naming import nearest
from hil.peers.recording import Floats, Recording, frames_of
from hil.peers.shelf import lane_by_lane
from hil.peers.verdicts import Verdict, events_of

RATE_HZ = 20.0
OVERSAMPLE = 4  # 80 samples/s, then means of four
TOGETHER = 12  # frames: 0.6 s
LEVEL = 20  # frames: 1 s
CLEAR = 4  # frames: 0.2 s to let the board ring out
LEAST_SHARE = 0.5
LEAST_G = 5.0


@dataclass(frozen=True, slots=True)
class Moment:
    """A change at frame ``at``, which the detector knew of by frame ``known``."""

    at: int
    known: int


@dataclass(frozen=True, slots=True)
class Visit:
    """Frames of the first and the last moment of a visit, and by when all of them were known."""

    begin: int
    end: int
    known: int


Detector = Callable[[Floats, float], Iterable[Moment]]
"""Sum of a board in grams (float64[frames], begins near zero) and the least step in grams -> moments."""


def detect(peer: str, detector: Detector, recording: Recording) -> list[Event]:
    """A detector on every board, its visits named by the nearest weight."""
    verdicts: list[Verdict] = []
    for shelf in lane_by_lane(recording):
        if not shelf.spots:
            continue
        frames = frames_of(recording, shelf.boards, RATE_HZ, OVERSAMPLE)
        least_g = max(LEAST_G, LEAST_SHARE * shelf.lightest_g)
        sum_g = frames.sum_g
        visits = visits_of(detector(sum_g - np.median(sum_g[:LEVEL]), least_g))
        ends = [0, *(visit.end for visit in visits)]
        begins = [*(visit.begin for visit in visits), sum_g.size]
        stretches = [_quiet(end, begin) for end, begin in zip(ends, begins, strict=True)]
        for visit, (first, until), (again, last) in zip(visits, stretches, stretches[1:], strict=False):
            after_until = min(last, again + LEVEL)
            change_g = _level(frames.grams, again, after_until) - _level(frames.grams, max(first, until - LEVEL), until)
            if abs(float(change_g.sum())) < least_g:
                continue
            spot, quantity = nearest(shelf, change_g)
            verdicts.append(
                Verdict(
                    spot=spot,
                    sku=spot.sku,
                    quantity=quantity,
                    grams=float(change_g.sum()),
                    place_mm=shelf.place(change_g),
                    time_ns=frames.time_ns((visit.begin + visit.end) / 2),
                    decided_ns=frames.time_ns(max(after_until, visit.known + TOGETHER)),
                    confidence=1.0,
                )
            )
    return events_of(peer, verdicts)


def visits_of(moments: Iterable[Moment]) -> list[Visit]:
    """Moments in any order, those within `TOGETHER` frames of the one before joined."""
    visits: list[Visit] = []
    for moment in sorted(moments, key=lambda moment: moment.at):
        if visits and moment.at - visits[-1].end <= TOGETHER:
            visits[-1] = Visit(visits[-1].begin, moment.at, max(visits[-1].known, moment.known))
        else:
            visits.append(Visit(moment.at, moment.at, moment.known))
    return visits


def _quiet(end: int, begin: int) -> tuple[int, int]:
    """Frames [first, until) between two visits, clear of both; of a short stretch its middle."""
    if begin - end > 2 * CLEAR:
        return end + CLEAR, begin - CLEAR
    middle = (end + begin) // 2
    return middle, middle + 1


def _level(grams: Floats, first: int, until: int) -> Floats:
    """Median of each cell over frames [first, until); float64[cells]."""
    last = grams.shape[1]
    first = min(max(first, 0), last - 1)
    return np.asarray(np.median(grams[:, first : min(max(until, first + 1), last)], axis=1))
