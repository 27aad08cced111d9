"""The outbox's files while a store has them open: two connections, the lock that keeps other processes out."""

from __future__ import annotations

import contextlib
import logging
import sqlite3
from pathlib import Path

from edge.stream.outbox.errors import FILE_ERRORS, OutboxDamagedError, OutboxUnavailableError, unavailable
from edge.stream.outbox.lock_file import OutboxLock, lock_path
from edge.stream.outbox.place import Place
from edge.stream.outbox.records import Opening
from edge.stream.outbox.replacing import finish_replacing
from edge.stream.outbox.salvage import salvage
from edge.stream.outbox.schema import connect, connect_reading
from edge.stream.outbox.state import OutboxState, read_state
from edge.stream.outbox.verify import check_rows

_SHORTEN_MS = 50
_LOG = logging.getLogger("shelfedge.outbox")


class Files:
    """Held from when it is made until `close`.

    Attributes:
        path: the database. writer, reader: the connections to it. lock: keeps other processes out.
        opening: what was found. saved: the state as the file has it.
        state: the state with the new boot in it, which is to be committed first.
        remembered_wall_ms: the latest wall time in the file. connected: whether the connections are open.
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
        self._place = Place(path)
        self.connected = False
        self.lock = OutboxLock(lock_path(path))

    def connect(self) -> None:
        """Open both connections, unless they are. Raises sqlite3.Error, OutboxDamagedError, OutboxUnavailableError."""
        if self.connected:
            return
        try:
            finish_replacing(self.path)
        except OSError as error:
            raise unavailable(self.path, error) from None
        self.writer = connect(self.path, self.page_bytes)
        try:
            self.page_bytes = int(self.writer.execute("PRAGMA page_size").fetchone()[0])
            self.reader = connect_reading(self.path)
        except BaseException:
            self.writer.close()
            raise
        self.connected = True

    def disconnect(self) -> None:
        """Close both. Never raises."""
        self._place.close()
        if not self.connected:
            return
        self.connected = False
        for connection in (self.reader, self.writer):
            with contextlib.suppress(sqlite3.Error):
                connection.close()

    def close(self) -> None:
        """Close the connections and give the lock back. The log goes into the database, and goes."""
        self.disconnect()
        self.lock.close()

    def roll_back(self) -> None:
        """End a transaction that failed."""
        with contextlib.suppress(sqlite3.Error):
            if self.writer.in_transaction:
                self.writer.execute("ROLLBACK")

    def check_place(self, *, thoroughly: bool) -> None:
        """Raises OutboxDamagedError where the files have been removed or replaced while they were open.

        The lock is taken anew where it was removed; OutboxUnavailableError where another process was quicker.
        ``thoroughly``: also where they were moved.
        """
        if thoroughly or self.lock.is_removed():
            self.lock.renew()
        trouble = self._place.trouble() or (self._place.moved() if thoroughly else None)
        if trouble is not None:
            raise OutboxDamagedError(trouble)

    def log_bytes(self) -> int:
        """Size of the write-ahead log."""
        return self._place.log_bytes()

    def database_bytes(self) -> int:
        """Size of the database."""
        with contextlib.suppress(OSError):
            return self.path.stat().st_size
        return 0

    def shorten_log(self, how: str = "TRUNCATE") -> None:
        """Put the log into the database and cut it, unless somebody reads an old state of it.

        ``how``: RESTART leaves its size as it is, to be written over.
        """
        with contextlib.suppress(sqlite3.Error):
            self.writer.execute(f"PRAGMA busy_timeout={_SHORTEN_MS}")
            self.writer.execute(f"PRAGMA wal_checkpoint({how})").fetchall()
        with contextlib.suppress(sqlite3.Error):
            self.writer.execute("PRAGMA busy_timeout=5000")

    def mend(self, known: OutboxState | None, why: str) -> OutboxState:
        """Carry over what is intact into a new file; the damaged one is set aside.

        Args:
            known: what the running store knows; None when it is being opened.
        Returns: the state of the new file. Raises OutboxUnavailableError where the disk doesn't allow it.
        """
        self.disconnect()
        self.lock.renew()
        try:
            found = salvage(self.path, known, self.page_bytes)
            self.connect()
            state = read_state(self.writer)
        except (OSError, *FILE_ERRORS) as error:
            if isinstance(error, OutboxUnavailableError):
                raise
            raise unavailable(self.path, error) from None
        report = found.report
        where = f"the damaged file is {report.file} now" if found.set_aside else "there was no file to set aside"
        self.opening.rows_kept += report.rows_kept
        self.opening.rows_lost += report.rows_lost
        self.note(
            f"{self.path}: damaged ({why}); {report.rows_kept} entries were carried over, "
            f"{report.rows_lost} are known to be lost; {where}",
            found.set_aside,
            report.missing,
        )
        return state

    def reopen(self) -> OutboxState:
        """Connect anew to a file that isn't as it was left; its state. Raises as `connect`, and if it is damaged."""
        self.disconnect()
        self.connect()
        state = read_state(self.writer)
        check_rows(self.writer, state, self.path)
        return state

    def note(self, problem: str, set_aside: list[str], missing: tuple[tuple[int, int, int], ...]) -> None:
        """Say what was found, in the log and in `opening`."""
        _LOG.warning("%s", problem)
        self.opening.found(problem, set_aside, missing)
