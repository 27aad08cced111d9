"""Entries out of the file, each checked. What isn't as it was written is damage."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator

from edge.stream.outbox.errors import OutboxDamagedError
from edge.stream.outbox.records import Position, Row
from edge.stream.outbox.row_check import is_row
from edge.stream.outbox.schema import COLUMNS
from edge.stream.outbox.spans import Span
from edge.stream.outbox.state import OutboxState

_NS_PER_MS = 1_000_000
_SELECT = f"SELECT {COLUMNS} FROM entry WHERE id > ? AND id <= ? ORDER BY id LIMIT ?"


def pending_rows(
    connection: sqlite3.Connection,
    state: OutboxState,
    after: Position | None,
    most_entries: int,
    most_bytes: int,
    strict: bool,
) -> list[Row]:
    """What isn't done, behind ``after``; at least one where there is one.

    Raises OutboxDamagedError where an entry is missing or changed; unless ``strict``, such are left out instead.
    """
    found: list[Row] = []
    size_bytes = 0
    for span in state.spans.values():
        if after is not None and span.boot < after.boot:
            continue
        start = max(span.first, span.done + 1, after.seq + 1 if after is not None and after.boot == span.boot else 0)
        for row in _rows(connection, span, start, most_entries - len(found), strict):
            size_bytes += len(row.payload)
            if found and size_bytes > most_bytes:
                return found
            found.append(row)
        if len(found) >= most_entries:
            break
    return found


def rows_from(
    connection: sqlite3.Connection, state: OutboxState, boot: int, from_seq: int, most: int, strict: bool
) -> list[Row]:
    """A boot's entries from a seq on, done or not."""
    span = state.spans.get(boot)
    return [] if span is None else list(_rows(connection, span, max(span.first, from_seq), most, strict))


def first_pending(connection: sqlite3.Connection, state: OutboxState, strict: bool) -> Row | None:
    """The oldest entry that isn't done."""
    rows = pending_rows(connection, state, None, 1, 0, strict)
    return rows[0] if rows else None


def _rows(connection: sqlite3.Connection, span: Span, start: int, most: int, strict: bool) -> Iterator[Row]:
    if start > span.last or most <= 0:
        return
    expected = span.next_after(start - 1)
    base_id, boot = span.base_id, span.boot
    rows = connection.execute(_SELECT, (base_id + start - 1, base_id + span.last, most)).fetchall()
    for row_id, row_boot, seq, wall_ms, payload, crc in rows:
        whole = row_boot == boot and row_id - base_id == seq and is_row(row_boot, seq, wall_ms, payload, crc)
        if strict and not (whole and seq == expected):
            raise OutboxDamagedError(f"entry {expected} of boot {boot} is gone or isn't what was written")
        if whole:
            expected = seq + 1 if not span.gaps else span.next_after(seq)
            yield Row(boot, seq, payload, wall_ms * _NS_PER_MS)
    if strict and len(rows) < most and expected <= span.last:
        raise OutboxDamagedError(f"entries {expected} to {span.last} of boot {boot} are gone")
