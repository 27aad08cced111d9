"""The other boards of a node, watched during a run: a weight that comes down on one of them instead."""

from __future__ import annotations

from calibration.levels import Rest, RestBegan
from calibration.recognise import Recogniser
from calibration.watch import BoardWatch
from drivers.samples import SampleBlock

MOST_CELLS = 8


class Elsewhere:
    """Blocks of other boards in; which of them something has come to rest on out."""

    def __init__(self, rate_hz: float) -> None:
        self._rate_hz = rate_hz
        self._watches: dict[str, BoardWatch] = {}
        self._lying: dict[str, Rest] = {}

    def push(self, block: SampleBlock, recogniser: Recogniser) -> None:
        """Samples of another board."""
        if block.board not in self._watches:
            self._watches[block.board] = BoardWatch(MOST_CELLS, self._rate_hz)
        finder = self._watches[block.board].finder
        for events in self._watches[block.board].push(block):
            for event in events:
                self._lying.pop(block.board, None)
                before = finder.level
                if not isinstance(event, RestBegan) or before is None:
                    continue
                if recogniser.stands_out(event.rest.last(1.0).counts - before, finder.noise):
                    self._lying[block.board] = event.rest

    def forget(self) -> None:
        """What came down so far was not meant for this board."""
        self._lying.clear()

    def take(self) -> str | None:
        """A board that something came down on since the last call, and rests there; each is told once."""
        return self._lying.popitem()[0] if self._lying else None
