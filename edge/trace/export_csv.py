"""A trace as CSV, in the form that `csv_import` reads."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import numpy.typing as npt

from drivers.samples import SampleBlock
from edge.trace.reader import TraceReader
from edge.trace.weigh import Scale
from edge.trace.whole_file import WholeFile, refuse_same_file


def export_csv(
    reader: TraceReader, target: Path, grams: bool, progress: Callable[[int, int], None] | None = None
) -> int:
    """Write ``time_s,<board>.<cell>,...``, a row per time at which some cell has a sample; returns the rows.

    Counts come back exactly as they were by importing the file again (flags don't: a CSV has no place for them). Grams
    are left empty where a sample is flagged. Raises TraceError for a trace without config or, with ``grams``,
    calibration.
    """
    refuse_same_file(reader.path, target)
    setup = reader.require_setup()
    first_column: dict[str, int] = {}
    names: list[str] = []
    for board, section in setup.node.boards.items():
        first_column[board] = len(names)
        names += [f"{board}.{cell}" for cell in section.cells]
    scales = {board: Scale(setup, board) for board in setup.node.boards} if grams else {}
    n_rows = 0
    with WholeFile(target) as whole:
        whole.file.write(",".join(["time_s", *names]).encode() + b"\n")
        for blocks in reader.epochs():
            columns = np.concatenate([first_column[block.board] + block.cell.astype(np.int64) for block in blocks])
            texts = [text for block in blocks for text in _texts(block, scales.get(block.board))]
            lines = _lines(np.concatenate([block.time_ns for block in blocks]), columns, texts, len(names))
            whole.file.write("".join(lines).encode())
            n_rows += len(lines)
            if progress:
                progress(reader.bytes_read, reader.file_bytes)
    return n_rows


def _texts(block: SampleBlock, scale: Scale | None) -> list[str]:
    if scale is None:
        return list(map(str, block.counts.tolist()))
    # Four decimals: a weight imported as whole milligrams comes back as the same.
    return ["" if gram != gram else f"{gram:.4f}" for gram in scale.grams(block).tolist()]


def _lines(
    time_ns: npt.NDArray[np.int64], columns: npt.NDArray[np.int64], texts: list[str], n_columns: int
) -> list[str]:
    """Lines of CSV in order of time. A cell with several samples at one time takes as many lines."""
    order = np.lexsort((columns, time_ns)).tolist()
    times, column_of = time_ns.tolist(), columns.tolist()
    lines: list[str] = []
    row: list[str] = []
    row_ns: int | None = None
    for at in order:
        column = column_of[at]
        if times[at] != row_ns or row[column]:
            if row_ns is not None:
                lines.append(f"{seconds_text(row_ns)},{','.join(row)}\n")
            row_ns, row = times[at], [""] * n_columns
        row[column] = texts[at]
    if row_ns is not None:
        lines.append(f"{seconds_text(row_ns)},{','.join(row)}\n")
    return lines


def seconds_text(time_ns: int) -> str:
    """Nanoseconds as decimal seconds, exactly, with at least six decimals."""
    whole, rest = divmod(abs(time_ns), 10**9)
    decimals = f"{rest:09d}"
    return f"{'-' if time_ns < 0 else ''}{whole}.{decimals[:6] if decimals.endswith('000') else decimals}"
