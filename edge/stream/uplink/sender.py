"""What to send next, and what has arrived: the window over the outbox, without any network.

Entries go out in the order in which they were committed, many in one message while a backlog drains. The broker may
acknowledge messages in any order; what is *sent* only moves on over messages without a gap before them. *Done*, so that
the outbox may forget it, is what was sent; or, in a store whose back end acknowledges, what that has acknowledged.
"""

from __future__ import annotations

import logging
import time
from collections import deque
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from edge.stream.entry import Stamp
from edge.stream.outbox.records import Position, Row
from edge.stream.uplink.log import ThrottledLog
from edge.stream.uplink.patience import BackOff, Pace
from edge.stream.uplink.source import Source
from edge.stream.wire import WireError, for_wire

MOST_ENTRIES = 200
MOST_BYTES = 32 * 1024
_NS_PER_S = 1_000_000_000
_BOOTS_REMEMBERED = 1000
_SMALL_S = 3600.0  # how long messages stay smaller after one was too large
_NO_ACK = (
    "the store's back end doesn't acknowledge what it was sent; it is sent again (if this store has no back end that "
    "acknowledges, set uplink.acknowledged to false)"
)
_TOO_LARGE = 149  # MQTT 5: packet too large


@dataclass(slots=True)
class Message:
    """Entries of one boot, from seq `first` to `last`, as the payload that is published.

    `turn` counts the times that sending began anew; a message of an earlier turn no longer counts. `resent`: a
    consumer asked for it, so it moves nothing on.
    """

    boot: int
    first: int
    last: int
    count: int
    payload: bytes
    turn: int
    resent: bool = False
    sent: bool = False


@dataclass(frozen=True, slots=True)
class WireForm:
    """How rows are put on the wire.

    Attributes:
        boot: the one that runs; what an earlier one left is historical.
        evidence: alternatives and evidence go along with every event.
        late_s: what was decided longer ago is historical.
        stamp_of: a better wall time for an entry of that boot (its full form is given), where the clock was set since.
        wall_ns: the wall clock.
    """

    boot: int
    evidence: bool
    late_s: float
    stamp_of: Callable[[int, bytes], Stamp | None] = lambda _boot, _full: None
    wall_ns: Callable[[], int] = time.time_ns

    def of(self, row: Row, again: bool) -> bytes | None:
        """The row as it is sent; None where it can't be read. `again`: it was sent before."""
        late = self.wall_ns() - row.decided_wall_ns > self.late_s * _NS_PER_S
        try:
            return for_wire(
                row.payload,
                evidence=self.evidence,
                historical=again or late or row.boot != self.boot,
                stamp=self.stamp_of(row.boot, row.payload),
            )
        except WireError:
            return None


class Sender:
    """The backlog and what comes live, in order. Times are monotonic seconds.

    Args:
        acknowledged: the store's back end acknowledges; else the broker's word counts.
    """

    def __init__(self, source: Source, form: WireForm, acknowledged: bool, pace: Pace, log: ThrottledLog) -> None:
        self.sent_total = 0
        self.problem: str | None = None  # why entries don't arrive though there is a connection
        self._source = source
        self._form = form
        self._acknowledged = acknowledged
        self._log = log
        self._turn = 0
        self._window: deque[Message] = deque()
        self._cursor: Position | None = None  # the last entry that was given out in this turn
        self._base: Position | None = None  # the last one up to which all are sent
        self._highest: dict[int, int] = {}  # of each boot, the last entry that was ever given out
        self._acked: dict[int, int] = {}
        self._limit_bytes = MOST_BYTES
        self._small_until_s = 0.0
        self._hold_until_s = 0.0
        self._refusals = BackOff(pace.retry_first_s, pace.retry_most_s)
        self._patience = BackOff(pace.ack_first_s, pace.ack_most_s, lambda: 0.0)
        self._ack_due_s: float | None = None

    def begin(self) -> None:
        """A new connection: everything that isn't done is sent again."""
        self._rewind(None)
        self._hold_until_s = 0.0
        self._refusals.reset()
        self._ack_due_s = None

    def next(self, most_bytes: int, now_s: float) -> Message | None:
        """The next message, of at most so many bytes; None where nothing is to be sent now."""
        if self._ack_due_s is not None and now_s >= self._ack_due_s:
            self._ack_due_s = None
            self.problem = _NO_ACK
            self._log.say("no ack", logging.WARNING, _NO_ACK)
            self._rewind(None)
        if now_s < self._hold_until_s:
            return None
        if now_s >= self._small_until_s:
            self._limit_bytes = MOST_BYTES
        limit = min(most_bytes, self._limit_bytes)
        rows = self._source.pending(self._cursor, MOST_ENTRIES, 2 * limit)
        if not rows:
            return None
        message = self.pack(rows, limit, lambda row: row.seq <= self._highest.get(row.boot, 0))
        if len(message.payload) > most_bytes:
            self._hold(
                now_s,
                f"the broker takes at most {most_bytes} bytes, but entry {message.first} of boot {message.boot} has "
                f"{len(message.payload)}; raise max_packet_size on the broker. It is kept, and tried again",
            )
            return None
        self._cursor = Position(message.boot, message.last)
        self._window.append(message)
        self._remember(self._highest, message.boot, message.last)
        return message

    def pack(self, rows: Sequence[Row], most_bytes: int, again: Callable[[Row], bool]) -> Message:
        """One message of as many rows, of the first one's boot, as fit; at least one."""
        first = last = rows[0]
        items: list[bytes] = []
        size = 0
        for row in rows:
            item = self._form.of(row, again(row))
            if item is None and not items:
                # Perhaps a newer program wrote it, and a reader knows it: sent as it is, alone, for it may be spoilt.
                return Message(row.boot, row.seq, row.seq, 1, row.payload, self._turn)
            if item is None:
                break
            if items and (size + len(item) > most_bytes or row.boot != first.boot):
                break
            items.append(item)
            size += len(item)
            last = row
        return Message(first.boot, first.seq, last.seq, len(items), b"".join(items), self._turn)

    def sent(self, message: Message, now_s: float) -> None:
        """The broker has acknowledged it."""
        self.sent_total += message.count
        if message.turn != self._turn or message.resent:
            return
        message.sent = True
        moved: dict[int, int] = {}
        while self._window and self._window[0].sent:
            whole = self._window.popleft()
            self._base = Position(whole.boot, whole.last)
            moved[whole.boot] = whole.last
        if moved:
            self._refusals.reset()
            self._log.forget("refused")
            if self.problem != _NO_ACK:
                self.problem = None
        if not self._acknowledged:
            for boot, seq in moved.items():
                self._source.done(boot, seq)
        elif moved and self._ack_due_s is None:
            self._ack_due_s = now_s + self._patience.wait_s()

    def refused(self, message: Message, code: int, name: str, topic: str, now_s: float) -> None:
        """The broker has answered that it doesn't take it: what comes from there on is kept, and sent again later."""
        if code == _TOO_LARGE and message.count > 1:
            self._shrink(len(message.payload), now_s)
        mend = "; check the broker's ACL" if name.lower() == "not authorized" else ""
        self._hold(
            now_s, f"the broker refuses events on {topic}: {name.lower()}{mend}. They are kept, and sent again later"
        )
        if message.turn == self._turn and not message.resent:
            self._rewind(self._base)

    def misunderstood(self, now_s: float) -> None:
        """The connection ended with an answer that isn't MQTT: mosquitto's, in 2.0, to a message that is too large."""
        if self._window:
            self._shrink(max(len(message.payload) for message in self._window), now_s)

    def consumer_ack(self, boot: int, seq: int, now_s: float) -> None:
        """The store's back end has everything of that boot up to seq."""
        if not self._acknowledged:
            return
        # An earlier run of the node may have sent what is left of earlier boots, and more that was damaged since.
        before = boot != self._form.boot and self._source.last_seq(boot) > 0
        if seq > self._highest.get(boot, 0) and not before:
            self._log.say(
                "strange ack",
                logging.WARNING,
                f"an acknowledgement of entry {seq} of boot {boot} is ignored; the node has sent no such entry",
                10.0,
            )
            return
        if seq <= self._acked.get(boot, 0):
            return
        self._remember(self._acked, boot, seq)
        self._source.done(boot, seq)
        self._log.forget("no ack")
        self.problem = None
        self._patience.reset()
        outstanding = any(last > self._acked.get(of, 0) for of, last in self._highest.items())
        self._ack_due_s = now_s + self._patience.wait_s() if outstanding else None

    def due_s(self, now_s: float) -> float | None:
        """When `next` should be called again though nothing has happened."""
        return min((at for at in (self._ack_due_s, self._hold_until_s) if at is not None and at > now_s), default=None)

    def _shrink(self, too_many_bytes: int, now_s: float) -> None:
        self._limit_bytes = min(self._limit_bytes, max(1, too_many_bytes // 2))
        self._small_until_s = now_s + _SMALL_S

    def _hold(self, now_s: float, sentence: str) -> None:
        self.problem = sentence
        self._log.say("refused", logging.ERROR, sentence)
        if now_s >= self._hold_until_s:  # several of one burst count once
            self._hold_until_s = now_s + self._refusals.wait_s()

    def _rewind(self, to: Position | None) -> None:
        self._turn += 1
        self._window.clear()
        self._cursor = self._base = to

    @staticmethod
    def _remember(seqs: dict[int, int], boot: int, seq: int) -> None:
        seqs[boot] = max(seq, seqs.get(boot, 0))
        while len(seqs) > _BOOTS_REMEMBERED:
            del seqs[next(iter(seqs))]
