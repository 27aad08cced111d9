"""The receiving end of nodes' streams: every entry exactly once, in order, and none missing unnoticed.

The reference for people who write back ends, without network, thread or clock: bytes and seconds go in, values come
out. `consumer_mqtt` puts it on a broker, `consumer_store` keeps what it gives in SQLite. In any language it is this:

1. An entry is known by (node, boot, seq). Seq counts from 1 in every boot, without gaps. A boot is a sequence of its
   own: entries of an older boot may come after those of a newer one. Their order among each other is the order of
   their wall times.
2. What has come before is a duplicate: dropped and counted. What comes too early waits (bounded) until what is missing
   has come, or until the node says that it is gone: a `dropped` or `damaged` note that covers it, or the answer to a
   `resend`. Nothing else makes a consumer pass over a number, and what was passed over is told to the application.
3. What is missing for longer than a little patience is asked for (`resend`), again and again, with growing pauses. When
   a boot has been quiet, the node is asked whether there was more: the last entry may be the one that was lost. So it
   is asked of boots that were skipped: boots count up by one.
4. The application stores the entries **and** `state()` in one transaction, and only then sends `acks()`. After a crash
   in between, the node or the broker sends again what wasn't acknowledged, and the stored state knows it.

        delivery = consumer.take(node, payload, now_s)
        with database:                                   # one transaction
            database.insert(delivery.entries)
            database.insert(delivery.given_up)
            database.set_state(consumer.state())
        publish(consumer.acks())
"""

from __future__ import annotations

import secrets
from collections import deque
from dataclasses import dataclass
from math import inf, isfinite

from edge.stream.consumer_answer import Answer, NodeStatus, read_answer, read_status
from edge.stream.consumer_boot import BootStream
from edge.stream.consumer_delivery import ConsumerCounts, Delivery, Gap, Received, Resend
from edge.stream.consumer_items import items_of
from edge.stream.consumer_loss import lost_ranges
from edge.stream.consumer_state import BootState, ConsumerState, NodeState
from edge.stream.entry import Note

__all__ = ["Consumer", "ConsumerCounts", "ConsumerLimits", "Delivery", "Gap", "Received", "Resend"]


_MOST_RANGES = 4  # asked for at a time within one boot
_MOST_ASKED_PER_NODE = 8  # in so many seconds
_TAIL_PAUSES = 12  # times as long between two questions whether there was more, where none is answered
_MOST_SKIPPED = 32  # boots; one that is further away is a node that began anew at random
_MOST_NAME = 512
_MOST_RETIRED = 256  # ranges of boots; a node that starts from memory adds to its last one


@dataclass(frozen=True, slots=True)
class ConsumerLimits:
    """How patient a consumer is, and how much it remembers.

    Attributes:
        patience_s: how long a gap may stand before the node is asked; doubles with each try in vain up to
            `most_patience_s`.
        quiet_s: how long a boot is quiet before the node is asked whether there was more; infinite: never.
        most_asked: wishes that one call of `wants` gives, about.
        most_nodes: payloads of further nodes are refused.
        kept_boots: boots of a node remembered one by one; of older ones that are whole, only that they were.
        most_boots: boots of a node that aren't known to be whole; beyond it the oldest is given up.
        most_waiting: entries of one boot that wait for a gap to be filled; beyond it the farthest are dropped.
        most_waiting_bytes: the same for all nodes together, counted as on the wire.
    """

    patience_s: float = 2.0
    most_patience_s: float = 300.0
    quiet_s: float = 60.0
    most_asked: int = 50
    most_nodes: int = 10_000
    kept_boots: int = 16
    most_boots: int = 256
    most_waiting: int = 4096
    most_waiting_bytes: int = 32_000_000


class _Node:
    """One node: its boots, and what it last said of itself."""

    def __init__(self, name: str, state: NodeState) -> None:
        self.name = name
        self.state = state
        self.boots = {boot: BootStream(each) for boot, each in state.boots.items()}
        self.status = NodeStatus()
        self.asked_s: deque[float] = deque(maxlen=_MOST_ASKED_PER_NODE)

    def may_ask(self, now_s: float) -> bool:
        """Whether one question more is within what a node puts up with."""
        return len(self.asked_s) < _MOST_ASKED_PER_NODE or now_s - self.asked_s[0] >= _MOST_ASKED_PER_NODE


class Consumer:
    """Puts the payloads of any number of nodes in order. ``now_s`` is any clock that never steps back.

    Args:
        state: what `state` gave, of the last transaction that was stored; None for the first time.
            Raises ConsumerStateError for bytes that aren't one.
        name: what its request ids begin with; made up if left out.
    """

    def __init__(self, state: bytes | None = None, limits: ConsumerLimits | None = None, name: str = "") -> None:
        self.counts = ConsumerCounts()
        self._limits = limits or ConsumerLimits()
        self._state = ConsumerState() if state is None else ConsumerState.from_bytes(state)
        self._nodes = {name: _Node(name, each) for name, each in self._state.nodes.items()}
        self._waiting_bytes = 0
        self._to_acknowledge: dict[str, dict[int, int]] = {}
        self._asked: dict[str, Resend] = {}
        self._name = name or secrets.token_hex(4)

    def take(self, node: str, payload: bytes, now_s: float) -> Delivery:
        """A message of a node's `event` topic. Never raises for what is in it."""
        delivery = Delivery()
        known = self._node(node, delivery)
        if known is None:
            return delivery
        for got in items_of(node, payload):
            if isinstance(got, Received):
                self._take(known, got, delivery, now_s)
            else:
                self._complain(f"{node}: {got}", delivery)
        return delivery

    def answer(self, node: str, payload: bytes, now_s: float) -> Delivery:
        """A message of a node's `command/resend/answer` topic: to us, or to another consumer (then it is ignored)."""
        delivery = Delivery()
        found = read_answer(payload)
        if isinstance(found, str):
            self._complain(f"{node}: {found}", delivery)
            return delivery
        asked = self._asked.get(found.request_id)
        known = self._nodes.get(node)
        if asked is not None and asked.node == node and known is not None:
            del self._asked[asked.request_id]
            if asked.boot in known.boots:
                self._answered(known, asked, found, delivery, now_s)
        return delivery

    def status(self, node: str, payload: bytes, now_s: float) -> Delivery:
        """A message of a node's `status` topic: one that isn't there isn't asked; and which boot is the present one."""
        delivery = Delivery()
        found = read_status(payload)
        if isinstance(found, str):
            self._complain(f"{node}: {found}", delivery)
            return delivery
        known = self._node(node, delivery)
        if known is None:
            return delivery
        came_back = found.online and not known.status.online
        known.status = found
        if came_back:
            for stream in known.boots.values():
                if stream.incomplete:
                    self._ask_after(stream, self._limits.patience_s, now_s)
        if found.online and found.boot is not None and found.boot not in known.state.retired:
            self._stream(known, found.boot, delivery, now_s)
        self._look_at_older(known, found.boot, now_s)
        return delivery

    def wants(self, now_s: float) -> list[Resend]:
        """What to ask nodes for now; each is an order to publish a `resend`. Call it now and then."""
        wishes: list[Resend] = []
        for known in self._nodes.values():
            if known.status.away:
                continue
            for boot, stream in known.boots.items():
                if not known.may_ask(now_s):
                    break  # it would refuse a flood
                for first, last in self._due(stream, now_s):
                    known.asked_s.append(now_s)
                    self.counts.resends += 1
                    wish = Resend(f"{self._name}-{self.counts.resends}", known.name, boot, first, last)
                    self._asked[wish.request_id] = wish
                    wishes.append(wish)
            if len(wishes) >= self._limits.most_asked:
                break  # the others in the next call: these aren't due any more then
        while len(self._asked) > 20 * self._limits.most_asked:
            del self._asked[next(iter(self._asked))]  # the oldest: nobody has answered it
        return wishes

    def acks(self) -> dict[str, dict[int, int]]:
        """``{node: {boot: seq}}`` for the boots of which something has come since the last call.

        Everything up to seq is done. To be published only after `state` of this moment is stored for good.
        """
        acks, self._to_acknowledge = self._to_acknowledge, {}
        return acks

    def present_boot(self, node: str) -> int | None:
        """The boot that a node's status tells; None where there was none."""
        known = self._nodes.get(node)
        return None if known is None else known.status.boot

    def state(self) -> bytes:
        """What has to be stored with the entries, for a `Consumer` after the next start.

        Its size grows with the number of nodes (some 50 to 200 bytes each), not with the number of entries.
        """
        return self._state.to_bytes()

    # -- what came ----------------------------------------------------------------------------------------------------

    def _take(self, known: _Node, got: Received, delivery: Delivery, now_s: float) -> None:
        if got.boot in known.state.retired:
            self._duplicate(got, got.seq, delivery)
            return
        stream = self._stream(known, got.boot, delivery, now_s)
        before, held_bytes = stream.progress, stream.waiting_bytes
        if not stream.take(got, self._room(stream, len(got.item))):
            self._duplicate(got, stream.state.done, delivery)
            return
        self._waiting_bytes += stream.waiting_bytes - held_bytes
        stream.state.closed = False
        if isinstance(got.entry, Note):
            self._listen(known, got.entry, delivery, now_s)
        self._move_on(known, got.boot, before, delivery, now_s)

    def _room(self, stream: BootStream, more_bytes: int) -> int:
        """How many entries of a boot may wait, this one with them."""
        full = self._waiting_bytes + more_bytes > self._limits.most_waiting_bytes
        return min(self._limits.most_waiting, len(stream.waiting)) if full else self._limits.most_waiting

    def _duplicate(self, got: Received, done: int, delivery: Delivery) -> None:
        """It is acknowledged again: that it comes again may mean that the acknowledgement was lost."""
        self.counts.duplicates += 1
        delivery.duplicates += 1
        if done:
            acks = self._to_acknowledge.setdefault(got.node, {})
            acks[got.boot] = max(done, acks.get(got.boot, 0))

    def _listen(self, known: _Node, note: Note, delivery: Delivery, now_s: float) -> None:
        """A note that tells of a loss counts when it comes, not when it is its turn: its turn may depend on it."""
        for boot, first, last in lost_ranges(note, list(known.boots)):
            if boot in known.state.retired or (last is None and boot not in known.boots):
                continue
            stream = self._stream(known, boot, delivery, now_s)
            before = stream.progress
            stream.lose(first, stream.state.highest if last is None else last)
            if boot != note.boot:
                self._move_on(known, boot, before, delivery, now_s)

    def _move_on(self, known: _Node, boot: int, before: tuple[int, bool], delivery: Delivery, now_s: float) -> None:
        """Hand on what is in order now, notice a gap that is new, and see when to ask next."""
        stream = known.boots.get(boot)
        if stream is None:
            return  # a note told of so many boots that this one was given up
        held_bytes = stream.waiting_bytes
        for each in stream.in_order():
            if isinstance(each, Received):
                self.counts.entries += 1
                delivery.entries.append(each)
            else:
                self._give_up(Gap(known.name, boot, *each), delivery)
        self._waiting_bytes += stream.waiting_bytes - held_bytes
        if stream.progress == before:
            return
        if stream.incomplete and not before[1]:
            self.counts.gaps += 1
            delivery.noticed.append(Gap(known.name, boot, *stream.missing(1)[0]))
        if stream.state.done > before[0]:
            self._to_acknowledge.setdefault(known.name, {})[boot] = stream.state.done
        self._ask_after(stream, self._limits.patience_s if stream.incomplete else self._limits.quiet_s, now_s)

    def _give_up(self, gap: Gap, delivery: Delivery) -> None:
        self.counts.given_up += gap.last - gap.first + 1
        delivery.given_up.append(gap)

    # -- what is asked for --------------------------------------------------------------------------------------------

    def _answered(self, known: _Node, asked: Resend, answer: Answer, delivery: Delivery, now_s: float) -> None:
        stream = known.boots[asked.boot]
        if not answer.ok:
            delivery.problems.append(f"{known.name}: doesn't send boot {asked.boot} again: {answer.text}")
            return
        before = stream.progress
        # What is gone was there: an entry that is new since the question can't be, whatever the answer says.
        most = stream.state.highest if asked.to_seq is None else asked.to_seq
        for first, last in answer.gone:
            stream.lose(max(first, asked.from_seq), min(last, most))
        if answer.last is not None and (asked.to_seq is None or asked.to_seq >= stream.state.highest):
            stream.correct(answer.exists)
        stream.state.highest = max(stream.state.highest, answer.exists)
        self._move_on(known, asked.boot, before, delivery, now_s)
        if answer.last is not None and stream.state.done >= answer.last and not stream.incomplete:
            stream.ask_at_s = inf  # nothing is missing at its end, until the next entry comes
            present = answer.present_boot if answer.present_boot is not None else known.status.boot
            stream.state.closed = present is not None and present != asked.boot
            self._retire(known, delivery)

    def _due(self, stream: BootStream, now_s: float) -> list[tuple[int, int | None]]:
        if stream.state.closed:
            return []
        if stream.ask_at_s is None:
            self._ask_after(stream, self._limits.patience_s if stream.incomplete else self._tail_s, now_s)
        if stream.ask_at_s is None or now_s < stream.ask_at_s:
            return []
        stream.tries += 1
        pause_s = self._limits.patience_s * 2.0 ** min(stream.tries, 30)
        longest_s = self._limits.most_patience_s * (1 if stream.incomplete else _TAIL_PAUSES)
        stream.ask_at_s = now_s + min(pause_s, longest_s)
        if not stream.incomplete:
            return [(stream.state.done + 1, None)]
        return list(stream.missing(_MOST_RANGES))

    @property
    def _tail_s(self) -> float:
        """How soon to ask a boot that may have ended whether it was whole."""
        return self._limits.patience_s if isfinite(self._limits.quiet_s) else inf

    def _look_at_older(self, known: _Node, present: int | None, now_s: float) -> None:
        """There is a newer boot: whether the others are whole is worth a question each."""
        for boot, stream in known.boots.items():
            if boot != present and not stream.state.closed and not stream.incomplete:
                self._ask_after(stream, self._tail_s, now_s)

    @staticmethod
    def _ask_after(stream: BootStream, wait_s: float, now_s: float) -> None:
        stream.tries = 0
        stream.ask_at_s = now_s + wait_s

    # -- what is remembered -------------------------------------------------------------------------------------------

    def _node(self, name: str, delivery: Delivery) -> _Node | None:
        known = self._nodes.get(name)
        if known is None:
            if len(name) > _MOST_NAME or len(self._nodes) >= self._limits.most_nodes:
                self._complain(f"{name[:_MOST_NAME]}: refused; {len(self._nodes)} nodes are known", delivery)
                return None
            known = self._nodes[name] = _Node(name, NodeState())
            self._state.nodes[name] = known.state
        return known

    def _stream(self, known: _Node, boot: int, delivery: Delivery, now_s: float) -> BootStream:
        stream = known.boots.get(boot)
        if stream is None:
            newest = max(known.boots, default=boot)
            if boot - newest <= _MOST_SKIPPED:
                for skipped in range(newest + 1, boot):  # perhaps all that they said was lost
                    if skipped not in known.state.retired:
                        self._begin(known, skipped)
            stream = self._begin(known, boot)
            self._look_at_older(known, boot, now_s)
            self._retire(known, delivery)
        return stream

    def _begin(self, known: _Node, boot: int) -> BootStream:
        stream = known.boots[boot] = BootStream(BootState())
        known.state.boots[boot] = stream.state
        return stream

    def _retire(self, known: _Node, delivery: Delivery) -> None:
        """Keep of whole boots that they were; only when there are too many others, give up the oldest of those."""
        whole = [boot for boot, stream in known.boots.items() if stream.state.closed]
        for boot in whole[: max(0, len(known.boots) - self._limits.kept_boots)]:
            self._forget(known, boot)
        while len(known.boots) > self._limits.most_boots:
            boot, stream = next(iter(known.boots.items()))
            if stream.incomplete:
                self._give_up(Gap(known.name, boot, stream.state.done + 1, stream.state.highest), delivery)
            delivery.problems.append(f"{known.name}: boot {boot} is given up; too many boots aren't known to be whole")
            self._forget(known, boot)
        if len(known.state.retired) > _MOST_RETIRED:
            known.state.retired.drop_first()

    def _forget(self, known: _Node, boot: int) -> None:
        self._waiting_bytes -= known.boots.pop(boot).waiting_bytes
        if known.state.boots.pop(boot).highest:  # of one that never said anything, all would be new
            known.state.retired.add(boot, boot)

    def _complain(self, sentence: str, delivery: Delivery) -> None:
        self.counts.garbage += 1
        delivery.problems.append(sentence)
