"""One board's samples to marks: runs the kernels over blocks and keeps what their results are looked up in later."""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from drivers.samples import SampleBlock
from edge.fusion.frames import (
    HAS_LAST,
    INTERVAL_NS,
    LAST_NS,
    LOST_INTERVALS,
    NEWEST_NS,
    STARTED,
    ingest,
    new_batches,
    new_cell_state,
)
from edge.fusion.model import BoardModel
from edge.fusion.plateau import Plateau
from edge.fusion.quiet import find_plateaus, new_marks, new_plateau_state

Floats = npt.NDArray[np.float64]
Ints = npt.NDArray[np.int64]

_BATCH_ROOM = 4096
_MARK_ROOM = 512
_BATCHES_KEPT = 1200  # a minute: the longest activity whose moments can be told


@dataclass(frozen=True, slots=True)
class Mark:
    """A mark of the plateau kernel, in time.

    Attributes:
        kind: OPEN, GROW or END. decided_ns: time of the sample that made it.
        faults: int64[cells, FAULT_KINDS], fault counters as of then.
    """

    kind: int
    decided_ns: int
    plateau: Plateau
    faults: Ints


@dataclass(frozen=True, slots=True)
class Health:
    """How a board's cells have done since the start, by the time of the newest sample.

    Attributes:
        faults: int64[cells, FAULT_KINDS], samples left out, by `FAULT_NAMES`.
        heard: bool[cells], whether the cell had a usable sample since the board last began (after a long silence of
            all its cells it begins anew). last_ns: int64[cells], the newest one; where there is none, that beginning.
        patience_ns: int64[cells], silence up to here is usual, for a cell with these intervals.
        begin_ns, newest_ns: of all samples, usable or not; None before the first.
    """

    faults: Ints
    heard: npt.NDArray[np.bool_]
    last_ns: Ints
    patience_ns: Ints
    begin_ns: int | None
    newest_ns: int | None


class _Piece(NamedTuple):
    """Batches of one call of the kernel: numbers on the grid, and what each cell said, NaN where it was missing."""

    numbers: Ints
    grams: Floats  # [batches, cells]


class Senses:
    """The kernels' state for one board."""

    def __init__(self, model: BoardModel) -> None:
        cells = len(model.cell_ids)
        self._model = model
        self._cells = new_cell_state(cells, model.period_ns, model.frames_per_batch)
        self._plateaus = new_plateau_state(cells)
        self._batches = new_batches(_BATCH_ROOM, cells)
        self._marks = new_marks(_MARK_ROOM, cells)
        self._pieces: deque[_Piece] = deque()
        self._oldest = -(1 << 62)
        self._begin_ns: int | None = None

    @property
    def health(self) -> Health:
        """A copy of the counters of faults and of what was heard last."""
        cells = self._cells
        started = cells.board[STARTED] == 1
        return Health(
            cells.faults.copy(),
            cells.ints[:, HAS_LAST] == 1,
            cells.ints[:, LAST_NS].copy(),
            np.rint(LOST_INTERVALS * cells.floats[:, INTERVAL_NS]).astype(np.int64),
            self._begin_ns,
            int(cells.board[NEWEST_NS]) if started else None,
        )

    def marks(self, block: SampleBlock) -> list[Mark]:
        """Marks made by samples that follow the ones before."""
        model, found = self._model, []
        if self._begin_ns is None and len(block):
            self._begin_ns = int(block.time_ns[0])
        if len(block) and int(block.cell.max()) >= len(model.cell_ids):
            raise ValueError(
                f"board {block.board}: a sample of cell {block.cell.max()} of {len(model.cell_ids)}, from 0"
            )
        begin = 0
        while begin < len(block):
            part = block.part(begin, len(block)) if begin else block
            used, made = ingest(
                part.time_ns, part.cell, part.counts, part.flags, model.zero_counts, model.grams_per_count,
                model.adc_bits, model.period_ns, model.frames_per_batch, self._cells, self._batches,
            )  # fmt: skip
            begin += used
            if made:
                found += self._find(made)
        return found

    def _find(self, made: int) -> list[Mark]:
        """Plateaus in the first ``made`` batches of the buffer."""
        batches = self._batches
        self._pieces.append(_Piece(batches.number[:made].copy(), batches.grams[:made].copy()))
        found: list[Mark] = []
        begin = 0
        while begin < made:
            used, marks = find_plateaus(
                batches.number[begin:made], batches.ready_ns[begin:made], batches.grams[begin:made],
                batches.swing_g[begin:made], self._model.batch_ns, self._model.tolerance_g, self._plateaus, self._marks,
            )  # fmt: skip
            found += [self._mark(row, begin) for row in range(marks)]
            begin += used
        return found

    def _mark(self, row: int, first_batch: int) -> Mark:
        marks, batch_ns = self._marks, self._model.batch_ns
        plateau = Plateau(
            begin_ns=int(marks.begin[row]) * batch_ns,
            end_ns=int(marks.end[row]) * batch_ns,
            mask=int(marks.mask[row]),
            level_g=marks.level_g[row].copy(),
            level_var=marks.level_var[row].copy(),
            sum_var=float(marks.sum_var[row]),
            batches=int(marks.batches[row]),
            unrest=float(marks.unrest[row]),
        )
        faults = self._batches.faults[first_batch + int(marks.made_by[row])].copy()
        return Mark(int(marks.kind[row]), int(marks.ready_ns[row]), plateau, faults)

    def between(self, begin_ns: int, end_ns: int, mask: int) -> tuple[Floats, Ints, int]:
        """``z`` [n, 3] of the batches in [begin_ns, end_ns) that have all cells of ``mask``, as these cells tell it;
        the time each begins and ``end_ns`` [n + 1]; and how many batches lacked one of them.

        Of a very long stretch, or one long ago, only the last `_BATCHES_KEPT` batches.
        """
        batch_ns = self._model.batch_ns
        last = end_ns // batch_ns
        first = max(min(begin_ns // batch_ns, last), last - _BATCHES_KEPT, self._oldest)
        cells = [cell for cell in range(len(self._model.cell_ids)) if mask >> cell & 1]
        grams: list[Floats] = []
        numbers: list[Ints] = []
        for piece in reversed(self._pieces):  # what is asked for is mostly of the last seconds
            if piece.numbers[-1] < first:
                break
            if piece.numbers[0] < last:
                inside = (piece.numbers >= first) & (piece.numbers < last)
                grams.append(piece.grams[inside])
                numbers.append(piece.numbers[inside])
        every = np.concatenate([*grams[::-1], np.empty((0, len(self._model.cell_ids)))])
        z = np.zeros((len(every), 3))
        for cell in cells:  # one by one: BLAS rounds by how many rows come at once
            z += every[:, cell, None] * self._model.statics.transforms[mask][:, cell]
        light = ~np.isnan(z[:, 0])
        seen = np.append(np.concatenate([*numbers[::-1], np.empty(0, np.int64)])[light], last)
        return z[light], seen * batch_ns, max(int(last - first), 0) - seen.size + 1

    def look_from(self, now_ns: int) -> None:
        """Decisions are now made at ``now_ns``: batches of long before aren't looked at any more.

        Moved by marks alone, so that it doesn't depend on how the stream is cut.
        """
        self._oldest = now_ns // self._model.batch_ns - 2 * _BATCHES_KEPT

    def forget(self, until_ns: int) -> None:
        """Let go of batches that no decision at ``until_ns`` or later will look at."""
        oldest = until_ns // self._model.batch_ns - 2 * _BATCHES_KEPT
        while self._pieces and self._pieces[0].numbers[-1] < oldest:
            self._pieces.popleft()
