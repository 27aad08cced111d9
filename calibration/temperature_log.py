"""The log of a temperature run: a CSV that grows by a row per minute, and is whole up to its last row whatever happens.

A row is written in one piece and brought to the disk before the next one is measured; a row that kill -9 or a power cut
tore is left out by the reader, and by who goes on with the file. Rows are::

    time_s,celsius,rested,fl,fr,bl,br
    1763718000.0,21.437,0.98,90211.4,-4411.2,1200.0,88.1

time_s: Unix time. celsius: empty where the thermometer said nothing. rested: share of the minute that nothing moved.
Then the cells' codes, empty where one was silent. ``# begun ...`` stands wherever the log was begun or gone on with.
"""

from __future__ import annotations

import math
import os
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from calibration.durable import make_folder, sync_folder
from calibration.store_errors import StoreError, not_read, not_saved
from calibration.temperature import TemperatureSeries
from firmware_bridge.errors import ShelfedgeError

TITLE = "# shelfedge temperature log 1"
BEGUN = "# begun"
LEAST_RESTED = 0.3
_MOST_BYTES = 64 * 1024 * 1024
_FIELDS = 3


class LogError(ShelfedgeError, ValueError):
    """A temperature log can't be used. Examples: another board's, something else, not a row in it."""


@dataclass(frozen=True, slots=True)
class LogRow:
    """One minute. ``counts``: of each cell, nan for a silent one; ``celsius``: nan where nothing was said."""

    time_s: float
    celsius: float
    rested: float
    counts: tuple[float, ...]


@dataclass(frozen=True, slots=True)
class Log:
    """A log that was read.

    Attributes:
        board, cells, thermometer: whose it is; thermometer of its last beginning. scale_sd: of that.
        left_out: lines that can't be used.
    """

    board: str
    cells: tuple[str, ...]
    thermometer: str
    scale_sd: float
    series: TemperatureSeries
    left_out: int


class LogWriter:
    """Begins a log, or goes on with one. Raises StoreError for a disk that refuses, LogError for another board's."""

    def __init__(self, path: Path, board: str, cells: tuple[str, ...], thermometer: str, scale_sd: float) -> None:
        self.path = path
        self.rows = 0
        self._handle = -1
        goes_on = path.exists() and path.stat().st_size > 0
        if goes_on:
            former = read_log(path)
            if (former.board, former.cells) != (board, cells):
                raise LogError(f"{path}: the log of {former.board} ({', '.join(former.cells)}), not of {board}")
        try:
            make_folder(path.parent)
            self._handle = os.open(path, os.O_RDWR | os.O_CREAT | os.O_APPEND | os.O_CLOEXEC, 0o644)
            size = os.fstat(self._handle).st_size
            torn = size > 0 and os.pread(self._handle, 1, size - 1) != b"\n"
            head = [] if goes_on else [TITLE, f"# board {board}"]
            head += [f"{BEGUN} {scale_sd:g} {_line(thermometer)}"]
            head += [] if goes_on else [",".join(["time_s", "celsius", "rested", *cells])]
            self._put(("\n" if torn else "") + "".join(f"{line}\n" for line in head))
            sync_folder(path.parent)
        except OSError as error:
            self.close()
            raise not_saved(error, path) from None

    def write(self, row: LogRow) -> None:
        """One more row, on the disk when this returns. Raises StoreError."""
        fields = [f"{row.time_s:.1f}", _text(row.celsius, 3), f"{row.rested:.2f}", *(_text(c, 2) for c in row.counts)]
        try:
            self._put(",".join(fields) + "\n")
        except OSError as error:
            raise StoreError(f"{not_saved(error, self.path)}; the rows before this one are kept") from None
        self.rows += 1

    def close(self) -> None:
        """Let go of the file."""
        if self._handle >= 0:
            os.close(self._handle)
            self._handle = -1

    def _put(self, text: str) -> None:
        data = memoryview(text.encode())
        while data:
            data = data[os.write(self._handle, data) :]
        os.fdatasync(self._handle)


def read_log(path: Path) -> Log:
    """Read a log, whole or torn. Raises StoreError, LogError."""
    try:
        if path.stat().st_size > _MOST_BYTES:
            raise LogError(f"{path}: too large for a temperature log, which grows by 70 kB a day")
        text = path.read_bytes().decode("utf-8", "replace")
    except OSError as error:
        raise not_read(error, path) from None
    lines = text.removeprefix("\ufeff").splitlines()
    if not lines or not lines[0].startswith(TITLE):
        raise LogError(f"{path}: not a temperature log; expected '{TITLE}' in its first line")
    if not text.endswith("\n"):
        lines = lines[:-1]
    board, thermometer, scale_sd = "", "", 0.0
    cells: tuple[str, ...] = ()
    rows: list[LogRow] = []
    begins: list[bool] = []
    fresh, left_out = True, 0
    for line in lines[1:]:
        if line.startswith("# board "):
            board = line.removeprefix("# board ").strip()
        elif line.startswith(BEGUN):
            words = line.removeprefix(BEGUN).strip().split(" ", 1)
            scale_sd, thermometer, fresh = _number(words[0], 0.0), words[-1] if len(words) > 1 else "", True
        elif line.startswith("time_s,"):
            cells = tuple(line.split(",")[_FIELDS:])
        elif line.strip() and not line.startswith("#"):
            row = _row(line, len(cells))
            if row is None or (rows and row.time_s <= rows[-1].time_s):
                left_out += 1
                continue
            rows.append(row)
            begins.append(fresh)
            fresh = False
    if not cells or not board:
        raise LogError(f"{path}: the log's head is damaged; expected '# board ...' and 'time_s,celsius,rested,...'")
    return Log(board, cells, thermometer, scale_sd, series_of(rows, begins, len(cells)), left_out)


def series_of(rows: list[LogRow], begins: list[bool], cells: int) -> TemperatureSeries:
    """Rows for the fit: minutes in which something moved have no level."""
    counts = np.array([row.counts for row in rows], np.float64).reshape(len(rows), cells)
    counts[np.array([row.rested < LEAST_RESTED for row in rows], np.bool_)] = np.nan
    return TemperatureSeries(
        np.array([row.time_s for row in rows], np.float64),
        np.array([row.celsius for row in rows], np.float64),
        counts,
        np.array(begins, np.bool_),
    )


def _row(line: str, cells: int) -> LogRow | None:
    fields = line.split(",")
    if len(fields) != _FIELDS + cells:
        return None
    values = [_number(field, math.nan) for field in fields]
    if not math.isfinite(values[0]) or not math.isfinite(values[2]):
        return None
    return LogRow(values[0], values[1], values[2], tuple(values[_FIELDS:]))


def _number(text: str, otherwise: float) -> float:
    try:
        value = float(text)
    except ValueError:
        return otherwise
    return value if math.isfinite(value) else otherwise


def _text(value: float, digits: int) -> str:
    return f"{value:.{digits}f}" if math.isfinite(value) else ""


def _line(text: str) -> str:
    return " ".join(text.split())
