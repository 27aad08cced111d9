"""A recording in CSV becomes a trace: anybody's recordings can be replayed.

The file has a column ``time_s`` or ``unix_time`` and a column ``<board>.<cell>`` per cell, in counts or grams. Times
may be irregular, and a cell may have no value in a row.
"""

from __future__ import annotations

import itertools
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt

from calibration.record import BoardCalibration, nominal_grams_calibration
from drivers.samples import SampleBlock
from edge.trace.csv_header import CsvHeader, read_header
from edge.trace.csv_rows import BadRows, RowReader, Rows
from edge.trace.csv_unit import GramsDoubt
from edge.trace.errors import TraceError, TraceFileError
from edge.trace.event import Label
from edge.trace.format import EPOCH_NS
from edge.trace.whole_file import refuse_same_file
from edge.trace.writer import TraceWriter

if TYPE_CHECKING:
    from edge.config.setup import Setup

COUNTS_PER_GRAM = 1000.0
"""Grams are stored as counts of a milligram, so that there is one code path from here on."""
GRAMS_COMMON_RELATIVE_SD = 0.015
"""How far a board may be off as a whole when a recording in grams says nothing of its calibration. Source: in the AIM3S
recording the labelled moves differ from the weighed units by up to 3 %, so 3 % is two standard deviations."""
_WINDOW_NS = 30 * EPOCH_NS  # boards are written in turns of this long, well within the writer's limit


@dataclass(frozen=True, slots=True)
class ImportReport:
    """Attributes:
    row_count: rows that were used. sample_count: values in them.
    warnings: what a person should know though nothing is wrong.
    bad_rows: what wasn't used, in words. bad_row_count: how many rows.
    """

    row_count: int
    sample_count: int
    warnings: tuple[str, ...]
    bad_rows: str
    bad_row_count: int


def import_csv(
    source: Path,
    target: Path,
    setup: Setup,
    grams: bool,
    labels: Sequence[Label] | None = None,
    progress: Callable[[int, int], None] | None = None,
) -> ImportReport:
    """Write ``target`` from ``source``; rows that can't be used are left out and reported.

    ``progress`` is told bytes read and bytes in all. Raises TraceError when nothing can be used, and then writes
    nothing; TraceFileError when a file can't be opened.
    """
    refuse_same_file(source, target)
    try:
        with source.open("rb") as file:
            size = source.stat().st_size
            first = file.readline(1 << 20)
            if not first:
                raise TraceError(f"{source}: the file is empty; expected a header and rows of numbers")
            header = read_header(first, str(source), setup.node)
            used = {board for board, _, _ in header.cells}
            setup, warnings = _with_calibration(setup, used, grams, source)
            bad = BadRows(str(source))
            reader = RowReader(file, header, bad, COUNTS_PER_GRAM if grams else 1.0, counts=not grams)
            doubt = GramsDoubt(header)
            sorter = _BlockCutter(header, COUNTS_PER_GRAM if grams else 1.0)
            with TraceWriter(target, setup, labels) as writer:
                for rows in reader.rows():
                    doubt.add(rows.values)
                    for block in sorter.blocks(rows):
                        writer.write(block)
                    if progress:
                        progress(rows.bytes_read, size)
                if sorter.sample_count == 0:
                    raise TraceError(_nothing_usable(source, bad))
    except TraceFileError:
        raise
    except OSError as error:
        raise TraceFileError(f"{source}: can't read it: {error.strerror}") from None
    if grams:
        warnings += doubt.warnings(str(source))
    if sorter.repeated_count:
        warnings += (f"{source}: {sorter.repeated_count} values at a time their cell already had; the first was kept",)
    return ImportReport(reader.row_count, sorter.sample_count, (*header.warnings, *warnings), bad.summary(), bad.count)


class _BlockCutter:
    """Rows of all boards into blocks per board, boards in step."""

    def __init__(self, header: CsvHeader, scale: float) -> None:
        self.sample_count = 0
        self.repeated_count = 0
        self._scale = scale
        self._boards: dict[str, list[tuple[int, int]]] = {}
        for at, (board, cell, _) in enumerate(header.cells):
            self._boards.setdefault(board, []).append((at, cell))
        self._last_ns = np.full(len(header.cells), -(1 << 63), np.int64)

    def blocks(self, rows: Rows) -> list[SampleBlock]:
        """The samples of these rows, board by board within each window of time."""
        has_value = ~np.isnan(rows.values)
        self._drop_repeated(rows.time_ns, has_value)
        self.sample_count += int(has_value.sum())
        windows = rows.time_ns // _WINDOW_NS
        cuts = [0, *(np.flatnonzero(np.diff(windows)) + 1).tolist(), rows.time_ns.size]
        found = []
        for begin, end in itertools.pairwise(cuts):
            for board, columns in self._boards.items():
                at = [column for column, _ in columns]
                row, which = np.nonzero(has_value[begin:end, at])
                if row.size:
                    cells = np.array([cell for _, cell in columns], np.uint8)
                    counts = np.rint(rows.values[begin:end, at][row, which] * self._scale).astype(np.int32)
                    time_ns = rows.time_ns[begin:end][row]
                    found.append(SampleBlock(board, time_ns, cells[which], counts, np.zeros(row.size, np.uint16)))
        return found

    def _drop_repeated(self, time_ns: npt.NDArray[np.int64], has_value: npt.NDArray[np.bool_]) -> None:
        """A cell has one value at a time: the first. Clears the others in ``has_value``."""
        if not (time_ns[1:] == time_ns[:-1]).any() and not (self._last_ns == time_ns[0]).any():
            self._last_ns = np.where(has_value.any(axis=0), _last_times(time_ns, has_value), self._last_ns)
            return
        for column in range(has_value.shape[1]):
            at = np.flatnonzero(has_value[:, column])
            if at.size:
                before = np.concatenate(([self._last_ns[column]], time_ns[at][:-1]))
                again = at[time_ns[at] == before]
                has_value[again, column] = False
                self.repeated_count += again.size
                self._last_ns[column] = time_ns[at[-1]]


def _last_times(time_ns: npt.NDArray[np.int64], has_value: npt.NDArray[np.bool_]) -> npt.NDArray[np.int64]:
    """Time of the last value of each column (of the last row where there is none)."""
    last: npt.NDArray[np.int64] = time_ns[time_ns.size - 1 - np.argmax(has_value[::-1], axis=0)]
    return last


def _with_calibration(setup: Setup, used: set[str], grams: bool, source: Path) -> tuple[Setup, tuple[str, ...]]:
    if not grams:
        bare = [board for board in setup.node.boards if board in used and board not in setup.calibration]
        return setup, tuple(
            f"board {board} has no calibration record: its weights can't be decided; give one with --calibration"
            for board in bare
        )
    made = f"imported in grams from {source.name}, which says nothing of its calibration"
    records: dict[str, BoardCalibration] = {
        name: nominal_grams_calibration(name, list(board.cells), COUNTS_PER_GRAM, GRAMS_COMMON_RELATIVE_SD, made)
        for name, board in setup.node.boards.items()
    }
    return replace(setup, calibration=records), ()


def _nothing_usable(source: Path, bad: BadRows) -> str:
    if bad.count:
        return f"{bad.summary()}\n{source}: none of the {bad.count} rows can be used; nothing was written"
    return f"{source}:2: no values follow the header; expected rows of numbers; nothing was written"
