"""The consumer on a broker: messages to `Consumer`, deliveries to the application, acks and wishes to the nodes.

    with ConsumerStore(Path("events.db")) as store:
        MqttConsumer(options, "back-end-1", store.handle, store.state()).run(stop)

What an application must know: `handle(delivery, state)` stores both in one transaction and returns when that is safe.
Only then is anything acknowledged, to the nodes and to the broker. Where it raises, nothing is: the connection is
closed, and after a pause all that wasn't stored comes again.
"""

from __future__ import annotations

import json
import logging
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass

import cbor2

from edge.config.live_schema import UplinkOptions
from edge.stream.broker_reader import BrokerReader, Message
from edge.stream.consumer import Consumer, ConsumerLimits
from edge.stream.consumer_delivery import ConsumerCounts, Delivery, Resend
from edge.stream.uplink.command_keys import sign_command
from edge.stream.uplink.errors import CredentialError, UplinkError
from edge.stream.uplink.log import ThrottledLog
from edge.stream.uplink.patience import BackOff
from edge.stream.uplink.topics import NO_STORE, ROOT, Names

logger = logging.getLogger("shelfedge.consumer")

_TURN_S = 0.05
_SESSION_S = 7 * 86400
_STABLE_S = 5.0  # a connection that lasted so long makes the next wait the first again
_MOST_LOGGED = 5
_MOST_TOPIC = 200


@dataclass(frozen=True, slots=True)
class ConsumerPace:
    """Times in seconds.

    Attributes:
        ack_s: the least time between two acknowledgements. ack_again_s: the last ones are said again after so long.
        ask_s: how often it is looked what to ask for.
        retry_first_s, retry_most_s: the wait after a failure doubles between these.
    """

    ack_s: float = 0.2
    ack_again_s: float = 30.0
    ask_s: float = 0.2
    retry_first_s: float = 0.5
    retry_most_s: float = 30.0


class MqttConsumer:
    """Reads the streams of nodes until it is stopped. Nodes are called ``<store>/<node>`` in what it gives.

    Args:
        options: the broker and how to log in there; files by absolute paths.
        client_id: the same at every start, and nobody else's: the broker keeps messages under it for a week.
        handle: stores a delivery and the state in one transaction.
        state: the last state that was stored; None for the first time.
        store, node: ``+`` for all.
        command_key: id and key that sign the `resend` commands, for nodes that want that.
    """

    def __init__(
        self,
        options: UplinkOptions,
        client_id: str,
        handle: Callable[[Delivery, bytes], None],
        state: bytes | None = None,
        *,
        store: str = "+",
        node: str = "+",
        command_key: tuple[str, bytes] | None = None,
        limits: ConsumerLimits | None = None,
        pace: ConsumerPace | None = None,
    ) -> None:
        self._options = options
        self._client_id = client_id
        self._handle = handle
        self._command_key = command_key
        self._limits = limits
        self._pace = pace or ConsumerPace()
        self._log = ThrottledLog()
        self._topics = [f"{ROOT}/{store}/{node}/{tail}" for tail in ("status", "event", "command/resend/answer")]
        self._stored = state
        self._consumer = Consumer(state, limits)
        self._unsaid: dict[str, dict[int, int]] = {}  # acknowledgements since the last that were published
        self._said: dict[str, dict[int, int]] = {}
        self._ack_at_s = self._ack_again_at_s = self._ask_at_s = 0.0

    @property
    def counts(self) -> ConsumerCounts:
        """What has come so far."""
        return self._consumer.counts

    def run(self, stop: threading.Event) -> None:
        """Read until `stop` is set. Connections are made again for ever; what goes wrong is logged."""
        back_off = BackOff(self._pace.retry_first_s, self._pace.retry_most_s)
        while not stop.is_set():
            reader = BrokerReader(self._options, self._client_id, self._topics, session_s=_SESSION_S, durable=True)
            began_s = time.monotonic()
            try:
                for warning in reader.open():
                    self._log.say(warning, logging.WARNING, warning)
                self._log.forget("broker")
                logger.info("reading from %s", self._options.broker)
                self._on_connection()
                while not stop.is_set():
                    if self._turn(reader):
                        back_off.reset()
            except (UplinkError, CredentialError) as error:
                self._log.say("broker", logging.WARNING, str(error))
                if time.monotonic() - began_s > _STABLE_S:
                    back_off.reset()
            except Exception:  # the application's: whatever it is, nothing may be acknowledged that isn't stored
                logger.exception("what came couldn't be stored; it is asked for again")
                self._roll_back()
            finally:
                reader.close()
            stop.wait(back_off.wait_s())

    def _on_connection(self) -> None:
        """What was published on the last one may be lost."""
        now_s = time.monotonic()
        for node, boots in self._said.items():
            self._unsaid[node] = boots | self._unsaid.get(node, {})
        self._ack_at_s = self._ask_at_s = now_s
        self._ack_again_at_s = now_s + self._pace.ack_again_s

    def _turn(self, reader: BrokerReader) -> bool:
        """One batch: take, store, acknowledge; then ask for what is missing. Whether entries were stored."""
        messages = reader.receive(_TURN_S)
        now_s = time.monotonic()
        delivery = Delivery()
        for message in messages:
            delivery.add(self._take(message, now_s))
        if messages:
            self._store(delivery)
            reader.acknowledge(messages)
        self._acknowledge(reader, now_s)
        if now_s >= self._ask_at_s:
            self._ask_at_s = now_s + self._pace.ask_s
            for wish in self._consumer.wants(now_s):
                self._ask(reader, wish)
        return bool(delivery.entries)

    def _take(self, message: Message, now_s: float) -> Delivery:
        levels = message.topic.removeprefix(ROOT + "/").split("/")
        node, tail = "/".join(levels[:2]), "/".join(levels[2:])
        try:
            _names(node)
        except ValueError as error:  # nobody could answer that one, and it mustn't hold up the others
            return Delivery(problems=[f"a message on {message.topic[:_MOST_TOPIC]!r} is dropped: {error}"])
        if tail == "event":
            return self._consumer.take(node, message.payload, now_s)
        if tail == "status":
            return self._consumer.status(node, message.payload, now_s)
        return self._consumer.answer(node, message.payload, now_s)

    def _store(self, delivery: Delivery) -> None:
        state = self._consumer.state()
        if state != self._stored or delivery.worth_telling:
            self._handle(delivery, state)
            self._stored = state
        for problem in delivery.problems[:_MOST_LOGGED]:
            self._log.say(problem, logging.WARNING, problem)
        for gap in delivery.given_up:
            logger.warning("%s: gone for good", gap.sentence())
        for node, boots in self._consumer.acks().items():
            self._unsaid.setdefault(node, {}).update(boots)

    def _roll_back(self) -> None:
        """Back to what is stored; what came since is no duplicate when it comes again."""
        counts = self._consumer.counts
        self._consumer = Consumer(self._stored, self._limits)
        self._consumer.counts = counts
        self._unsaid = {}

    def _acknowledge(self, reader: BrokerReader, now_s: float) -> None:
        if self._unsaid and now_s >= self._ack_at_s:
            self._ack_at_s = now_s + self._pace.ack_s
            for node, boots in self._unsaid.items():
                reader.publish(_names(node).ack, cbor2.dumps(boots, canonical=True))
            self._said |= self._unsaid
            self._unsaid = {}
        if self._said and now_s >= self._ack_again_at_s:
            self._ack_again_at_s = now_s + self._pace.ack_again_s
            for node, boots in self._said.items():
                reader.publish(_names(node).ack, cbor2.dumps(boots, canonical=True))
            self._said = {}

    def _ask(self, reader: BrokerReader, wish: Resend) -> None:
        names = _names(wish.node)
        payload: dict[str, object] = {"id": wish.request_id, "boot": wish.boot, "from_seq": wish.from_seq}
        if wish.to_seq is not None:
            payload["to_seq"] = wish.to_seq
        present = self._consumer.present_boot(wish.node)
        if self._command_key is not None and present is not None:
            payload = sign_command(*self._command_key, names, "resend", present, payload)
        reader.publish(names.command("resend"), json.dumps(payload).encode())


def _names(node: str) -> Names:
    store, _, name = node.partition("/")
    return Names(None if store == NO_STORE else store, name)
