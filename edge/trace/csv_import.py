"""A recording in CSV becomes a trace: anybody's recordings can be replayed.

The file has a column ``time_s`` or ``unix_time`` and a column ``<board>.<cell>`` per cell, in counts or grams. Times
may be irregular, and a cell may have no value in a row.
"""

from __future__ import annotations

import itertools
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt

from calibration.record import BoardCalibration, nominal_grams_calibration
from drivers.samples import SampleBlock
from edge.trace.cell_kind import COUNTS_PER_GRAM
from edge.trace.csv_header import CsvHeader, read_header
from edge.trace.csv_rows import BadRows, RowReader, Rows
from edge.trace.csv_unit import GramsDoubt
from edge.trace.errors import TraceError, TraceFileError
from edge.trace.event import Label
from edge.trace.format import EPOCH_NS
from edge.trace.import_forensics import ImportForensics
from edge.trace.value_step import ValueStep, find_value_step
from edge.trace.whole_file import refuse_same_file
from edge.trace.writer import TraceWriter

if TYPE_CHECKING:
    from edge.config.setup import Setup

GRAMS_COMMON_RELATIVE_SD = 0.015
"""How far a board may be off as a whole when a recording in grams says nothing of its calibration. Source: in the AIM3S
recording the labelled moves differ from the weighed units by up to 3 %, so 3 % is two standard deviations."""
_MOST_STORED = 2**31 - 1
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
            head = file.readline(1 << 20)
            if not head:
                raise TraceError(f"{source}: the file is empty; expected a header and rows of numbers")
            header = read_header(head, str(source), setup.node)
            used = {board for board, _, _ in header.cells}
            bad = BadRows(str(source))
            reader = RowReader(file, header, bad, COUNTS_PER_GRAM if grams else 1.0, counts=not grams)
            pieces = reader.rows()
            first = next(pieces, None)
            if first is None:
                raise TraceError(_nothing_usable(source, bad))
            scales = _scales(first, grams)
            setup, warnings = _with_calibration(setup, used, header, scales if grams else None, source)
            doubt = GramsDoubt(header)
            sorter = _BlockCutter(header, scales)
            forensics = ImportForensics(setup.node, setup.calibration, header, sorter.counts(first.values))
            with TraceWriter(target, setup, labels) as writer:
                for rows in itertools.chain([first], pieces):
                    doubt.add(rows.values)
                    for until_ns, blocks in sorter.windows(rows):
                        for block in forensics.judged(blocks, until_ns):
                            writer.write(block)
                    if progress:
                        progress(rows.bytes_read, size)
                if sorter.sample_count == 0:
                    raise TraceError(_nothing_usable(source, bad))
                for block in forensics.finish():
                    writer.write(block)
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

    def __init__(self, header: CsvHeader, scales: Sequence[ValueStep]) -> None:
        self.sample_count = 0
        self.repeated_count = 0
        self._scale = np.array([scale.counts_per_gram for scale in scales])
        self._zero = np.array([scale.zero_counts for scale in scales])
        self._boards: dict[str, list[tuple[int, int]]] = {}
        for at, (board, cell, _) in enumerate(header.cells):
            self._boards.setdefault(board, []).append((at, cell))
        self._last_ns = np.full(len(header.cells), -(1 << 63), np.int64)

    def counts(self, values: npt.NDArray[np.float64]) -> npt.NDArray[np.float64]:
        """What is stored for values [n, cells of the header]; NaN where there is none."""
        counts: npt.NDArray[np.float64] = np.rint(values * self._scale + self._zero)
        return np.clip(counts, -_MOST_STORED, _MOST_STORED)

    def windows(self, rows: Rows) -> Iterator[tuple[int, list[SampleBlock]]]:
        """The samples of these rows by windows of time: up to when, and a block for each board that has any."""
        has_value = ~np.isnan(rows.values)
        self._drop_repeated(rows.time_ns, has_value)
        self.sample_count += int(has_value.sum())
        counts = self.counts(rows.values)
        numbers = rows.time_ns // _WINDOW_NS
        cuts = [0, *(np.flatnonzero(np.diff(numbers)) + 1).tolist(), rows.time_ns.size]
        for begin, end in itertools.pairwise(cuts):
            found = []
            for board, columns in self._boards.items():
                at = [column for column, _ in columns]
                row, which = np.nonzero(has_value[begin:end, at])
                if row.size:
                    cells = np.array([cell for _, cell in columns], np.uint8)
                    codes = counts[begin:end, at][row, which].astype(np.int32)
                    time_ns = rows.time_ns[begin:end][row]
                    found.append(SampleBlock(board, time_ns, cells[which], codes, np.zeros(row.size, np.uint16)))
            yield int(rows.time_ns[end - 1]), found

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


def _scales(first: Rows, grams: bool) -> list[ValueStep]:
    """By column, what turns values into what is stored: the converter's own counts where the first rows tell them."""
    columns = range(first.values.shape[1])
    if not grams:
        return [ValueStep(1.0, 0.0) for _ in columns]
    return [find_value_step(first.values[:, at]) or ValueStep(COUNTS_PER_GRAM, 0.0) for at in columns]


def _with_calibration(
    setup: Setup, used: set[str], header: CsvHeader, scales: Sequence[ValueStep] | None, source: Path
) -> tuple[Setup, tuple[str, ...]]:
    """The setup with what is known of the cells' calibration. ``scales``: of a recording in grams."""
    if scales is None:
        bare = [board for board in setup.node.boards if board in used and board not in setup.calibration]
        return setup, tuple(
            f"board {board} has no calibration record: its weights can't be decided; give one with --calibration"
            for board in bare
        )
    made = f"imported in grams from {source.name}, which says nothing of its calibration"
    by_cell = {(board, cell): scale for (board, cell, _), scale in zip(header.cells, scales, strict=True)}
    records: dict[str, BoardCalibration] = {}
    for board, section in setup.node.boards.items():
        record = nominal_grams_calibration(board, list(section.cells), COUNTS_PER_GRAM, GRAMS_COMMON_RELATIVE_SD, made)
        cells = dict(record.cells)
        for index, name in enumerate(section.cells):
            scale = by_cell.get((board, index))
            if scale is not None:
                known = {"counts_per_gram": scale.counts_per_gram, "zero_counts": scale.zero_counts}
                cells[name] = cells[name].model_copy(update=known)
        records[board] = record.model_copy(update={"cells": cells})
    return replace(setup, calibration=records), ()


def _nothing_usable(source: Path, bad: BadRows) -> str:
    if bad.count:
        return f"{bad.summary()}\n{source}: none of the {bad.count} rows can be used; nothing was written"
    return f"{source}:2: no values follow the header; expected rows of numbers; nothing was written"
