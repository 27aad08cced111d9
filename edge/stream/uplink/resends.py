"""`resend`: entries that a consumer asks for again, sent beside what is new."""

from __future__ import annotations

from collections import deque
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from edge.stream.uplink.commands import Answer, CommandRefused, whole
from edge.stream.uplink.sender import MOST_BYTES, MOST_ENTRIES, Message, Sender
from edge.stream.uplink.source import Source

MOST_JOBS = 64
MOST_AT_ONCE = 10_000  # entries per command; whoever needs more asks again from there on
_MOST_GONE = 100  # ranges in an answer
_MOST_BOOT_RANGES = 100  # the newest, where there are more
_BUSY_S = 5.0
_PAGE = 500
_MOST_BOOT = (1 << 32) - 1
_MOST_SEQ = (1 << 64) - 1
_MOST_KEPT_SEQ = (1 << 63) - 1


class Resends:
    """What was asked for and hasn't been sent yet; at most MOST_JOBS ranges."""

    def __init__(self, source: Source, sender: Sender, present_boot: int) -> None:
        self._source = source
        self._sender = sender
        self._present_boot = present_boot
        self._jobs: deque[tuple[int, int, int]] = deque()  # boot, next seq, last seq

    def ask(self, arguments: Mapping[str, Any]) -> Answer:
        """The command: `from_seq`, `to_seq` (else all there is), `boot` (else the present one).

        The answer tells `boot`, `count` (entries that come now), `first_seq` and `last_seq` (what is between comes, but
        for what is `gone`), `gone` ([[first, last] ...]: was asked for and isn't kept any more), `present_boot`, and
        `last`, the last entry of the boot; where the node doesn't know the boot, the one before `from_seq`. Where
        `more` is true, ask again from `last_seq` + 1. `boots` has the boots of which anything is kept, the oldest
        first, as ranges [[first, last] ...].
        """
        arguments = {name: value for name, value in arguments.items() if value is not None}
        boot = whole(arguments, "boot", 0, _MOST_BOOT, self._present_boot)
        from_seq = whole(arguments, "from_seq", 1, _MOST_KEPT_SEQ)
        to_seq = whole(arguments, "to_seq", from_seq, _MOST_SEQ, _MOST_SEQ)
        if len(self._jobs) >= MOST_JOBS:
            raise CommandRefused("too much is being sent again already; expected this later", _BUSY_S)
        found = self._look(boot, from_seq, to_seq)
        answer: Answer = {
            "text": f"{found.count} entries of boot {boot} come" if found.count else "nothing of it is kept",
            "boot": boot,
            "present_boot": self._present_boot,
            "count": found.count,
            "gone": found.gone,
            "more": found.more,
        }
        if found.first_seq is not None:
            self._jobs.append((boot, from_seq, found.next_seq - 1))
            answer |= {"first_seq": found.first_seq, "last_seq": found.next_seq - 1}
        last = self._source.last_seq(boot)
        return {**answer, "last": last or from_seq - 1, "boots": self._boot_ranges()}

    def next(self, most_bytes: int) -> Message | None:
        """The next message of them; None where there is nothing."""
        while self._jobs:
            boot, from_seq, to_seq = self._jobs[0]
            rows = [row for row in self._source.rows(boot, from_seq, MOST_ENTRIES) if row.seq <= to_seq]
            if not rows:
                self._jobs.popleft()
                continue
            message = self._sender.pack(rows, min(most_bytes, MOST_BYTES), lambda _row: True)
            message.resent = True
            if message.last >= to_seq:
                self._jobs.popleft()
            else:
                self._jobs[0] = (boot, message.last + 1, to_seq)
            if len(message.payload) <= most_bytes:
                return message
        return None

    def clear(self) -> None:
        """The connection is gone: whoever still misses something asks again."""
        self._jobs.clear()

    def _boot_ranges(self) -> list[list[int]]:
        """Boots count up by one, but for a node that lost its memory: so there are few ranges."""
        ranges: list[list[int]] = []
        for boot in self._source.boots():
            if ranges and boot == ranges[-1][1] + 1:
                ranges[-1][1] = boot
            else:
                ranges.append([boot, boot])
        return ranges[-_MOST_BOOT_RANGES:]

    def _look(self, boot: int, from_seq: int, to_seq: int) -> _Found:
        found = _Found(from_seq)
        known = self._source.last_seq(boot)  # before the rows: what is committed meanwhile isn't gone
        while rows := self._source.rows(boot, found.next_seq, _PAGE):
            for row in rows:
                if row.seq > to_seq:
                    found.skip_to(to_seq + 1)
                    return found
                if found.count >= MOST_AT_ONCE or len(found.gone) >= _MOST_GONE:
                    found.more = True
                    return found
                found.take(row.seq)
        # What the present boot hasn't got yet may still come; an earlier one is over.
        end = known if boot == self._present_boot or to_seq == _MOST_SEQ else _MOST_SEQ
        found.skip_to(min(to_seq, end) + 1)
        return found


@dataclass(slots=True)
class _Found:
    """What is kept of what was asked for, looked at up to `next_seq`."""

    next_seq: int
    count: int = 0
    first_seq: int | None = None
    gone: list[list[int]] = field(default_factory=list)
    more: bool = False

    def take(self, seq: int) -> None:
        self.skip_to(seq)
        self.next_seq = seq + 1
        self.count += 1
        if self.first_seq is None:
            self.first_seq = seq

    def skip_to(self, seq: int) -> None:
        if seq > self.next_seq:
            self.gone.append([self.next_seq, seq - 1])
            self.next_seq = seq
