"""What a node keeps, asked for through the broker by somebody who isn't its back end."""

from __future__ import annotations

import json
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import paho.mqtt.client as paho
import pytest
from uplink_bed import BOOT, NAMES, Listener, MemoryOutbox, entry, options, start_uplink, until

from edge.stream.broker_export import BrokerExport, ExportPace, ExportProgress
from edge.stream.uplink.errors import UplinkError
from edge.stream.uplink.status import status_payload
from edge.stream.wire import encode, for_wire
from hil.broker import Broker, find_mosquitto

pytestmark = pytest.mark.skipif(find_mosquitto() is None, reason="needs mosquitto (apt-get install mosquitto)")

QUICK = ExportPace(patience_s=1.0, status_s=0.5, question_s=0.05)


@pytest.fixture
def broker(tmp_path: Path) -> Iterator[Broker]:
    with Broker(tmp_path / "broker") as running:
        yield running


def test_everything_that_is_kept_comes_oldest_first(broker: Broker) -> None:
    """Evicted entries are no problem; what is long since delivered comes too, and nothing is acknowledged."""
    outbox = MemoryOutbox()
    outbox.add(30, boot=BOOT - 1)
    outbox.add(700)
    outbox.forget(BOOT - 1, 1, 10)
    uplink = start_uplink(outbox, broker)
    try:
        until(lambda: not outbox.waiting(), "the broker to have it all")
        with Listener(broker) as listener:
            export = BrokerExport(options(broker), NAMES, QUICK)
            assert export.open() == []
            found = [(entry.boot, entry.seq) for entry in export.entries()]
            expected = [(BOOT - 1, seq) for seq in range(11, 31)] + [(BOOT, seq) for seq in range(1, 701)]
            assert (found, export.problems) == (expected, [])
            export.close()
            assert listener.on(NAMES.ack) == []
            one = BrokerExport(options(broker), NAMES, QUICK)
            one.open()
            assert [entry.seq for entry in one.entries(BOOT - 1)] == list(range(11, 31))
            one.close()
    finally:
        uplink.stop()


def test_a_node_that_isnt_there_cant_be_asked(broker: Broker) -> None:
    export = BrokerExport(options(broker), NAMES, QUICK)
    with pytest.raises(
        UplinkError, match=r"nothing comes of node bay-12.*without a username.*--username backend --password-file FILE"
    ):
        export.open()
    export.close()
    uplink = start_uplink(MemoryOutbox(), broker)
    until(lambda: uplink.state()["state"] == "connected", "the node at the broker")
    uplink.stop()
    export = BrokerExport(options(broker), NAMES, QUICK)
    with pytest.raises(UplinkError, match="node bay-12 is stopped"):
        export.open()
    export.close()


def test_a_node_that_may_not_be_asked_says_so(broker: Broker) -> None:
    """P11."""
    uplink = start_uplink(MemoryOutbox(), broker, commands={"resend": "off"})
    try:
        until(lambda: uplink.state()["state"] == "connected", "the node at the broker")
        export = BrokerExport(options(broker), NAMES, QUICK)
        export.open()
        with pytest.raises(UplinkError, match="doesn't send its events again: the command resend is switched off"):
            list(export.entries())
        export.close()
    finally:
        uplink.stop()


class OddNode:
    """Somebody at the broker who says that he is the node, and answers each `resend` as the test wants.

    `answer` takes what was asked and gives the answer's fields and what comes on `event` after it; None: no answer.
    """

    def __init__(self, broker: Broker, answer: Callable[[dict[str, Any]], tuple[dict[str, Any], bytes] | None]) -> None:
        self.asked: list[dict[str, Any]] = []
        self._answer = answer
        self.listener = Listener(broker, NAMES.command("resend"))
        self.listener.client.on_message = self._on_message
        self.listener.publish(NAMES.status, status_payload("online", NAMES, BOOT), retain=True)

    def _on_message(self, client: paho.Client, _data: object, message: paho.MQTTMessage) -> None:
        asked = json.loads(message.payload)
        self.asked.append(asked)
        answer = self._answer(asked)
        if answer is not None:
            said = {"id": asked["id"], "ok": True, "text": "", **answer[0]}
            client.publish(NAMES.answer("resend"), json.dumps(said), qos=1)
            if answer[1]:
                client.publish(NAMES.event, answer[1], qos=1)

    def __enter__(self) -> OddNode:
        return self

    def __exit__(self, *_: object) -> None:
        self.listener.__exit__()


def sent(boot: int, seqs: range) -> bytes:
    return b"".join(for_wire(encode(entry(boot, seq)), evidence=False, historical=False) for seq in seqs)


def exported(
    broker: Broker, boot: int | None = None, pace: ExportPace = QUICK
) -> tuple[list[tuple[int, int]], list[str]]:
    export = BrokerExport(options(broker), NAMES, pace)
    try:
        export.open()
        return [(each.boot, each.seq) for each in export.entries(boot)], export.problems
    finally:
        export.close()


def test_a_node_of_many_boots_that_goes_on_making_events(broker: Broker) -> None:
    """It drops what is more than 2 commands a second, and new events must not keep the export waiting for ever."""
    outbox = MemoryOutbox()
    for boot in (4_000_000_000, *range(BOOT - 34, BOOT)):  # the first: from before a loss of memory
        outbox.add(2, boot=boot)
    outbox.add(5)
    uplink = start_uplink(outbox, broker)
    stop = threading.Event()

    def live() -> None:
        while not stop.wait(0.02):
            outbox.add(1)
            uplink.poke()

    thread = threading.Thread(target=live)
    thread.start()
    seen: list[ExportProgress] = []
    try:
        until(lambda: uplink.state()["state"] == "connected", "the node at the broker")
        export = BrokerExport(options(broker), NAMES, QUICK, seen.append)
        export.open()
        found = [(each.boot, each.seq) for each in export.entries()]
        export.close()
    finally:
        stop.set()
        thread.join()
        uplink.stop()
    assert export.problems == []
    boots = (4_000_000_000, *range(BOOT - 34, BOOT))
    assert found[:70] == [(boot, seq) for boot in boots for seq in (1, 2)]
    present = [seq for boot, seq in found[70:] if boot == BOOT]
    assert present == list(range(1, len(found) - 70 + 1))
    assert len(present) >= 5
    assert (seen[-1].boots, seen[-1].boot) == (36, 36)


def test_an_export_keeps_to_its_pace(broker: Broker) -> None:
    """A node's back end has questions too."""
    with OddNode(broker, lambda asked: ({"boots": [[1, 12]]}, b"")) as node:
        began_s = time.monotonic()
        assert exported(broker, pace=replace(QUICK, question_s=0.2, burst=3)) == ([], [])
        assert len(node.asked) == 13
        assert time.monotonic() - began_s >= (13 - 3) * 0.2 - 0.2


@pytest.mark.parametrize("talks", [False, True])
def test_a_node_that_doesnt_answer_is_given_up_whatever_else_it_says(broker: Broker, talks: bool) -> None:
    with OddNode(broker, lambda asked: None) as node:
        stop = threading.Event()

        def talk() -> None:
            while talks and not stop.wait(0.02):
                node.listener.client.publish(NAMES.event, sent(BOOT, range(1, 2)), qos=1)

        thread = threading.Thread(target=talk)
        thread.start()
        try:
            with pytest.raises(UplinkError, match=r"doesn't answer; does the broker let us publish \S*/command/resend"):
                exported(broker)
        finally:
            stop.set()
            thread.join()
        assert len(node.asked) == 3
        assert len({asked["id"] for asked in node.asked}) == 1


def test_a_node_that_says_later_is_asked_later(broker: Broker) -> None:
    def answer(asked: dict[str, Any]) -> tuple[dict[str, Any], bytes]:
        if len(node.asked) % 3:
            return {"ok": False, "text": "too fast", "retry_s": 0.01}, b""
        return {"last_seq": 2, "boots": [[BOOT, BOOT]]}, sent(BOOT, range(1, 3))

    with OddNode(broker, answer) as node:
        assert exported(broker) == ([(BOOT, 1), (BOOT, 2)], [])


@pytest.mark.parametrize(
    ("answer", "says"),
    [
        ({"last_seq": 1 << 62}, "makes no sense"),
        (
            {"last_seq": 1 << 62, "gone": [[4, (1 << 62) - 2]]},
            "2 entries from 4611686018427387903 to 4611686018427387904 don't come",
        ),
        ({"last_seq": 3, "gone": [[1 << 61, 1 << 62], [0, 5], [9, 2], "x", [None, 1]]}, None),
        ({"last_seq": 3, "gone": [[2, 1 << 62]]}, None),
        ({"more": True}, "makes no sense"),
        ({"more": True, "last_seq": 9, "gone": [[1, 9]]}, "makes no sense"),
        ({"last_seq": "3", "gone": 7, "more": 1, "last": -1}, None),
        ({"last_seq": 5}, "2 entries from 4 to 5 don't come"),
    ],
    ids=repr,
)
def test_answers_that_make_no_sense_end_with_a_sentence(
    broker: Broker, answer: dict[str, Any], says: str | None
) -> None:
    """P4: nothing that a node says makes us wait, count or remember without end."""
    with OddNode(broker, lambda asked: (answer, sent(BOOT, range(1, 4)))) as node:
        found, problems = exported(broker, BOOT, replace(QUICK, patience_s=0.3))
        assert set(found) <= {(BOOT, seq) for seq in (1, 2, 3)}
        assert len(node.asked) <= 6
        assert (says is None and problems == []) or (says is not None and says in problems[0])


@pytest.mark.parametrize(
    "boots", [[[0, (1 << 32) - 1]], [[0, (1 << 32) - 1]] * 20, [[5, 1], "x", [-3, 7], [1, 1 << 32], [True, False]], []]
)  # fmt: skip
def test_boots_that_make_no_sense_are_bounded(broker: Broker, boots: list[Any]) -> None:
    """P4."""
    with OddNode(broker, lambda asked: ({"boots": boots}, b"")):
        export = BrokerExport(options(broker), NAMES, QUICK)
        export.open()
        found = export._boots()
        export.close()
        assert len(found) == (10_000 if boots and boots[0][0] == 0 else 0)
        assert (export.problems == []) == (len(found) == 0)


def test_a_node_that_doesnt_tell_its_boots_is_walked_back(broker: Broker) -> None:
    kept = {BOOT: 2, BOOT - 3: 1}

    def answer(asked: dict[str, Any]) -> tuple[dict[str, Any], bytes]:
        last = kept.get(asked["boot"], 0)
        if asked["from_seq"] > last:
            return {"last": last or asked["from_seq"] - 1}, b""
        return {"last_seq": last, "last": last}, sent(asked["boot"], range(asked["from_seq"], last + 1))

    with OddNode(broker, answer):
        assert exported(broker) == ([(BOOT - 3, 1), (BOOT, 1), (BOOT, 2)], [])


def test_what_doesnt_come_is_asked_for_again_from_there_on(broker: Broker) -> None:
    """A node's connection may break within an answer; what it has lost meanwhile is no problem."""

    def answer(asked: dict[str, Any]) -> tuple[dict[str, Any], bytes]:
        first = asked["from_seq"]
        return {"last_seq": 7, "gone": [] if first < 5 else [[5, 5]]}, sent(BOOT, range(first, min(first + 2, 8)))

    with OddNode(broker, answer) as node:
        assert exported(broker, BOOT, replace(QUICK, patience_s=0.3)) == (
            [(BOOT, seq) for seq in (1, 2, 3, 4, 6, 7)],
            [],
        )
        assert [asked["from_seq"] for asked in node.asked][:3] == [1, 3, 5]
