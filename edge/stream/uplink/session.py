"""What is said over one connection: the birth, what waits, what is new, answers; and what comes back."""

from __future__ import annotations

import logging
import time
from collections import deque

from edge.stream.cbor_reader import CborError, read_item
from edge.stream.uplink.commands import Commands
from edge.stream.uplink.connection import Acked, Connection, Received
from edge.stream.uplink.log import ThrottledLog
from edge.stream.uplink.resends import Resends
from edge.stream.uplink.sender import Message, Sender
from edge.stream.uplink.topics import Names

MOST_IN_FLIGHT = 16
_MOST_WAITING = 100
_ENVELOPE_BYTES = 32  # of a PUBLISH beside topic and payload, generously
_UNLIMITED_BYTES = 1 << 28
_MOST_BOOT = (1 << 32) - 1
_MOST_SEQ = (1 << 64) - 1


class Session:
    """Everything between a connection that was let in and its loss. Used by the uplink's thread alone."""

    def __init__(
        self,
        connection: Connection,
        names: Names,
        sender: Sender,
        resends: Resends,
        commands: Commands,
        log: ThrottledLog,
    ) -> None:
        self.acked_s = time.monotonic()
        self._connection = connection
        self._names = names
        self._sender = sender
        self._resends = resends
        self._commands = commands
        self._log = log
        self._waiting: deque[tuple[str, bytes, bool]] = deque()
        self._events: dict[int, Message] = {}
        self._others: dict[int, str] = {}
        self._resend_is_next = False
        self._most_bytes = (connection.packet_bytes or _UNLIMITED_BYTES) - len(names.event.encode()) - _ENVELOPE_BYTES

    def begin(self, acknowledged: bool) -> None:
        """Ask for commands, and acknowledgements where there are any; everything that isn't done is sent again."""
        topics = [self._names.command("+")]
        if acknowledged:
            topics.append(self._names.ack)
        self._connection.subscribe(topics)
        self._resends.clear()
        self._sender.begin()

    def say(self, topic: str, payload: bytes, retain: bool = False) -> None:
        """Something that isn't kept in the outbox, before any event that isn't sent yet."""
        if len(payload) + len(topic) + _ENVELOPE_BYTES > (self._connection.packet_bytes or _UNLIMITED_BYTES):
            self._log.say(topic, logging.WARNING, f"{topic}: {len(payload)} bytes are more than the broker takes")
        elif len(self._waiting) < _MOST_WAITING:
            self._waiting.append((topic, payload, retain))

    @property
    def idle(self) -> bool:
        """Nothing waits for the broker."""
        return not self._waiting and not self._connection.in_flight

    @property
    def in_flight(self) -> int:
        """Messages that the broker hasn't acknowledged."""
        return len(self._connection.in_flight)

    def take(self) -> None:
        """Everything that has come since the last call."""
        now_s = time.monotonic()
        while self._connection.acked:
            self.acked_s = now_s
            self._acked(self._connection.acked.popleft(), now_s)
        while self._connection.received:
            self._received(self._connection.received.popleft(), now_s)
        while self._connection.refused_topics:
            topic = self._connection.refused_topics.pop()
            self._log.say(
                topic,
                logging.ERROR,
                f"the broker doesn't let the node read {topic}; check the broker's ACL for the node",
            )

    def give(self, events: bool) -> None:
        """Send what may be sent now; `events` False: only the rest."""
        room = self._connection.receive_maximum - self.in_flight
        while self._waiting and room > 0 and self._connection.lost is None:
            topic, payload, retain = self._waiting.popleft()
            self._others[self._publish(topic, payload, retain)] = topic
            room -= 1
        now_s = time.monotonic()
        while events and len(self._events) < MOST_IN_FLIGHT and room > 0 and self._connection.lost is None:
            message = self._next(now_s)
            if message is None:
                return
            self._events[self._publish(self._names.event, message.payload, False)] = message
            room -= 1

    def _publish(self, topic: str, payload: bytes, retain: bool) -> int:
        if not self._connection.in_flight:
            self.acked_s = time.monotonic()  # the broker's silence counts from here
        return self._connection.publish(topic, payload, retain)

    def _next(self, now_s: float) -> Message | None:
        """What is new and what was asked for again, in turns, so that neither waits for the other."""
        self._resend_is_next = not self._resend_is_next
        if self._resend_is_next:
            return self._resends.next(self._most_bytes) or self._sender.next(self._most_bytes, now_s)
        return self._sender.next(self._most_bytes, now_s) or self._resends.next(self._most_bytes)

    def _acked(self, acked: Acked, now_s: float) -> None:
        message = self._events.pop(acked.message_id, None)
        if message is not None:
            if acked.failed:
                self._sender.refused(message, acked.code, acked.name, self._names.event, now_s)
            else:
                self._sender.sent(message, now_s)
            return
        topic = self._others.pop(acked.message_id, None)
        if topic is not None and acked.failed:
            self._log.say(
                topic,
                logging.ERROR,
                f"the broker refuses what the node says on {topic}: {acked.name.lower()}; check the broker's ACL",
            )
        elif topic is not None:
            self._log.forget(topic)

    def _received(self, received: Received, now_s: float) -> None:
        if received.topic == self._names.ack:
            self._take_acks(received.payload, now_s)
            return
        before, _, name = received.topic.rpartition("/")
        if f"{before}/{name}" != self._names.command(name):
            self._log.say(
                "strange", logging.WARNING, "a message on a topic that the node didn't ask for is dropped", 10.0
            )
            return
        if received.retained:
            self._log.say(
                "retained",
                logging.WARNING,
                f"command {name} was published retained and isn't done; publish it as usual",
            )
            return
        answer = self._commands.take(name, received.payload, now_s)
        if answer is not None:
            self.say(self._names.answer(name), answer)

    def _take_acks(self, payload: bytes, now_s: float) -> None:
        acks = _read_acks(payload)
        if acks is None:
            self._log.say(
                "malformed ack",
                logging.WARNING,
                f"a message on {self._names.ack} is ignored; expected a CBOR map of boot: seq",
                10.0,
            )
            return
        for boot, seq in acks.items():
            self._sender.consumer_ack(boot, seq, now_s)


def _read_acks(payload: bytes) -> dict[int, int] | None:
    try:
        acks, end = read_item(payload, 0)
    except CborError:
        return None
    if end != len(payload) or not isinstance(acks, dict):
        return None
    for boot, seq in acks.items():
        if type(boot) is not int or type(seq) is not int or not (0 <= boot <= _MOST_BOOT and 0 <= seq <= _MOST_SEQ):
            return None
    return acks
