"""What is said beside events: acknowledgements, commands, health, Home Assistant, and the limits of the broker."""

from __future__ import annotations

import json
import threading
from pathlib import Path
from typing import Any

import cbor2
import pytest
from uplink_bed import (
    BOOT,
    NAMES,
    Listener,
    MemoryOutbox,
    acknowledge_until_done,
    expected,
    start_uplink,
    statuses,
    until,
)  # fmt: skip

from edge.stream.uplink.patience import Pace
from edge.stream.uplink.topics import Names
from hil.broker import Broker, free_port


@pytest.mark.parametrize(
    "payload",
    [b"", b"\xff", b"\xa1", cbor2.dumps([1, 2]), cbor2.dumps({"a": 1}), cbor2.dumps({BOOT: -1}),
     cbor2.dumps({BOOT: 5.0}), cbor2.dumps({BOOT: True}), cbor2.dumps({BOOT: 5}) + b"\x00", cbor2.dumps({-1: 5}),
     b"\x9b" + b"\xff" * 8, b"\x81" * 5000],
)  # fmt: skip
def test_malformed_acknowledgements_are_ignored(
    broker: Broker, payload: bytes, caplog: pytest.LogCaptureFixture
) -> None:
    """P1."""
    outbox = MemoryOutbox()
    outbox.add(10)
    with Listener(broker) as listener:
        uplink = start_uplink(outbox, broker, acknowledged=True)
        until(lambda: len(listener.entries()) == 10, "the entries")
        listener.publish(NAMES.ack, payload)
        until(lambda: "is ignored; expected a CBOR map" in caplog.text, "the log line")
        assert outbox.done_to == {}
        listener.publish(NAMES.ack, cbor2.dumps({BOOT: 10}))
        until(lambda: outbox.waiting() == 0, "a right one to count still")
        uplink.stop()


def test_two_nodes_at_one_broker_dont_disturb_each_other(broker: Broker) -> None:
    """Acknowledgements and commands reach only the node they are for."""
    names = [Names("store-7", "bay-1"), Names("store-7", "bay-2")]
    outboxes = [MemoryOutbox(), MemoryOutbox()]
    with Listener(broker) as listener:
        uplinks = [
            start_uplink(outbox, broker, names=name, acknowledged=True)
            for outbox, name in zip(outboxes, names, strict=True)
        ]
        for outbox, uplink in zip(outboxes, uplinks, strict=True):
            outbox.add(500)
            uplink.poke()
        for name, outbox in zip(names, outboxes, strict=True):
            until(lambda name=name, outbox=outbox: listener.once(name) == expected(outbox), "the entries")  # type: ignore[misc]
        listener.publish(names[0].ack, cbor2.dumps({BOOT: 500}))
        listener.publish(names[1].command("rebirth"), b'{"id":"x"}')
        until(lambda: outboxes[0].waiting() == 0, "done")
        until(lambda: listener.on(names[1].answer("rebirth")) != [], "the answer")
        assert outboxes[1].done_to == {}
        assert listener.on(names[0].answer("rebirth")) == []
        for uplink in uplinks:
            uplink.stop()


def test_commands_over_the_broker(broker: Broker, outbox: MemoryOutbox) -> None:
    outbox.add(20)
    with Listener(broker) as listener:
        uplink = start_uplink(outbox, broker, report=lambda: {"well": "yes"})
        until(lambda: outbox.waiting() == 0, "the entries")
        for name, payload in (
            ("resend", {"id": "1", "from_seq": 5, "to_seq": 9}),
            ("rebirth", {"id": "2"}),
            ("report", {"id": "3"}),
            ("reboot", {"id": "4"}),
        ):
            listener.publish(NAMES.command(name), json.dumps(payload).encode())
            until(lambda name=name: listener.on(NAMES.answer(name)) != [], f"the answer to {name}")  # type: ignore[misc]
        answers = {
            name: json.loads(listener.on(NAMES.answer(name))[0]) for name in ("resend", "rebirth", "report", "reboot")
        }
        assert [answers[name]["id"] for name in answers] == ["1", "2", "3", "4"]
        assert [answers[name]["ok"] for name in answers] == [True, True, True, False]
        until(lambda: len(listener.entries()) == 25, "the entries again")
        again = listener.entries()[20:]
        assert [item.seq for item in again] == [5, 6, 7, 8, 9]
        assert all(item.historical for item in again)
        until(lambda: len(statuses(listener)) == 2, "the second birth")
        until(lambda: listener.on(NAMES.health) == [b'{"well":"yes"}'], "the report")
        uplink.stop()


def test_a_retained_command_isnt_done(broker: Broker, outbox: MemoryOutbox) -> None:
    """A command left at the broker would be done at every connection."""
    with Listener(broker) as listener:
        listener.publish(NAMES.command("rebirth"), b'{"id":"old"}', retain=True)
        uplink = start_uplink(outbox, broker)
        until(lambda: uplink.state()["state"] == "connected", "the connection")
        listener.publish(NAMES.command("report"), b'{"id":"new"}')
        until(lambda: listener.on(NAMES.answer("report")) != [], "the answer")
        assert listener.on(NAMES.answer("rebirth")) == []
        uplink.stop()


def test_a_flood_of_commands_keeps_no_event_waiting(broker: Broker, outbox: MemoryOutbox) -> None:
    """P3, P4."""
    with Listener(broker) as listener:
        uplink = start_uplink(outbox, broker)
        until(lambda: uplink.state()["state"] == "connected", "the connection")
        for number in range(3000):
            listener.client.publish(NAMES.command("rebirth"), b'{"id":"%d"}' % number, qos=1)
            if number % 100 == 0:
                outbox.add(1)
                uplink.poke()
        until(lambda: len(listener.once()) == 30, "the events")
        assert len(listener.on(NAMES.answer("rebirth"))) < 100
        assert uplink.alive
        uplink.stop()


def test_health_keeps_only_the_latest_while_there_is_no_connection(tmp_path: Path, outbox: MemoryOutbox) -> None:
    """P4: health isn't stored."""
    port = free_port()
    uplink = start_uplink(outbox, f"mqtt://127.0.0.1:{port}", pace=Pace(retry_first_s=0.3, retry_most_s=0.3))
    for number in range(10):
        uplink.publish_health({"n": number})
    with Broker(tmp_path / "broker", port=port) as broker, Listener(broker) as listener:
        until(lambda: listener.on(NAMES.health) != [], "health")
        uplink.publish_health({"n": 10})
        until(lambda: len(listener.on(NAMES.health)) == 2, "the next")
        assert listener.on(NAMES.health) == [b'{"n":9}', b'{"n":10}']
        uplink.stop()


def test_the_brokers_limits_are_kept_to(tmp_path: Path, outbox: MemoryOutbox) -> None:
    """Receive maximum and maximum packet size, as CONNACK tells them; a client that ignores them is thrown out."""
    outbox.add(500)
    extra = ["max_packet_size 1000", "max_inflight_messages 2"]
    with Broker(tmp_path / "broker", extra=extra) as broker, Listener(broker) as listener:
        uplink = start_uplink(outbox, broker)
        until(lambda: outbox.waiting() == 0, "the entries")
        until(lambda: listener.once() == expected(outbox), "the entries at the listener")
        assert max(len(payload) for payload in listener.on(NAMES.event)) < 1000
        assert uplink.state()["connects"] == 1
        uplink.stop()


def test_a_broker_that_refuses_large_messages_gets_smaller_ones(tmp_path: Path, outbox: MemoryOutbox) -> None:
    """`message_size_limit` isn't told at CONNACK; it comes as a reason code that PUBACK doesn't have, which paho takes
    for the end of the connection."""
    outbox.add(500)
    pace = Pace(retry_first_s=0.02, retry_most_s=0.05)
    with Broker(tmp_path / "broker", extra=["message_size_limit 2000"]) as broker, Listener(broker) as listener:
        uplink = start_uplink(outbox, broker, pace=pace)
        until(lambda: outbox.waiting() == 0, "the entries")
        until(lambda: set(listener.once()) == set(expected(outbox)), "the entries at the listener")
        uplink.stop()


def test_a_full_queue_for_a_consumer_that_is_away_costs_nothing(tmp_path: Path, outbox: MemoryOutbox) -> None:
    """P1, P2: mosquitto drops what a consumer's queue has no room for, and acknowledges it all the same."""
    import paho.mqtt.client as paho
    from paho.mqtt.enums import CallbackAPIVersion
    from paho.mqtt.packettypes import PacketTypes
    from paho.mqtt.properties import Properties

    with Broker(tmp_path / "broker", extra=["max_queued_messages 3", "max_inflight_messages 1"]) as broker:
        keep = Properties(PacketTypes.CONNECT)
        keep.SessionExpiryInterval = 3600
        away = paho.Client(CallbackAPIVersion.VERSION2, "consumer", protocol=paho.MQTTv5)
        away.connect(broker.host, broker.port, clean_start=True, properties=keep)
        away.loop_start()
        ready = threading.Event()
        away.on_subscribe = lambda *_: ready.set()
        until(away.is_connected, "the consumer")
        away.subscribe(NAMES.event, qos=1)
        assert ready.wait(10.0)
        away.disconnect()
        away.loop_stop()
        outbox.add(3000)
        pace = Pace(retry_first_s=0.05, ack_first_s=0.5, ack_most_s=0.5)
        uplink = start_uplink(outbox, broker, pace=pace, acknowledged=True)
        until(lambda: uplink.state()["sent"] >= 3000, "the broker's acknowledgements")
        assert outbox.waiting() == 3000
        with Listener(broker) as listener:
            acknowledge_until_done(listener, outbox)
            assert set(listener.once()) == set(expected(outbox))
        uplink.stop()


def test_a_node_that_cant_say_how_it_is_still_delivers(broker: Broker, outbox: MemoryOutbox) -> None:
    def broken() -> dict[str, Any]:
        raise KeyError("a mistake of ours")

    outbox.add(5)
    with Listener(broker) as listener:
        uplink = start_uplink(outbox, broker, report=broken)
        listener.publish(NAMES.command("report"), b'{"id":"1"}')
        until(lambda: listener.on(NAMES.answer("report")) != [] or uplink.state()["connects"], "the answer")
        listener.publish(NAMES.command("report"), b'{"id":"2"}')
        until(lambda: outbox.waiting() == 0, "the delivery")
        assert uplink.alive
        uplink.stop()


def test_home_assistant_is_told_only_where_it_is_wanted(broker: Broker, outbox: MemoryOutbox) -> None:
    with Listener(broker, "homeassistant/#") as listener:
        uplink = start_uplink(outbox, broker)
        until(lambda: uplink.state()["state"] == "connected", "the connection")
        uplink.stop()
        assert listener.messages == []
        uplink = start_uplink(outbox, broker, home_assistant=True)
        until(lambda: len(listener.messages) >= 9, "the sensors")
        uplink.stop()
        for topic, payload, _ in listener.messages:
            parts = topic.split("/")
            config = json.loads(payload)
            assert (parts[:3], parts[4], len(parts)) == (["homeassistant", "sensor", "bay-12"], "config", 5)
            assert config["state_topic"] == NAMES.health
            assert config["availability_topic"] == NAMES.status
            assert config["unique_id"].startswith("shelfedge_store-7_bay-12_")
            assert config["device"]["identifiers"] == ["shelfedge_store-7_bay-12"]
    with Listener(broker, "homeassistant/#") as late:
        until(lambda: len(late.messages) == 9, "the retained sensors")
        assert all(retained for _, _, retained in late.messages)
