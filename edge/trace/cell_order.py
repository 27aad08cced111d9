"""Fits the blocks of a trace to a config: boards and cells that it knows, cells in its order."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt

from drivers.samples import SampleBlock
from edge.trace.block_codec import DecodedBlock
from edge.trace.loss import Loss

if TYPE_CHECKING:
    from edge.config.setup import Setup

_UNKNOWN = 255


class CellOrder:
    """Maps cell indices of the trace to those of ``setup``: by the cells' ids, where the trace has its config."""

    def __init__(self, stored: Setup | None, setup: Setup) -> None:
        self._boards = {name: list(board.cells) for name, board in setup.node.boards.items()}
        self._stored = (
            {name: list(board.cells) for name, board in stored.node.boards.items()} if stored is not None else {}
        )
        self._tables: dict[tuple[str, int], npt.NDArray[np.uint8] | None] = {}
        self._unused: dict[tuple[str, str], int] = {}

    def fitted(self, decoded: DecodedBlock) -> SampleBlock:
        """The block in the config's order of cells, without what the config doesn't have."""
        block = decoded.block
        if block.board not in self._boards:
            self._count(block.board, "", len(block))
            return SampleBlock.empty(block.board)
        key = (block.board, decoded.cell_count)
        if key not in self._tables:
            self._tables[key] = self._table(*key)
        table = self._tables[key]
        if table is None:
            return block
        cell = table[block.cell]
        known = cell != _UNKNOWN
        for index in np.unique(block.cell[~known]):
            names = self._stored.get(block.board, [])
            name = names[index] if index < len(names) else f"number {index}"
            self._count(block.board, name, int((block.cell == index).sum()))
        kept = np.flatnonzero(known)
        kept = kept[np.lexsort((cell[kept], block.time_ns[kept]))]
        return SampleBlock(block.board, block.time_ns[kept], cell[kept], block.counts[kept], block.flags[kept])

    def losses(self) -> list[Loss]:
        """What was left out, one entry per board or cell."""
        found = []
        for (board, cell), n_samples in self._unused.items():
            what = f"cell {cell} of board {board}" if cell else f"board {board}"
            has = ", ".join(self._boards[board] if cell else self._boards)
            found.append(
                Loss(
                    f"{what} isn't in the config (it has {has}): {n_samples} samples aren't used; "
                    "add it to the node file and give that with --config"
                )
            )
        return found

    def _table(self, board: str, cell_count: int) -> npt.NDArray[np.uint8] | None:
        """uint8[256]: index in the config by index in the trace; None where they are the same."""
        wanted = self._boards[board]
        stored = self._stored.get(board)
        if stored is None or len(stored) != cell_count:
            stored = wanted  # no names to go by: the order of the config is all there is
        table = np.full(256, _UNKNOWN, np.uint8)
        for index in range(min(cell_count, len(stored))):
            if stored[index] in wanted:
                table[index] = wanted.index(stored[index])
        return None if (table[:cell_count] == np.arange(cell_count)).all() else table

    def _count(self, board: str, cell: str, n_samples: int) -> None:
        self._unused[board, cell] = self._unused.get((board, cell), 0) + n_samples
