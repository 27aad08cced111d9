"""The two tables and how SQLite is told to keep them.

`entry`: what the node has to say; an entry's id is its boot's base plus its seq, so that no index is needed.
`record`: what is remembered of it: per boot how far it is done, losses not yet told, totals. JSON with a CRC.
"""

from __future__ import annotations

import sqlite3
from pathlib import Path
from urllib.parse import quote

from edge.stream.outbox.errors import OutboxDamagedError

APPLICATION_ID = 0x53686F62  # "Shob"
_TABLES = (
    "CREATE TABLE entry(id INTEGER PRIMARY KEY, boot INTEGER, seq INTEGER, wall_ms INTEGER, payload BLOB, crc INTEGER)",
    "CREATE TABLE record(id INTEGER PRIMARY KEY, data BLOB, crc INTEGER)",
)
_BUSY_S = 5.0
INSERT = "INSERT INTO entry(id, boot, seq, wall_ms, payload, crc) VALUES(?, ?, ?, ?, ?, ?)"
COLUMNS = "id, boot, seq, wall_ms, payload, crc"


def connect(path: Path, page_bytes: int = 4096) -> sqlite3.Connection:
    """A writing connection; the tables are made where there are none.

    Raises sqlite3.Error; OutboxDamagedError where it is another program's database.
    """
    connection = sqlite3.connect(path, timeout=_BUSY_S, isolation_level=None, check_same_thread=False)
    try:
        connection.execute(f"PRAGMA page_size={page_bytes}")
        (tables,) = connection.execute("SELECT count(*) FROM sqlite_schema").fetchone()
        if not tables:
            if connection.execute("PRAGMA page_count").fetchone()[0] > 1:
                raise OutboxDamagedError("its list of tables is gone")
            connection.execute("PRAGMA auto_vacuum=NONE")
            connection.execute(f"PRAGMA application_id={APPLICATION_ID}")
        mode = connection.execute("PRAGMA journal_mode=WAL").fetchone()[0]
        if mode != "wal":
            raise OutboxDamagedError("journal mode: expected WAL")
        connection.execute("PRAGMA synchronous=FULL")
        connection.execute(
            "PRAGMA wal_autocheckpoint=0"
        )  # done by hand, so that an error in it isn't taken for another
        connection.execute("PRAGMA secure_delete=OFF")  # twice the writing, for nothing that is secret
        connection.execute("PRAGMA cell_size_check=ON")
        connection.execute("PRAGMA trusted_schema=OFF")
        if not tables:
            connection.execute("BEGIN IMMEDIATE")
            for statement in _TABLES:
                connection.execute(statement)
            connection.execute("COMMIT")
        check_tables(connection)
    except BaseException:
        connection.close()
        raise
    return connection


def check_tables(connection: sqlite3.Connection) -> None:
    """Raises OutboxDamagedError unless there are exactly these two tables."""
    found = connection.execute("SELECT sql FROM sqlite_schema ORDER BY rowid").fetchall()
    if [sql for (sql,) in found] != list(_TABLES):
        raise OutboxDamagedError("the tables in it aren't an outbox's")


def connect_reading(path: Path, *, immutable: bool = False) -> sqlite3.Connection:
    """A connection that only reads.

    ``immutable``: without locks, log and index, for a disk that can't be written to.
    """
    uri = f"file:{quote(str(path.absolute()))}?mode=ro" + ("&immutable=1" if immutable else "")
    connection = sqlite3.connect(uri, uri=True, timeout=_BUSY_S, isolation_level=None, check_same_thread=False)
    connection.execute("PRAGMA cell_size_check=ON")
    return connection
