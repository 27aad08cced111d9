"""The uplink with a real mosquitto: births, wills, dead brokers, killed brokers, and every committed entry once."""

from __future__ import annotations

import logging
import socket
import threading
import time
from pathlib import Path
from typing import Any

import cbor2
import pytest
from uplink_bed import (
    BOOT,
    FAST,
    NAMES,
    Listener,
    MemoryOutbox,
    acknowledge_until_done,
    expected,
    start_uplink,
    statuses,
    until,
)  # fmt: skip

from edge.stream.outbox.errors import OutboxUnavailableError
from edge.stream.outbox.records import OutboxLimits
from edge.stream.uplink.patience import Pace
from hil.broker import Broker, free_port


def test_the_birth_comes_first_then_the_backlog_then_what_is_new(broker: Broker, outbox: MemoryOutbox) -> None:
    """P2."""
    outbox.add(1000)
    with Listener(broker) as listener:
        uplink = start_uplink(outbox, broker)
        until(lambda: outbox.waiting() == 0, "the backlog to be done")
        outbox.add(3)
        uplink.poke()
        until(lambda: len(listener.entries()) == 1003, "what is new")
        uplink.stop()
        assert listener.messages[0][0] == NAMES.status
        assert listener.once() == expected(outbox)
        born = statuses(listener)[0]
        assert {key: born[key] for key in ("status", "boot", "node", "store", "first_seq", "boards", "version")} == {
            "status": "online", "boot": BOOT, "node": "bay-12", "store": "store-7", "first_seq": 1,
            "boards": {"shelf-1": "simulated"}, "version": "0.0",
        }  # fmt: skip
        assert born["outbox"]["pending"] == 1000


def test_a_clean_stop_sends_what_is_there_and_says_stopped(broker: Broker, outbox: MemoryOutbox) -> None:
    with Listener(broker) as listener:
        uplink = start_uplink(outbox, broker)
        until(lambda: uplink.state()["state"] == "connected", "the connection")
        outbox.add(500)
        uplink.stop()  # not even poked
        assert not uplink.alive
        until(lambda: [each["status"] for each in statuses(listener)] == ["online", "stopped"], "stopped")
        assert listener.once() == expected(outbox)
        assert outbox.waiting() == 0
    with Listener(broker) as late:
        until(lambda: statuses(late) != [], "the retained status")
        assert statuses(late)[0] == {"status": "stopped", "boot": BOOT, "node": "bay-12", "store": "store-7"}


def test_the_broker_says_offline_of_a_node_that_is_gone(broker: Broker, outbox: MemoryOutbox) -> None:
    with Listener(broker) as listener:
        uplink = start_uplink(outbox, broker)
        until(lambda: statuses(listener) != [], "the birth")
        assert uplink._session is not None
        uplink._session._connection._client.socket().shutdown(socket.SHUT_RDWR)  # type: ignore[union-attr]
        until(lambda: len(statuses(listener)) >= 3, "offline, and online again")
        assert [each["status"] for each in statuses(listener)[:3]] == ["online", "offline", "online"]
        assert {each["boot"] for each in statuses(listener)} == {BOOT}
        uplink.stop()


def test_a_stale_status_of_an_earlier_boot_is_overwritten(broker: Broker, outbox: MemoryOutbox) -> None:
    with Listener(broker) as listener:
        listener.publish(NAMES.status, b'{"status":"offline","boot":40}', retain=True)
    uplink = start_uplink(outbox, broker)
    with Listener(broker) as listener:
        until(lambda: statuses(listener) and statuses(listener)[-1]["status"] == "online", "the birth")
        assert statuses(listener)[-1]["boot"] == BOOT
        uplink.stop()


def test_a_broker_that_isnt_there_at_the_start_is_found_when_it_is(
    tmp_path: Path, outbox: MemoryOutbox, caplog: pytest.LogCaptureFixture
) -> None:
    """P3, P5: the node starts without it, and says once what is wrong."""
    port = free_port()
    outbox.add(10)
    with caplog.at_level(logging.INFO, "shelfedge.uplink"):
        uplink = start_uplink(outbox, f"mqtt://127.0.0.1:{port}")
        until(lambda: caplog.text.count("nothing listens") == 1, "the log line")
        until(lambda: "nothing listens" in (uplink.state()["problem"] or ""), "the state")
        before = time.monotonic()
        for _ in range(1000):
            uplink.poke()
        assert time.monotonic() - before < 1.0
        with Broker(tmp_path / "broker", port=port):
            until(lambda: outbox.waiting() == 0, "the delivery")
            assert uplink.state()["problem"] is None
            uplink.stop()
    assert caplog.text.count("nothing listens") == 1


def test_a_broker_killed_and_restarted_again_and_again_loses_nothing(tmp_path: Path, outbox: MemoryOutbox) -> None:
    """P1, P2: kill -9 in mid-flow; the consumer's acknowledgement decides, so that a broker that forgets everything it
    had acknowledged costs nothing."""
    pace = Pace(retry_first_s=0.05, retry_most_s=0.2, stable_s=1.0, ack_first_s=0.5, ack_most_s=0.5)
    with Broker(tmp_path / "broker", extra=["max_queued_messages 0"]) as broker, Listener(broker) as listener:
        uplink = start_uplink(outbox, broker, pace=pace, acknowledged=True)
        for _ in range(6):
            for _ in range(20):
                outbox.add(40)
                uplink.poke()
                time.sleep(0.001)  # so that the kill meets something in flight; nothing depends on it
            broker.kill()
            outbox.add(10)
            broker.start()
        acknowledge_until_done(listener, outbox)
        assert set(listener.once()) == set(expected(outbox))
        uplink.stop()


def test_what_the_broker_acknowledged_and_forgot_is_sent_again_when_nobody_acknowledges(
    broker: Broker, outbox: MemoryOutbox
) -> None:
    """P1: nobody listened, so the broker threw it away; patience brings it again."""
    outbox.add(300)
    pace = Pace(retry_first_s=0.05, ack_first_s=0.2, ack_most_s=1.0)
    uplink = start_uplink(outbox, broker, pace=pace, acknowledged=True)
    until(lambda: uplink.state()["sent"] >= 300, "the broker's acknowledgements")
    assert outbox.waiting() == 300
    with Listener(broker) as listener:
        until(lambda: listener.once() == expected(outbox), "everything again")
        assert all(item.historical for item in listener.entries())
        listener.publish(NAMES.ack, cbor2.dumps({BOOT: 300}))
        until(lambda: outbox.waiting() == 0, "done")
        uplink.stop()


def test_a_stopped_and_started_broker_with_persistence(tmp_path: Path, outbox: MemoryOutbox) -> None:
    with Broker(tmp_path / "broker", persistence=True) as broker:
        uplink = start_uplink(outbox, broker)
        for _ in range(3):
            outbox.add(50)
            uplink.poke()
            until(lambda: outbox.waiting() == 0, "the delivery")
            broker.stop()
            outbox.add(50)
            uplink.poke()
            broker.start()
        until(lambda: outbox.waiting() == 0, "the delivery")
        uplink.stop()


def test_a_broker_that_hangs_is_left_after_the_keep_alive(broker: Broker, outbox: MemoryOutbox) -> None:
    """P3: SIGSTOP: connections stay open and nobody answers; poking and stopping don't wait for it."""
    uplink = start_uplink(outbox, broker, keep_alive_s=1.0)
    until(lambda: uplink.state()["state"] == "connected", "the connection")
    broker.pause()
    outbox.add(100)
    uplink.poke()
    until(lambda: uplink.state()["state"] != "connected", "the keep alive to end it")
    assert "broker 127.0.0.1" in uplink.state()["problem"]
    broker.resume()
    until(lambda: outbox.waiting() == 0, "the delivery")
    uplink.stop()


def test_a_broker_that_takes_the_connection_and_says_nothing(outbox: MemoryOutbox) -> None:
    with socket.create_server(("127.0.0.1", 0)) as silent:
        pace = Pace(retry_first_s=0.05, connack_s=0.2)
        uplink = start_uplink(outbox, f"mqtt://127.0.0.1:{silent.getsockname()[1]}", pace=pace)
        until(lambda: "doesn't answer" in (uplink.state()["problem"] or ""), "the sentence")
        began_s = time.monotonic()
        uplink.stop()
        assert not uplink.alive
        assert time.monotonic() - began_s < 10.0


@pytest.mark.parametrize(
    "answer",
    [b"", b"\x00", b"HTTP/1.1 400 Bad Request\r\n\r\n", b"\x20\xff\xff\xff\xff\xff", b"\x20\x00",
     b"\x20\x03\x00\x00\x05\x00", b"\x30\x05\x00\x01aXX", b"\x30\xff\xff\xff\x7f\x00\x01a" + b"x" * 100_000],
)  # fmt: skip
def test_a_server_that_isnt_a_broker_does_no_harm(outbox: MemoryOutbox, answer: bytes) -> None:
    """P3, P5: rubbish from the other side ends the connection, never the thread."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        heard: list[bytes] = []

        def serve() -> None:
            while True:
                try:
                    client, _ = server.accept()
                except OSError:
                    return
                with client:
                    heard.append(client.recv(1000))
                    client.sendall(answer)

        threading.Thread(target=serve, daemon=True).start()
        uplink = start_uplink(outbox, f"mqtt://127.0.0.1:{server.getsockname()[1]}")
        until(lambda: len(heard) >= 3, "three tries")
        assert uplink.alive
        assert uplink.state()["problem"]
        uplink.stop()
        server.shutdown(socket.SHUT_RDWR)


def test_a_session_taken_over_is_explained(broker: Broker, caplog: pytest.LogCaptureFixture) -> None:
    """Two nodes of the same name take the connection from each other."""
    one, two = MemoryOutbox(), MemoryOutbox()
    first = start_uplink(one, broker)
    until(lambda: first.state()["state"] == "connected", "the first")
    second = start_uplink(two, broker)
    until(lambda: "second node with this name" in caplog.text, "the sentence")
    second.stop()
    first.stop()


def test_an_outbox_that_cant_be_read_for_a_while_ends_nothing(broker: Broker, caplog: pytest.LogCaptureFixture) -> None:
    """P3, P5: a failing disk is said, and tried again."""

    class Failing(MemoryOutbox):
        broken = True

        def pending(self, *given: Any) -> Any:
            if self.broken:
                raise OutboxUnavailableError("outbox.db: the disk fails")
            return super().pending(*given)

    outbox = Failing()
    outbox.add(5)
    uplink = start_uplink(outbox, broker)
    until(lambda: "the disk fails" in (uplink.state()["problem"] or ""), "the sentence")
    outbox.broken = False
    until(lambda: outbox.waiting() == 0, "the delivery")
    uplink.stop()


def test_the_real_outbox_over_three_starts_of_the_node(tmp_path: Path) -> None:
    """P1, P2: what one start left the next delivers, marked historical, before its own."""
    from uplink_bed import entry

    from edge.stream.outbox.records import Body
    from edge.stream.outbox.store import OutboxStore
    from edge.stream.wire import encode

    def fill(store: OutboxStore, count: int) -> None:
        now_ns = time.time_ns()
        store.append([Body(lambda boot, seq: encode(entry(boot, seq, now_ns)), now_ns) for _ in range(count)])

    path, wanted, port = tmp_path / "outbox.db", [], free_port()
    for count in (300, 500):
        store = OutboxStore.open(path, OutboxLimits(), time.time_ns())
        fill(store, count)
        wanted += [(store.boot, seq) for seq in range(1, count + 1)]
        store.close()
    store = OutboxStore.open(path, OutboxLimits(), time.time_ns())
    with Broker(tmp_path / "broker", port=port) as broker, Listener(broker) as listener:
        uplink = start_uplink(store, broker, boot=store.boot)
        fill(store, 100)
        uplink.poke()
        wanted += [(store.boot, seq) for seq in range(1, 101)]
        until(lambda: listener.once() == wanted, "all boots in order")
        assert [item.historical for item in listener.entries()] == [
            item.boot != store.boot for item in listener.entries()
        ]
        until(lambda: store.counts().pending == 0, "done")
        uplink.stop()
    store.close()


def test_stop_is_quick_whatever_the_uplink_does(outbox: MemoryOutbox) -> None:
    uplink = start_uplink(outbox, f"mqtt://127.0.0.1:{free_port()}", pace=Pace(retry_first_s=60.0))
    until(lambda: uplink.state()["state"] == "waiting", "the back-off")
    began_s = time.monotonic()
    uplink.stop()
    assert not uplink.alive
    assert time.monotonic() - began_s < 5.0
    uplink.poke()  # after the end it does no harm
    uplink.publish_health({})
    uplink.stop()
    assert FAST.stop_s > 0
