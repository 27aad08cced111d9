"""What an imported recording's samples are worth: each judged as a live driver's are, by code, neighbours and clock."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
import numpy.typing as npt

from calibration.record import BoardCalibration
from drivers.hx711.codes import CODE_MAX, CODE_MIN, OTHER
from drivers.hx711.forensics import BlockForensics
from drivers.samples import SampleBlock
from edge.config.schema import NodeFile
from edge.trace.cell_kind import kind_of
from edge.trace.csv_header import CsvHeader


class ImportForensics:
    """Judges all boards of a recording. ``first_values``: float64[n, cells of the header], the first rows in counts."""

    def __init__(
        self,
        node: NodeFile,
        calibration: Mapping[str, BoardCalibration],
        header: CsvHeader,
        first_values: npt.NDArray[np.float64],
    ) -> None:
        self._boards: dict[str, BlockForensics] = {}
        beyond = {
            (board, cell): bool(((first_values[:, at] > CODE_MAX) | (first_values[:, at] < CODE_MIN)).any())
            for at, (board, cell, _) in enumerate(header.cells)
        }
        for board in dict.fromkeys(board for board, _, _ in header.cells):
            section = node.boards[board]
            records = calibration[board].cells if board in calibration else {}
            kinds = [
                OTHER if beyond.get((board, index), False) else kind_of(records.get(name))
                for index, name in enumerate(section.cells)
            ]
            self._boards[board] = BlockForensics(board, kinds, [section.rate_hz] * len(kinds))

    def judged(self, blocks: list[SampleBlock], now_ns: int) -> list[SampleBlock]:
        """The next blocks, one per board at most, up to ``now_ns``: what is decided of them and of earlier ones."""
        there = {block.board: block for block in blocks}
        found = []
        for board, forensics in self._boards.items():
            parts = [forensics.push(there[board])] if board in there else []
            parts = [part for part in (*parts, forensics.pass_time(now_ns)) if len(part)]
            if parts:
                found.append(SampleBlock.join(parts) if len(parts) > 1 else parts[0])
        return found

    def finish(self) -> list[SampleBlock]:
        """What is left when the recording is over."""
        return [block for forensics in self._boards.values() if len(block := forensics.finish())]
