"""The checks when an outbox is opened."""

from __future__ import annotations

import sqlite3
from pathlib import Path

from edge.stream.outbox.errors import OutboxDamagedError
from edge.stream.outbox.reading import rows_from
from edge.stream.outbox.state import OutboxState
from edge.stream.outbox.wal_file import check_wal

_SMALL_BYTES = 8 << 20  # so much is looked at entry by entry, whatever happened; a Pi does it in under a second
_HEADER_BYTES = 100
_AT_A_TIME = 2000


def check_files(path: Path) -> None:
    """Look at the files before SQLite does. Raises OutboxDamagedError, OSError."""
    wal_path = path.with_name(path.name + "-wal")
    for each in (path, wal_path, path.with_name(path.name + "-shm"), path.with_name(path.name + "-journal")):
        if each.exists() and not each.is_file():
            raise OutboxDamagedError(f"{each.name} isn't a file")
    wal_bytes = wal_path.stat().st_size if wal_path.exists() else 0
    size_bytes = path.stat().st_size if path.exists() else 0
    if size_bytes == 0:
        if wal_bytes:
            raise OutboxDamagedError("the file is gone or empty, but not its log")
        return
    with path.open("rb") as file:
        header = file.read(_HEADER_BYTES)
    page_bytes = int.from_bytes(header[16:18], "big")
    if not header.startswith(b"SQLite format 3\0") or page_bytes < 512 or page_bytes & (page_bytes - 1):
        raise OutboxDamagedError("it doesn't begin as a database does")
    if header[18:20] != b"\x02\x02" and (wal_bytes or size_bytes > page_bytes):
        raise OutboxDamagedError("its header says that it has no log")
    if wal_bytes:
        check_wal(wal_path, page_bytes)


def check_rows(connection: sqlite3.Connection, state: OutboxState, path: Path) -> None:
    """Look at what SQLite finds. Raises OutboxDamagedError, sqlite3.Error.

    Entries are checked whenever they are read; here that is done for a small file, and the tree for any that wasn't
    closed.
    """
    small = path.stat().st_size <= _SMALL_BYTES
    if state.clean and not small:
        return
    (found,) = connection.execute("PRAGMA quick_check(1)").fetchone()
    if found != "ok":
        raise OutboxDamagedError(str(found).strip())
    (kept,) = connection.execute("SELECT count(*) FROM entry").fetchone()
    expected = sum(span.kept() for span in state.spans.values())
    if kept != expected:
        raise OutboxDamagedError(f"{kept} entries, expected {expected}")
    if small:
        for span in state.spans.values():
            seq = span.first
            while rows := rows_from(connection, state, span.boot, seq, _AT_A_TIME, strict=True):
                seq = rows[-1].seq + 1
