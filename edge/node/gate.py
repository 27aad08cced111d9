"""The gate before fusion: one order of time for all boards of a node, and how far it has come.

Fusion is told "everything before ``until_ns`` has been given" and decides what lies before. A sample that comes after
all with an older time would be in a recording but not in what was decided. So it doesn't pass, and is counted: what
passes is what fusion sees and what is recorded, and a replay of it gives the same events bit for bit (P8).
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from drivers.samples import SampleBlock

PATIENCE_S = 2.0
"""A board that hasn't been heard for so long isn't waited for."""
_PATIENCE_PERIODS = 4.0  # a driver may hold back one conversion until it can judge it, and the next is due after that
_NEVER_NS = -(1 << 62)


@dataclass(slots=True)
class Refused:
    """Samples of one board that didn't pass.

    Attributes:
        too_late: older than what had been decided by then. from_future: newer than this machine's clock.
        not_ours: of a cell that the board doesn't have.
        longest_s: how late the latest one was.
    """

    too_late: int = 0
    from_future: int = 0
    not_ours: int = 0
    longest_s: float = 0.0

    @property
    def total(self) -> int:
        """All of them."""
        return self.too_late + self.from_future + self.not_ours


class BoardGate:
    """One board's order: by time, at one time by cell, as a recording has it.

    Attributes:
        newest_ns: of what has passed. started_ns: when its driver was started last; it is given its patience from then
            on too, since a link needs a while to know its times.
    """

    def __init__(self, board: str, cells: int, rate_hz: float) -> None:
        self.board = board
        self.refused = Refused()
        self.newest_ns = _NEVER_NS
        self.started_ns = _NEVER_NS
        self.patience_ns = round(max(PATIENCE_S, _PATIENCE_PERIODS / rate_hz) * 1e9)
        self._cells = cells
        self._newest_cell = 0

    def passed(self, block: SampleBlock, until_ns: int, now_ns: int) -> SampleBlock:
        """What of a driver's block goes on: nothing before ``until_ns``, nothing after ``now_ns``, all in order."""
        block = _in_order(block)
        if int(block.time_ns[-1]) > now_ns or int(block.cell.max()) >= self._cells:
            future, foreign = block.time_ns > now_ns, block.cell >= self._cells
            self.refused.from_future += int(np.count_nonzero(future))
            self.refused.not_ours += int(np.count_nonzero(foreign & ~future))
            block = _only(block, ~(future | foreign))
        begin = int(np.searchsorted(block.time_ns, max(until_ns, self.newest_ns)))
        while begin < len(block) and block.time_ns[begin] == self.newest_ns and block.cell[begin] < self._newest_cell:
            begin += 1
        if begin:
            self.refused.too_late += begin
            late_s = (max(until_ns, self.newest_ns) - int(block.time_ns[0])) / 1e9
            self.refused.longest_s = max(self.refused.longest_s, late_s)
            block = block.part(begin, len(block))
        if len(block):
            self.newest_ns, self._newest_cell = int(block.time_ns[-1]), int(block.cell[-1])
        return block


class Gate:
    """All boards of a node.

    Attributes:
        until_ns: everything before it has passed; only ever grows.
    """

    def __init__(self, boards: dict[str, tuple[int, float]]) -> None:
        """``boards``: by name, how many cells and at what rate (Hz)."""
        self.boards = {name: BoardGate(name, cells, rate_hz) for name, (cells, rate_hz) in boards.items()}
        self.until_ns = _NEVER_NS

    def passed(self, blocks: list[SampleBlock], now_ns: int) -> list[SampleBlock]:
        """What of the drivers' blocks goes on to fusion and to the recording; none of it is empty."""
        good = [self.boards[block.board].passed(block, self.until_ns, now_ns) for block in blocks if len(block)]
        return [block for block in good if len(block)]

    def advance(self, now_ns: int) -> int:
        """How far all boards that live have been heard: the new ``until_ns``.

        That is the oldest of their newest samples; boards that have been silent for longer than their patience aren't
        waited for.
        """
        known = [(max(gate.newest_ns, gate.started_ns), gate.patience_ns) for gate in self.boards.values()]
        heard = [at_ns for at_ns, patience_ns in known if at_ns > now_ns - patience_ns]
        # Also with nobody there time goes on, so that what was open before can be decided.
        reached = min(heard, default=now_ns - round(PATIENCE_S * 1e9))
        self.until_ns = max(self.until_ns, reached)
        return self.until_ns


def _in_order(block: SampleBlock) -> SampleBlock:
    times, cells = block.time_ns, block.cell
    step = np.diff(times)
    if bool((step > 0).all()) or not bool(((step < 0) | ((step == 0) & (cells[1:] < cells[:-1]))).any()):
        return block
    return _only(block, np.lexsort((cells, times)))


def _only(block: SampleBlock, wanted: npt.NDArray[np.bool_] | npt.NDArray[np.intp]) -> SampleBlock:
    return SampleBlock(
        block.board, block.time_ns[wanted], block.cell[wanted], block.counts[wanted], block.flags[wanted]
    )
