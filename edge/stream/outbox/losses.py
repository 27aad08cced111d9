"""What was dropped and hasn't been told yet. Kept in the file, in the same transaction as the drop itself.

A loss is *open* until a `dropped` note tells it. It is forgotten when that note is done; when the note itself has to
give
way to newer entries, the loss is open again, so that a later note tells both. While a note of the same reason isn't
done, no other is written: nobody reads them, and the next one will tell it all.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, replace
from typing import Any

from edge.stream.outbox.records import Position

FULL, AGE, REFUSED, QUEUE, ENCODE = "full", "age", "refused", "queue", "encode"
REASONS = (FULL, AGE, REFUSED, QUEUE, ENCODE)


@dataclass(frozen=True, slots=True)
class Loss:
    """Entries that were dropped for one reason.

    Attributes:
        count: how many.
        first, last: the oldest and the newest of them; None where they never had a number.
        note: the entry that tells it; None while it is open.
    """

    reason: str
    count: int
    first: Position | None = None
    last: Position | None = None
    note: Position | None = None

    def and_also(self, later: Loss) -> Loss:
        """Both, open again."""
        firsts = [each for each in (self.first, later.first) if each is not None]
        lasts = [each for each in (self.last, later.last) if each is not None]
        return Loss(
            self.reason, self.count + later.count, min(firsts) if firsts else None, max(lasts) if lasts else None
        )

    def details(self) -> dict[str, Any]:
        """What the note says."""
        details: dict[str, Any] = {"reason": self.reason, "count": self.count}
        if self.first is not None and self.last is not None:
            details |= {"boot": self.last.boot, "first": self.first.seq, "last": self.last.seq}
            if self.first.boot != self.last.boot:
                details["first_boot"] = self.first.boot
        return details

    def data(self) -> dict[str, Any]:
        """As it is kept."""
        return {"reason": self.reason, "count": self.count, "first": self.first, "last": self.last, "note": self.note}


def loss_from(data: dict[str, Any]) -> Loss:
    """A loss out of its record. Raises ValueError, TypeError or KeyError for anything else."""
    if data["reason"] not in REASONS:
        raise ValueError(f"loss: no reason {data['reason']!r}")
    places = [
        None if data[key] is None else Position(int(data[key][0]), int(data[key][1]))
        for key in ("first", "last", "note")
    ]
    return Loss(data["reason"], int(data["count"]), *places)


def added(losses: Iterable[Loss], new: Loss) -> tuple[Loss, ...]:
    """The losses with one more, put together with the open one of its reason."""
    kept = list(losses)
    for index, each in enumerate(kept):
        if each.note is None and each.reason == new.reason:
            kept[index] = each.and_also(new)
            return tuple(kept)
    return (*kept, new)


def reopened(losses: Iterable[Loss], removed_boot: int, removed_up_to: int) -> tuple[Loss, ...]:
    """The losses once undelivered entries of a boot up to a seq are removed, notes among them."""
    kept: tuple[Loss, ...] = ()
    for each in losses:
        gone = each.note is not None and each.note.boot == removed_boot and each.note.seq <= removed_up_to
        kept = added(kept, replace(each, note=None)) if gone or each.note is None else (*kept, each)
    return kept
