"""What a node said that it sends again, and what of it has come."""

from __future__ import annotations

from edge.stream.consumer_answer import Answer
from edge.stream.seq_ranges import SeqRanges

_MOST_BYTES = 1 << 28


class Portion:
    """The entries of one answer to `resend`: from what was asked on to the answer's `sent_to`, but for its `gone`.

    Attributes:
        count: how many are to come. `missing`: how many of them haven't. An answer may say anything, so nothing here
        takes time or room in proportion to it.
    """

    def __init__(self, from_seq: int, answer: Answer) -> None:
        self.last = answer.sent_to
        self._first = from_seq
        gone = ((max(first, from_seq), min(last, self.last)) for first, last in answer.gone)
        self._gone = SeqRanges(gone)
        self._items: dict[int, bytes] = {}
        self._bytes = 0
        self.count = max(0, self.last - from_seq + 1) - sum(last - first + 1 for first, last in self._gone)

    @property
    def missing(self) -> int:
        """How many haven't come."""
        return self.count - len(self._items)

    def take(self, seq: int, item: bytes) -> None:
        """What isn't of it is dropped, and what there is no room for: it is asked for again."""
        if self._first <= seq <= self.last and seq not in self._gone and seq not in self._items:
            self._bytes += len(item)
            if self._bytes <= _MOST_BYTES or not self._items:
                self._items[seq] = item

    def first_missing(self) -> int:
        """The first that hasn't come; behind the last where all have."""
        seq = self._first
        while seq in self._items or seq in self._gone:
            seq = (self._gone.end_of(seq) or seq) + 1
        return seq

    def items(self) -> list[tuple[int, bytes]]:
        """What has come, by seq."""
        return sorted(self._items.items())
