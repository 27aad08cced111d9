"""Room for new entries: what is oldest gives way, what is done first. All inside the caller's transaction."""

from __future__ import annotations

import sqlite3
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path

from edge.stream.outbox.errors import OutboxFullError
from edge.stream.outbox.losses import AGE, FULL, Loss, added, reopened
from edge.stream.outbox.records import OutboxLimits, Position
from edge.stream.outbox.spans import Span
from edge.stream.outbox.state import OutboxState

_ROW_BYTES = 40  # what an entry takes besides its payload
_MOST_WAL_BYTES = 8 << 20
_SHM_BYTES = 32 << 10
_RESERVE_PAGES = 12  # for the records, and for the notes that tell of a full outbox
_PARTS = 64  # of the file: so much is freed at a time, at least
_LEAST_PAGES = 32
_LEAST_WAL_BYTES = 64 << 10
_EASED_PAGES = 4  # per transaction
_AT_A_TIME = 5000  # entries aged out per transaction


class Room:
    """The limits in SQLite's terms: pages of the database, and the rest for its log and index."""

    def __init__(self, limits: OutboxLimits, page_bytes: int) -> None:
        self.limits = limits
        self.page_bytes = page_bytes
        self._reserve_bytes = 0
        self.resize(int(limits.size_bytes), 0, 0)

    def resize(self, whole_bytes: int, reserve_bytes: int, database_bytes: int) -> None:
        """From now on there is room for so much, with what is kept in reserve. To be followed by `configure`.

        ``database_bytes``: what the database takes already. It doesn't become smaller, so all of it may be used.
        """
        self.size_bytes, self._reserve_bytes = whole_bytes - reserve_bytes, reserve_bytes
        self._take_log(min(whole_bytes // 4, _MOST_WAL_BYTES))
        shm_bytes = _SHM_BYTES * (1 + self.wal_bytes // self.page_bytes // 4000)
        self._pages = (self.size_bytes - self.wal_bytes - shm_bytes) // self.page_bytes - 2
        if whole_bytes < int(self.limits.size_bytes) and self._pages * self.page_bytes < database_bytes:
            self._pages = database_bytes // self.page_bytes
            left_bytes = self.size_bytes - database_bytes - shm_bytes
            self._take_log(max(_LEAST_WAL_BYTES, min(self.wal_bytes, left_bytes)))
        self._looked_pages = self._pages  # in use when that was last looked at
        self._since_bytes = 0  # needed since, at most

    def can_give_way(self, database_bytes: int) -> bool:
        """Whether a database is large enough that entries give way to others within it."""
        return database_bytes // self.page_bytes >= _LEAST_PAGES

    def shrink(self, database_bytes: int, log_bytes: int) -> None:
        """The disk is full: the files can't grow any more."""
        self._take_log(max(_LEAST_WAL_BYTES, min(self.wal_bytes, log_bytes)))
        self._pages = self._looked_pages = database_bytes // self.page_bytes
        self.size_bytes = database_bytes + log_bytes

    def ease(self, connection: sqlite3.Connection, state: OutboxState) -> OutboxState:
        """Remove a little, where less is left than a transaction may need; the same state if there is enough.

        For a full disk, where a large removal hasn't got the room that it needs in the log.
        """
        used_pages = self._look(connection)
        if used_pages <= self._pages - _RESERVE_PAGES - self.most_bytes // self.page_bytes - 8:
            return state
        removal = next(_done_ranges(state), None)
        reason = None
        if removal is None:
            removal, reason = next(_oldest_ranges(state), None), FULL
        if removal is None:
            return state
        span, last = removal
        kept = state.kept()
        return remove(
            connection, state, span, min(last, span.first + max(1, kept * _EASED_PAGES // used_pages)), reason
        )

    def _take_log(self, wal_bytes: int) -> None:
        self.wal_bytes = wal_bytes
        frames = wal_bytes // self.page_bytes // 2
        if self._reserve_bytes:  # so that what is in the log alone fits the database with nothing but the reserve
            frames = min(frames, self._reserve_bytes // self.page_bytes - 8)
        self.checkpoint_frames = max(8, frames)
        self.most_bytes = wal_bytes // 4  # of a transaction

    def configure(self, connection: sqlite3.Connection) -> None:
        """Tell SQLite how long the log may get."""
        connection.execute(f"PRAGMA wal_autocheckpoint={self.checkpoint_frames}")
        connection.execute(f"PRAGMA journal_size_limit={self.wal_bytes}")
        self._looked_pages = self._pages

    def is_tight(self, connection: sqlite3.Connection) -> bool:
        """Whether something will have to be removed soon."""
        soon = self._pages - _RESERVE_PAGES - self.most_bytes // self.page_bytes - 8
        most_pages = min(soon, self._pages - self._pages // 8)
        return self._at_most_pages() > most_pages and self._look(connection) > most_pages

    def needed_bytes(self, payload_sizes: list[int]) -> int:
        """What entries of these sizes take, rather too much than too little."""
        half = self.page_bytes // 2
        total = sum(payload_sizes) + _ROW_BYTES * len(payload_sizes)
        if max(payload_sizes) > half:
            total += self.page_bytes * sum(size > half for size in payload_sizes)
        return total * 3 // 2

    def make(
        self, connection: sqlite3.Connection, state: OutboxState, needed_bytes: int, *, reserve: bool = False
    ) -> OutboxState:
        """Remove until there is room. Raises OutboxFullError where the policy or the size doesn't allow it."""
        if needed_bytes > self.most_bytes:
            raise OutboxFullError(
                f"{needed_bytes} bytes at once are too much for an outbox of {self.size_bytes} bytes; "
                f"expected at most {self.most_bytes}"
            )
        most_pages = self._pages - (0 if reserve else _RESERVE_PAGES) - needed_bytes // self.page_bytes - 4
        self._since_bytes += needed_bytes
        if self._at_most_pages() <= most_pages or self._look(connection) <= most_pages:
            return state
        used_pages = self._looked_pages
        target_pages = most_pages - self._pages // _PARTS
        while used_pages > target_pages:
            kept = state.kept()
            entries = max(1, (used_pages - target_pages) * kept // max(1, used_pages))
            removal = next(_done_ranges(state), None)
            undelivered = removal is None
            if removal is None and used_pages <= most_pages:
                break  # enough; what isn't delivered doesn't give way for the sake of round figures
            if removal is None and self.limits.when_full == "drop-oldest":
                removal = next(_oldest_ranges(state), None)
            if removal is None:
                raise OutboxFullError(
                    f"the outbox is full ({self.size_bytes} bytes) of what isn't delivered; see to the "
                    "broker, or give outbox.size in the node file more"
                )
            span, last = removal
            state = remove(connection, state, span, min(last, span.first + entries - 1), FULL if undelivered else None)
            used_pages = self._look(connection)
        self._since_bytes = needed_bytes
        return state

    def _at_most_pages(self) -> int:
        """Pages in use, without looking."""
        return self._looked_pages + self._since_bytes // self.page_bytes

    def _look(self, connection: sqlite3.Connection) -> int:
        (pages,) = connection.execute("PRAGMA page_count").fetchone()
        (free,) = connection.execute("PRAGMA freelist_count").fetchone()
        self._looked_pages, self._since_bytes = int(pages) - int(free), 0
        return self._looked_pages

    def age_out(
        self, connection: sqlite3.Connection, state: OutboxState, is_old: Callable[[Span, int, int], bool]
    ) -> OutboxState:
        """Remove what is older than the limit, from the oldest on. ``is_old`` is asked with span, seq and wall_ms."""
        for span in list(state.spans.values()):
            if span.last < span.first:
                continue
            rows = connection.execute(
                "SELECT id, wall_ms FROM entry WHERE id >= ? AND id <= ? ORDER BY id LIMIT ?",
                (span.base_id + span.first, span.base_id + span.last, _AT_A_TIME),
            )
            last = span.first - 1
            for row_id, wall_ms in rows:
                if not is_old(span, row_id - span.base_id, wall_ms):
                    break
                last = row_id - span.base_id
            rows.close()
            done = min(last, span.done)
            if done >= span.first:
                state = remove(connection, state, span, done, None)
            if last > max(done, span.first - 1):
                state = remove(connection, state, state.spans[span.boot], last, AGE)
            if last < span.last:
                break
        return state


def remove(
    connection: sqlite3.Connection, state: OutboxState, span: Span, last: int, reason: str | None
) -> OutboxState:
    """Remove a boot's entries up to a seq; with a reason they are a loss."""
    connection.execute("DELETE FROM entry WHERE id >= ? AND id <= ?", (span.base_id + span.first, span.base_id + last))
    losses, dropped = state.losses, 0
    if reason is not None:
        dropped = span.between(span.first, last)
        loss = Loss(reason, dropped, Position(span.boot, span.first), Position(span.boot, last))
        losses = added(reopened(losses, span.boot, last), loss)
    gaps = tuple((max(begin, last + 1), end) for begin, end in span.gaps if end > last)
    shorter = replace(span, first=last + 1, gaps=gaps)
    state = replace(state, losses=losses, dropped_total=state.dropped_total + dropped)
    if shorter.first > shorter.last and shorter.boot != state.boot:
        return replace(state, spans={boot: each for boot, each in state.spans.items() if boot != span.boot})
    return state.with_span(shorter)


def _done_ranges(state: OutboxState) -> Iterator[tuple[Span, int]]:
    return (
        (span, min(span.done, span.last)) for span in state.spans.values() if min(span.done, span.last) >= span.first
    )


def _oldest_ranges(state: OutboxState) -> Iterator[tuple[Span, int]]:
    return ((span, span.last) for span in state.spans.values() if span.last >= span.first)


def files_bytes(path: Path) -> int:
    """What the database, its log and its index take on the disk."""
    total = 0
    for suffix in ("", "-wal", "-shm"):
        try:
            total += path.with_name(path.name + suffix).stat().st_size
        except OSError:
            continue
    return total
