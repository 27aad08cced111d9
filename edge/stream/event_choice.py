"""Which entries a person wants to see."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass

from edge.stream.entry import Entry, Note
from edge.trace.event import Status


@dataclass(frozen=True, slots=True)
class EventChoice:
    """Everything, unless said otherwise.

    Attributes:
        since_ns, until_ns: wall times (ns since 1970 UTC) of when it happened; until isn't within.
        boot: of this start of the node alone.
        final: events that are settled, without provisional and retracted revisions.
        notes: what the stream says of itself, too.
    """

    since_ns: int | None = None
    until_ns: int | None = None
    boot: int | None = None
    final: bool = False
    notes: bool = True

    def takes(self, entry: Entry) -> bool:
        """Whether an entry is wanted."""
        if self.boot is not None and entry.boot != self.boot:
            return False
        if self.since_ns is not None and entry.time.wall_ns < self.since_ns:
            return False
        if self.until_ns is not None and entry.time.wall_ns >= self.until_ns:
            return False
        if isinstance(entry, Note):
            return self.notes
        return not self.final or entry.event.status is Status.FINAL

    def of(self, entries: Iterable[Entry]) -> Iterator[Entry]:
        """Those that are wanted."""
        return (entry for entry in entries if self.takes(entry))
