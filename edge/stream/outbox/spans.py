"""Which entries each boot has in the outbox: a span of seqs, contiguous but for what damage has taken."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from edge.stream.outbox.row_check import MOST_BOOT, MOST_SEQ

_RECORDS_FROM = 1 << 40  # record id of a boot's span: this plus the boot


@dataclass(frozen=True, slots=True)
class Span:
    """The entries of one boot.

    Attributes:
        base_id: an entry's id is this plus its seq.
        first, last: seqs that are kept; none where last < first. First is the lowest that hasn't been removed.
        done: everything up to this seq is delivered.
        gaps: (first, last) seqs lost to damage, between first and last.
        step_seq, step_ms: entries up to this seq carry a wall time that is too early by so much (the clock was set).
    """

    boot: int
    base_id: int
    first: int = 1
    last: int = 0
    done: int = 0
    gaps: tuple[tuple[int, int], ...] = ()
    step_seq: int = 0
    step_ms: int = 0

    def kept(self) -> int:
        """How many entries are on the disk."""
        return self.between(self.first, self.last)

    def pending(self) -> int:
        """How many of them aren't done."""
        return self.between(max(self.first, self.done + 1), self.last)

    def between(self, first: int, last: int) -> int:
        """How many entries there are from one seq to another."""
        lost = sum(max(0, min(last, end) - max(first, begin) + 1) for begin, end in self.gaps)
        return max(0, last - first + 1 - lost)

    def next_after(self, seq: int) -> int:
        """The seq that follows, gaps left out."""
        seq += 1
        for begin, end in self.gaps:
            if begin <= seq <= end:
                seq = end + 1
        return seq

    def up_to(self, last: int) -> Span:
        """The same with more entries."""
        return Span(self.boot, self.base_id, self.first, last, self.done, self.gaps, self.step_seq, self.step_ms)

    def record(self) -> tuple[int, dict[str, Any]]:
        """Record id and content."""
        return _RECORDS_FROM + self.boot, {
            "kind": "boot",
            "boot": self.boot,
            "base": self.base_id,
            "first": self.first,
            "last": self.last,
            "done": self.done,
            "gaps": [list(gap) for gap in self.gaps],
            "step": [self.step_seq, self.step_ms],
        }


def span_from(data: dict[str, Any]) -> Span:
    """A span out of its record. Raises ValueError, TypeError or KeyError for anything else."""
    step_seq, step_ms = data["step"]
    gaps = tuple(sorted((int(begin), int(end)) for begin, end in data["gaps"]))
    span = Span(
        boot=int(data["boot"]),
        base_id=int(data["base"]),
        first=int(data["first"]),
        last=int(data["last"]),
        done=int(data["done"]),
        gaps=gaps,
        step_seq=int(step_seq),
        step_ms=int(step_ms),
    )
    if not (0 < span.boot <= MOST_BOOT and 0 <= span.base_id < MOST_SEQ and span.first > 0 and span.done >= 0):
        raise ValueError("a boot's record holds numbers that can't be")
    return span
