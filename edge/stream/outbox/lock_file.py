"""The file beside the outbox that keeps other processes out, and remembers what a lost database can't tell.

It holds one line, written over in place, which needs no room on a full disk: the latest boot, so that a database that
is empty or gone is known to have been there and its boots don't come again; and how many entries were lost when the
node stopped because the disk refused them, for the next start to tell.
"""

from __future__ import annotations

import contextlib
import fcntl
import logging
import os
import re
from pathlib import Path
from zlib import crc32

from edge.stream.outbox.errors import OutboxUnavailableError

_LINE = re.compile(rb"(shelfedge outbox, boot (\d{10}), lost (\d{10})), crc ([0-9a-f]{8})\n")
_MOST_LOST = 10**10 - 1
_LINE_BYTES = 100
_LOG = logging.getLogger("shelfedge.outbox")


class OutboxLock:
    """Held from when it is made until `close`; the system gives it back however the process ends.

    Attributes:
        path: the lock file.
        lived: the file says that there has been an outbox. boot: its latest boot, 0 where that isn't known.
        lost: entries that were lost at the last stop and haven't been told.

    Raises OutboxUnavailableError where the disk refuses, or another process has it.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        self.lived = False
        self.boot = self.lost = 0
        self._handle = _locked(path)
        self._read()

    def close(self) -> None:
        """Give it back. Never raises."""
        with contextlib.suppress(OSError):
            os.close(self._handle)

    def renew(self) -> None:
        """Take it anew where the file was removed or replaced. Raises OutboxUnavailableError as when it is made."""
        ours = os.fstat(self._handle)
        with contextlib.suppress(OSError):
            there = self.path.stat()
            if (there.st_dev, there.st_ino) == (ours.st_dev, ours.st_ino):
                return
        fresh = _locked(self.path)
        os.close(self._handle)
        self._handle = fresh
        self.remember(self.boot, self.lost)

    def is_removed(self) -> bool:
        """Whether the file was removed. Quick."""
        return os.fstat(self._handle).st_nlink == 0

    def remember(self, boot: int, lost: int) -> bool:
        """Write it down and sync it; False where the disk refuses even that. Never raises."""
        self.lived, self.boot, self.lost = True, boot, min(lost, _MOST_LOST)
        text = b"shelfedge outbox, boot %010d, lost %010d" % (self.boot, self.lost)
        line = b"%s, crc %08x\n" % (text, crc32(text))
        try:
            if os.pread(self._handle, _LINE_BYTES, 0) == line:
                return True
            os.pwrite(self._handle, line, 0)
            os.fsync(self._handle)
        except OSError:
            return False
        return True

    def remember_loss(self, boot: int, lost: int) -> None:
        """The disk didn't take so many entries until the end: say so, and write it down for the next start."""
        kept = self.remember(boot, self.lost + lost)
        _LOG.error(
            "%s: %d entries are lost, the disk didn't take them; %s", self.path.with_suffix(""), lost,
            "the next start tells it" if kept else "it doesn't even take a note of that",
        )  # fmt: skip

    def _read(self) -> None:
        with contextlib.suppress(OSError):
            data = os.pread(self._handle, _LINE_BYTES, 0)
            self.lived = bool(data)
            match = _LINE.fullmatch(data)
            if match is not None and crc32(match[1]) == int(match[4], 16):
                self.boot, self.lost = int(match[2]), int(match[3])


def lock_path(path: Path) -> Path:
    """Of the outbox at ``path``."""
    return path.with_name(path.name + ".lock")


def leave_trace(path: Path, lost: int) -> bool:
    """Entries were lost without the outbox at ``path`` ever having been open. Whether that could be written down."""
    try:
        lock = OutboxLock(lock_path(path))
    except OutboxUnavailableError:
        return False
    try:
        return lock.remember(lock.boot, lock.lost + lost)
    finally:
        lock.close()


def _locked(path: Path) -> int:
    outbox = path.with_suffix("")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        if path.is_dir():
            raise OutboxUnavailableError(f"{path}: is a folder; remove it, the outbox needs a file there")
        lock = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o660)
    except OutboxUnavailableError:
        raise
    except OSError as error:
        raise OutboxUnavailableError(
            f"{outbox}: can't be made or written here ({error.strerror}); expected a folder on a disk with room that "
            "the user the node runs as may write to"
        ) from None
    try:
        fcntl.lockf(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError:
        os.close(lock)
        raise OutboxUnavailableError(
            f"{outbox}: another process writes to it; stop the other node, or give this one another state folder"
        ) from None
    return lock
