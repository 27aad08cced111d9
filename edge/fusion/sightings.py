"""What cameras have told, kept for as long as a decision may ask for it.

A camera's word comes later than a cell's: exposure, transport, the picture's own work, another node's network. So a
mark that is decided at t looks at what was seen until ``t - SIGHT_DELAY_NS``, whatever has come by then, and what comes
later than that is refused and counted. The same sightings give the same events, in whatever order and portions they
were given (P8).
"""

from __future__ import annotations

from bisect import bisect_left, bisect_right
from collections.abc import Sequence
from typing import TypeVar

from edge.trace.sighting import ShelfLook, Sighting, TrackPoint

_Seen = TypeVar("_Seen", TrackPoint, ShelfLook)

SIGHT_DELAY_NS = 400_000_000
KEPT_NS = 120 * 1_000_000_000  # the longest activity that is told, a minute, and as much again


class Sightings:
    """Tracks by name and looks by board, in order of time.

    Attributes:
        refused: how many came too late.
    """

    def __init__(self) -> None:
        self.refused = 0
        self._tracks: dict[str, list[TrackPoint]] = {}
        self._looks: dict[str, list[ShelfLook]] = {}
        self._known_ns: int | None = None  # what is older may have been asked for
        self._decided_ns = 0
        self._tracked_from_ns: int | None = None

    def __bool__(self) -> bool:
        """Whether anything is known at all."""
        return bool(self._tracks or self._looks)

    def in_time(self, sightings: Sequence[Sighting]) -> list[Sighting]:
        """Those that `give` would take now; the others are counted as refused."""
        taken = [seen for seen in sightings if self._known_ns is None or seen.time_ns >= self._known_ns]
        self.refused += len(sightings) - len(taken)
        return taken

    def give(self, sightings: Sequence[Sighting]) -> None:
        """Take what was seen, but for what comes too late to be known by what was decided meanwhile."""
        for seen in self.in_time(sightings):
            if isinstance(seen, TrackPoint):
                _in_order(self._tracks.setdefault(seen.track, []), seen)
                if self._tracked_from_ns is None or seen.time_ns < self._tracked_from_ns:
                    self._tracked_from_ns = seen.time_ns
            else:
                _in_order(self._looks.setdefault(seen.board, []), seen)

    def look_from(self, decided_ns: int) -> None:
        """From here on, tell what may be known for a decision at this time."""
        self._decided_ns = decided_ns

    def decided(self, until_ns: int) -> None:
        """Everything before ``until_ns`` is decided: what was seen long before is forgotten."""
        if self._known_ns is None or until_ns - SIGHT_DELAY_NS > self._known_ns:
            self._known_ns = until_ns - SIGHT_DELAY_NS
            _forget(self._tracks, until_ns - KEPT_NS)
            _forget(self._looks, until_ns - KEPT_NS)

    def tracked_by(self, decided_ns: int) -> bool:
        """Whether any camera had followed anybody before what may be known for a decision at this time."""
        return self._tracked_from_ns is not None and self._tracked_from_ns <= decided_ns - SIGHT_DELAY_NS

    def tracks(self, begin_ns: int, end_ns: int) -> dict[str, Sequence[TrackPoint]]:
        """Points of each track from ``begin_ns`` to ``end_ns``, both included; none of a track without any."""
        found = {name: self._part(points, begin_ns, end_ns) for name, points in sorted(self._tracks.items())}
        return {name: points for name, points in found.items() if points}

    def looks(self, board: str, begin_ns: int, end_ns: int) -> Sequence[ShelfLook]:
        """A board's looks from ``begin_ns`` to ``end_ns``, both included."""
        return self._part(self._looks.get(board, []), begin_ns, end_ns)

    def _part(self, kept: list[_Seen], begin_ns: int, end_ns: int) -> list[_Seen]:
        """Not older than what is surely kept, not newer than what may be known: or it would matter who gave when."""
        begin_ns, end_ns = max(begin_ns, self._decided_ns - KEPT_NS), min(end_ns, self._decided_ns - SIGHT_DELAY_NS)
        return kept[bisect_left(kept, begin_ns, key=_time) : bisect_right(kept, end_ns, key=_time)]


def _time(seen: TrackPoint | ShelfLook) -> int:
    return seen.time_ns


def _in_order(kept: list[_Seen], seen: _Seen) -> None:
    """Insert by time; of the same time in an order that doesn't depend on how they came, and each only once."""
    at = bisect_right(kept, seen.time_ns, key=_time)
    while at > 0 and kept[at - 1].time_ns == seen.time_ns and repr(kept[at - 1]) > repr(seen):
        at -= 1
    if at == 0 or kept[at - 1] != seen:
        kept.insert(at, seen)


def _forget(kept: dict[str, list[_Seen]], oldest_ns: int) -> None:
    for name in list(kept):
        gone = bisect_left(kept[name], oldest_ns, key=_time)
        if gone == len(kept[name]):
            del kept[name]
        elif gone > len(kept[name]) // 2:  # now and then, not with every push
            del kept[name][:gone]
