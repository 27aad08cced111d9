"""Entries as lines for a person at a terminal."""

from __future__ import annotations

import json
import math
from datetime import datetime, tzinfo

from edge.stream.entry import Entry, EventEntry, Note, Stamp, TimeQuality
from edge.trace.event import Event, Status

_QUALITY = {TimeQuality.SYNCED: "", TimeQuality.FREE: "clock not synchronised", TimeQuality.WRONG: "clock wrong"}


def entry_to_text(entry: Entry, zone: tzinfo | None = None) -> str:
    """One line: when, what, how many, of what, where, how heavy, how sure, by whom, and what is special about it.

    ``zone``: whose time of day; None: this machine's.
    """
    words = _note_words(entry) if isinstance(entry, Note) else _event_words(entry)
    marks = ["historical" if entry.historical else "", _QUALITY[entry.time.quality]]
    return "  ".join(word for word in [_time(entry.time, zone), *words, *marks] if word)


def _event_words(entry: EventEntry) -> list[str]:
    event = entry.event
    place = event.slot or "-"
    grams = "" if math.isnan(event.grams) else f"{event.grams:+.0f} g"
    status = "" if event.status is Status.FINAL else event.status.value
    return [
        f"{event.kind.value:<4} {event.quantity} x {_printable(event.sku or 'unknown object'):<16}",
        f"{_printable(event.board)} {_printable(place):<6}",
        f"{grams:>8}",
        f"{_percent(event.confidence):>8}",
        _who(event),
        "REVIEW" if event.needs_review else "",
        status,
    ]


def _who(event: Event) -> str:
    """Whom the cameras think most likely; nothing where there are none."""
    known = [(probability, track) for track, probability in event.who if not math.isnan(probability)]
    if not known:
        return ""
    probability, track = max(known)
    return f"by {_printable(track) if track else 'nobody followed'} ({_percent(probability)})"


def _note_words(note: Note) -> list[str]:
    details = ", ".join(f"{_printable(str(key))} {_value(value)}" for key, value in note.details.items())
    return [f"note {_printable(note.what)}" + (f": {details}" if details else "")]


def _value(value: object) -> str:
    return _printable(value if isinstance(value, str) else json.dumps(value, ensure_ascii=False, default=str))


def _percent(confidence: float) -> str:
    """Never more than is known: 99.996 % isn't 100 %."""
    if math.isnan(confidence):
        return "?"
    return f"{math.floor(confidence * 10_000) / 100:.2f} %"


def _printable(text: str) -> str:
    """Whoever wrote it must not move the cursor of whoever reads it."""
    return "".join(character if character.isprintable() else "\N{REPLACEMENT CHARACTER}" for character in text)


def _time(time: Stamp, zone: tzinfo | None) -> str:
    moment = datetime.fromtimestamp(time.wall_ns // 1_000_000_000, zone)
    return f"{moment:%Y-%m-%d %H:%M:%S}.{time.wall_ns // 100_000_000 % 10}"
