"""The grams of single samples, for export: counts through the calibration, and nothing for a flagged sample."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt

from drivers.samples import SampleBlock
from edge.trace.errors import TraceError

if TYPE_CHECKING:
    from edge.config.setup import Setup


class Scale:
    """One board's counts to grams: ``grams = (counts - zero_counts) / counts_per_gram``.

    Raises TraceError when the board or one of its cells has no calibration.
    """

    def __init__(self, setup: Setup, board: str) -> None:
        record = setup.calibration.get(board)
        missing = [cell for cell in setup.node.boards[board].cells if record is None or cell not in record.cells]
        if record is None or missing:
            raise TraceError(
                f"board {board}: no calibration of {', '.join(missing)}, so its grams aren't known; "
                "calibrate it, or use --unit counts"
            )
        cells = [record.cells[cell] for cell in setup.node.boards[board].cells]
        self._zero_counts = np.array([cell.zero_counts for cell in cells])
        self._counts_per_gram = np.array([cell.counts_per_gram for cell in cells])

    def grams(self, block: SampleBlock) -> npt.NDArray[np.float64]:
        """float64[n]; NaN where the sample is flagged, since no garbage becomes weight (P7)."""
        grams: npt.NDArray[np.float64] = (block.counts - self._zero_counts[block.cell]) / self._counts_per_gram[
            block.cell
        ]
        grams[block.flags != 0] = np.nan
        return grams
