"""The pages of a damaged database and of its log, as bytes; what can't be read is passed over."""

from __future__ import annotations

import contextlib
import os
from collections.abc import Iterator
from pathlib import Path

from edge.stream.outbox.wal_file import FRAME_HEADER_BYTES, HEADER_BYTES, wal_page_bytes, wal_pages

_SIZES = [1 << bit for bit in range(9, 17)]
_TREE_PAGES = b"\x02\x05\x0a\x0d"
_LOOKED_AT = 400  # pages, to guess their size


class RawPages:
    """Iterates over all pages: the database's, then the log's in the order of writing. Never raises for damage."""

    def __init__(self, path: Path, page_bytes: int) -> None:
        self._wal_path = path.with_name(path.name + "-wal")
        self._file = _opened(path)
        self._wal_file = _opened(self._wal_path)
        self.page_bytes = self._said_size() or wal_page_bytes(self._wal_path) or self._guessed(page_bytes)
        self._in_wal: dict[int, list[int]] = {}
        for number, (page_number, _) in enumerate(wal_pages(self._wal_path, self.page_bytes)):
            at = HEADER_BYTES + number * (FRAME_HEADER_BYTES + self.page_bytes) + FRAME_HEADER_BYTES
            self._in_wal.setdefault(page_number, []).append(at)

    def close(self) -> None:
        """Let go of the files."""
        for handle in (self._file, self._wal_file):
            if handle is not None:
                os.close(handle)

    def __iter__(self) -> Iterator[bytes]:
        at = 0
        size_bytes = 0
        if self._file is not None:
            with contextlib.suppress(OSError):
                size_bytes = os.fstat(self._file).st_size
        while at < size_bytes:
            if page := self._read(self._file, at, self.page_bytes):
                yield page.ljust(self.page_bytes, b"\0")
            at += self.page_bytes
        for _, page in wal_pages(self._wal_path, self.page_bytes):
            yield page.ljust(self.page_bytes, b"\0")

    def chain(self, page_number: int, size: int) -> list[bytes]:
        """What overflow pages may hold: with the log's latest pages, with its first, with the database's own."""
        found = [self._chain(page_number, size, pick) for pick in (-1, 0, None)]
        return list(dict.fromkeys(each for each in found if len(each) == size))

    def _chain(self, page_number: int, size: int, pick: int | None) -> bytes:
        parts = b""
        for _ in range(size // (self.page_bytes - 4) + 1):
            if not page_number or len(parts) >= size:
                break
            places = self._in_wal.get(page_number)
            if places and pick is not None:
                page = self._read(self._wal_file, places[pick], self.page_bytes)
            else:
                page = self._read(self._file, (page_number - 1) * self.page_bytes, self.page_bytes)
            page_number = int.from_bytes(page[:4], "big")
            parts += page[4:]
        return parts[:size]

    def _said_size(self) -> int | None:
        """The page size that the header says, if something else in it bears that out."""
        header = self._read(self._file, 0, 100)
        size_bytes = 0 if self._file is None else os.fstat(self._file).st_size
        pages = int.from_bytes(header[28:32], "big")
        size = int.from_bytes(header[16:18], "big")
        fitting = [each for each in _SIZES if size_bytes and each * pages == size_bytes]
        if fitting:
            return fitting[0]
        return size if size in _SIZES and header.startswith(b"SQLite format 3\0") else None

    def _guessed(self, page_bytes: int) -> int:
        """The smallest size at which most pages begin as pages of a tree do; the usual one if none does."""
        for size in _SIZES:
            begins = [self._read(self._file, number * size, 1) for number in range(1, _LOOKED_AT)]
            begins = [each for each in begins if each]
            if begins and sum(each in _TREE_PAGES for each in begins) > 0.7 * len(begins):
                return size
        return page_bytes

    @staticmethod
    def _read(handle: int | None, at: int, size: int) -> bytes:
        if handle is not None:
            with contextlib.suppress(OSError, OverflowError):
                return os.pread(handle, size, at)
        return b""


def _opened(path: Path) -> int | None:
    try:
        return os.open(path, os.O_RDONLY | os.O_CLOEXEC | os.O_NONBLOCK) if path.is_file() else None
    except OSError:
        return None
