"""What the uplink needs of the outbox. Used by the uplink's thread alone."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol

from edge.stream.outbox.records import OutboxCounts, Position, Row


class Source(Protocol):
    """Committed entries in the order in which they were committed. Methods may raise OutboxUnavailableError."""

    def pending(self, after: Position | None, most_entries: int, most_bytes: int) -> Sequence[Row]:
        """What isn't done, after a position; at least one entry where there is one, however long it is."""

    def rows(self, boot: int, from_seq: int, most: int) -> Sequence[Row]:
        """What is kept of a boot, done or not."""

    def done(self, boot: int, seq: int) -> None:
        """Everything of that boot up to seq has arrived."""

    def counts(self) -> OutboxCounts:
        """How much there is."""

    def first_kept(self, boot: int) -> int | None:
        """The first entry that is kept of a boot."""

    def boots(self) -> Sequence[int]:
        """The boots of which there are entries, oldest first, and the present one."""

    def last_seq(self, boot: int) -> int:
        """The last entry of a boot; 0 where it isn't known."""
