"""Entries as JSON objects, for people and scripts."""

from __future__ import annotations

import json
from datetime import UTC, datetime

from edge.stream.entry import Entry, Note, Stamp
from edge.stream.jsonl import event_to_object


def entry_to_object(entry: Entry, store: str | None, node: str) -> dict[str, object]:
    """An entry with its names: whose it is, its place in the stream, when, and then the event or the note.

    ``time`` and ``decided`` of an event are monotonic where they are known, else wall time, in nanoseconds.
    """
    found: dict[str, object] = {
        "store": store,
        "node": node,
        "boot": entry.boot,
        "seq": entry.seq,
        "wall_time": wall_text(entry.time),
        "time_quality": entry.time.quality.name.lower(),
    }
    if entry.historical:
        found["historical"] = True
    if isinstance(entry, Note):
        return found | {"note": entry.what, "details": dict(entry.details)}
    return found | event_to_object(entry.event)


def entry_to_line(entry: Entry, store: str | None, node: str) -> str:
    """The same as one line of JSON, without the line end."""
    return json.dumps(entry_to_object(entry, store, node), ensure_ascii=False, allow_nan=False)


def wall_text(time: Stamp) -> str:
    """ISO 8601 in UTC, to the millisecond: ``2026-11-21T18:00:00.123Z``."""
    seconds, milliseconds = divmod(time.wall_ns // 1_000_000, 1000)
    return f"{datetime.fromtimestamp(seconds, UTC):%Y-%m-%dT%H:%M:%S}.{milliseconds:03d}Z"
