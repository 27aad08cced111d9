"""Early, then final: turns each new reading of a board into new, revised, settled or retracted events."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from edge.trace.event import Event, Status

_MATERIAL_CONFIDENCE = 0.05  # a provisional event is sent again only when something a reader would act on has changed
_MATERIAL_WHO = 0.1


def _same(a: Event, b: Event) -> bool:
    return (a.kind, a.sku, a.slot, a.quantity) == (b.kind, b.sku, b.slot, b.quantity)


def _material(old: Event, new: Event) -> bool:
    """Whether a reader would act on the difference: how sure it is, or who it was."""
    if abs(old.confidence - new.confidence) >= _MATERIAL_CONFIDENCE:
        return True
    if not old.who and not new.who:
        return False
    before, now = dict(old.who), dict(new.who)
    return any(abs(before.get(who, 0.0) - now.get(who, 0.0)) >= _MATERIAL_WHO for who in before.keys() | now.keys())


class Announcer:
    """The open (not yet final) events of one board, and the numbering of all its events.

    Attributes:
        next_number: what the next new event is numbered.
    """

    def __init__(self, board: str, first_number: int = 1) -> None:
        self.board = board
        self.next_number = first_number
        self._open: list[Event] = []

    @property
    def waiting(self) -> bool:
        """Whether an event that was announced isn't final yet."""
        return bool(self._open)

    def announce(self, wanted: Sequence[Event], decided_ns: int) -> list[Event]:
        """Events to send so that the reader's picture of what isn't settled becomes ``wanted``."""
        return self._send(wanted, 0, decided_ns)

    def settle(self, final: Sequence[Event], wanted: Sequence[Event], decided_ns: int) -> list[Event]:
        """The same, with ``final`` settled for good before ``wanted``, which stays provisional."""
        return self._send([*final, *wanted], len(final), decided_ns)

    def _send(self, wanted: Sequence[Event], settled: int, decided_ns: int) -> list[Event]:
        sent: list[Event] = []
        kept: list[Event] = []
        left = list(self._open)
        for index, (old, new) in enumerate(self._matched(wanted, left)):
            final = index < settled
            if old is None:
                new = replace(new, event_id=f"{self.board}-{self.next_number:06d}", revision=1)
                self.next_number += 1
            else:
                left.remove(old)
                new = replace(new, event_id=old.event_id, revision=old.revision + 1)
                if not final and _same(old, new) and not _material(old, new):
                    kept.append(old)
                    continue
            new = replace(new, status=Status.FINAL if final else Status.PROVISIONAL)
            sent.append(new)
            if not final:
                kept.append(new)
        for old in left:
            sent.append(replace(old, revision=old.revision + 1, status=Status.RETRACTED, decided_ns=decided_ns))
        self._open = kept
        return sent

    @staticmethod
    def _matched(wanted: Sequence[Event], open_events: Sequence[Event]) -> list[tuple[Event | None, Event]]:
        """Each wanted event with the open one it continues: the same movement, else one of the same kind, in order."""
        free = list(open_events)
        pairs: list[tuple[Event | None, Event]] = [(None, new) for new in wanted]
        for test in (_same, lambda old, new: old.kind == new.kind):
            for index, (old, new) in enumerate(pairs):
                found = None if old else next((event for event in free if test(event, new)), None)
                if found:
                    free.remove(found)
                    pairs[index] = (found, new)
        return pairs
