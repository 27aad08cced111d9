"""Whether the files that a store has open are still those at their path."""

from __future__ import annotations

import contextlib
import os
from pathlib import Path

_REMOVED = "its file was removed or replaced while the node ran"


class Place:
    """Holds on to the database and its log, without opening them: to close one that is open for reading would give
    SQLite's locks on it away.
    """

    def __init__(self, path: Path) -> None:
        self._paths = (str(path), f"{path}-wal")
        self._handles: list[int] = []

    def close(self) -> None:
        """Let go."""
        handles, self._handles = self._handles, []
        for handle in handles:
            os.close(handle)

    def trouble(self) -> str | None:
        """Why new entries wouldn't be found again: a file was removed. Quick, for each commit."""
        if not self._handles:
            self._hold()
        for number, handle in enumerate(self._handles):
            found = os.fstat(handle)
            if found.st_nlink == 0:
                return _REMOVED
            if number == 0 and found.st_size == 0:
                return "it was emptied while the node ran"
        return None

    def moved(self) -> str | None:
        """The same, and whether something else is at their path."""
        for handle, path in zip(self._handles, self._paths, strict=False):
            ours = os.fstat(handle)
            with contextlib.suppress(OSError):
                there = os.stat(path)  # noqa: PTH116
                if (there.st_dev, there.st_ino) == (ours.st_dev, ours.st_ino):
                    continue
            return _REMOVED
        return None

    def log_bytes(self) -> int:
        """Size of the write-ahead log."""
        return os.fstat(self._handles[1]).st_size if self._handles else 0

    def _hold(self) -> None:
        handles: list[int] = []
        try:
            for path in self._paths:
                handles.append(os.open(path, os.O_PATH | os.O_CLOEXEC))
        except OSError:
            for handle in handles:
                os.close(handle)
            return  # the log isn't there yet
        self._handles = handles
