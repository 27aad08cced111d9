"""The first line of a recording in CSV: which column is the time, and which is which cell."""

from __future__ import annotations

import csv
from dataclasses import dataclass
from typing import TYPE_CHECKING

from edge.trace.errors import TraceError

if TYPE_CHECKING:
    from edge.config.schema import NodeFile

TIME_COLUMNS = ("time_s", "unix_time")
_EXPECTED = "expected a header like: time_s,<board>.<cell>,<board>.<cell>"


@dataclass(frozen=True, slots=True)
class CsvHeader:
    """Attributes:
    delimiter: one of ``, ; tab``.
    n_fields: fields in every row.
    time_column: index of the column with seconds.
    names: of all columns.
    cells: ``(board, index of the cell, index of the column)``, in the config's order of boards and cells.
    warnings: columns that are skipped, cells without a column.
    """

    delimiter: bytes
    n_fields: int
    time_column: int
    names: tuple[str, ...]
    cells: tuple[tuple[str, int, int], ...]
    warnings: tuple[str, ...]


def read_header(line: bytes, where: str, node: NodeFile) -> CsvHeader:
    """Matches the header with the config. Raises TraceError naming file, line and what is expected."""
    at = f"{where}:1"
    text = _text(line, at)
    counts = {mark: text.count(mark) for mark in ",;\t"}
    delimiter = max(counts, key=lambda mark: counts[mark])
    try:
        names = [name.strip() for name in next(csv.reader([text], delimiter=delimiter), [])]
    except csv.Error:
        raise TraceError(f"{at}: not a line of CSV that ends in a newline; {_EXPECTED}") from None
    if not any(names):
        raise TraceError(f"{at}: the first line is empty; {_EXPECTED}")
    twice = sorted({name for name in names if name and names.count(name) > 1})
    if twice:
        raise TraceError(f"{at}: column {', '.join(map(repr, twice))} appears more than once; name each column once")
    times = [name for name in TIME_COLUMNS if name in names]
    if not times:
        raise TraceError(
            f"{at}: no time column among {_shown(names)}; expected one named time_s or unix_time, in seconds"
        )
    warnings = [f"{at}: column {times[1]!r} is skipped; {times[0]!r} is the time"] if len(times) > 1 else []
    found: dict[tuple[str, int], int] = {}
    for column, name in enumerate(names):
        if name in TIME_COLUMNS:
            continue
        match = _cell(name, node)
        if match is None:
            warnings.append(f"{at}: column {name!r} is skipped: no such <board>.<cell> in the config")
        else:
            found[match] = column
    if not found:
        known = [f"{board}.{cell}" for board, section in node.boards.items() for cell in section.cells]
        raise TraceError(
            f"{at}: no column fits the config among {_shown(names)}; the config's cells are {_shown(known)}"
        )
    cells = []
    for board, section in node.boards.items():
        missing = [cell for index, cell in enumerate(section.cells) if (board, index) not in found]
        if len(missing) == len(section.cells):
            warnings.append(f"{at}: no column for board {board}; it stays without samples")
        elif missing:
            absent = ", ".join(f"{board}.{cell}" for cell in missing)
            warnings.append(f"{at}: no column for {absent}; the weight of {board} needs all its cells")
        cells += [(board, i, found[board, i]) for i in range(len(section.cells)) if (board, i) in found]
    return CsvHeader(delimiter.encode(), len(names), names.index(times[0]), tuple(names), tuple(cells), tuple(warnings))


def _text(line: bytes, at: str) -> str:
    if line.startswith((b"\xff\xfe", b"\xfe\xff")) or b"\0" in line:
        raise TraceError(f"{at}: not UTF-8 text (UTF-16, or not a text file at all); save the CSV as UTF-8")
    try:
        return line.decode("utf-8-sig").rstrip("\r\n")
    except UnicodeDecodeError as error:
        raise TraceError(f"{at}: byte {error.start + 1} isn't UTF-8; save the CSV as UTF-8") from None


def _cell(name: str, node: NodeFile) -> tuple[str, int] | None:
    """Ids of boards and cells may contain dots: the longest board id that fits wins."""
    for at in range(len(name) - 1, 0, -1):
        board, cell = name[:at], name[at + 1 :]
        if name[at] == "." and board in node.boards and cell in node.boards[board].cells:
            return board, list(node.boards[board].cells).index(cell)
    return None


def _shown(names: list[str]) -> str:
    text = ", ".join(names)
    return text if len(text) <= 200 else text[:200] + "..."
