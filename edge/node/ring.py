"""The recorder: all that fusion is given also goes to a ring of traces on the disk, and never waits for it.

The loop hands blocks over by a queue; a thread writes them. Whatever the disk does (full, read-only, slow, gone), the
loop doesn't notice: what the queue can't hold is dropped, counted, and told in the recording itself as a gap.
"""

from __future__ import annotations

import logging
import threading
import time
from collections import deque
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from drivers.samples import SampleBlock
from edge.node.ring_folder import RingFolder
from edge.node.ring_segment import (
    NS_PER_S,
    SIGHTINGS,
    ClockReading,
    Gap,
    RunFacts,
    Segment,
    os_boot_id,
    segment_front_bytes,
    sight_bytes,
)
from edge.trace.errors import TraceError
from edge.trace.format import CHUNK_BYTES, EPOCH_NS
from edge.trace.sighting import Sighting

if TYPE_CHECKING:
    from edge.config.live_schema import RecordingOptions
    from edge.config.setup import Setup
    from edge.stream.entry import Stamp

log = logging.getLogger("shelfedge.recording")

SEGMENT_S = 300
CHUNK_S = 8  # with the epoch that isn't over and the loop's own delay, the disk is at most 10 s behind
QUEUE_S = 60
GRACE_S = 3  # after a segment's border, boards that are behind (by 2 s at most) are waited for
WAKE_S = 0.5
RETRY_S = (1.0, 2.0, 5.0, 10.0, 30.0)
_LEAST_QUEUE_SAMPLES = 20_000
_MOST_QUEUE_ITEMS = 100_000


@dataclass(frozen=True, slots=True)
class _Run:
    """In the queue: what follows belongs to another run."""

    facts: RunFacts
    setup: Setup


_Item = SampleBlock | list[Sighting]
"""In the queue: what is to be written."""


def _gap_of(item: _Item, why: str) -> Gap:
    return Gap.of_block(item, why) if isinstance(item, SampleBlock) else Gap.of_sightings(item, why)


class RingRecorder:
    """Records blocks and sightings into ``folder``. No method raises, and only `flush` and `stop` wait.

    Args:
        folder: the ring's own; made when it is needed. Files in it that aren't the ring's are left alone.
        setup: goes into every segment.
        options: how much and how long; a size of 0 records nothing.
        boot: the node's start. run, first_event_number: see `begin_run`.
        lost_before: samples of this run that were lost before there was a recorder: it doesn't begin with the run.
        stamp: the wall time of a monotonic instant (`WallClock.stamp`); called by the recorder's thread.
        mono_ns: the clock of the samples' times.
        segment_s: length of a segment; borders are multiples of it.
        queue_s: how much data may wait for the disk.
    """

    def __init__(
        self,
        folder: Path,
        setup: Setup,
        options: RecordingOptions,
        boot: int,
        stamp: Callable[[int], Stamp],
        run: int = 1,
        first_event_number: int = 1,
        *,
        lost_before: Sequence[Gap] = (),
        mono_ns: Callable[[], int] = time.monotonic_ns,
        segment_s: int = SEGMENT_S,
        queue_s: float = QUEUE_S,
    ) -> None:
        self._os_boot = os_boot_id()
        self._boot = boot
        self._setup = setup
        self._facts = RunFacts(setup.node.node, boot, run, self._os_boot, first_event_number)
        self._stamp = stamp
        self._mono_ns = mono_ns
        self._segment_ns = segment_s * NS_PER_S
        self.enabled = options.size_bytes > 0
        self._folder = RingFolder(folder, int(options.size_bytes), options.age_s, self._os_boot, self._now)
        rate_hz = sum(board.rate_hz * len(board.cells) for board in setup.node.boards.values())
        self._most_queued = max(_LEAST_QUEUE_SAMPLES, int(1.2 * queue_s * rate_hz))
        # The loop appends and only counts `given`; the thread pops and only counts `taken`: no lock, nobody waits.
        self._queue: deque[_Item | Gap | _Run] = deque()
        self._given = 0
        self._taken = 0
        self._overflow: dict[str, Gap] = {}
        # The thread's own. Per board, what is to do is later than what lies beyond, and that than what was written.
        self._facts_written = self._facts
        self._next_run: _Run | None = None
        self._segment: Segment | None = None
        self._segment_number = 1 if lost_before else 0  # the first one would promise the run's beginning
        self._todo: deque[_Item] = deque()
        self._beyond: list[_Item] = []  # after the segment's border: waits until all boards are past it
        self._gaps = list(lost_before)  # to be told in the recording
        self._newest_ns = 0
        self._flushed_ns = 0  # by the samples' times
        self._flushed_at_ns = mono_ns()
        self._failures = 0
        self._retry_at_ns = 0
        self._trouble = ""
        # For `state`.
        self._dropped_blocks = sum(gap.blocks for gap in lost_before)
        self._dropped_samples = sum(gap.samples for gap in lost_before)
        self._dropped_sightings = 0
        self._written_samples = 0
        self._wake = threading.Event()
        self._done = threading.Condition()
        self._flush_wanted = 0
        self._flush_done = 0
        self._flush_good = 0
        self._stopping = False
        self._thread = threading.Thread(target=self._work, name="recording", daemon=True)
        if self.enabled:
            self._thread.start()

    def give(self, blocks: Iterable[SampleBlock], sightings: Sequence[Sighting] = ()) -> None:
        """Record these samples, each board's in order of time, and what cameras saw, as fusion is given them.

        From one thread only; takes microseconds.
        """
        if not self.enabled or self._stopping:
            return
        if sightings:
            self._enqueue(list(sightings))
        for block in blocks:
            if len(block):
                self._enqueue(block)

    def begin_run(self, setup: Setup, run: int, first_event_number: int = 1) -> None:
        """What is given from here on was seen by a new fusion: another planogram, an empty memory.

        ``first_event_number``: what its first event is numbered. From the thread that calls `give`.
        """
        if not self.enabled or self._stopping:
            return
        self._facts = RunFacts(setup.node.node, self._boot, run, self._os_boot, first_event_number)
        self._tell_overflow()
        self._queue.append(_Run(self._facts, setup))

    def flush(self, timeout_s: float = 20.0) -> bool:
        """Bring all that was given to the disk now. Waits for it; True when it is there.

        Not for the loop, which mustn't wait: for the thread that answers `shelfedge record`.
        """
        if not self.enabled:
            return True
        with self._done:
            if not self._thread.is_alive():
                return not self._queue and not self._trouble
            self._flush_wanted += 1
            wanted = self._flush_wanted
            self._wake.set()
            self._done.wait_for(lambda: self._flush_done >= wanted, timeout_s)
            return self._flush_good >= wanted

    def stop(self, timeout_s: float = 10.0) -> bool:
        """Write what waits, finish the segment, end the thread; False when the disk took longer than that.

        What the disk wouldn't take by then is lost, except what was flushed before.
        """
        self._stopping = True
        self._wake.set()
        if not self.enabled:
            return True
        self._thread.join(timeout_s)
        return not self._thread.is_alive()

    def state(self) -> dict[str, object]:
        """For health: ``state`` (off, ok, trouble, stopped), ``trouble`` as a sentence, counters, what is on the disk.

        Cheap; from any thread.
        """
        if not self.enabled:
            return {"state": "off"}
        alive = self._thread.is_alive()
        found: dict[str, object] = {
            "state": "trouble" if self._trouble else "ok" if alive else "stopped",
            "folder": str(self._folder.path),
            "bytes": self._folder.bytes,
            "segments": self._folder.count,
            "queued_samples": self._given - self._taken,
            "written_samples": self._written_samples,
            "dropped_blocks": self._dropped_blocks,
            "dropped_samples": self._dropped_samples,
        }
        if self._dropped_sightings:
            found["dropped_sightings"] = self._dropped_sightings
        if self._trouble:
            found["trouble"] = self._trouble
        return found

    # ---- in the loop's thread

    def _enqueue(self, block: _Item) -> None:
        waiting = self._given - self._taken
        if waiting > self._most_queued // 2:
            self._wake.set()
        if waiting + len(block) > self._most_queued or len(self._queue) >= _MOST_QUEUE_ITEMS:
            gap = _gap_of(block, "the disk didn't keep up")
            before = self._overflow.get(gap.board)
            self._overflow[gap.board] = gap if before is None else before.joined(gap)
            self._count_dropped(gap)
            return
        self._tell_overflow()
        self._given += len(block)
        self._queue.append(block)

    def _tell_overflow(self) -> None:
        if self._overflow:
            self._queue.extend(self._overflow.values())
            self._overflow = {}

    # ---- in the recorder's own thread

    def _work(self) -> None:
        while True:
            self._wake.wait(WAKE_S)
            self._wake.clear()
            stopping, wanted = self._stopping, self._flush_wanted
            asked = stopping or wanted > self._flush_done
            good = False
            if asked or self._mono_ns() >= self._retry_at_ns:
                # Somebody who asks is told no only after a new segment was tried, too.
                good = self._try(asked, stopping) or (asked and self._try(asked, stopping))
            with self._done:
                self._flush_done = wanted
                self._flush_good = wanted if good else self._flush_good
                self._done.notify_all()
            if stopping:
                return

    def _try(self, asked: bool, stopping: bool) -> bool:
        """`_record`, whatever the disk says to it."""
        try:
            self._record(asked, stopping)
        except OSError as error:
            self._fail(f"{self._folder.path}: {error.strerror or error}")
        except Exception as error:
            log.exception("recording failed")
            if self._todo:  # whatever it has, the rest must go on
                self._refuse(self._todo.popleft(), "internal error")
            self._fail(f"internal error: {error}")
        else:
            return True
        return False

    def _record(self, asked: bool, stopping: bool) -> None:
        """Write what waits; ``asked``: and bring all of it to the disk."""
        idle = not self._queue
        self._write(whole=False)
        while self._queue:
            item = self._queue.popleft()
            if isinstance(item, SampleBlock | list):
                self._todo.append(item)
                self._taken += len(item)
                self._write(whole=False)
            elif isinstance(item, Gap):
                self._gaps.append(item)
            else:
                self._next_run = item
                self._turn_over()
        if self._next_run is not None:
            self._turn_over()
        if asked:
            self._write(whole=True)
        if self._segment is not None and self._segment.carried:
            late = self._mono_ns() - self._flushed_at_ns >= CHUNK_S * NS_PER_S
            if asked or late:
                self._flush(pending=asked or idle)
        if stopping:
            self._finish()
        if self._trouble:
            log.info("recording goes on")
            self._trouble, self._failures = "", 0

    def _write(self, whole: bool) -> None:
        """What is to do goes into segments; ``whole``: also what waits for a segment's border to be passed by all."""
        while True:
            while self._todo:
                self._write_one()
            segment = self._segment
            if not self._beyond or segment is None:
                return
            if not whole and self._newest_ns < segment.border_ns + GRACE_S * NS_PER_S:
                return
            self._finish()
            self._todo.extend(self._beyond)
            self._beyond = []

    def _write_one(self) -> None:
        item = self._todo[0]
        segment = self._write_sightings(item) if isinstance(item, list) else self._write_block(item)
        self._todo.popleft()
        if self._newest_ns - self._flushed_ns >= CHUNK_S * NS_PER_S and segment.carried:
            self._flush(pending=False)

    def _write_block(self, block: SampleBlock) -> Segment:
        segment = self._segment or self._open(int(block.time_ns[0]))
        inside = int(np.searchsorted(block.time_ns, segment.border_ns))
        if inside < len(block):
            self._beyond.append(block.part(inside, len(block)))
            self._newest_ns = max(self._newest_ns, int(block.time_ns[-1]))
            self._todo[0] = block = block.part(0, inside)
        if len(block):
            growth = segment.growth_bytes(len(block))
            if growth > CHUNK_BYTES:
                self._folder.make_room(growth, segment.part)
            try:
                segment.write(block)
                self._newest_ns = max(self._newest_ns, int(block.time_ns[-1]))
            except TraceError as error:
                self._refuse(block, str(error))
        return segment

    def _write_sightings(self, sightings: list[Sighting]) -> Segment:
        # A sighting that comes late, after its segment was finished, is written into the next one all the same.
        segment = self._segment or self._open(max(sightings[0].time_ns, self._newest_ns))
        beyond = [sighting for sighting in sightings if sighting.time_ns >= segment.border_ns]
        if beyond:
            self._beyond.append(beyond)
            self._newest_ns = max(self._newest_ns, *(sighting.time_ns for sighting in beyond))
            sightings = [sighting for sighting in sightings if sighting.time_ns < segment.border_ns]
            self._todo[0] = sightings
        if sightings:
            growth = segment.growth_bytes(0, sight_bytes(sightings))
            if growth > CHUNK_BYTES:
                self._folder.make_room(growth, segment.part)
            try:
                segment.see(sightings)
                self._newest_ns = max(self._newest_ns, *(sighting.time_ns for sighting in sightings))
            except TraceError as error:
                self._refuse(sightings, str(error))
        return segment

    def _open(self, first_ns: int) -> Segment:
        self._newest_ns = self._flushed_ns = first_ns
        self._flushed_at_ns = self._mono_ns()
        self._segment = Segment(
            self._folder.next_path(self._facts_written, first_ns, segment_front_bytes(self._setup)),
            self._setup,
            self._facts_written,
            self._clock(first_ns),
            self._segment_number + 1,
            (first_ns // self._segment_ns + 1) * self._segment_ns,
        )
        return self._segment

    def _flush(self, pending: bool) -> None:
        segment = self._segment
        assert segment is not None
        self._folder.make_room(segment.growth_bytes(), segment.part)
        clock = self._clock(self._newest_ns)
        gaps, self._gaps = self._gaps, []
        segment.tell(clock, gaps)
        written = segment.carried.samples
        segment.flush(pending)
        self._segment_number = segment.number
        self._written_samples += written - segment.carried.samples
        self._flushed_ns, self._flushed_at_ns = self._newest_ns, self._mono_ns()
        if self._folder.is_large(segment.safe_bytes):
            segment.border_ns = min(segment.border_ns, (self._newest_ns // EPOCH_NS + 1) * EPOCH_NS)

    def _finish(self) -> None:
        segment = self._segment
        if segment is None:
            return
        self._flush(pending=True)
        segment.finish()
        self._segment = None
        self._folder.finished(segment)

    def _turn_over(self) -> None:
        """What comes now belongs to the next run."""
        self._write(whole=True)
        self._finish()
        if self._next_run is not None:
            self._facts_written, self._setup = self._next_run.facts, self._next_run.setup
            self._segment_number = 0
            self._next_run = None

    def _refuse(self, item: _Item, why: str) -> None:
        gap = _gap_of(item, why)
        if self._gaps and (self._gaps[-1].board, self._gaps[-1].why) == (gap.board, why):
            gap = self._gaps.pop().joined(gap)
        self._gaps.append(gap)
        self._count_dropped(_gap_of(item, why))

    def _count_dropped(self, gap: Gap) -> None:
        if gap.board == SIGHTINGS:
            self._dropped_sightings += gap.samples
            return
        self._dropped_blocks += gap.blocks
        self._dropped_samples += gap.samples

    def _fail(self, sentence: str) -> None:
        """The disk said no: what it may not have comes again, in a new segment, after a while."""
        segment, self._segment = self._segment, None
        if segment is not None:
            self._gaps = segment.leave() + self._gaps
            seen = [segment.carried.sightings] if segment.carried.sightings else []
            self._todo.extendleft(reversed([*seen, *segment.carried.blocks, *self._beyond]))
            self._beyond = []
        wait_s = RETRY_S[min(self._failures, len(RETRY_S) - 1)]
        self._failures += 1
        self._retry_at_ns = self._mono_ns() + round(wait_s * NS_PER_S)
        if sentence != self._trouble:
            log.warning(
                "recording: %s; samples wait in memory for up to %d s, then they are dropped", sentence, QUEUE_S
            )
        self._trouble = sentence

    def _now(self) -> ClockReading:
        return self._clock(self._mono_ns())

    def _clock(self, mono_ns: int) -> ClockReading:
        stamp = self._stamp(mono_ns)
        return ClockReading(mono_ns, stamp.wall_ns, stamp.quality.name.lower())
