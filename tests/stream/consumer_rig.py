"""A node's side of the stream for tests of consumers: entries, an outbox in memory, answers to `resend`."""

from __future__ import annotations

import json
from collections.abc import Iterable
from dataclasses import dataclass, field, replace
from typing import Any

from edge.stream.consumer_delivery import Resend
from edge.stream.entry import Entry, EventEntry, Note, Stamp, TimeQuality
from edge.stream.wire import encode, for_wire
from edge.trace.event import Event, Kind, Status

WALL_NS = 1_795_000_000_000_000_000

EVENT = Event(
    event_id="shelf-1-000004",
    revision=0,
    status=Status.FINAL,
    kind=Kind.PICK,
    board="shelf-1",
    slot="A1",
    sku="cola-033",
    quantity=1,
    grams=-352.0,
    x_mm=55.0,
    y_mm=80.0,
    time_ns=12_345_678_901,
    decided_ns=13_500_000_000,
    confidence=0.999,
    needs_review=False,
)


def event_entry(boot: int, seq: int, **fields: Any) -> EventEntry:
    """An event whose id tells boot and seq."""
    number = boot * 1000 + seq
    event = replace(EVENT, event_id=f"shelf-1-{number:06d}", **fields)
    return EventEntry(boot, seq, event, Stamp(WALL_NS + number * 1_000_000, TimeQuality.SYNCED))


def note_entry(boot: int, seq: int, what: str, /, **details: Any) -> Note:
    """A note of the stream about itself."""
    return Note(boot, seq, what, Stamp(WALL_NS, TimeQuality.SYNCED), None, details)


def item(entry: Entry, *, historical: bool = False) -> bytes:
    """An entry as it is sent."""
    return for_wire(encode(entry), evidence=False, historical=historical)


def payload(entries: Iterable[Entry]) -> bytes:
    """Several in one message."""
    return b"".join(item(entry) for entry in entries)


def events(boot: int, seqs: Iterable[int]) -> bytes:
    """A message with these entries of a boot."""
    return payload(event_entry(boot, seq) for seq in seqs)


def keys(entries: Iterable[Any]) -> list[tuple[int, int]]:
    """Boot and seq of each."""
    return [(each.boot, each.seq) for each in entries]


@dataclass
class FakeNode:
    """Entries by boot and seq; what was evicted is gone. Answers `resend` as edge.stream.uplink.resends does."""

    present_boot: int = 1
    kept: dict[int, dict[int, Entry]] = field(default_factory=dict)
    made: list[tuple[int, int]] = field(default_factory=list)

    def commit(self, boot: int, count: int = 1) -> list[Entry]:
        """So many new entries."""
        entries = self.kept.setdefault(boot, {})
        begin = max((seq for b, seq in self.made if b == boot), default=0) + 1
        new: list[Entry] = [event_entry(boot, seq) for seq in range(begin, begin + count)]
        self.made += [(entry.boot, entry.seq) for entry in new]
        entries.update({entry.seq: entry for entry in new})
        return new

    def evict(self, boot: int, seqs: Iterable[int]) -> None:
        """Gone for good."""
        for seq in seqs:
            self.kept[boot].pop(seq, None)

    def resend(self, wish: Resend) -> tuple[bytes, list[Entry]]:
        """The answer, and the entries that come then."""
        kept = self.kept.get(wish.boot, {})
        last = max((seq for boot, seq in self.made if boot == wish.boot), default=wish.from_seq - 1)
        to_seq = last if wish.to_seq is None else wish.to_seq
        coming = [kept[seq] for seq in sorted(kept) if wish.from_seq <= seq <= to_seq]
        limit = to_seq if wish.boot != self.present_boot else min(to_seq, last)
        gone = [[seq, seq] for seq in range(wish.from_seq, limit + 1) if seq not in kept]
        answer: dict[str, Any] = {
            "id": wish.request_id,
            "ok": True,
            "text": "",
            "boot": wish.boot,
            "present_boot": self.present_boot,
            "count": len(coming),
            "gone": gone,
            "more": False,
            "last": last,
        }
        if coming:
            answer |= {"first_seq": coming[0].seq, "last_seq": coming[-1].seq}
        return json.dumps(answer).encode(), coming
