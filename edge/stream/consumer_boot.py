"""One boot of one node: what has come is put in order, each entry once."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from dataclasses import dataclass, field

from edge.stream.consumer_delivery import Received
from edge.stream.consumer_state import BootState

_NEAR = 100  # asked for together: a message more costs more than the entries in between
_MOST_GONE = 1000  # ranges; the node says it again when it is asked again


@dataclass(slots=True)
class BootStream:
    """The entries of one boot.

    Attributes:
        state: what must not be forgotten.
        waiting: entries after a gap, by seq. Not in the state: they aren't acknowledged, so the node keeps them.
        waiting_bytes: what they take, as on the wire.
        doubtful: digests of entries that couldn't be read when they came, by seq.
        ask_at_s: when to ask the node for what is missing, or whether there is more; None: as soon as it is looked at.
        tries: how often it was asked in vain.
    """

    state: BootState
    waiting: dict[int, Received] = field(default_factory=dict)
    waiting_bytes: int = 0
    doubtful: dict[int, bytes] = field(default_factory=dict)
    ask_at_s: float | None = None
    tries: int = 0

    @property
    def progress(self) -> tuple[int, bool]:
        """How far it is, and whether something is missing."""
        return self.state.done, self.incomplete

    @property
    def incomplete(self) -> bool:
        """Whether an entry that exists hasn't come."""
        return self.state.done < self.state.highest

    def take(self, got: Received, most_waiting: int) -> bool:
        """Put an entry in its place; False where it has come before."""
        if got.seq <= self.state.done or got.seq in self.waiting:
            return False
        self.state.highest = max(self.state.highest, got.seq)
        if got.entry is None and self._is_doubtful(got, most_waiting):
            return True
        self.waiting[got.seq] = got
        self.waiting_bytes += len(got.item)
        if len(self.waiting) > most_waiting and got.seq != self.state.done + 1:
            self._drop(max(self.waiting))  # the farthest; it will be asked for when it is its turn
        return True

    def in_order(self) -> Iterator[Received | tuple[int, int]]:
        """What can be handed on now: entries, and first and last number of what is given up in between."""
        state = self.state
        while True:
            following = state.done + 1
            got = self._drop(following)
            if got is not None:
                state.done = following
                yield got
                continue
            end = state.gone.end_of(following)
            if end is None:
                break
            end = min(end, min((seq - 1 for seq in self.waiting if seq <= end), default=end))
            state.done = end
            state.highest = max(state.highest, end)
            yield following, end
        state.gone.drop_below(state.done + 1)
        if self.doubtful:
            self.doubtful = {seq: digest for seq, digest in self.doubtful.items() if seq > state.done}

    def lose(self, first: int, last: int) -> None:
        """The node says that these are gone. What of them has come all the same is kept."""
        first = max(first, self.state.done + 1)
        if last < first:
            return
        self.state.gone.add(first, last)
        self.state.highest = max(self.state.highest, last)
        if len(self.state.gone) > _MOST_GONE:
            self.state.gone.drop_last()

    def correct(self, last: int) -> None:
        """The node says that the last entry of all is this one: what nobody has seen behind it was never there."""
        seen = (self.state.done, self.state.gone.highest, *self.waiting, *self.doubtful)
        self.state.highest = max(last, *seen)

    def missing(self, most: int) -> list[tuple[int, int]]:
        """The first few ranges that haven't come, those near each other as one."""
        ranges: list[tuple[int, int]] = []
        begin = self.state.done + 1
        for seq in [*sorted(self.waiting), self.state.highest + 1]:
            if begin < seq:
                if ranges and begin - ranges[-1][1] <= _NEAR:
                    ranges[-1] = (ranges[-1][0], seq - 1)
                elif len(ranges) == most:
                    break
                else:
                    ranges.append((begin, seq - 1))
            begin = max(begin, seq + 1)
        return ranges

    def _drop(self, seq: int) -> Received | None:
        got = self.waiting.pop(seq, None)
        if got is not None:
            self.waiting_bytes -= len(got.item)
        return got

    def _is_doubtful(self, got: Received, most: int) -> bool:
        """What can't be read is believed only when the node sends the very same again: then it means it."""
        digest = hashlib.blake2b(got.item, digest_size=16).digest()
        if self.doubtful.get(got.seq) == digest:
            return False
        if got.seq in self.doubtful or len(self.doubtful) < most:
            self.doubtful[got.seq] = digest
        return True
