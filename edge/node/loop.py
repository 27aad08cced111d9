"""The loop that a node lives by: read the boards, let fusion decide, hand on. It never waits for disk or network."""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable, Sequence
from typing import Protocol

from drivers.samples import SampleBlock
from edge.fusion.engine import Fusion
from edge.node.boards import Boards
from edge.trace.event import Event
from edge.trace.sighting import Sighting

log = logging.getLogger("shelfedge.fusion")

PERIOD_NS = 20_000_000
QUIET_NS = 400_000_000
"""Fusion gives way to a new one when nothing has been open for so long (it sees a hand some 200 ms late),"""
PATIENCE_NS = 30 * 1_000_000_000
"""or after so long."""


class Sinks(Protocol):
    """Where things go from here. None of these may wait or raise."""

    def record(self, blocks: Sequence[SampleBlock], sightings: Sequence[Sighting]) -> None:
        """Samples that fusion is given next, and what cameras have told."""

    def saw(self, blocks: Sequence[SampleBlock], until_ns: int) -> None:
        """They have been given; all boards have been heard until then."""

    def decided(self, events: Sequence[Event]) -> None:
        """What fusion says, in order."""

    def progressed(self, late_ns: int) -> None:
        """One round is over that began so much later than planned, and fusion has come further."""


class FusionLoop:
    """Boards and cameras to fusion to sinks, a round every 20 ms.

    Args:
        sightings: gives what cameras have told since it was asked last. Never waits.
        clock: monotonic nanoseconds. sleep_s: waits.
    Attributes:
        fusion: the one that decides now.
        until_ns: everything before it has been given to fusion.
        sighted: sightings that fusion took. sighted_wrong: that came after it had decided without them, or are of a
            time that hasn't come.
    """

    def __init__(
        self,
        boards: Boards,
        fusion: Fusion,
        sinks: Sinks,
        clock: Callable[[], int] = time.monotonic_ns,
        sleep_s: Callable[[float], None] = time.sleep,
        sightings: Callable[[], list[Sighting]] = list,
    ) -> None:
        self.fusion = fusion
        self.until_ns: int | None = None
        self.sighted = self.sighted_wrong = 0
        self._sightings = sightings
        self._boards = boards
        self._sinks = sinks
        self._clock = clock
        self._sleep_s = sleep_s
        self._due_ns: int | None = None
        self._lock = threading.Lock()
        self._successor: Callable[[Fusion], Fusion] | None = None
        self._asked_ns = 0
        self._rest_since_ns: int | None = None

    def replace_fusion(self, successor: Callable[[Fusion], Fusion] | None) -> None:
        """Let another fusion take over at the next quiet moment; the latest call counts. None: go on with this one.

        ``successor`` is given the old one, which has decided everything, just before the first samples of the new one.
        From any thread.
        """
        with self._lock:
            self._asked_ns = self._clock()
            self._successor = successor

    def run(self, wanted: Callable[[], bool]) -> None:
        """Rounds as long as they are wanted, then what is left. Raises what fusion raises."""
        while wanted():
            self.round()
            self.wait()
        self.finish()

    def round(self) -> None:
        """Read, decide, hand on."""
        begun_ns = self._clock()
        late_ns = max(0, begun_ns - self._due_ns) if self._due_ns is not None else 0
        # After a pause the rounds that were missed aren't made up for: one takes in all that came meanwhile.
        due_ns = begun_ns if self._due_ns is None or late_ns > PERIOD_NS else self._due_ns
        self._due_ns = due_ns + PERIOD_NS
        blocks, until_ns = self._boards.read(begun_ns)
        self._push(blocks, until_ns)
        if self._successor is not None:
            self._give_way(begun_ns)
        if self.until_ns is None or until_ns > self.until_ns:
            self.until_ns = until_ns
            self._sinks.progressed(late_ns)

    def wait(self) -> None:
        """Until the next round is due."""
        if self._due_ns is not None:
            left_ns = self._due_ns - self._clock()
            if left_ns > 0:
                self._sleep_s(left_ns / 1e9)

    def finish(self) -> None:
        """Take in what the drivers still have, stop them, decide everything."""
        self._push(*self._boards.read_last(self._clock()))
        self._boards.stop()
        self._sinks.decided(self.fusion.finish())

    def _push(self, blocks: list[SampleBlock], until_ns: int) -> None:
        sightings = self._sightings()
        if sightings:
            # Only what fusion takes is recorded: a replay gives it all of that, and may have decided less by then.
            came, now_ns = len(sightings), self._clock()
            sightings = self.fusion.sightings.in_time([each for each in sightings if each.time_ns <= now_ns])
            self.sighted += len(sightings)
            self.sighted_wrong += came - len(sightings)
        if blocks or sightings:
            self._sinks.record(blocks, sightings)
        events = self.fusion.push(blocks, until_ns, sightings)
        self._sinks.saw(blocks, until_ns)
        if events:
            self._sinks.decided(events)

    def _give_way(self, now_ns: int) -> None:
        if not self.fusion.at_rest:
            self._rest_since_ns = None
        elif self._rest_since_ns is None:
            self._rest_since_ns = now_ns
        quiet = self._rest_since_ns is not None and now_ns - self._rest_since_ns >= QUIET_NS
        if not quiet and now_ns - self._asked_ns < PATIENCE_NS:
            return
        with self._lock:
            successor, self._successor, self._rest_since_ns = self._successor, None, None
        if successor is None:
            return
        self._sinks.decided(self.fusion.finish())
        self.fusion = successor(self.fusion)
