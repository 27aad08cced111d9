"""What is drawn on a store's floor: boards where they stand, people's ways, and who is thought to have moved what."""

from __future__ import annotations

import bisect
import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from edge.trace.plot import Mark, PlotError
from edge.trace.sighting import Sighting, TrackPoint

if TYPE_CHECKING:
    from edge.config.setup import Setup

LEAST_STEP_NS = 100_000_000  # of a way: what is drawn, not what was measured
MOST_POINTS = 400_000
LEAST_SHARE = 0.05  # less probable people aren't joined to an event
Point = tuple[float, float]


@dataclass(frozen=True, slots=True)
class BoardOnFloor:
    """A board seen from above. ``corners``: front left, front right, back right, back left; mm."""

    name: str
    corners: tuple[Point, Point, Point, Point]
    facing_deg: float

    @property
    def middle(self) -> Point:
        """Of the rectangle."""
        return sum(x for x, _ in self.corners) / 4, sum(y for _, y in self.corners) / 4


@dataclass(slots=True)
class Way:
    """Where one track went: times in seconds on the plot's axis, places in mm, and whether each was only predicted."""

    track: str
    name: str
    time_s: list[float] = field(default_factory=list)
    x_mm: list[float] = field(default_factory=list)
    y_mm: list[float] = field(default_factory=list)
    hidden: list[bool] = field(default_factory=list)
    clothes: tuple[int, ...] = ()

    def at(self, time_s: float) -> Point | None:
        """The place at a time, on a straight line between those that are known; None 3 s before the first or later."""
        if not self.time_s or not self.time_s[0] - 3 <= time_s <= self.time_s[-1] + 3:
            return None
        after = bisect.bisect_left(self.time_s, time_s)
        if after in (0, len(self.time_s)):
            nearest = 0 if after == 0 else -1
            return self.x_mm[nearest], self.y_mm[nearest]
        before = after - 1
        share = (time_s - self.time_s[before]) / ((self.time_s[after] - self.time_s[before]) or 1.0)
        return (
            self.x_mm[before] + share * (self.x_mm[after] - self.x_mm[before]),
            self.y_mm[before] + share * (self.y_mm[after] - self.y_mm[before]),
        )


@dataclass(frozen=True, slots=True)
class Deed:
    """An event on the floor: where the item was, and where each who may have moved it stood, with the probability.

    ``facing_deg``: as the board's: people stand on that side.
    """

    mark: Mark
    place: Point
    facing_deg: float
    who: tuple[tuple[str, float, Point], ...]
    caption: str


@dataclass(frozen=True, slots=True)
class FloorPlan:
    """Everything drawn. ``begin_s`` and ``end_s`` on the plot's axis; ``axis`` says what that is."""

    title: str
    axis: str
    begin_s: float
    end_s: float
    boards: tuple[BoardOnFloor, ...]
    ways: tuple[Way, ...]
    deeds: tuple[Deed, ...]
    left_out: int = 0

    @property
    def extent_mm(self) -> tuple[float, float, float, float]:
        """Smallest x and y, largest x and y, of all that is drawn."""
        points = [corner for board in self.boards for corner in board.corners]
        points += [point for way in self.ways for point in zip(way.x_mm, way.y_mm, strict=True)]
        xs, ys = [x for x, _ in points], [y for _, y in points]
        return min(xs), min(ys), max(xs), max(ys)


class WayBuilder:
    """Collects people's ways from sightings as they come; a place every 0.1 s, and at most some 100,000 in all.

    Attributes:
        left_out: places that are no more drawn because there are too many.
    """

    def __init__(self) -> None:
        self.left_out = 0
        self._points: dict[str, list[TrackPoint]] = {}
        self._count = 0

    def add(self, sightings: Iterable[Sighting]) -> None:
        """The next ones."""
        for seen in sightings:
            if not isinstance(seen, TrackPoint):
                continue
            points = self._points.setdefault(seen.track, [])
            if points and abs(seen.time_ns - points[-1].time_ns) < LEAST_STEP_NS:
                continue
            if self._count >= MOST_POINTS:
                self.left_out += 1
                continue
            self._count += 1
            points.append(seen)

    def ways(self, origin_s: float, begin_s: float, end_s: float) -> tuple[Way, ...]:
        """Those in a part of the axis, by their beginning."""
        names = _short_names(list(self._points))
        found = []
        for track, points in self._points.items():
            way = Way(track, names[track])
            for point in sorted(points, key=lambda point: point.time_ns):
                time_s = point.time_ns / 1e9 - origin_s
                if begin_s <= time_s <= end_s:
                    way.time_s.append(time_s)
                    way.x_mm.append(point.x_mm)
                    way.y_mm.append(point.y_mm)
                    way.hidden.append(point.hidden)
                    way.clothes = way.clothes or point.clothes
            if way.time_s:
                found.append(way)
        return tuple(sorted(found, key=lambda way: (way.time_s[0], way.track)))


def make_floor_plan(
    title: str, axis: str, span_s: tuple[float, float], setup: Setup, ways: Sequence[Way], marks: Iterable[Mark]
) -> FloorPlan:
    """Put together. Raises PlotError where neither a board's place nor anybody's way is known."""
    boards = tuple(boards_on_floor(setup))
    if not boards and not ways:
        raise PlotError(
            f"{title}: there is nothing to draw on the floor: no board has a `place:` in the node file, and no camera "
            "has followed anybody in this part of the trace"
        )
    deeds = [deed for mark in marks if (deed := _deed(mark, setup, ways)) is not None]
    return FloorPlan(title, axis, *span_s, boards, tuple(ways), tuple(deeds))


def boards_on_floor(setup: Setup) -> list[BoardOnFloor]:
    """The boards whose place is known."""
    found = []
    for name, board in setup.node.boards.items():
        if board.place is not None:
            wide, deep = board.width_mm, board.depth_mm
            corners = [board.place.on_floor(x, y) for x, y in ((0.0, 0.0), (wide, 0.0), (wide, deep), (0.0, deep))]
            found.append(BoardOnFloor(name, (corners[0], corners[1], corners[2], corners[3]), board.place.facing_deg))
    return found


def clothes_colours(clothes: tuple[int, ...]) -> tuple[str, str]:
    """What the upper and the lower half of the body look like (`TrackPoint.clothes`, BT.601); white where unknown."""
    if len(clothes) != 6:
        return "#ffffff", "#ffffff"
    found = []
    for y, u, v in (clothes[:3], clothes[3:]):
        rgb = y + (v - 128) / 0.713, y - 0.344 * (u - 128) - 0.714 * (v - 128), y + (u - 128) / 0.564
        found.append("#" + "".join(f"{min(max(round(level), 0), 255):02x}" for level in rgb))
    return found[0], found[1]


def _deed(mark: Mark, setup: Setup, ways: Sequence[Way]) -> Deed | None:
    board = setup.node.boards.get(mark.event.board)
    if board is None or board.place is None:
        return None
    slot = setup.planogram.slots.get(mark.event.slot or "")
    x_mm, y_mm = mark.event.x_mm, mark.event.y_mm
    if x_mm is None or math.isnan(x_mm):
        x_mm = board.width_mm / 2 if slot is None else (slot.x_mm[0] + slot.x_mm[1]) / 2
    if y_mm is None or math.isnan(y_mm):
        y_mm = board.depth_mm / 2
    by_track = {way.track: way for way in ways}
    who: list[tuple[str, float, Point]] = []
    words: list[str] = []
    for track, probability in sorted(mark.event.who, key=lambda item: -item[1]):
        way = by_track.get(track)
        stood = None if way is None else way.at(mark.time_s)
        if way is not None and stood is not None and probability >= LEAST_SHARE:
            who.append((way.name, probability, stood))
        if probability >= LEAST_SHARE and len(words) < 2:
            name = "somebody unseen" if not track else way.name if way is not None else track
            words.append(f"{name} ({math.floor(probability * 100)} %)")
    caption = mark.caption + (f"\nby {' or '.join(words)}" if words else "")
    return Deed(mark, board.place.on_floor(x_mm, y_mm), board.place.facing_deg, tuple(who), caption)


def _short_names(tracks: Sequence[str]) -> dict[str, str]:
    """The identities alone, where one run of one camera is all there is; else the camera's name before it."""
    parts = {track: track.rsplit(".", 2) for track in tracks}
    one = len({tuple(part[:-1]) for part in parts.values()}) == 1
    runs: dict[str, set[str]] = {}
    for part in parts.values():
        if len(part) == 3:
            runs.setdefault(part[0], set()).add(part[1])
    names = {}
    for track, part in parts.items():
        if one or len(part) < 3:
            names[track] = part[-1]
        else:
            names[track] = f"{part[0]} {part[2]}" if len(runs[part[0]]) == 1 else f"{part[0]} {part[1]}.{part[2]}"
    return names
