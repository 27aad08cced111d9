"""The uplink over a bad line: whatever the proxy does, the store gets every entry once, in order, after dedupe."""

from __future__ import annotations

import time

import cbor2
import pytest
from uplink_bed import BOOT, NAMES, Listener, MemoryOutbox, start_uplink, until

from edge.stream.uplink.patience import Pace
from hil.broker import Broker
from hil.chaos_proxy import Chaos, ChaosProxy, packet_length

PACE = Pace(retry_first_s=0.01, retry_most_s=0.1, stable_s=0.2, silence_s=5.0, ack_first_s=0.5, ack_most_s=1.0)
ENTRIES = 1000


def deliver(broker: Broker, chaos: Chaos, acknowledged: bool) -> tuple[ChaosProxy, Listener]:
    """Entries in bursts, half of them before the first connection; returns when the node has nothing left."""
    outbox = MemoryOutbox()
    outbox.add(ENTRIES // 2)
    with ChaosProxy(broker.host, broker.port, chaos) as proxy, Listener(broker) as listener:
        uplink = start_uplink(outbox, proxy.url, pace=PACE, acknowledged=acknowledged)
        for _ in range(ENTRIES // 2 // 10):
            outbox.add(10)
            uplink.poke()
            time.sleep(0.001)

        def done() -> bool:
            if acknowledged:
                have, upto = set(listener.once()), 0
                while (BOOT, upto + 1) in have:
                    upto += 1
                listener.client.publish(NAMES.ack, cbor2.dumps({BOOT: upto}), qos=1)
            return outbox.waiting() == 0

        until(done, "everything delivered", 60.0)
        until(lambda: len(set(listener.once())) == ENTRIES, "everything at the store", 60.0)
        proxy.chaos = Chaos()
        uplink.stop()
        assert set(listener.once()) == {(BOOT, seq) for seq in range(1, ENTRIES + 1)}
        # At its first coming no entry overtakes another: what was lost on the way only came later for all that follow.
        assert listener.once() == sorted(listener.once())
        return proxy, listener


@pytest.mark.parametrize("acknowledged", [False, True])
@pytest.mark.parametrize(
    "chaos",
    [
        Chaos(cut_share=0.2),
        Chaos(lose_share=0.2),
        Chaos(half_share=0.2),
        Chaos(double_share=0.3),
        Chaos(delay_s=0.01),
        Chaos(bytes_per_s=200_000),
        Chaos(cut_share=0.05, lose_share=0.05, half_share=0.05, double_share=0.2, delay_s=0.005),
    ],
    ids=["cut", "lose", "half", "double", "delay", "throttle", "all"],
)
def test_every_entry_comes_once_and_in_order(broker: Broker, chaos: Chaos, acknowledged: bool) -> None:
    """P2."""
    proxy, listener = deliver(broker, chaos, acknowledged)
    if chaos.cut_share or chaos.lose_share or chaos.half_share:
        assert proxy.cuts > 0
    if chaos.cut_share or chaos.double_share:
        assert len(listener.entries()) > ENTRIES  # it was at least once


def test_a_line_that_stalls_in_the_middle_and_flows_again(broker: Broker) -> None:
    """P2, P3: connections stay open, nothing passes; poking doesn't wait for it."""
    outbox = MemoryOutbox()
    with ChaosProxy(broker.host, broker.port) as proxy, Listener(broker) as listener:
        uplink = start_uplink(outbox, proxy.url, pace=PACE)
        outbox.add(100)
        uplink.poke()
        until(lambda: outbox.waiting() == 0, "the first")
        proxy.stall()
        for _ in range(300):
            outbox.add(10)
            began_s = time.monotonic()
            uplink.poke()
            assert time.monotonic() - began_s < 1.0
        assert outbox.waiting() > 0
        proxy.flow()
        until(lambda: outbox.waiting() == 0, "the rest")
        until(lambda: len(set(listener.once())) == 3100, "everything at the store")
        assert listener.once() == sorted(listener.once())
        uplink.stop()


def test_a_line_that_stalls_for_good_is_left(broker: Broker) -> None:
    """P2: TCP would hang for a quarter of an hour; the keep alive and the silence of the broker end it sooner."""
    outbox = MemoryOutbox()
    with ChaosProxy(broker.host, broker.port) as proxy:
        uplink = start_uplink(outbox, proxy.url, pace=Pace(retry_first_s=0.05, connack_s=0.5, silence_s=1.0))
        until(lambda: uplink.state()["state"] == "connected", "the connection")
        proxy.stall()
        outbox.add(10)
        uplink.poke()
        until(lambda: uplink.state()["state"] != "connected", "the end of it")
        proxy.flow()
        until(lambda: outbox.waiting() == 0, "the delivery")
        uplink.stop()


def test_cuts_again_and_again_at_any_moment(broker: Broker) -> None:
    """P2: resets that come from outside of the stream of packets."""
    outbox = MemoryOutbox()
    with ChaosProxy(broker.host, broker.port) as proxy, Listener(broker) as listener:
        uplink = start_uplink(outbox, proxy.url, pace=PACE)
        for _ in range(40):
            outbox.add(50)
            uplink.poke()
            time.sleep(0.005)
            proxy.cut()
        until(lambda: outbox.waiting() == 0, "the delivery")
        until(lambda: len(set(listener.once())) == 2000, "everything at the store")
        assert listener.once() == sorted(listener.once())
        uplink.stop()


@pytest.mark.parametrize(
    ("data", "length"),
    [(b"", None), (b"\x30", None), (b"\x30\x00", 2), (b"\x30\x05abc", None), (b"\x30\x03abcdef", 5),
     (b"\x30\x80\x01" + b"x" * 128, 131), (b"\x30\x80", None)],
)  # fmt: skip
def test_the_proxy_knows_where_packets_end(data: bytes, length: int | None) -> None:
    assert packet_length(data) == length
