"""A place for what a consumer receives: one SQLite file, entries and state in one transaction. The reference sink.

`entry.id` counts in the order of delivery. `UNIQUE(node, boot, seq)` is the promise itself: a doubled entry would be an
error, not a row.
"""

from __future__ import annotations

import sqlite3
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from edge.stream.consumer_delivery import Delivery
from edge.stream.entry import Entry, Note, TimeQuality

_TABLES = """
CREATE TABLE IF NOT EXISTS entry(
    id INTEGER PRIMARY KEY, node TEXT NOT NULL, boot INTEGER NOT NULL, seq INTEGER NOT NULL,
    wall_ms INTEGER, mono_ms INTEGER, time_quality INTEGER, received_ms INTEGER NOT NULL, item BLOB NOT NULL,
    UNIQUE(node, boot, seq));
CREATE TABLE IF NOT EXISTS given_up(node TEXT NOT NULL, boot INTEGER NOT NULL, first INTEGER NOT NULL, last INTEGER);
CREATE TABLE IF NOT EXISTS state(id INTEGER PRIMARY KEY CHECK (id = 1), value BLOB NOT NULL);
"""
_NS_PER_MS = 1_000_000


class ConsumerStore:
    """Use as a context, or `close` it. Raises sqlite3.Error as SQLite does."""

    def __init__(self, path: Path) -> None:
        self._database = sqlite3.connect(path, isolation_level=None)
        self._database.execute("PRAGMA journal_mode=WAL")
        self._database.execute("PRAGMA synchronous=FULL")  # a commit is on the disk, not only on its way there
        self._database.executescript(_TABLES)

    def state(self) -> bytes | None:
        """What to make the `Consumer` with; None the first time."""
        row = self._database.execute("SELECT value FROM state").fetchone()
        return None if row is None else bytes(row[0])

    def handle(self, delivery: Delivery, state: bytes) -> None:
        """Store both or neither; when it returns they are on the disk."""
        received_ms = time.time_ns() // _NS_PER_MS
        with self._transaction() as database:
            for got in delivery.entries:
                database.execute(
                    "INSERT INTO entry(node, boot, seq, wall_ms, mono_ms, time_quality, received_ms, item) "
                    "VALUES(?, ?, ?, ?, ?, ?, ?, ?)",
                    (got.node, got.boot, got.seq, *_times(got.entry), received_ms, got.item),
                )
                if isinstance(got.entry, Note) and got.entry.what == "clock":
                    _set_clock(database, got.node, got.entry)
            database.executemany(
                "INSERT INTO given_up(node, boot, first, last) VALUES(?, ?, ?, ?)",
                [(gap.node, gap.boot, gap.first, gap.last) for gap in delivery.given_up],
            )
            database.execute("INSERT OR REPLACE INTO state(id, value) VALUES(1, ?)", (state,))

    def entries(self) -> Iterator[tuple[str, int, int, bytes]]:
        """Node, boot, seq and item of everything, in order of delivery."""
        yield from self._database.execute("SELECT node, boot, seq, item FROM entry ORDER BY id")

    def close(self) -> None:
        """Calling it twice does no harm."""
        self._database.close()

    @contextmanager
    def _transaction(self) -> Iterator[sqlite3.Connection]:
        self._database.execute("BEGIN IMMEDIATE")
        try:
            yield self._database
            self._database.execute("COMMIT")
        except BaseException:
            if self._database.in_transaction:
                self._database.execute("ROLLBACK")
            raise

    def __enter__(self) -> ConsumerStore:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()


def _times(entry: Entry | None) -> tuple[int | None, int | None, int | None]:
    """Wall time, monotonic time (only sent while the wall clock isn't to be trusted) and time quality."""
    if entry is None:
        return None, None, None
    mono_ns = None
    if entry.time.quality is not TimeQuality.SYNCED:
        mono_ns = entry.mono_ns if isinstance(entry, Note) else entry.event.time_ns
    return entry.time.wall_ns // _NS_PER_MS, None if mono_ns is None else mono_ns // _NS_PER_MS, entry.time.quality


def _set_clock(database: sqlite3.Connection, node: str, note: Note) -> None:
    """The node's clock has been set: what it stamped before in that boot gets its right time."""
    boot, offset_ms = note.details.get("boot", note.boot), note.details.get("offset_ms")
    if type(boot) is int and type(offset_ms) is int and note.time.quality is TimeQuality.SYNCED:
        database.execute(
            "UPDATE entry SET wall_ms = mono_ms + ?, time_quality = ? "
            "WHERE node = ? AND boot = ? AND mono_ms IS NOT NULL AND time_quality != ?",
            (offset_ms, TimeQuality.SYNCED, node, boot, TimeQuality.SYNCED),
        )
