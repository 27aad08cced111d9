"""The `trace` driver: recorded samples as if they came in now, or as fast as they are asked for."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Iterator

import numpy as np

from drivers.errors import DriverError
from drivers.notices import Notice
from drivers.samples import SampleBlock


class ReplayedDriver:
    """Keeps `drivers.contract.LoadCellDriver`; flags are the recording's own.

    Args:
        blocks: of this board, in order of time; pulled as they are needed.
        cells: how many the board has.
        speed: times real time; None doesn't pace: times stay as recorded, and `read(until_ns)` means recorded time.
    """

    def __init__(
        self,
        board: str,
        blocks: Iterable[SampleBlock],
        cells: int,
        speed: float | None = 1.0,
        clock: Callable[[], int] = time.monotonic_ns,
    ) -> None:
        self.board = board
        self._blocks: Iterator[SampleBlock] | None = iter(blocks)
        self._cells = cells
        self._speed = speed
        self._clock = clock
        self._state = "new"
        self._begin_ns: int | None = None  # of the recording
        self._started_ns = 0
        self._last_ns: int | None = None
        self._next = SampleBlock.empty(board)

    @property
    def finished(self) -> bool:
        """Everything was delivered."""
        return self._blocks is None and len(self._next) == 0

    def start(self) -> None:
        """The first sample comes now. Raises DriverError when it was started before."""
        if self._state != "new":
            raise DriverError(f"{self.board}: a trace driver is started once; make a new one")
        self._state = "started"
        self._started_ns = self._clock()

    def read(self, until_ns: int) -> SampleBlock:
        """As the contract says; empty after the recording's end. Raises DriverError for one that doesn't fit."""
        if self._state == "new":
            raise DriverError(f"{self.board}: start the trace driver before reading it")
        if self._state == "stopped":
            return SampleBlock.empty(self.board)
        parts = []
        while True:
            if len(self._next) == 0 and not self._pull():
                break
            count = int(np.searchsorted(self._next.time_ns, until_ns))
            parts.append(self._next.part(0, count))
            whole = count == len(self._next)
            self._next = self._next.part(count, len(self._next))
            if not whole:
                break
        return SampleBlock.join(parts) if parts else SampleBlock.empty(self.board)

    def take_notices(self) -> list[Notice]:
        """Nothing: what a recording lost is told where it is read."""
        return []

    def stop(self) -> None:
        """Let go of the recording. Calling it twice does no harm."""
        self._state = "stopped"
        blocks, self._blocks = self._blocks, None
        close = getattr(blocks, "close", None)
        if close is not None:
            close()
        self._next = SampleBlock.empty(self.board)

    def _pull(self) -> bool:
        """The next block, its times made into this clock's. False at the end."""
        if self._blocks is None:
            return False
        block = next((each for each in self._blocks if len(each)), None)
        if block is None:
            self._blocks = None
            return False
        self._check(block)
        if self._speed is None:
            self._next = block
            return True
        if self._begin_ns is None:
            self._begin_ns = int(block.time_ns[0])
        passed = block.time_ns - self._begin_ns
        if self._speed != 1.0:
            passed = np.rint(passed / self._speed).astype(np.int64)
        self._next = SampleBlock(self.board, self._started_ns + passed, block.cell, block.counts, block.flags)
        return True

    def _check(self, block: SampleBlock) -> None:
        if block.board != self.board:
            raise DriverError(f"{self.board}: the recording has samples of board {block.board!r}; give the right trace")
        most = int(block.cell.max())
        if most >= self._cells:
            raise DriverError(
                f"{self.board}: the recording has a cell number {most + 1}, the board {self._cells} cells; use the "
                f"node file that the trace was recorded with"
            )
        ordered = bool((np.diff(block.time_ns) >= 0).all())
        if not ordered or (self._last_ns is not None and block.time_ns[0] < self._last_ns):
            raise DriverError(f"{self.board}: the recording goes back in time; record it again")
        self._last_ns = int(block.time_ns[-1])
