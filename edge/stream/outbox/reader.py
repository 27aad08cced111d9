"""Reading an outbox: beside the node that writes it or without one, also where nothing can be written."""

from __future__ import annotations

import contextlib
import shutil
import sqlite3
import tempfile
from collections.abc import Iterator
from pathlib import Path
from types import TracebackType

from edge.stream.outbox.carve import carve_rows
from edge.stream.outbox.errors import FILE_ERRORS, OutboxUnavailableError, is_damage, unavailable
from edge.stream.outbox.raw_pages import RawPages
from edge.stream.outbox.records import Position, Row
from edge.stream.outbox.row_check import is_row
from edge.stream.outbox.schema import COLUMNS, connect_reading

_NS_PER_MS = 1_000_000
_PAGE_BYTES = 4096
_AT_A_TIME = 500


class OutboxReader:
    """Gives the entries in the order of their commit, delivered or not, as long as they are kept.

    Damage is passed over: what is intact is given, and `problems` has a sentence for each thing that isn't.

    Args:
        path: the outbox's database, `<state>/outbox.db`.
    Raises OutboxUnavailableError where there is none, or it may not be read.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        self.problems: list[str] = []
        self._copy: tempfile.TemporaryDirectory[str] | None = None
        self._connection: sqlite3.Connection | None = None
        self._last_id = 0
        self._last: Position | None = None
        self._inode = 0
        self._connect()

    def __enter__(self) -> OutboxReader:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def close(self) -> None:
        """Let go of the files."""
        if self._connection is not None:
            self._connection.close()
            self._connection = None
        if self._copy is not None:
            self._copy.cleanup()
            self._copy = None

    def rows(self, after: Position | None = None) -> Iterator[Row]:
        """All entries up to now, from the oldest kept or from behind ``after`` on; `next_rows` goes on from there."""
        self._last, self._last_id = after, 0
        if after is not None:
            self._find(after)
        while found := self.next_rows():
            yield from found

    def next_rows(self, most: int = _AT_A_TIME) -> list[Row]:
        """Entries that weren't given yet; none where there is nothing new. Raises OutboxUnavailableError."""
        self._follow_file()
        while self._connection is not None:
            try:
                found = self._connection.execute(
                    f"SELECT {COLUMNS} FROM entry WHERE id > ? ORDER BY id LIMIT ?", (self._last_id, most)
                ).fetchall()
            except FILE_ERRORS as error:
                if not is_damage(error):
                    raise unavailable(self.path, error) from None
                self._problem(f"{self.path}: damaged ({error}); what is intact is read all the same")
                self._connection.close()
                self._connection = None
                break
            if not found:
                return []
            rows = [self._row(*each) for each in found]
            self._last_id = found[-1][0]
            intact = [row for row in rows if row is not None]
            if intact:
                self._last = intact[-1].position
                return intact
        return self._carved(most)

    def _row(self, row_id: int, boot: int, seq: int, wall_ms: int, payload: bytes, crc: int) -> Row | None:
        if is_row(boot, seq, wall_ms, payload, crc):
            return Row(boot, seq, payload, wall_ms * _NS_PER_MS)
        self._problem(f"{self.path}: entry {row_id} isn't what was written; it is passed over")
        return None

    def _carved(self, most: int) -> list[Row]:
        """Out of the raw pages, in the order of boot and seq."""
        found: dict[Position, Row] = {}
        pages = RawPages(self._readable, _PAGE_BYTES)
        try:
            for page in pages:
                for boot, seq, wall_ms, payload, _ in carve_rows(page, pages.chain):
                    position = Position(boot, seq)
                    if self._last is None or position > self._last:
                        found.setdefault(position, Row(boot, seq, payload, wall_ms * _NS_PER_MS))
                while len(found) > 2 * most:
                    del found[max(found)]
        finally:
            pages.close()
        rows = [found[position] for position in sorted(found)][:most]
        if rows:
            self._last = rows[-1].position
        return rows

    def _connect(self) -> None:
        self._readable = self.path
        try:
            status = self.path.stat()
            with self.path.open("rb"):
                pass
        except OSError as error:
            hint = "; expected the outbox of a node that has run, in its state folder"
            raise OutboxUnavailableError(
                f"{self.path}: {error.strerror}{hint if isinstance(error, FileNotFoundError) else ''}"
            ) from None
        self._inode = status.st_ino
        found: Exception
        try:
            self._connection = self._opened(self.path)
            return
        except FILE_ERRORS as error:
            found = error
        if not is_damage(found):
            with contextlib.suppress(sqlite3.Error, OSError):
                self._connection = self._without_writing()
                return
            raise unavailable(self.path, found) from None
        self._problem(f"{self.path}: damaged ({found}); what is intact is read all the same")

    def _without_writing(self) -> sqlite3.Connection:
        """Where SQLite can't make its index beside the file: from a copy if there is a log, or without locks."""
        wal = self.path.with_name(self.path.name + "-wal")
        if not wal.exists() or not wal.stat().st_size:
            return self._opened(self.path, immutable=True)
        self._copy = tempfile.TemporaryDirectory(prefix="shelfedge-outbox-")
        self._readable = Path(self._copy.name) / self.path.name
        shutil.copyfile(self.path, self._readable)
        shutil.copyfile(wal, self._readable.with_name(wal.name))
        return self._opened(self._readable)

    def _opened(self, path: Path, *, immutable: bool = False) -> sqlite3.Connection:
        connection = connect_reading(path, immutable=immutable)
        try:
            connection.execute("SELECT max(id) FROM entry").fetchone()
        except BaseException:
            connection.close()
            raise
        return connection

    def _follow_file(self) -> None:
        """A mended outbox is a new file; a copy is made anew when there is more in the original."""
        try:
            inode = self.path.stat().st_ino
        except OSError:
            return  # being replaced at this moment, or gone: what is open stays readable
        if inode != self._inode or self._copy is not None:
            self.close()
            self._connect()
            if self._last is not None:
                self._find(self._last)

    def _find(self, after: Position) -> None:
        if self._connection is None:
            return
        with contextlib.suppress(sqlite3.Error):
            (found,) = self._connection.execute(
                "SELECT max(id) FROM entry WHERE boot < ? OR (boot = ? AND seq <= ?)",
                (after.boot, after.boot, after.seq),
            ).fetchone()
            self._last_id = found or 0

    def _problem(self, text: str) -> None:
        if text not in self.problems and len(self.problems) < 100:
            self.problems.append(text)
