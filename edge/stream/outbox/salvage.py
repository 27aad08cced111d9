"""What is intact in damaged files goes into a new one, with the same boot and seq; the rest is counted.

The new file is built and synced beside the damaged one before that is renamed, so a power cut in between loses nothing.
"""

from __future__ import annotations

import contextlib
import os
import secrets
import sqlite3
from collections.abc import Iterator
from dataclasses import dataclass, replace
from itertools import islice
from pathlib import Path
from typing import Any

from edge.stream.outbox.carve import carve_records, carve_rows
from edge.stream.outbox.raw_pages import RawPages
from edge.stream.outbox.replacing import clear_new, new_path, next_name, put_in_place, set_aside, sync_folder
from edge.stream.outbox.reports import Range, Report
from edge.stream.outbox.schema import INSERT, connect
from edge.stream.outbox.spans import Span, span_from
from edge.stream.outbox.state import OutboxState, state_from, write_changes

_ROWS_AT_A_TIME = 2000
_BOOT_JUMP = 1 << 20  # memory may be lost with the damage: the next boot must be none that has been
_INSERT = INSERT.replace("INSERT", "INSERT OR IGNORE", 1)


@dataclass(frozen=True, slots=True)
class Salvaged:
    """What came of it: the names of the damaged files now, and the report, which is in the new file too."""

    set_aside: list[str]
    report: Report


def salvage(path: Path, known: OutboxState | None, page_bytes: int) -> Salvaged:
    """Build the new file and put it in the place of the damaged one. Nobody may have either open.

    Args:
        known: what a running store knows of it; None: only the files can say.
    Raises OSError, sqlite3.Error: the disk refuses; the damaged files are where they were, or `finish_replacing` goes
    on.
    """
    clear_new(path)
    pages = RawPages(path, page_bytes)
    try:
        state = known if known is not None else _remembered(pages)
        spans = _laid_out(state, pages)
        connection = connect(new_path(path), page_bytes)
        try:
            connection.execute("PRAGMA synchronous=OFF")
            connection.execute("PRAGMA wal_autocheckpoint=1000")
            kept = _copy(connection, pages, spans)
            state, report = _finish(connection, state, spans, kept, _name(path))
        finally:
            connection.close()
    finally:
        pages.close()
    _sync(new_path(path))
    names = set_aside(path)
    put_in_place(path)
    return Salvaged(names, report)


def _name(path: Path) -> str:
    """What the damaged file will be called; one that is gone keeps its name."""
    there = any(os.path.lexists(path.with_name(path.name + suffix)) for suffix in ("", "-wal"))
    return next_name(path) if there else path.name


def _remembered(pages: RawPages) -> OutboxState:
    """The state as far as its records are found; of several versions the latest."""
    latest: dict[str, Any] | None = None
    spans: dict[int, Span] = {}
    for page in pages:
        for record in carve_records(page, pages.chain):
            with contextlib.suppress(KeyError, TypeError, ValueError):
                if record["kind"] == "store":
                    state_from([record])
                    latest = record if latest is None or record["v"] > latest["v"] else latest
                else:
                    span = span_from(record)
                    spans[span.boot] = _merged(spans.get(span.boot), span)
    state = OutboxState() if latest is None else state_from([latest])
    boot = max([state.boot, *spans])
    return replace(state, spans=spans, boot=boot and boot + secrets.randbelow(_BOOT_JUMP), clean=False)


def _merged(one: Span | None, other: Span) -> Span:
    """Numbers that only grow: of two versions the larger."""
    if one is None:
        return other
    later = max(one, other, key=lambda span: (span.step_seq, span.last, span.done))
    return replace(
        later,
        first=max(one.first, other.first),
        last=max(one.last, other.last),
        done=max(one.done, other.done),
        gaps=tuple(sorted({*one.gaps, *other.gaps})),
    )


def _laid_out(state: OutboxState, pages: RawPages) -> dict[int, Span]:
    """The span of each boot of which there is an entry or a record, each with new ids."""
    ends: dict[int, tuple[int, int]] = {}
    for page in pages:
        for boot, seq, *_ in carve_rows(page, pages.chain):
            least, most = ends.get(boot, (seq, seq))
            ends[boot] = min(least, seq), max(most, seq)
    spans: dict[int, Span] = {}
    base_id = 0
    for boot in sorted({*state.spans, *ends}):
        least, most = ends.get(boot, (1, 0))
        span = state.spans.get(boot) or Span(boot, 0, first=least)
        spans[boot] = span = replace(span, base_id=base_id, last=max(span.last, most))
        base_id += max(span.last, span.first)
    return spans


def _copy(connection: sqlite3.Connection, pages: RawPages, spans: dict[int, Span]) -> int:
    """Every entry once: the database's pages come first, and what was committed comes before what was rolled back."""
    rows = (
        (spans[boot].base_id + seq, boot, seq, wall_ms, payload, crc)
        for page in pages
        for boot, seq, wall_ms, payload, crc in carve_rows(page, pages.chain)
        if spans[boot].first <= seq <= spans[boot].last
    )
    kept = 0
    while some := list(islice(rows, _ROWS_AT_A_TIME)):
        connection.execute("BEGIN IMMEDIATE")
        kept += connection.executemany(_INSERT, some).rowcount
        connection.execute("COMMIT")
    return kept


def _finish(
    connection: sqlite3.Connection, state: OutboxState, spans: dict[int, Span], kept: int, name: str
) -> tuple[OutboxState, Report]:
    """Write down what is there and what is missing."""
    missing: list[Range] = []
    for boot, span in spans.items():
        gaps = tuple(_gaps(connection, span))
        for first, last in gaps:
            missing += ((boot, *each) for each in _without(max(first, span.done + 1), last, span.gaps))
        spans[boot] = replace(span, gaps=gaps)
    lost = sum(last - first + 1 for _, first, last in missing)
    report = Report(name, kept, lost, tuple(missing))
    state = replace(
        state,
        spans=spans,
        boot=_beyond(state.boot, spans),
        reports=(*state.reports, report),
        damaged_total=state.damaged_total + lost,
        version=state.version + 1,
        clean=False,
    )
    connection.execute("BEGIN IMMEDIATE")
    write_changes(connection, OutboxState(), state, every=True)
    connection.execute("COMMIT")
    connection.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchall()
    return state, report


def _gaps(connection: sqlite3.Connection, span: Span) -> Iterator[tuple[int, int]]:
    expected = span.first
    for (row_id,) in connection.execute(
        "SELECT id FROM entry WHERE id >= ? AND id <= ? ORDER BY id",
        (span.base_id + span.first, span.base_id + span.last),
    ):
        seq = row_id - span.base_id
        if seq > expected:
            yield expected, seq - 1
        expected = seq + 1
    if expected <= span.last:
        yield expected, span.last


def _without(first: int, last: int, known: tuple[tuple[int, int], ...]) -> Iterator[tuple[int, int]]:
    """The part of a range that isn't in ``known``."""
    for begin, end in known:
        if end < first or begin > last:
            continue
        if begin > first:
            yield first, begin - 1
        first = end + 1
    if first <= last:
        yield first, last


def _sync(path: Path) -> None:
    handle = os.open(path, os.O_RDWR)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)
    sync_folder(path.parent)


def _beyond(boot: int, spans: dict[int, Span]) -> int:
    """No boot that there are entries of may come again, even where all records of it are lost."""
    latest = max(spans, default=0)
    return boot if boot >= latest else latest + secrets.randbelow(_BOOT_JUMP)
