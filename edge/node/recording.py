"""The ring recorder as the node has it: what comes before it knows which boot it records waits, within bounds."""

from __future__ import annotations

import threading
from collections import deque
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from drivers.samples import SampleBlock
from edge.config.setup import Setup
from edge.node.ring import QUEUE_S, RingRecorder
from edge.node.ring_segment import Gap
from edge.stream.entry import Stamp


class Recording:
    """`record` and `begin_run` are for the loop's thread and never wait; the others for any.

    Args:
        folder: the ring's. stamp: wall time of a monotonic instant.
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
        self._early: deque[list[SampleBlock]] = deque()
        self._early_samples = 0
        self._lost: dict[str, Gap] = {}  # of this run, by board, before there was a ring
        rate_hz = sum(board.rate_hz * len(board.cells) for board in setup.node.boards.values())
        self._most_early = round(QUEUE_S * rate_hz)

    def record(self, blocks: Sequence[SampleBlock]) -> None:
        """Samples that fusion is given."""
        with self._lock:
            if self._ring is not None:
                self._ring.give(blocks)
                return
            self._early.append(list(blocks))
            self._early_samples += sum(map(len, blocks))
            while self._early_samples > self._most_early:
                oldest = self._early.popleft()
                self._early_samples -= sum(map(len, oldest))
                self._count_lost(oldest)

    def begin_run(self, setup: Setup, first_event_number: int) -> None:
        """What comes now is seen by another fusion, with another planogram."""
        with self._lock:
            self._run += 1
            self._setup, self._first_event_number = setup, first_event_number
            if self._ring is not None:
                self._ring.begin_run(setup, self._run, first_event_number)
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
            for blocks in self._early:
                self._ring.give(blocks)
            self._forget_early()

    @property
    def alive(self) -> bool:
        """Whether it writes, or would if it could."""
        return self._ring is None or self._ring.state()["state"] != "stopped"

    def flush(self) -> bool:
        """Whether all that was given is on the disk now; waits for it."""
        ring = self._ring
        return ring is not None and ring.flush()

    def stop(self) -> None:
        """Write what waits and finish the segment, within 10 s."""
        with self._lock:
            ring, self._ring = self._ring, None
        if ring is not None:
            ring.stop()

    def state(self) -> dict[str, Any]:
        """For health."""
        ring = self._ring
        return ring.state() if ring is not None else {"state": "waiting" if self._options.size_bytes > 0 else "off"}

    def _count_lost(self, blocks: Sequence[SampleBlock]) -> None:
        for block in blocks:
            if len(block):
                gap = Gap.of_block(block, "the outbox took long to open")
                before = self._lost.get(block.board)
                self._lost[block.board] = gap if before is None else before.joined(gap)

    def _forget_early(self) -> None:
        self._early.clear()
        self._early_samples = 0
        self._lost = {}
