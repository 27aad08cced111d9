"""Which entries a node says are gone for good, in its notes `dropped` and `damaged`."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Any, TypeGuard

from edge.stream.entry import Note

_MOST_BOOT = (1 << 32) - 1
_MOST_RANGES = 256  # of one note; a node tells 100 in one, and what isn't told is asked for
Lost = tuple[int, int, int | None]
"""Boot, first and last number; last None: up to the end of that boot."""


def lost_ranges(note: Note, known_boots: Iterable[int]) -> Iterator[Lost]:
    """What a note says is lost; nothing for notes that tell of no loss.

    A note of another version, or one that makes no sense, tells of no loss: then the entries are asked for.
    """
    found: Iterator[Lost] = iter(())
    if note.what == "dropped":
        found = _dropped(note, known_boots)
    elif note.what == "damaged":
        found = _damaged(note)
    for boot, first, last in found:
        if boot > _MOST_BOOT:
            continue
        if boot == note.boot:  # what came after the note can't be meant
            last = note.seq - 1 if last is None else min(last, note.seq - 1)
        yield boot, first, last


def _dropped(note: Note, known_boots: Iterable[int]) -> Iterator[Lost]:
    boot, first, last = (note.details.get(key) for key in ("boot", "first", "last"))
    first_boot = note.details.get("first_boot", boot)
    if not (_is_number(boot) and _is_number(first) and _is_number(last) and _is_number(first_boot)):
        return  # it never had a number: refused, or lost in a queue
    if first_boot == boot:
        yield boot, first, last
        return
    yield first_boot, first, None
    for between in known_boots:
        if first_boot < between < boot:
            yield between, 1, None
    yield boot, 1, last


def _damaged(note: Note) -> Iterator[Lost]:
    missing = note.details.get("missing")
    for each in missing[:_MOST_RANGES] if isinstance(missing, list) else ():
        if isinstance(each, list) and len(each) >= 3 and all(_is_number(number) for number in each[:3]):
            yield each[0], each[1], each[2]


def _is_number(value: Any) -> TypeGuard[int]:
    return type(value) is int and 0 <= value < 1 << 63
