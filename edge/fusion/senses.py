"""One board's samples to marks: runs the kernels over blocks and keeps what their results are looked up in later."""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from drivers.samples import SampleBlock
from edge.fusion.frames import ingest, new_batches, new_cell_state
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


class _Piece(NamedTuple):
    """Batches of one call of the kernel: numbers on the grid, weight and moments, and whether a cell was missing."""

    numbers: Ints
    z: Floats  # [batches, 3]
    dark: npt.NDArray[np.bool_]


class Senses:
    """The kernels' state for one board."""

    def __init__(self, model: BoardModel) -> None:
        cells = len(model.cell_ids)
        self._model = model
        self._cells = new_cell_state(cells, model.period_ns)
        self._plateaus = new_plateau_state(cells)
        self._batches = new_batches(_BATCH_ROOM, cells)
        self._marks = new_marks(_MARK_ROOM, cells)
        self._pieces: deque[_Piece] = deque()

    def marks(self, block: SampleBlock) -> list[Mark]:
        """Marks made by samples that follow the ones before."""
        model, found = self._model, []
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
        z = batches.grams[:made] @ self._model.statics.transforms[-1].T
        self._pieces.append(_Piece(batches.number[:made].copy(), z, np.isnan(z[:, 0])))
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

    def between(self, begin_ns: int, end_ns: int) -> tuple[Floats, int, int]:
        """``z`` of the batches in [begin_ns, end_ns) [n, 3], the first one's time, and how many were dark.

        Of a very long stretch only the last `_BATCHES_KEPT` batches.
        """
        batch_ns = self._model.batch_ns
        last = end_ns // batch_ns
        first = max(min(begin_ns // batch_ns, last), last - _BATCHES_KEPT)
        parts, seen = [np.empty((0, 3))], 0
        for piece in self._pieces:
            if piece.numbers[-1] < first or piece.numbers[0] >= last:
                continue
            inside = (piece.numbers >= first) & (piece.numbers < last) & ~piece.dark
            parts.append(piece.z[inside])
            seen += int(inside.sum())
        return np.concatenate(parts), first * batch_ns, int(last - first) - seen

    def forget(self, now_ns: int) -> None:
        """Let go of batches that no decision at ``now_ns`` or later can ask for."""
        oldest = now_ns // self._model.batch_ns - 2 * _BATCHES_KEPT
        while len(self._pieces) > 1 and self._pieces[0].numbers[-1] < oldest:
            self._pieces.popleft()
