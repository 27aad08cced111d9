"""What a node keeps, through the broker: it is asked to send it again, boot by boot and piece by piece.

A broker keeps no past. So this needs a node that is online, and the right to give it the command `resend`. The node's
back end gets it all a second time and drops it, by (node, boot, seq); nothing is acknowledged. What the node answers is
taken with a grain of salt: nothing of it makes this wait or grow without end.
"""

from __future__ import annotations

import json
import secrets
import time
from collections import deque
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from itertools import chain, islice

from edge.config.live_schema import UplinkOptions
from edge.stream.broker_choice import describe_nothing
from edge.stream.broker_reader import BrokerReader, Message
from edge.stream.consumer_answer import Answer, NodeStatus, read_answer, read_status
from edge.stream.consumer_delivery import Received
from edge.stream.consumer_items import items_of
from edge.stream.entry import Entry
from edge.stream.export_portion import Portion
from edge.stream.uplink.errors import UplinkError
from edge.stream.uplink.topics import Names
from edge.stream.wire import WireError, decode_items

_TURN_S = 0.1
_TRIES = 3
_MOST_BUSY = 20  # answers that say `later` to one question
_MOST_PORTION = 100_000  # entries that one answer may promise; a node promises 10,000
_MOST_EARLY = 20_000
_MOST_BOOTS = 10_000
_MOST_EMPTY = 10  # boots one after the other in which nothing was committed
_BEHIND_ALL = (1 << 63) - 1  # a seq that no node reaches: asks for nothing


@dataclass(frozen=True, slots=True)
class ExportPace:
    """How patient an export is, and how much it asks of a node, which drops what is more than 2 a second.

    Attributes:
        patience_s: how long a question may go without an answer, and an answer without any entry of it.
        status_s: how long the broker may take to give the node's retained status.
        question_s: between questions, in the long run; the first `burst` of them come at once.
    """

    patience_s: float = 10.0
    status_s: float = 5.0
    question_s: float = 1.0
    burst: int = 8


@dataclass(frozen=True, slots=True)
class ExportProgress:
    """How far it is: the how manyth of how many boots, and the entries so far."""

    boot: int
    boots: int
    entries: int


class BrokerExport:
    """One node's entries through the broker. Use `entries` once; then `close`.

    Args:
        progress: called some times a second while it asks and waits.

    Attributes:
        problems: a sentence for everything that the node couldn't give.
    """

    def __init__(
        self,
        options: UplinkOptions,
        names: Names,
        pace: ExportPace | None = None,
        progress: Callable[[ExportProgress], None] = lambda _progress: None,
    ) -> None:
        self.problems: list[str] = []
        self._options = options
        self._names = names
        self._pace = pace or ExportPace()
        self._progress = progress
        self._at = ExportProgress(0, 0, 0)
        self._status = NodeStatus()
        self._asked_s: deque[float] = deque(maxlen=self._pace.burst)
        self._request_id: str | None = None  # the question that is open ...
        self._answer: Answer | None = None  # ... and its answer
        self._boot: int | None = None  # of which entries are taken
        self._portion: Portion | None = None
        self._early: dict[int, bytes] = {}  # came before the answer that tells of them
        self._count = 0
        self._reader = BrokerReader(options, "", [names.status, names.event, names.answer("resend")])

    def open(self) -> list[str]:
        """Connect, and see whether the node is there; gives warnings about credentials.

        Raises UplinkError and CredentialError.
        """
        warnings = self._reader.open()
        ends_s = time.monotonic() + self._pace.status_s
        while self._status.word is None:
            if time.monotonic() > ends_s:
                raise UplinkError("\n".join([*warnings, describe_nothing(self._options, self._names)]))
            self._turn()
        if not self._status.online or self._status.boot is None:
            word = self._status.word
            raise UplinkError(f"node {self._names.node} is {word}; expected it online, to send again what it keeps")
        return warnings

    def entries(self, boot: int | None = None) -> Iterator[Entry]:
        """Everything that is kept of a boot; None: of all, the oldest first.

        Raises UplinkError where the node doesn't answer, refuses, or the connection is lost.
        """
        boots = self._boots() if boot is None else [boot]
        for number, each in enumerate(boots, 1):
            self._at = ExportProgress(number, len(boots), self._count)
            yield from self._boot_entries(each)

    def close(self) -> None:
        """Leave the broker."""
        self._reader.close()

    # -- which boots --------------------------------------------------------------------------------------------------

    def _boots(self) -> list[int]:
        """Those of which the node keeps something, the oldest first."""
        assert self._status.boot is not None
        told = self._ask(self._status.boot, _BEHIND_ALL).boots
        if told is None:
            return self._walk_back(self._status.boot)
        newest_first = chain.from_iterable(range(last, first - 1, -1) for first, last in reversed(told))
        boots = list(dict.fromkeys(islice(newest_first, _MOST_BOOTS + 1)))
        if len(boots) > _MOST_BOOTS:
            self.problems.append(
                f"{self._names.node}: says that it keeps more than {_MOST_BOOTS} boots; these are the newest of them"
            )
        return boots[:_MOST_BOOTS][::-1]

    def _walk_back(self, boot: int) -> list[int]:
        """Of a node that doesn't tell its boots: they count up by one."""
        boots, empty = [boot], 0
        while boot > 0 and empty < _MOST_EMPTY and len(boots) < _MOST_BOOTS:
            boot -= 1
            last = self._ask(boot, _BEHIND_ALL).last
            if last is None or last == 0 or last >= _BEHIND_ALL - 1:  # it doesn't know that one
                empty += 1
            else:
                boots.append(boot)
                empty = 0
        return boots[::-1]

    # -- what is in one -----------------------------------------------------------------------------------------------

    def _boot_entries(self, boot: int) -> Iterator[Entry]:
        from_seq, tries = 1, 0
        while True:
            answer = self._ask(boot, from_seq)
            portion = Portion(from_seq, answer)
            if portion.count > _MOST_PORTION or (answer.more and not portion.count):
                self._complain(boot, f"the answer makes no sense: {portion.count} entries from {from_seq} on come")
                return
            self._fetch(portion)
            until = portion.first_missing()
            tries = tries + 1 if until == from_seq else 0
            giving_up = tries == _TRIES
            for seq, item in portion.items():
                if seq < until or giving_up:
                    yield from self._decoded(boot, seq, item)
            if portion.missing and not giving_up:
                from_seq = until
                continue
            if portion.missing:
                self._complain(boot, f"{portion.missing} entries from {until} to {portion.last} don't come")
            if not answer.more:
                return
            from_seq, tries = portion.last + 1, 0

    def _fetch(self, portion: Portion) -> None:
        """Take what comes until nothing is missing, or nothing of it has come for a while."""
        self._portion = portion
        for seq, item in self._early.items():
            portion.take(seq, item)
        missing, ends_s = portion.missing, time.monotonic() + self._pace.patience_s
        while portion.missing and time.monotonic() < ends_s:
            self._turn()
            if portion.missing < missing:
                missing, ends_s = portion.missing, time.monotonic() + self._pace.patience_s
        self._portion = None

    def _decoded(self, boot: int, seq: int, item: bytes) -> Iterator[Entry]:
        self._count += 1
        try:
            yield from decode_items(item)
        except WireError as error:
            self._complain(boot, f"entry {seq} can't be read: {error}")

    def _complain(self, boot: int, what: str) -> None:
        self.problems.append(f"{self._names.node}, boot {boot}: {what}")

    # -- questions ----------------------------------------------------------------------------------------------------

    def _ask(self, boot: int, from_seq: int) -> Answer:
        """The answer to a `resend`. Only it counts while we wait: other traffic doesn't make us patient."""
        self._boot, self._early = boot, {}
        tries, busy = 0, 0
        self._new_question()
        while tries < _TRIES:
            self._keep_pace()
            command = {"id": self._request_id, "boot": boot, "from_seq": from_seq}
            self._reader.publish(self._names.command("resend"), json.dumps(command).encode())
            answer = self._wait_for_answer()
            if answer is None:
                tries += 1
            elif answer.ok:
                return answer
            elif answer.retry_s is None or busy == _MOST_BUSY:
                raise UplinkError(f"node {self._names.node} doesn't send its events again: {answer.text}")
            else:
                busy += 1
                self._listen_until(time.monotonic() + answer.retry_s)
                self._new_question()
        raise UplinkError(
            f"node {self._names.node}{self._whereabouts()} doesn't answer; does the broker let us publish "
            f"{self._names.command('resend')} and read {self._names.answer('resend')}?"
        )

    def _new_question(self) -> None:
        self._request_id, self._answer = secrets.token_hex(8), None

    def _wait_for_answer(self) -> Answer | None:
        ends_s = time.monotonic() + self._pace.patience_s
        while self._answer is None and time.monotonic() < ends_s:
            self._turn()
        answer, self._answer = self._answer, None
        return answer

    def _whereabouts(self) -> str:
        return "" if self._status.online else f" is {self._status.word or 'gone'} and"

    def _keep_pace(self) -> None:
        """A node drops a flood, and its back end has questions too."""
        if len(self._asked_s) == self._pace.burst:
            self._listen_until(self._asked_s[0] + self._pace.burst * self._pace.question_s)
        self._asked_s.append(time.monotonic())

    # -- what comes ---------------------------------------------------------------------------------------------------

    def _listen_until(self, ends_s: float) -> None:
        while time.monotonic() < ends_s:
            self._turn()

    def _turn(self) -> None:
        for message in self._reader.receive(_TURN_S):
            self._take(message)
        came = 0 if self._portion is None else self._portion.count - self._portion.missing
        self._progress(ExportProgress(self._at.boot, self._at.boots, self._count + came))

    def _take(self, message: Message) -> None:
        if message.topic == self._names.event:
            for got in items_of(self._names.node, message.payload):
                if not isinstance(got, Received) or got.boot != self._boot:
                    continue
                if self._portion is not None:
                    self._portion.take(got.seq, got.item)
                elif len(self._early) < _MOST_EARLY:
                    self._early.setdefault(got.seq, got.item)
        elif message.topic == self._names.status:
            status = read_status(message.payload)
            self._status = self._status if isinstance(status, str) else status
        else:
            answer = read_answer(message.payload)
            if isinstance(answer, Answer) and answer.request_id == self._request_id:
                self._answer = answer
