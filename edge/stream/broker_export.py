"""What a node keeps, through the broker: it is asked to send it again, piece by piece.

A broker keeps no past. So this needs a node that is online, and the right to give it the command `resend`. The node's
back end gets it all a second time and drops it, by (node, boot, seq); nothing is acknowledged.
"""

from __future__ import annotations

import json
import secrets
import time
from collections.abc import Callable, Iterator
from functools import partial

from edge.config.live_schema import UplinkOptions
from edge.stream.broker_reader import BrokerReader, Message
from edge.stream.consumer_answer import Answer, NodeStatus, read_answer, read_status
from edge.stream.consumer_delivery import Received
from edge.stream.consumer_items import items_of
from edge.stream.entry import Entry
from edge.stream.uplink.errors import UplinkError
from edge.stream.uplink.topics import Names
from edge.stream.wire import WireError, decode_items

_TURN_S = 0.1
_PATIENCE_S = 10.0
_TRIES = 3
_MOST_EMPTY = 10  # starts one after the other in which nothing was committed


class BrokerExport:
    """One node's entries through the broker. Use `entries` once; then `close`.

    Attributes:
        problems: a sentence for everything that the node couldn't give.
    """

    def __init__(self, options: UplinkOptions, names: Names, patience_s: float = _PATIENCE_S) -> None:
        self.problems: list[str] = []
        self._names = names
        self._patience_s = patience_s
        self._status = NodeStatus()
        self._answers: dict[str, Answer] = {}
        self._items: dict[int, dict[int, bytes]] = {}  # by boot and seq
        self._reader = BrokerReader(options, "", [names.status, names.event, names.answer("resend")])

    def open(self) -> list[str]:
        """Connect, and see whether the node is there; gives warnings about credentials.

        Raises UplinkError and CredentialError.
        """
        warnings = self._reader.open()
        self._wait(lambda: self._status.word is not None)
        if not self._status.online or self._status.boot is None:
            word = self._status.word or "unknown to the broker"
            raise UplinkError(f"node {self._names.node} is {word}; expected it online, to send again what it keeps")
        return warnings

    def entries(self, boot: int | None = None) -> Iterator[Entry]:
        """Everything that is kept of a boot; None: of all, the oldest first, when all of it has come.

        Raises UplinkError where the node doesn't answer, refuses, or the connection is lost.
        """
        assert self._status.boot is not None
        boots = [self._status.boot if boot is None else boot]
        empty = 0
        while empty < _MOST_EMPTY:
            empty = 0 if self._fetch(boots[-1]) else empty + 1
            if boot is not None or not boots[-1]:
                break
            boots.append(boots[-1] - 1)  # they count up, and the oldest entries go first
        for each in reversed(boots):
            items = self._items.pop(each, {})
            for seq in sorted(items):
                yield from self._decoded(each, seq, items[seq])

    def close(self) -> None:
        """Leave the broker."""
        self._reader.close()

    def _fetch(self, boot: int) -> bool:
        """Have everything of a boot sent; whether anything of it is kept."""
        items = self._items.setdefault(boot, {})
        from_seq, tries, found = 1, 0, False
        while True:
            answer = self._ask(boot, from_seq)
            found = found or answer.sent_to > 0
            gone = {seq for first, last in answer.gone for seq in range(first, min(last, answer.sent_to) + 1)}
            coming = set(range(from_seq, answer.sent_to + 1)) - gone
            if self._wait(partial(coming.issubset, items)):
                tries = 0
                if not answer.more:
                    return found
                from_seq = answer.sent_to + 1
                continue
            tries += 1
            from_seq = min(coming - items.keys())
            if tries == _TRIES:
                self.problems.append(f"{self._names.node}: entries from {from_seq} of boot {boot} on don't come")
                return found

    def _ask(self, boot: int, from_seq: int) -> Answer:
        request_id = secrets.token_hex(8)
        command = {"id": request_id, "boot": boot, "from_seq": from_seq}
        for _ in range(_TRIES):
            self._reader.publish(self._names.command("resend"), json.dumps(command).encode())
            if self._wait(lambda: request_id in self._answers):
                answer = self._answers.pop(request_id)
                if not answer.ok:
                    raise UplinkError(f"node {self._names.node} doesn't send its events again: {answer.text}")
                return answer
        raise UplinkError(
            f"node {self._names.node} doesn't answer; does the broker let us publish {self._names.command('resend')}?"
        )

    def _wait(self, condition: Callable[[], bool]) -> bool:
        """Take what comes until it is so; False when nothing more comes for a while."""
        ends_s = time.monotonic() + self._patience_s
        while not condition():
            messages = self._reader.receive(_TURN_S)
            if messages:
                for message in messages:
                    self._take(message)
                ends_s = time.monotonic() + self._patience_s
            elif time.monotonic() > ends_s:
                return False
        return True

    def _take(self, message: Message) -> None:
        if message.topic == self._names.event:
            for got in items_of(self._names.node, message.payload):
                if isinstance(got, Received):
                    self._items.setdefault(got.boot, {})[got.seq] = got.item
        elif message.topic == self._names.status:
            status = read_status(message.payload)
            self._status = self._status if isinstance(status, str) else status
        else:
            answer = read_answer(message.payload)
            if isinstance(answer, Answer) and answer.request_id:
                self._answers[answer.request_id] = answer

    def _decoded(self, boot: int, seq: int, item: bytes) -> Iterator[Entry]:
        try:
            yield from decode_items(item)
        except WireError as error:
            self.problems.append(f"{self._names.node}: entry {seq} of boot {boot} can't be read: {error}")
