"""The outbox's files while a store has them open: two connections, the lock that keeps other processes out."""

from __future__ import annotations

import contextlib
import fcntl
import os
import sqlite3
from pathlib import Path

from edge.stream.outbox.errors import FILE_ERRORS, OutboxDamagedError, OutboxUnavailableError, unavailable
from edge.stream.outbox.records import Opening
from edge.stream.outbox.reports import Report
from edge.stream.outbox.salvage import salvage
from edge.stream.outbox.schema import connect, connect_reading
from edge.stream.outbox.state import OutboxState, read_state

_SHORTEN_MS = 50


class Files:
    """Held from when it is made until `close`.

    Attributes:
        path: the database. writer, reader: the connections to it.
        opening: what was found. saved: the state as the file has it.
        state: the state with the new boot in it, which is to be committed first.
        remembered_wall_ms: the latest wall time in the file.
    """

    writer: sqlite3.Connection
    reader: sqlite3.Connection
    saved: OutboxState
    state: OutboxState
    remembered_wall_ms: int

    def __init__(self, path: Path, page_bytes: int) -> None:
        self.path = path
        self.page_bytes = page_bytes
        self.opening = Opening()
        self._wal_path = str(_beside(path, "-wal"))
        self._place: tuple[int, int] | None = None
        self._connected = False
        self._lock = _locked(path)

    def connect(self) -> None:
        """Open both connections. Raises sqlite3.Error, OutboxDamagedError."""
        self.writer = connect(self.path, self.page_bytes)
        try:
            self.page_bytes = int(self.writer.execute("PRAGMA page_size").fetchone()[0])
            self.reader = connect_reading(self.path)
        except BaseException:
            self.writer.close()
            raise
        self._connected, self._place = True, None

    def disconnect(self) -> None:
        """Close both. Never raises."""
        if not self._connected:
            return
        self._connected = False
        for connection in (self.reader, self.writer):
            with contextlib.suppress(sqlite3.Error):
                connection.close()

    def close(self) -> None:
        """Close the connections and give the lock back. The log goes into the database, and goes."""
        self.disconnect()
        with contextlib.suppress(OSError):
            os.close(self._lock)

    def roll_back(self) -> None:
        """End a transaction that failed."""
        with contextlib.suppress(sqlite3.Error):
            if self.writer.in_transaction:
                self.writer.execute("ROLLBACK")

    def check_connected(self) -> None:
        """Connect again where mending had to leave it unconnected. Raises OutboxUnavailableError."""
        if self._connected:
            return
        try:
            self.connect()
        except FILE_ERRORS as error:
            raise unavailable(self.path, error) from None

    def check_place(self) -> None:
        """Raises OutboxDamagedError where the files have been removed or replaced while they were open."""
        place = (_inode(str(self.path)), _inode(self._wal_path))
        if 0 not in place and self._place is None:
            self._place = place
        if self._place is not None and place != self._place:
            raise OutboxDamagedError("its file was removed or replaced while the node ran")

    def log_bytes(self) -> int:
        """Size of the write-ahead log."""
        with contextlib.suppress(OSError):
            return os.stat(self._wal_path).st_size  # noqa: PTH116  at each commit
        return 0

    def shorten_log(self) -> None:
        """Put the log into the database and cut it, unless somebody reads an old state of it."""
        with contextlib.suppress(sqlite3.Error):
            self.writer.execute(f"PRAGMA busy_timeout={_SHORTEN_MS}")
            self.writer.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchall()
        with contextlib.suppress(sqlite3.Error):
            self.writer.execute("PRAGMA busy_timeout=5000")

    def mend(self, known: OutboxState | None, why: str) -> OutboxState:
        """Carry over what is intact into a new file; the damaged one is set aside.

        Args:
            known: what the running store knows; None when it is being opened.
        Returns: the state of the new file. Raises OutboxUnavailableError where the disk doesn't allow it.
        """
        self.disconnect()
        try:
            found = salvage(self.path, known, self.page_bytes)
            self.connect()
            state = read_state(self.writer)
        except (OSError, *FILE_ERRORS) as error:
            if isinstance(error, OutboxUnavailableError):
                raise
            raise unavailable(self.path, error) from None
        self._note(why, found.report, found.set_aside)
        return state

    def _note(self, why: str, report: Report, set_aside: list[str]) -> None:
        opening = self.opening
        opening.problems.append(
            f"{self.path}: damaged ({why}); {report.rows_kept} entries were carried over, "
            f"{report.rows_lost} are known to be lost; the damaged file is {report.file} now"
        )
        opening.set_aside += set_aside
        opening.rows_kept += report.rows_kept
        opening.rows_lost += report.rows_lost
        opening.missing += report.missing


def _locked(path: Path) -> int:
    """A lock of this process on the outbox; the system gives it back however the process ends."""
    lock_path = _beside(path, ".lock")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        if lock_path.is_dir():
            raise OutboxUnavailableError(f"{lock_path}: is a folder; remove it, the outbox needs a file there")
        lock = os.open(lock_path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o660)
    except OutboxUnavailableError:
        raise
    except OSError as error:
        raise OutboxUnavailableError(
            f"{path}: can't be made or written here ({error.strerror}); expected a folder on a disk with room that the "
            "user the node runs as may write to"
        ) from None
    try:
        fcntl.lockf(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError:
        os.close(lock)
        raise OutboxUnavailableError(
            f"{path}: another process writes to it; stop the other node, or give this one another state folder"
        ) from None
    return lock


def _beside(path: Path, suffix: str) -> Path:
    return path.with_name(path.name + suffix)


def _inode(path: str) -> int:
    try:
        return os.stat(path).st_ino  # noqa: PTH116  at each commit
    except OSError:
        return 0
