"""The consumer on a real broker: stored before acknowledged, asked for what is missing, connected again by itself."""

from __future__ import annotations

import json
import logging
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import cbor2
import pytest
from consumer_rig import FakeNode, events, keys, payload

from edge.config.live_schema import UplinkOptions
from edge.stream.broker_reader import BrokerReader, Message
from edge.stream.consumer_delivery import Delivery, Resend
from edge.stream.consumer_mqtt import ConsumerLimits, ConsumerPace, MqttConsumer
from edge.stream.consumer_store import ConsumerStore
from edge.stream.uplink.command_keys import CommandKey, why_refused
from edge.stream.uplink.errors import UplinkError
from edge.stream.uplink.topics import Names
from hil.broker import Broker, BrokerTls, find_mosquitto
from hil.certificates import Authority

pytestmark = pytest.mark.skipif(
    find_mosquitto() is None, reason="mosquitto isn't installed (apt-get install mosquitto)"
)

DEADLINE_S = 30.0
SUBSCRIBED = "back-end 1 shelfedge/1/+/+/command/resend/answer"  # in the broker's log
NAMES = Names("store-7", "bay-12")
NODE = "store-7/bay-12"
PACE = ConsumerPace(ack_s=0.01, ack_again_s=0.5, ask_s=0.02, retry_first_s=0.05, retry_most_s=0.2)
LIMITS = ConsumerLimits(patience_s=0.2, most_patience_s=0.5, quiet_s=0.3)


def until(condition: Callable[[], Any], what: str) -> None:
    """Wait for a condition."""
    ends_s = time.monotonic() + DEADLINE_S
    while not condition():
        assert time.monotonic() < ends_s, f"waited {DEADLINE_S:.0f} s for {what}"
        time.sleep(0.005)


class Back:
    """A back end in a thread: the consumer and its database. ``fail`` makes the next so many deliveries fail."""

    def __init__(self, broker: Broker, path: Path, **more: Any) -> None:
        self.fail = 0
        self.deliveries: list[Delivery] = []
        self._path = path
        self._options = UplinkOptions(broker=broker.url)
        self._more = more
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._run)
        self._thread.start()

    def _run(self) -> None:
        with ConsumerStore(self._path) as store:

            def handle(delivery: Delivery, state: bytes) -> None:
                if delivery.entries and self.fail:
                    self.fail -= 1
                    raise RuntimeError("the disk of the back end is full")
                store.handle(delivery, state)
                self.deliveries.append(delivery)

            consumer = MqttConsumer(
                self._options, "back-end", handle, store.state(), limits=LIMITS, pace=PACE, **self._more
            )
            consumer.run(self._stop)

    def stop(self) -> None:
        """Ends it; doing it twice does no harm."""
        self._stop.set()
        self._thread.join(DEADLINE_S)
        assert not self._thread.is_alive()

    def stored(self) -> list[tuple[int, int]]:
        """Boot and seq of everything, in order."""
        if not self._path.exists():
            return []
        with ConsumerStore(self._path) as store:
            return [(boot, seq) for _, boot, seq, _ in store.entries()]

    def __enter__(self) -> Back:
        return self

    def __exit__(self, *_: object) -> None:
        self.stop()


class Node(FakeNode):
    """The fake node at the broker: answers `resend`, remembers acknowledgements and commands."""

    def __init__(self, broker: Broker) -> None:
        super().__init__(present_boot=7)
        self.acks: list[dict[int, int]] = []
        self.commands: list[dict[str, Any]] = []
        self.deaf = False
        topics = [NAMES.ack, NAMES.command("resend")]
        self.reader = BrokerReader(UplinkOptions(broker=broker.url), "bay-12", topics)
        assert self.reader.open() == []

    def say(self, data: bytes) -> None:
        """A message on the event topic."""
        self.reader.publish(NAMES.event, data)
        self.turn()

    def status(self, word: str = "online") -> None:
        """The status, retained in real life."""
        said = json.dumps({"status": word, "boot": self.present_boot}).encode()
        self.reader.publish(NAMES.status, said)
        self.turn()

    def turn(self) -> None:
        """Read what has come, and answer."""
        for message in self.reader.receive(0.02):
            self._take(message)

    def until(self, condition: Callable[[], Any], what: str) -> None:
        """Go on until it is so."""

        def turned() -> Any:
            self.turn()
            return condition()

        until(turned, what)

    def _take(self, message: Message) -> None:
        if message.topic == NAMES.ack:
            self.acks.append(cbor2.loads(message.payload))
            return
        command = json.loads(message.payload)
        self.commands.append(command)
        if not self.deaf:
            wish = Resend(command["id"], NODE, command["boot"], command["from_seq"], command.get("to_seq"))
            answer, coming = self.resend(wish)
            self.reader.publish(NAMES.answer("resend"), answer)
            if coming:
                self.reader.publish(NAMES.event, payload(coming))


@pytest.fixture
def broker(tmp_path: Path) -> Iterator[Broker]:
    with Broker(tmp_path / "broker", persistence=True, extra=["log_type subscribe"]) as running:
        yield running


def test_what_is_acknowledged_is_stored(broker: Broker, tmp_path: Path) -> None:
    """P2."""
    node = Node(broker)
    with Back(broker, tmp_path / "back.db") as back:
        until(lambda: SUBSCRIBED in broker.log(), "the consumer's subscription")
        node.say(payload(node.commit(7, 3)))
        node.until(lambda: node.acks, "an acknowledgement")
        assert node.acks[-1] == {7: 3}
        assert back.stored() == [(7, 1), (7, 2), (7, 3)]
        node.until(lambda: len(node.acks) > 1, "the acknowledgement again, in case the first was lost")
        assert node.acks[-1] == {7: 3}


def test_what_is_missing_is_asked_for(broker: Broker, tmp_path: Path) -> None:
    """P2: the middle, the beginning, and the last entry, after which nothing comes."""
    node = Node(broker)
    entries = node.commit(7, 9)
    with Back(broker, tmp_path / "back.db") as back:
        until(lambda: SUBSCRIBED in broker.log(), "the consumer's subscription")
        node.say(payload(entries[2:4]))
        node.say(payload(entries[6:8]))
        node.until(lambda: len(back.stored()) == 9, "all nine")
        assert back.stored() == [(7, seq) for seq in range(1, 10)]
        node.until(lambda: node.acks and node.acks[-1] == {7: 9}, "the acknowledgement of all")


def test_what_the_node_hasnt_got_any_more_is_given_up_and_told(broker: Broker, tmp_path: Path) -> None:
    """P4."""
    node = Node(broker)
    entries = node.commit(7, 5)
    node.evict(7, [1, 2, 3])
    with Back(broker, tmp_path / "back.db") as back:
        until(lambda: SUBSCRIBED in broker.log(), "the consumer's subscription")
        node.say(payload(entries[3:]))
        node.until(lambda: back.stored() == [(7, 4), (7, 5)], "the rest")
        gaps = [gap for delivery in back.deliveries for gap in delivery.given_up]
        assert [(gap.node, gap.boot, gap.first, gap.last) for gap in gaps] == [(NODE, 7, 1, 3)]


def test_what_couldnt_be_stored_isnt_acknowledged_and_comes_again(
    broker: Broker, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    """P1: from the broker, without the node's help."""
    node = Node(broker)
    node.deaf = True
    with Back(broker, tmp_path / "back.db") as back:
        until(lambda: SUBSCRIBED in broker.log(), "the consumer's subscription")
        back.fail = 2
        node.say(payload(node.commit(7, 3)))
        node.until(lambda: node.acks, "an acknowledgement")
        assert back.fail == 0
        assert back.stored() == [(7, 1), (7, 2), (7, 3)]
    assert "couldn't be stored" in caplog.text


def test_the_broker_keeps_what_comes_while_the_consumer_is_away(broker: Broker, tmp_path: Path) -> None:
    node = Node(broker)
    node.deaf = True
    with Back(broker, tmp_path / "back.db") as back:
        until(lambda: SUBSCRIBED in broker.log(), "the consumer's subscription")
        node.say(events(7, [1]))
        node.until(lambda: back.stored(), "the first")
    node.say(events(7, [2]))
    with Back(broker, tmp_path / "back.db") as back:
        node.until(lambda: back.stored() == [(7, 1), (7, 2)], "the second")


def test_it_connects_again_when_the_broker_was_killed(broker: Broker, tmp_path: Path) -> None:
    node = Node(broker)
    with Back(broker, tmp_path / "back.db") as back:
        until(lambda: SUBSCRIBED in broker.log(), "the consumer's subscription")
        node.say(payload(node.commit(7, 1)))
        node.until(lambda: back.stored(), "the first")
        broker.kill()
        broker.start()
        again = Node(broker)
        again.kept, again.made = node.kept, node.made
        again.kept[7].update({entry.seq: entry for entry in node.commit(7, 2)})
        again.say(events(7, [3]))
        again.until(lambda: len(back.stored()) == 3, "the others, though the second was lost")


def test_rubbish_on_any_topic_is_told_and_stops_nothing(broker: Broker, tmp_path: Path) -> None:
    """Names that are no UTF-8 aren't let through by the broker."""
    node = Node(broker)
    with Back(broker, tmp_path / "back.db") as back:
        until(lambda: SUBSCRIBED in broker.log(), "the consumer's subscription")
        for topic in (NAMES.event, NAMES.status, NAMES.answer("resend")):
            node.reader.publish(topic, b"\x00\xffrubbish")
            node.reader.publish(topic, b"")
        node.say(payload(node.commit(7, 1)))
        node.until(lambda: back.stored(), "the entry")
        problems = [problem for delivery in back.deliveries for problem in delivery.problems]
        assert len(problems) == 5, "an empty event message is no entry"
        assert all(problem.startswith(NODE) for problem in problems)


def test_commands_are_signed_for_nodes_that_want_that(broker: Broker, tmp_path: Path) -> None:
    """P11."""
    key = bytes(range(16))
    node = Node(broker)
    with Back(broker, tmp_path / "back.db", command_key=("back-office", key)) as back:
        until(lambda: SUBSCRIBED in broker.log(), "the consumer's subscription")
        node.status()
        node.say(payload(node.commit(7, 2)[1:]))
        node.until(lambda: len(back.stored()) == 2, "both")
        keys_there = {"back-office": CommandKey(key, frozenset(["resend"]))}
        assert why_refused(keys_there, NAMES, "resend", 7, node.commands[0]) is None


def test_a_broker_that_doesnt_let_it_in_is_a_log_line(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    """P11: and it tries again."""
    with (
        caplog.at_level(logging.INFO),
        Broker(tmp_path / "broker", users={"somebody": "secret"}) as broker,
        Back(broker, tmp_path / "back.db"),
    ):
        until(lambda: "doesn't let" in caplog.text, "the sentence")
    assert "Traceback" not in caplog.text


def test_a_reader_trusts_only_its_own_authority(tmp_path: Path) -> None:
    """P11: with the rules that ship for brokers, as the store's back end."""
    authority, other = Authority(tmp_path / "ours"), Authority(tmp_path / "theirs", "somebody else")
    identity = authority.issue("broker")
    password = tmp_path / "password"
    password.touch(mode=0o600)
    password.write_text("back secret")
    acl = (Path(__file__).parents[2] / "edge" / "stream" / "mosquitto.acl").read_text()
    tls = BrokerTls(identity.certificate, identity.key)
    with Broker(tmp_path / "broker", users={"backend": "back secret"}, acl=acl, tls=tls) as broker:
        for trusted, expected in ((authority, None), (other, "isn't signed by an authority")):
            options = UplinkOptions(
                broker=broker.url, username="backend", password_file=str(password), ca_file=str(trusted.file)
            )
            reader = BrokerReader(options, "", [f"shelfedge/1/+/+/{tail}" for tail in ("status", "event")])
            if expected is None:
                assert reader.open() == []
            else:
                with pytest.raises(UplinkError, match=expected):
                    reader.open()
            reader.close()


def test_a_reader_without_a_broker_says_so(tmp_path: Path) -> None:
    broker = Broker(tmp_path / "broker")
    reader = BrokerReader(UplinkOptions(broker=broker.url), "", ["shelfedge/#"])
    with pytest.raises(UplinkError, match="nothing listens on that port"):
        reader.open()
    reader.close()


def test_the_store_takes_everything_or_nothing(tmp_path: Path) -> None:
    """P1: state and entries are one transaction."""
    from edge.stream.consumer import Consumer

    with ConsumerStore(tmp_path / "back.db") as store:
        consumer = Consumer()
        first = consumer.take(NODE, events(7, [1, 2]), 0.0)
        store.handle(first, b"one")
        doubled = Delivery(entries=[*consumer.take(NODE, events(7, [3]), 0.0).entries, *first.entries])
        with pytest.raises(Exception, match="UNIQUE"):
            store.handle(doubled, b"two")
        assert store.state() == b"one"
        assert [(boot, seq) for _, boot, seq, _ in store.entries()] == keys(first.entries)


@pytest.mark.parametrize("topic", ["shelfedge/1//bay-12/event", "shelfedge/1/store-7//event", "shelfedge/1///status"])
def test_a_node_without_a_name_doesnt_hold_up_the_others(broker: Broker, tmp_path: Path, topic: str) -> None:
    """P11: a topic may have empty levels, and whoever may publish there mustn't stop a store's back end."""
    with Back(broker, tmp_path / "events.db") as back:
        until(lambda: SUBSCRIBED in broker.log(), "the subscription")
        node = Node(broker)
        node.reader.publish(topic, events(7, [1]))
        node.say(events(7, [1]))
        until(lambda: back.stored() == [(7, 1)], "the entry of a node with a name")
        until(lambda: node.turn() or node.acks, "its acknowledgement")
        assert broker.log().count(SUBSCRIBED) == 1, "one connection did"
        node.reader.close()
