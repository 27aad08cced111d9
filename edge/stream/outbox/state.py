"""All that the outbox remembers besides its entries, as one value: a transaction makes the next one, or leaves it."""

from __future__ import annotations

import sqlite3
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from itertools import zip_longest
from typing import Any
from zlib import crc32

from edge.stream.outbox.errors import OutboxDamagedError
from edge.stream.outbox.losses import Loss, loss_from
from edge.stream.outbox.records import Position
from edge.stream.outbox.reports import Report, report_from
from edge.stream.outbox.row_check import read_record, record_bytes
from edge.stream.outbox.spans import Span, span_from

_STORE_ID = 1


@dataclass(frozen=True, slots=True)
class OutboxState:
    """Attributes:
    spans: the boots, oldest first.
    losses: dropped entries that aren't told, or whose telling isn't delivered.
    reports: damage that no note tells yet.
    boot: the latest boot.
    dropped_total, damaged_total: since the outbox was begun.
    wall_ms: the latest wall time that is known.
    clean: it was closed properly.
    version: grows with every change that is written: of two copies of the record, the later one can be told.
    """

    spans: Mapping[int, Span] = field(default_factory=dict)
    losses: tuple[Loss, ...] = ()
    reports: tuple[Report, ...] = ()
    boot: int = 0
    dropped_total: int = 0
    damaged_total: int = 0
    wall_ms: int = 0
    clean: bool = False
    version: int = 0

    def with_span(self, span: Span) -> OutboxState:
        """The same with this boot's span changed, or added as the latest."""
        return OutboxState(
            {**self.spans, span.boot: span}, self.losses, self.reports, self.boot, self.dropped_total,
            self.damaged_total, self.wall_ms, self.clean, self.version,
        )  # fmt: skip

    def newer_than(self, saved: OutboxState) -> OutboxState:
        """With the next version, if anything but the spans differs: only then the record is written."""
        same = (
            self.losses is saved.losses
            and self.reports is saved.reports
            and self.boot == saved.boot
            and self.dropped_total == saved.dropped_total
            and self.damaged_total == saved.damaged_total
            and self.wall_ms == saved.wall_ms
            and self.clean == saved.clean
        )
        return self if same else replace(self, version=saved.version + 1)

    def kept(self) -> int:
        """How many entries are on the disk."""
        return sum(span.kept() for span in self.spans.values())

    def is_done(self, position: Position) -> bool:
        """Whether this entry is delivered, or long gone."""
        span = self.spans.get(position.boot)
        return span is None or position.seq <= span.done

    def record(self) -> tuple[int, dict[str, Any]]:
        """Record id and content of everything but the spans, which have records of their own."""
        return _STORE_ID, {
            "kind": "store",
            "format": 1,
            "v": self.version,
            "boot": self.boot,
            "dropped": self.dropped_total,
            "damaged": self.damaged_total,
            "wall_ms": self.wall_ms,
            "clean": self.clean,
            "losses": [loss.data() for loss in self.losses],
            "reports": [report.data() for report in self.reports],
        }


def write_changes(
    connection: sqlite3.Connection, before: OutboxState, after: OutboxState, *, every: bool = False
) -> None:
    """Write the records that differ, inside the caller's transaction.

    A span of which nothing but ``last`` differs is written only if ``every`` says so: the entries themselves say it.
    """
    if every or after.version != before.version:
        _write(connection, *after.record())
    if after.spans is before.spans and not every:
        return
    for boot, span in after.spans.items():
        old = before.spans.get(boot)
        if old is span or (old is not None and not every and old.up_to(span.last) == span):
            continue
        _write(connection, *span.record())
    for boot in before.spans.keys() - after.spans.keys():
        connection.execute("DELETE FROM record WHERE id=?", (before.spans[boot].record()[0],))


def _write(connection: sqlite3.Connection, record_id: int, record: dict[str, Any]) -> None:
    data = record_bytes(record)
    connection.execute("INSERT OR REPLACE INTO record(id, data, crc) VALUES(?, ?, ?)", (record_id, data, crc32(data)))


def read_state(connection: sqlite3.Connection) -> OutboxState:
    """What the file remembers.

    Raises OutboxDamagedError where a record isn't what was written, or doesn't fit the entries.
    """
    records = []
    for record_id, data, crc in connection.execute("SELECT id, data, crc FROM record"):
        record = read_record(data, crc)
        if record is None:
            raise OutboxDamagedError(f"record {record_id} isn't what was written")
        records.append(record)
    try:
        state = state_from(records)
    except (KeyError, TypeError, ValueError) as error:
        raise OutboxDamagedError(f"its records don't fit together ({error})") from None
    spans = sorted(state.spans.values(), key=lambda span: span.base_id)
    found: dict[int, Span] = {}
    for span, follower in zip_longest(spans, spans[1:]):
        end_id = follower.base_id if follower is not None else (1 << 63) - 1
        (last_id,) = connection.execute(
            "SELECT max(id) FROM entry WHERE id > ? AND id <= ?", (span.base_id, end_id)
        ).fetchone()
        last = span.first - 1 if last_id is None else max(last_id - span.base_id, span.first - 1)
        if span.between(last + 1, span.last):
            raise OutboxDamagedError(f"entries {last + 1} to {span.last} of boot {span.boot} are gone")
        found[span.boot] = replace(span, last=max(last, span.last))
    if connection.execute("SELECT 1 FROM entry LIMIT 1").fetchone() and not any(span.kept() for span in found.values()):
        raise OutboxDamagedError("its entries belong to no boot")
    return replace(state, spans=found)


def state_from(records: list[dict[str, Any]]) -> OutboxState:
    """The state that these records hold, spans without their last seq. Raises ValueError, TypeError, KeyError."""
    store = [record for record in records if record["kind"] == "store"]
    spans = [span_from(record) for record in records if record["kind"] == "boot"]
    if not store:
        if records:
            raise ValueError("the store's own record is missing")
        return OutboxState()
    data = store[-1]
    return OutboxState(
        spans={span.boot: span for span in spans},
        losses=tuple(loss_from(each) for each in data["losses"]),
        reports=tuple(report_from(each) for each in data["reports"]),
        version=int(data["v"]),
        boot=max([int(data["boot"]), *(span.boot for span in spans)]),
        dropped_total=int(data["dropped"]),
        damaged_total=int(data["damaged"]),
        wall_ms=int(data["wall_ms"]),
        clean=data["clean"] is True,
    )
