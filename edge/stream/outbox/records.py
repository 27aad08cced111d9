"""What goes into the outbox and what comes out of it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Literal, NamedTuple

LEAST_SIZE_BYTES = 512 * 1024
_MOST_FOUND = 20
_MOST_MISSING = 10_000


@dataclass(frozen=True, slots=True)
class OutboxLimits:
    """How much is kept.

    Attributes:
        size_bytes: the most that the outbox's files take on the disk, its log and index included. Damaged files that
            were set aside come on top, and take at most as much again.
        age_s: how long entries are kept.
        when_full: `drop-oldest`: the oldest undelivered entries give way to new ones; `refuse`: new ones are refused.

    Raises ValueError for a size of less than 512 KiB, or no age.
    """

    size_bytes: float = 256e6
    age_s: float = 30 * 86400.0
    when_full: Literal["drop-oldest", "refuse"] = "drop-oldest"

    def __post_init__(self) -> None:
        if not self.size_bytes >= LEAST_SIZE_BYTES:
            raise ValueError(
                f"outbox size: expected at least {LEAST_SIZE_BYTES // 1024} KiB, got {self.size_bytes:g} bytes"
            )
        if not self.age_s > 0:
            raise ValueError(f"outbox age: expected more than 0 s, got {self.age_s:g} s")


@dataclass(frozen=True, slots=True)
class Body:
    """An entry that has no number yet.

    Attributes:
        encode: gives the full form of the entry with this boot and seq. Called once per try; must always give the same.
        decided_wall_ns: wall time of the decision (ns since 1970 UTC).
    """

    encode: Callable[[int, int], bytes]
    decided_wall_ns: int


class Position(NamedTuple):
    """A place in the stream: just behind the entry of this boot and seq."""

    boot: int
    seq: int


@dataclass(frozen=True, slots=True)
class Row:
    """A committed entry. ``decided_wall_ns`` is to the millisecond."""

    boot: int
    seq: int
    payload: bytes
    decided_wall_ns: int

    @property
    def position(self) -> Position:
        """What to go on from behind this row."""
        return Position(self.boot, self.seq)


@dataclass(frozen=True, slots=True)
class OutboxCounts:
    """Attributes:
    pending: entries that aren't done. kept: all entries on the disk.
    bytes: what the files take.
    oldest_pending_s: age of the oldest entry that isn't done; None where all is.
    dropped_total, damaged_total: entries lost by the limits and by damage since this outbox was begun.
    """

    pending: int
    kept: int
    bytes: int
    oldest_pending_s: float | None
    dropped_total: int
    damaged_total: int


@dataclass(slots=True)
class Opening:
    """What was found when the outbox was opened, and whenever it had to be mended since.

    Attributes:
        new: there was none; this one was begun.
        clean: it had been closed properly.
        set_aside: the files that were put out of the way.
        rows_kept: entries carried over out of damaged files. rows_lost: entries known to be lost with them (at least).
        missing: what is known to be lost as (boot, first seq, last seq).
        problems: a sentence for each thing found.
    Of what was found, the latest is kept: the lists don't grow without end.
    """

    new: bool = False
    clean: bool = False
    set_aside: list[str] = field(default_factory=list)
    rows_kept: int = 0
    rows_lost: int = 0
    missing: list[tuple[int, int, int]] = field(default_factory=list)
    problems: list[str] = field(default_factory=list)

    def found(self, problem: str, set_aside: list[str], missing: tuple[tuple[int, int, int], ...]) -> None:
        """One thing more that was mended."""
        self.problems = [*self.problems, problem][-_MOST_FOUND:]
        self.set_aside = [*self.set_aside, *set_aside][-_MOST_FOUND:]
        self.missing = [*self.missing, *missing][-_MOST_MISSING:]

    @property
    def damaged(self) -> bool:
        """Whether anything was found to be damaged."""
        return bool(self.problems)
