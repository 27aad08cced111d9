"""The rows of a recording in CSV as arrays, in bounded memory; rows that can't be used are reported by line.

A megabyte at a time is converted column by column, without looking at single lines. Only where that fails are the
lines of that megabyte read one by one, which finds the bad ones and keeps the rest.
"""

from __future__ import annotations

import csv
import math
from collections.abc import Iterator
from dataclasses import dataclass, field
from decimal import Decimal, InvalidOperation
from typing import BinaryIO

import numpy as np
import numpy.typing as npt

from edge.trace.csv_header import CsvHeader
from edge.trace.csv_unit import mostly, refusal
from edge.trace.errors import TraceError

_PIECE_BYTES = 1 << 20
_LONGEST_LINE_BYTES = 1 << 20
_MOST_SECONDS = 4.6e9  # 2^62 ns
_EXACT_SECONDS = 1e6  # below this a float holds nanoseconds exactly enough to be rounded to the right one


@dataclass(slots=True)
class BadRows:
    """Rows that weren't used: the first in words, all in number."""

    where: str
    shown: int = 20
    texts: list[str] = field(default_factory=list)
    count: int = 0

    def add(self, found: list[tuple[int, str]]) -> None:
        """``found``: line number and what is wrong there."""
        self.count += len(found)
        for line, text in sorted(found)[: max(0, self.shown - len(self.texts))]:
            self.texts.append(f"{self.where}:{line}: {text}")

    def summary(self) -> str:
        """All of it, for a person."""
        more = self.count - len(self.texts)
        return "\n".join([*self.texts, f"{self.where}: and {more} more bad rows"] if more else self.texts)


@dataclass(frozen=True, slots=True)
class Rows:
    """Attributes:
    time_ns: int64[n], never decreasing, also from piece to piece.
    values: float64[n, columns of the header's cells]; NaN where there is no value.
    bytes_read: how far into the file.
    """

    time_ns: npt.NDArray[np.int64]
    values: npt.NDArray[np.float64]
    bytes_read: int


class RowReader:
    """Reads what follows the header. ``counts``: values must be whole numbers that fit the stored 32 bits."""

    def __init__(self, file: BinaryIO, header: CsvHeader, bad: BadRows, scale: float, counts: bool) -> None:
        self.row_count = 0
        self._file = file
        self._header = header
        self._bad = bad
        self._scale = scale
        self._counts = counts
        self._columns = [column for _, _, column in header.cells]
        self._unit_checked = False
        self._latest_ns = -(1 << 63)
        self._next_line = 2
        self._bytes_read = 0  # counted, since a pipe can't tell

    def rows(self) -> Iterator[Rows]:
        """All good rows in order. Raises TraceError where the file isn't lines of text at all."""
        rest = b""
        while True:
            piece = self._file.read(_PIECE_BYTES)
            self._bytes_read += len(piece)
            text = rest + piece
            end = text.rfind(b"\n") + 1 if piece else len(text)
            text, rest = text[:end], text[end:]
            if len(rest) > _LONGEST_LINE_BYTES:
                raise TraceError(f"{self._bad.where}:{self._next_line}: a line of over a megabyte; expected a CSV")
            if text:
                rows = self._checked(*self._parsed(text.replace(b"\r\n", b"\n")))
                if rows.time_ns.size:
                    self.row_count += rows.time_ns.size
                    yield rows
            if not piece:
                return

    def _parsed(
        self, text: bytes
    ) -> tuple[npt.NDArray[np.int64], list[bytes], npt.NDArray[np.float64], list[tuple[int, str]]]:
        """Line numbers, time fields, values[n, 1 + cells] (the time first), and the bad rows."""
        first_line = self._next_line
        body = text.removesuffix(b"\n")
        self._next_line += body.count(b"\n") + 1
        fast = self._columnwise(body)
        if fast is not None:
            times, values = fast
            return np.arange(first_line, first_line + len(times)), times, values, []
        return self._linewise(body, first_line)

    def _columnwise(self, body: bytes) -> tuple[list[bytes], npt.NDArray[np.float64]] | None:
        """All rows at once, or None when some row isn't as it should be."""
        header = self._header
        # float() would read "1_000", and a quoted field may hold a delimiter.
        if b"_" in body or b'"' in body:
            return None
        marks = np.frombuffer(body + b"\n", np.uint8)
        ends = np.flatnonzero(marks == 10)
        per_row = np.diff(np.searchsorted(np.flatnonzero(marks == header.delimiter[0]), ends), prepend=0)
        if (per_row != header.n_fields - 1).any():
            return None
        fields = body.replace(b"\n", header.delimiter).split(header.delimiter)
        times = fields[header.time_column :: header.n_fields]
        try:
            values = np.empty((len(times), 1 + len(self._columns)))
            values[:, 0] = list(map(float, times))
            for at, column in enumerate(self._columns, start=1):
                texts = fields[column :: header.n_fields]
                try:
                    values[:, at] = list(map(float, texts))
                except ValueError:
                    values[:, at] = [float(text) if text else math.nan for text in texts]
        except ValueError:
            return None
        return times, values

    def _linewise(
        self, body: bytes, first_line: int
    ) -> tuple[npt.NDArray[np.int64], list[bytes], npt.NDArray[np.float64], list[tuple[int, str]]]:
        lines, times, values = [], [], []
        bad: list[tuple[int, str]] = []
        for line, text in enumerate(body.split(b"\n"), start=first_line):
            if not text.strip():
                continue
            try:
                time, row = self._row(text)
            except (ValueError, csv.Error) as error:
                bad.append((line, str(error)))
                continue
            lines.append(line)
            times.append(time)
            values.append(row)
        shape = (len(values), 1 + len(self._columns))
        return np.array(lines, np.int64), times, np.array(values, np.float64).reshape(shape), bad

    def _row(self, text: bytes) -> tuple[bytes, list[float]]:
        """Time field and numbers of one line. Raises ValueError with what is wrong."""
        header = self._header
        if b'"' in text:
            quoted = next(csv.reader([text.decode("utf-8", "replace")], delimiter=header.delimiter.decode()), [])
            fields = [field.encode() for field in quoted]
        else:
            fields = text.split(header.delimiter)
        if len(fields) != header.n_fields:
            hint = "; a decimal comma? expected decimal points" if header.delimiter == b"," else ""
            raise ValueError(f"{len(fields)} fields; expected {header.n_fields} as in the header{hint}")
        time = fields[header.time_column].strip()
        if not time:
            raise ValueError(f"column {header.names[header.time_column]!r} is empty; expected seconds")
        return time, [_number(time, header.names[header.time_column], "seconds")] + [
            _number(fields[column].strip(), header.names[column], "a number, or nothing where there is no value")
            for column in self._columns
        ]

    def _checked(
        self,
        lines: npt.NDArray[np.int64],
        times: list[bytes],
        values: npt.NDArray[np.float64],
        bad: list[tuple[int, str]],
    ) -> Rows:
        seconds, cells = values[:, 0], values[:, 1:]
        good = np.abs(seconds) < _MOST_SECONDS
        for row in np.flatnonzero(~good):
            shown = times[row].decode("utf-8", "replace")
            bad.append((int(lines[row]), f"time {shown!r}; expected seconds within ±{_MOST_SECONDS:g}"))
        stored = cells * self._scale
        wrong = np.abs(stored) > 2**31 - 1
        if self._counts:
            wrong |= stored != np.rint(stored)
            wrong &= ~np.isnan(stored)
        self._refuse_wrong_unit(lines, cells, stored)
        for row in np.flatnonzero(wrong.any(axis=1) & good):
            column = int(np.flatnonzero(wrong[row])[0])
            name, value = self._header.names[self._columns[column]], float(cells[row, column])
            bad.append((int(lines[row]), f"column {name!r}: {value:.12g}; {self._expected(value)}"))
        good &= ~wrong.any(axis=1)
        time_ns = np.zeros(len(times), np.int64)
        time_ns[good] = _nanoseconds(times, seconds, good)
        reached = np.maximum.accumulate(np.concatenate(([self._latest_ns], np.where(good, time_ns, self._latest_ns))))
        backwards = good & (time_ns < reached[:-1])
        for row in np.flatnonzero(backwards):
            text = f"time {seconds[row]:.6f} s runs backwards, {reached[row] / 1e9:.6f} s was before it"
            bad.append((int(lines[row]), f"{text}; expected rows in order of time"))
        good &= ~backwards
        self._latest_ns = int(reached[-1])
        self._bad.add(bad)
        return Rows(time_ns[good], cells[good], self._bytes_read)

    def _refuse_wrong_unit(
        self, lines: npt.NDArray[np.int64], cells: npt.NDArray[np.float64], stored: npt.NDArray[np.float64]
    ) -> None:
        """Raises TraceError if the very first rows can't be in the unit that was said, as a rule."""
        filled = np.flatnonzero(~np.isnan(cells).all(axis=1))
        if self._unit_checked or not filled.size:
            return
        self._unit_checked = True
        wrong = (stored != np.rint(stored) if self._counts else np.abs(stored) > 2**31 - 1) & np.isfinite(stored)
        if mostly(np.logical_or.reduce(wrong[filled], axis=1)):
            row, column = (int(first) for first in np.argwhere(wrong)[0])
            at, name = f"{self._bad.where}:{lines[row]}", self._header.names[self._columns[column]]
            raise TraceError(refusal(at, name, float(cells[row, column]), self._counts))

    def _expected(self, value: float) -> str:
        if self._counts and math.isfinite(value) and value != round(value):
            return "expected whole counts (--unit g for grams)"
        most = (2**31 - 1) / self._scale
        return f"expected a finite value within ±{most:.0f} {'counts' if self._counts else 'g'}"


def _number(text: bytes, name: str, expected: str) -> float:
    if not text:
        return math.nan
    try:
        if b"_" in text:
            raise ValueError
        return float(text)
    except ValueError:
        shown = text[:40].decode("utf-8", "replace")
        if b"," in text and text.replace(b",", b"").strip(b"+-").isdigit():
            expected = "a decimal point, not a decimal comma"
        raise ValueError(f"column {name!r}: {shown!r} isn't a number; expected {expected}") from None


def _nanoseconds(
    times: list[bytes], seconds: npt.NDArray[np.float64], good: npt.NDArray[np.bool_]
) -> npt.NDArray[np.int64]:
    """Seconds x 1e9, rounded. Unix times have more digits than a float, so those are converted from the text."""
    if not good.any() or float(np.abs(seconds[good]).max()) < _EXACT_SECONDS:
        return np.rint(seconds[good] * 1e9).astype(np.int64)
    try:
        exact = [int((Decimal(times[row].decode()) * 10**9).to_integral_value()) for row in np.flatnonzero(good)]
        return np.array(exact, np.int64)
    except (InvalidOperation, UnicodeDecodeError):
        return np.rint(seconds[good] * 1e9).astype(np.int64)
