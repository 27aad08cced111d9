"""A recorded trace played through fusion: watched (progress, curves), counted, and paced where somebody looks on.

Reading never sleeps and neither does fusion; pacing is this wrapper round the reader, so that a paced replay gives the
same events as a fast one (P8).
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Sequence
from typing import TYPE_CHECKING

from drivers.samples import SampleBlock
from edge.trace.epoch import Epoch
from edge.trace.event import Event
from edge.trace.reader import TraceReader
from edge.trace.sighting import Sighting

if TYPE_CHECKING:
    from edge.fusion.engine import Fusion
    from edge.node.look_again import LookAgain

NS_PER_S = 1_000_000_000


def paced(
    epochs: Iterator[Epoch],
    speed: float,
    clock_ns: Callable[[], int] = time.monotonic_ns,
    sleep_s: Callable[[float], None] = time.sleep,
) -> Iterator[Epoch]:
    """Epochs, each held back until its last sample would have come at ``speed`` times real time.

    The pace counts from the first sample, so that a late epoch doesn't make the rest late.
    """
    begin_ns: int | None = None
    started_ns = clock_ns()
    for epoch in epochs:
        first_ns, end_ns = epoch.times_ns
        begin_ns = first_ns if begin_ns is None else begin_ns
        wait_ns = started_ns + (end_ns - begin_ns) / speed - clock_ns()
        if wait_ns > 0:
            sleep_s(wait_ns / NS_PER_S)
        yield epoch


class Playback:
    """One pass over a trace.

    Args:
        reader: the trace; its config, or the one it was opened with, is what fusion is told.
        speed: times real time; None as fast as it goes.
        watchers: each is given every epoch's blocks before fusion sees them. witnesses: every epoch's sightings.
        cameras: False leaves what cameras saw out, as if there had been none.
        look_again: makes sightings anew out of the frames, instead of those that were recorded.
    Attributes:
        begin_ns, end_ns: first and last sample seen so far; None before the first.
    """

    def __init__(
        self,
        reader: TraceReader,
        speed: float | None = None,
        watchers: Sequence[Callable[[list[SampleBlock]], None]] = (),
        clock_ns: Callable[[], int] = time.monotonic_ns,
        sleep_s: Callable[[float], None] = time.sleep,
        *,
        witnesses: Sequence[Callable[[Sequence[Sighting]], None]] = (),
        cameras: bool = True,
        look_again: LookAgain | None = None,
    ) -> None:
        self.begin_ns: int | None = None
        self.end_ns: int | None = None
        self.setup = reader.require_setup()
        self._fusion: Fusion | None = None
        self._reader = reader
        self._speed = speed
        self._watchers = watchers
        self._witnesses = witnesses
        self._cameras = cameras
        self._look_again = look_again
        self._clock_ns = clock_ns
        self._sleep_s = sleep_s

    @property
    def duration_s(self) -> float:
        """From the first to the last sample seen so far."""
        if self.begin_ns is None or self.end_ns is None:
            return 0.0
        return (self.end_ns - self.begin_ns) / NS_PER_S

    def events(self) -> Iterator[Event]:
        """All revisions of all events, in the order in which they were decided."""
        from edge.fusion.engine import Fusion
        from edge.fusion.replay import replay
        from edge.node.ring_segment import recorded_run

        run = recorded_run(self._reader.notes)
        self._fusion = Fusion(self.setup, 1 if run is None else run.first_event_number)
        return replay(self.epochs(), self.setup, self._fusion)

    def blind_sentences(self) -> list[str]:
        """Which boards can't be weighed with, why, and what to do. To be asked once `events` has been called."""
        from edge.fusion.faults import blind_sentences

        return blind_sentences(self._fusion) if self._fusion is not None else []

    def fault_sentences(self) -> list[str]:
        """A line for each cell with faults in the samples so far; complete when `events` has been read to its end."""
        from edge.fusion.faults import fault_sentences

        return fault_sentences(self._fusion, self.end_ns) if self._fusion is not None else []

    def epochs(self) -> Iterator[Epoch]:
        """The reader's epochs, watched and at the pace asked for."""
        epochs = self._reader.whole_epochs(sightings=self._cameras, frames=self._look_again is not None)
        if self._look_again is not None:
            look = self._look_again
            epochs = (Epoch(epoch.begin_ns, epoch.blocks, look(epoch), epoch.frames) for epoch in epochs)
        if self._speed is not None:
            epochs = paced(epochs, self._speed, self._clock_ns, self._sleep_s)
        for epoch in epochs:
            if epoch.blocks:
                first_ns, last_ns = epoch.times_ns
                self.begin_ns = first_ns if self.begin_ns is None else min(self.begin_ns, first_ns)
                self.end_ns = last_ns if self.end_ns is None else max(self.end_ns, last_ns)
                for watch in self._watchers:
                    watch(epoch.blocks)
            for witness in self._witnesses if epoch.sightings else ():
                witness(epoch.sightings)
            yield epoch

    def run_through(self) -> None:
        """Read everything without fusion, for the watchers."""
        for _ in self.epochs():
            pass
