"""A tracker with a person detector beside it, which looks a few times a second: what moves like a person and is never
seen to be one is left out, and people who walk as one blob are told apart.

A detector is believed only where it has proved itself. In each part of the picture the share of looks is counted at
which it saw somebody who is certainly a person (seen by it at least `CERTAIN_HITS` times, wherever that was). Where
that share is at least `LEAST_RELIABLE`, a look that misses a track speaks against it by its likelihood ratio,
(1 - share) / (1 - false hits) (Wald's sequential test). Somebody who was certain has to be missed for long: by that
the share falls as well, as it should if it is a person who can't be seen to be one.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from drivers.frames import BLIND, Frame, FrameFlag
from edge.vision.inference.detector import Detection, Detector
from edge.vision.inference.errors import ModelError
from edge.vision.inference.pictures import Box
from edge.vision.tracker import Track, Tracker

Floats = npt.NDArray[np.float64]

ROWS, COLUMNS = 3, 4  # parts of the picture
CERTAIN_HITS = 2
LEAST_RELIABLE = 0.6
FALSE_HITS = 0.02  # of the looks at a thing that isn't a person
TRUST = math.log(0.95 / 0.05)  # in the tracker, before any look
GIVEN_UP = math.log(0.1 / 0.9)  # log odds: left out
GIVEN_UP_CERTAIN = -4.5  # somebody who was certain: the track may have gone over to something else
MOST_ODDS = 5.0
LOOK_WEIGHT = 0.5  # looks at the same thing aren't independent
MOST_COUNT = 200.0  # looks that a part remembers
LEAST_VISIBLE = 0.6  # of a box, for a look at it to count
LEAST_OVERLAP = 0.25  # intersection by union
SURE_SCORE = 0.5  # for somebody whom the tracker doesn't know
MOST_KNOWN = 256  # identities


@dataclass(slots=True)
class _Belief:
    odds: float = TRUST
    hits: int = 0


class PeopleWatch:
    """`push` as a tracker's. Without a detector it is the tracker's; a detector that fails is given up (``problem``).

    Args:
        every_s: between two looks, by the frames' times.

    Attributes:
        problem: why the detector isn't used any more; None while all is well.
        looks: how many there were.
    """

    def __init__(self, tracker: Tracker, detector: Detector | None, every_s: float = 0.5) -> None:
        self.problem: str | None = None
        self.looks = 0
        self._tracker, self._detector = tracker, detector
        self._every_ns = round(every_s * 1e9)
        self._next_ns: int | None = None
        self._moved = False
        self._beliefs: dict[int, _Belief] = {}
        self._unknown: list[Box] = []  # detections of the last look whom no track explains
        self._seen, self._hit = np.zeros((ROWS, COLUMNS)), np.zeros((ROWS, COLUMNS))

    def push(self, frame: Frame) -> list[Track]:
        """The people in this frame, by identity. Raises what the tracker raises."""
        tracks = self._tracker.push(frame)
        if self._detector is None:
            return tracks
        if bool(frame.flags & FrameFlag.MOVED) != self._moved:
            self._moved = not self._moved
            self._seen[:], self._hit[:] = 0.0, 0.0
        if not frame.flags & BLIND and (self._next_ns is None or frame.time_ns >= self._next_ns):
            self._next_ns = frame.time_ns + self._every_ns
            try:
                found = self._detector.look(frame)
            except ModelError as error:
                self.problem, self._detector = str(error), None
                return tracks
            self.looks += 1
            self._judge(tracks, found, frame)
        return [track for track in tracks if not self._given_up(track.identity)]

    def reliability(self, x_share: float, y_share: float) -> float:
        """Of the detector at a place, given by the picture's sides: the share of people it finds there, cautiously."""
        row, column = _part(x_share, y_share)
        return float((self._hit[row, column] + 1.0) / (self._seen[row, column] + 4.0))

    def _given_up(self, identity: int) -> bool:
        belief = self._beliefs.get(identity)
        if belief is None:
            return False
        return belief.odds < (GIVEN_UP_CERTAIN if belief.hits >= CERTAIN_HITS else GIVEN_UP)

    def _judge(self, tracks: list[Track], found: list[Detection], frame: Frame) -> None:
        height, width = frame.y.shape
        taken = _pairs(tracks, found)
        for k, track in enumerate(tracks):
            if track.hidden or track.visible < LEAST_VISIBLE:
                continue
            x_share = (track.left + 0.5 * track.width) / width
            y_share = (track.top + 0.5 * track.height) / height
            if not (0.0 < x_share < 1.0 and 0.0 < y_share < 1.0):
                continue
            belief = self._beliefs.pop(track.identity, None) or _Belief()
            self._beliefs[track.identity] = belief  # the last one looked at comes last
            share, hit = self.reliability(x_share, y_share), k in taken
            if belief.hits >= CERTAIN_HITS:
                self._count(x_share, y_share, hit)
            belief.hits += hit
            if hit:
                belief.odds += LOOK_WEIGHT * math.log(max(share, 0.5) / FALSE_HITS)
            elif share >= LEAST_RELIABLE:
                belief.odds += LOOK_WEIGHT * math.log((1.0 - share) / (1.0 - FALSE_HITS))
            belief.odds = min(max(belief.odds, -MOST_ODDS), MOST_ODDS)
        while len(self._beliefs) > MOST_KNOWN:
            del self._beliefs[next(iter(self._beliefs))]
        explained = set(taken.values())
        unknown = [one.box for n, one in enumerate(found) if n not in explained and one.score >= SURE_SCORE]
        again = [box for box in unknown if any(_overlap(box, before) > 0.0 for before in self._unknown)]
        self._unknown = unknown
        owners = {tracks[k].identity: found[n].box for k, n in taken.items() if found[n].score >= SURE_SCORE}
        self._tracker.propose(again, owners, _whole(found, width, height))

    def _count(self, x_share: float, y_share: float, hit: bool) -> None:
        row, column = _part(x_share, y_share)
        self._seen[row, column] += 1.0
        self._hit[row, column] += hit
        if self._seen[row, column] > MOST_COUNT:
            self._seen[row, column] *= 0.5
            self._hit[row, column] *= 0.5


def _part(x_share: float, y_share: float) -> tuple[int, int]:
    return min(int(y_share * ROWS), ROWS - 1), min(int(x_share * COLUMNS), COLUMNS - 1)


def _box_of(track: Track) -> Box:
    return Box(track.left, track.top, track.width, track.height)


def _overlap(one: Box, other: Box) -> float:
    """Intersection by union."""
    wide = min(one.left + one.width, other.left + other.width) - max(one.left, other.left)
    high = min(one.top + one.height, other.top + other.height) - max(one.top, other.top)
    if wide <= 0.0 or high <= 0.0:
        return 0.0
    both = wide * high
    return both / (one.width * one.height + other.width * other.height - both)


def _inside(inner: Box, outer: Box) -> bool:
    """Whether the middle of one box lies in the other."""
    x, y = inner.left + 0.5 * inner.width, inner.top + 0.5 * inner.height
    return outer.left <= x <= outer.left + outer.width and outer.top <= y <= outer.top + outer.height


def _whole(found: list[Detection], width: int, height: int) -> list[Box]:
    """Of those who are sure, alone and all in the picture: how large people are there."""
    whole = []
    for one in found:
        left, top, right, bottom = *one.box[:2], one.box.left + one.box.width, one.box.top + one.box.height
        if one.score < SURE_SCORE or left < 1.0 or top < 1.0 or right > width - 1.0 or bottom > height - 1.0:
            continue
        if all(other is one or _overlap(one.box, other.box) == 0.0 for other in found):
            whole.append(one.box)
    return whole


def _pairs(tracks: list[Track], found: list[Detection]) -> dict[int, int]:
    """Which track is which detection, one to one: the largest overlaps first."""
    options = []
    for k, track in enumerate(tracks):
        box = _box_of(track)
        for n, one in enumerate(found):
            shared = _overlap(box, one.box)
            if shared >= LEAST_OVERLAP or (_inside(box, one.box) and _inside(one.box, box)):
                options.append((-shared, k, n))
    pairs: dict[int, int] = {}
    for _, k, n in sorted(options):
        if k not in pairs and n not in pairs.values():
            pairs[k] = n
    return pairs
