"""What the disk has for the outbox, and a file that keeps some of it, for when the disk is full.

To make room inside the database takes room in its log. `outbox.reserve` holds that much; it is removed when the disk
is full, and made again when there is room.
"""

from __future__ import annotations

import contextlib
import os
from pathlib import Path

from edge.stream.outbox.room import files_bytes

_MOST_RESERVE_BYTES = 5 << 20
_LEAST_SIZE_BYTES = 256 << 10


class Reserve:
    """The reserve of the outbox at ``path``, which may take ``size_bytes`` with it. Nothing raises."""

    def __init__(self, path: Path, size_bytes: float) -> None:
        self._database = path
        self._size_bytes = int(size_bytes)
        self.path = _reserve_path(path)

    def room_bytes(self) -> tuple[int, int]:
        """What all files may take, the configured size or as much as the disk has; and how much of it in reserve."""
        there_bytes = files_bytes(self._database) + self.held_bytes() + self._free_bytes()
        whole_bytes = max(min(self._size_bytes, there_bytes), _LEAST_SIZE_BYTES)
        return whole_bytes, _share(whole_bytes)

    def make(self) -> None:
        """Keep it, where there is clearly room for it."""
        if self.held_bytes():
            return
        free_bytes = self._free_bytes()
        size_bytes = _share(min(self._size_bytes, files_bytes(self._database) + free_bytes))
        if not size_bytes or free_bytes < 3 * size_bytes:
            return
        try:
            handle = os.open(self.path, os.O_WRONLY | os.O_CREAT | os.O_CLOEXEC, 0o660)
            try:
                os.posix_fallocate(handle, 0, size_bytes)
            finally:
                os.close(handle)
        except OSError:
            self.give()

    def give(self) -> None:
        """Give it to the database and its log."""
        give_reserve(self._database)

    def held_bytes(self) -> int:
        """How much it is at the moment."""
        try:
            return self.path.stat().st_size
        except OSError:
            return 0

    def _free_bytes(self) -> int:
        try:
            found = os.statvfs(self.path.parent)
        except OSError:
            return self._size_bytes * 2
        return found.f_bavail * found.f_frsize


def _share(whole_bytes: int) -> int:
    """In whole pages of memory."""
    return min(whole_bytes // 12, _MOST_RESERVE_BYTES) & ~4095


def give_reserve(path: Path) -> None:
    """Remove what the outbox at ``path`` has in reserve. Never raises."""
    with contextlib.suppress(OSError):
        _reserve_path(path).unlink()


def _reserve_path(path: Path) -> Path:
    return path.with_name(f"{path.stem}.reserve")
