"""Committed events per second of the outbox against plain SQLite with the same rows, and reading a backlog.

`python -m hil.outbox_bench [FOLDER]`: runs alternate in the same folder, so that both meet the same disk; medians.
The peer is
a table without an index, write-ahead log, synchronous=FULL, `executemany` and COMMIT: what one can do at most with
SQLite.
"""

from __future__ import annotations

import sqlite3
import statistics
import sys
import tempfile
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from edge.stream.outbox.committer import Committer
from edge.stream.outbox.records import Body, OutboxLimits
from edge.stream.outbox.row_check import row_crc
from edge.stream.outbox.store import OutboxStore

GROUP = 50
SINGLE = 400
GROUPED = 20_000
BACKLOG = 1_000_000
ROUNDS = 7
TARGET_SHARE = 0.8
TARGET_DRAIN = 15_000.0
_PAYLOAD_BYTES = 120  # a pick in its full form
_WALL_MS = 1_770_000_000_000
_LIMITS = OutboxLimits(size_bytes=2e9)
_CREATE = (
    "CREATE TABLE entry(id INTEGER PRIMARY KEY, boot INTEGER, seq INTEGER, wall_ms INTEGER, payload BLOB, crc INTEGER)"
)
_INSERT = "INSERT INTO entry(boot, seq, wall_ms, payload, crc) VALUES(?, ?, ?, ?, ?)"


@dataclass(frozen=True)
class OutboxSpeed:
    """Medians, entries per second. ``share``: of plain SQLite's grouped rate, the median over rounds."""

    single: float
    plain_single: float
    grouped: float
    plain_grouped: float
    share: float
    committer: float
    drain: float

    def lines(self) -> list[str]:
        """For people."""
        return [
            f"one per transaction:       outbox {self.single:9,.0f}/s   plain SQLite {self.plain_single:9,.0f}/s",
            f"{GROUP} per transaction:      outbox {self.grouped:9,.0f}/s   plain SQLite {self.plain_grouped:9,.0f}/s",
            f"share of plain, grouped:   {100 * self.share:.0f} %   (target: at least {100 * TARGET_SHARE:.0f} %)",
            f"committer under load:      {self.committer:9,.0f}/s   (whatever waits is one transaction)",
            f"reading {BACKLOG:,} pending: {self.drain:9,.0f}/s   (target, with sending: {TARGET_DRAIN:,.0f}/s)",
        ]


def measure(folder: Path, rounds: int = ROUNDS, backlog: int = BACKLOG) -> OutboxSpeed:
    """All of it, in a folder on the disk that is meant."""
    rates: dict[str, list[float]] = {
        name: [] for name in ("single", "plain single", "grouped", "plain grouped", "committer")
    }
    for number in range(rounds):
        under = folder / str(number)
        under.mkdir()
        works: list[tuple[str, Callable[[], float]]] = [
            ("single", lambda under=under: _outbox(under / "a.db", SINGLE, 1)),  # type: ignore[misc]
            ("plain single", lambda under=under: _plain(under / "b.db", SINGLE, 1)),  # type: ignore[misc]
            ("grouped", lambda under=under: _outbox(under / "c.db", GROUPED, GROUP)),  # type: ignore[misc]
            ("plain grouped", lambda under=under: _plain(under / "d.db", GROUPED, GROUP)),  # type: ignore[misc]
            ("committer", lambda under=under: _committer(under / "e.db", GROUPED)),  # type: ignore[misc]
        ]
        for name, work in works if number % 2 == 0 else reversed(works):
            rates[name].append(work())
    median = {name: statistics.median(each) for name, each in rates.items()}
    shares = [ours / plain for ours, plain in zip(rates["grouped"], rates["plain grouped"], strict=True)]
    return OutboxSpeed(
        median["single"],
        median["plain single"],
        median["grouped"],
        median["plain grouped"],
        statistics.median(shares),
        median["committer"],
        _drain(folder / "backlog.db", backlog),
    )


def _payload(boot: int, seq: int) -> bytes:
    return seq.to_bytes(8, "big").ljust(_PAYLOAD_BYTES, b"x")


def _open(path: Path) -> OutboxStore:
    return OutboxStore.open(path, _LIMITS, _WALL_MS * 1_000_000)


def _outbox(path: Path, count: int, group: int) -> float:
    store = _open(path)
    groups = [
        [Body(_payload, (_WALL_MS + first) * 1_000_000) for _ in range(group)] for first in range(0, count, group)
    ]
    began_s = time.perf_counter()
    for bodies in groups:
        store.append(bodies)
    took_s = time.perf_counter() - began_s
    store.close()
    return count / took_s


def _plain(path: Path, count: int, group: int) -> float:
    """The same rows; what they hold is made as well, so that only the keeping differs."""
    connection = sqlite3.connect(path, isolation_level=None)
    connection.execute("PRAGMA journal_mode=WAL")
    connection.execute("PRAGMA synchronous=FULL")
    connection.execute(_CREATE)
    began_s = time.perf_counter()
    for first in range(0, count, group):
        rows = []
        for seq in range(first, first + group):
            payload = _payload(1, seq)
            rows.append((1, seq, _WALL_MS + first, payload, row_crc(1, seq, _WALL_MS + first, payload)))
        connection.execute("BEGIN IMMEDIATE")
        connection.executemany(_INSERT, rows)
        connection.execute("COMMIT")
    took_s = time.perf_counter() - began_s
    connection.close()
    return count / took_s


def _committer(path: Path, count: int) -> float:
    committer = Committer(lambda: _open(path))
    began_s = time.perf_counter()
    for number in range(count):
        committer.give(Body(_payload, (_WALL_MS + number) * 1_000_000))
    committer.flush(600.0)
    took_s = time.perf_counter() - began_s
    committer.stop()
    return count / took_s


def _drain(path: Path, count: int) -> float:
    store = _open(path)
    for first in range(0, count, 2000):
        store.append([Body(_payload, (_WALL_MS + first) * 1_000_000) for _ in range(min(2000, count - first))])
    began_s = time.perf_counter()
    read = 0
    while rows := store.pending(None, 200, 32_000):
        read += len(rows)
        store.done(store.boot, rows[-1].seq)
    took_s = time.perf_counter() - began_s
    store.close()
    return read / took_s


def main(arguments: list[str]) -> int:
    """Prints; 1 where a target is missed."""
    with tempfile.TemporaryDirectory(dir=arguments[0] if arguments else None) as folder:
        speed = measure(Path(folder))
    print("\n".join(speed.lines()))  # noqa: T201
    return 0 if speed.share >= TARGET_SHARE and speed.drain >= TARGET_DRAIN else 1


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
