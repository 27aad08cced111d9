"""Entries and records out of raw pages, whatever has become of the tree they were in.

A row of a table is stored as a record: the length of its header, a code for the type of each column, then the columns
(https://sqlite.org/fileformat2.html#record_format). The headers of our two tables look so particular that they are
found by pattern anywhere in a page; the row's own CRC says whether it is one, so that nothing wrong can come of it.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from typing import Any

from edge.stream.outbox.row_check import is_row, read_record

_INT = rb"[\x01-\x06\x08\x09]"
_BLOB = rb"(?:[\x0c-\x7f]|[\x81-\xff][\x00-\x7f]|[\x81-\xff][\x80-\xff][\x00-\x7f])"
_ENTRY = re.compile(rb"(?=([\x07-\x09]\x00" + _INT * 3 + _BLOB + _INT + rb"))", re.DOTALL)
_RECORD = re.compile(rb"(?=([\x04-\x06]\x00" + _BLOB + _INT + rb"))", re.DOTALL)
_INT_BYTES = (0, 1, 2, 3, 4, 6, 8, 0, 0, 0)  # by type code; 8 and 9 are the values 0 and 1
CarvedRow = tuple[int, int, int, bytes, int]
Chain = Callable[[int, int], list[bytes]]


def carve_rows(page: bytes, chain: Chain) -> Iterator[CarvedRow]:
    """Every intact entry in a page: boot, seq, wall_ms, payload, crc.

    ``chain`` gives what a long row goes on with: the contents that the overflow pages from a page number on may have,
    of so many bytes.
    """
    for columns in _rows(page, _ENTRY, chain):
        if len(columns) == 6 and is_row(*columns[1:]):
            yield columns[1], columns[2], columns[3], columns[4], columns[5]


def carve_records(page: bytes, chain: Chain) -> Iterator[dict[str, Any]]:
    """Every intact record in a page, former versions of it included."""
    for columns in _rows(page, _RECORD, chain):
        record = read_record(columns[1], columns[2]) if len(columns) == 3 else None
        if record is not None:
            yield record


def _rows(page: bytes, pattern: re.Pattern[bytes], chain: Chain) -> Iterator[tuple[Any, ...]]:
    for match in pattern.finditer(page):
        header = match[1]
        if header[0] != len(header):
            continue
        types = list(_varints(header[1:]))
        sizes = [_INT_BYTES[each] if each < 10 else (each - 12) // 2 for each in types]
        if any(each >= 10 and each % 2 for each in types):
            continue  # a text
        begin, size = match.start(), len(header) + sum(sizes)
        local = _local_bytes(size, len(page))
        if begin + local + (4 if local < size else 0) > len(page):
            continue
        body = page[begin : begin + local]
        if local == size:
            yield _columns(body[len(header) :], types, sizes)
            continue
        following = int.from_bytes(page[begin + local : begin + local + 4], "big")
        for rest in chain(following, size - local):
            yield _columns((body + rest)[len(header) :], types, sizes)


def _columns(body: bytes, types: list[int], sizes: list[int]) -> tuple[Any, ...]:
    columns: list[Any] = []
    at = 0
    for kind, size in zip(types, sizes, strict=True):
        part = body[at : at + size]
        at += size
        if kind >= 10:
            columns.append(part)
        elif kind in (8, 9):
            columns.append(kind - 8)
        else:
            columns.append(int.from_bytes(part, "big", signed=True) if kind else None)
    return tuple(columns)


def _local_bytes(size: int, page_bytes: int) -> int:
    """How much of a row of this size is in its page; the rest is in overflow pages."""
    most = page_bytes - 35
    if size <= most:
        return size
    least = (page_bytes - 12) * 32 // 255 - 23
    local = least + (size - least) % (page_bytes - 4)
    return local if local <= most else least


def _varints(data: bytes) -> Iterator[int]:
    value = 0
    for byte in data:
        value = value << 7 | byte & 0x7F
        if byte < 0x80:
            yield value
            value = 0
