"""The ring recorders as the node has them: what comes before they know which boot they record waits, within bounds."""

from __future__ import annotations

import threading
from collections import deque
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from drivers.frames import Frame
from drivers.samples import SampleBlock
from edge.config.setup import Setup
from edge.node.frame_ring import FrameRing
from edge.node.record_choice import FRAMES_FOLDER
from edge.node.ring import QUEUE_S, RingRecorder
from edge.node.ring_segment import Gap
from edge.stream.entry import Stamp
from edge.trace.sighting import Sighting

_MOST_EARLY_SIGHTINGS = 20_000


class Recording:
    """`record` and `begin_run` are for the loop's thread, `record_frames` for the cameras' own; they never wait.

    Args:
        folder: the ring's; that of the pictures, where they are wanted, is beside it.
        stamp: wall time of a monotonic instant.
    """

    def __init__(self, folder: Path, setup: Setup, stamp: Callable[[int], Stamp], mono_ns: Callable[[], int]) -> None:
        self._folder = folder
        self._stamp = stamp
        self._mono_ns = mono_ns
        self._setup = setup
        self._options = setup.node.recording
        self._run = 1
        self._first_event_number = 1
        self._ring: RingRecorder | None = None
        self._boot: int | None = None
        self._lock = threading.Lock()
        self._frames: FrameRing | None = None
        self._early: deque[tuple[list[SampleBlock], list[Sighting]]] = deque()
        self._early_sightings = 0
        self._early_samples = 0
        self._lost: dict[str, Gap] = {}  # of this run, by board, before there was a ring
        rate_hz = sum(board.rate_hz * len(board.cells) for board in setup.node.boards.values())
        self._most_early = round(QUEUE_S * rate_hz)

    def record(self, blocks: Sequence[SampleBlock], sightings: Sequence[Sighting] = ()) -> None:
        """What fusion is given: samples, and what cameras saw as far as fusion takes it."""
        with self._lock:
            if self._ring is not None:
                self._ring.give(blocks, sightings)
                return
            self._early.append((list(blocks), list(sightings)))
            self._early_samples += sum(map(len, blocks))
            self._early_sightings += len(sightings)
            while self._early_samples > self._most_early or self._early_sightings > _MOST_EARLY_SIGHTINGS:
                oldest, seen = self._early.popleft()
                self._early_samples -= sum(map(len, oldest))
                self._early_sightings -= len(seen)
                self._count_lost(oldest, seen)

    def record_frames(self, frames: Sequence[Frame]) -> None:
        """A camera's frames, in its own thread, each once and in order of time.

        As many of them as the config asks for are made into JPEGs (about a millisecond each, in this thread) and kept.
        """
        ring = self._frames
        if ring is not None:
            for frame in frames:
                ring.give(frame)

    def begin_run(self, setup: Setup, first_event_number: int) -> None:
        """What comes now is seen by another fusion, with another planogram."""
        with self._lock:
            self._run += 1
            self._setup, self._first_event_number = setup, first_event_number
            if self._ring is not None:
                self._ring.begin_run(setup, self._run, first_event_number)
                if self._frames is not None:
                    self._frames.begin_run(setup, self._run)
            else:
                self._forget_early()

    def start(self, boot: int) -> None:
        """Begin to write, with what has waited."""
        with self._lock:
            self._ring = RingRecorder(
                self._folder,
                self._setup,
                self._options,
                boot,
                self._stamp,
                self._run,
                self._first_event_number,
                lost_before=list(self._lost.values()),
                mono_ns=self._mono_ns,
            )
            for blocks, sightings in self._early:
                self._ring.give(blocks, sightings)
            self._forget_early()
            if self._options.frames_hz is not None and self._setup.node.cameras:
                folder = self._folder.with_name(FRAMES_FOLDER)
                self._frames = FrameRing(
                    folder, self._setup, self._options, boot, self._stamp, self._run, mono_ns=self._mono_ns
                )

    @property
    def alive(self) -> bool:
        """Whether it writes, or would if it could."""
        parts = [part for part in (self._ring, self._frames) if part is not None]
        return all(part.state()["state"] != "stopped" for part in parts)

    def flush(self) -> bool:
        """Whether all that was given is on the disk now; waits for it."""
        ring, frames = self._ring, self._frames
        return ring is not None and ring.flush() and (frames is None or frames.flush())

    def stop(self) -> None:
        """Write what waits and finish the segment, within 10 s."""
        with self._lock:
            ring, self._ring = self._ring, None
            frames, self._frames = self._frames, None
        if ring is not None:
            ring.stop()
        if frames is not None:
            frames.stop()

    def state(self) -> dict[str, Any]:
        """For health."""
        ring = self._ring
        if ring is None:
            return {"state": "waiting" if self._options.size_bytes > 0 else "off"}
        frames = self._frames
        return ring.state() if frames is None else {**ring.state(), "frames": frames.state()}

    def _count_lost(self, blocks: Sequence[SampleBlock], sightings: Sequence[Sighting]) -> None:
        why = "the outbox took long to open"
        gaps = [Gap.of_block(block, why) for block in blocks if len(block)]
        for gap in [*gaps, Gap.of_sightings(sightings, why)] if sightings else gaps:
            before = self._lost.get(gap.board)
            self._lost[gap.board] = gap if before is None else before.joined(gap)

    def _forget_early(self) -> None:
        self._early.clear()
        self._early_samples = self._early_sightings = 0
        self._lost = {}
