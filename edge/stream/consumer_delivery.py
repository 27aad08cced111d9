"""What a consumer hands to its application, and what it asks of nodes."""

from __future__ import annotations

from dataclasses import dataclass, field

from edge.stream.entry import Entry


@dataclass(frozen=True, slots=True)
class Received:
    """One entry of a node's stream.

    Attributes:
        item: its bytes as they came; worth keeping beside what is read from them.
        entry: None where `item` can't be read by this version, twice the same: then `problem` says why.
    """

    node: str
    boot: int
    seq: int
    item: bytes
    entry: Entry | None
    problem: str | None = None


@dataclass(frozen=True, slots=True)
class Gap:
    """Entries of one boot from `first` to `last` that aren't there."""

    node: str
    boot: int
    first: int
    last: int

    def sentence(self) -> str:
        """For example ``bay-12: entries 5 to 9 of boot 17``."""
        what = f"entry {self.first}" if self.first == self.last else f"entries {self.first} to {self.last}"
        return f"{self.node}: {what} of boot {self.boot}"


@dataclass(frozen=True, slots=True)
class Resend:
    """A wish for entries. `to_seq` None: whatever there is from `from_seq` on, which may be nothing."""

    request_id: str
    node: str
    boot: int
    from_seq: int
    to_seq: int | None


@dataclass(slots=True)
class Delivery:
    """What came of one payload, or of several.

    Attributes:
        entries: each exactly once, in order of seq within its (node, boot).
        noticed: gaps that are new; the entries after one wait until it is filled or given up.
        given_up: gaps that stay, by the node's own word; the entries after them are in `entries`.
        problems: what couldn't be used, a sentence each.
        duplicates: how many entries had come before.
    """

    entries: list[Received] = field(default_factory=list)
    noticed: list[Gap] = field(default_factory=list)
    given_up: list[Gap] = field(default_factory=list)
    problems: list[str] = field(default_factory=list)
    duplicates: int = 0

    @property
    def worth_telling(self) -> bool:
        """Whether there is more in it than duplicates."""
        return bool(self.entries or self.noticed or self.given_up or self.problems)

    def add(self, other: Delivery) -> None:
        """Put what came later behind this."""
        self.entries += other.entries
        self.noticed += other.noticed
        self.given_up += other.given_up
        self.problems += other.problems
        self.duplicates += other.duplicates


@dataclass(slots=True)
class ConsumerCounts:
    """Since this consumer was made."""

    entries: int = 0
    duplicates: int = 0
    gaps: int = 0
    resends: int = 0
    given_up: int = 0
    garbage: int = 0
