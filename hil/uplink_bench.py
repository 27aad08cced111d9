"""How fast a backlog drains to a real broker, against paho alone in the same run. ``python -m hil.uplink_bench``.

The backlog lies in a real outbox on this machine's disk, full forms with evidence as fusion gives them; the broker is
mosquitto over loopback without a subscriber, and its PUBACK counts. paho alone gets the same wire forms ready made from
memory: one event per message, and in the uplink's own messages.
"""

from __future__ import annotations

import argparse
import resource
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import paho.mqtt.client as paho
from paho.mqtt.enums import CallbackAPIVersion

from edge.config.live_schema import UplinkOptions
from edge.stream.entry import EventEntry, Stamp, TimeQuality
from edge.stream.outbox.records import Body, OutboxLimits
from edge.stream.outbox.store import OutboxStore
from edge.stream.uplink.sender import MOST_ENTRIES
from edge.stream.uplink.topics import Names
from edge.stream.uplink.uplink import Uplink
from edge.stream.wire import encode, for_wire
from edge.trace.event import Event, Evidence, Kind, Status
from hil.broker import Broker

TARGET_EVENTS_PER_S = 15_000.0
NAMES = Names("store-7", "bay-12")
_IN_FLIGHT = 20
_COMMIT = 1000
_PAHO_EVENTS = 100_000
_PAHO_QUEUE = 5_000
_GIVE_UP_S = 1800.0


@dataclass(frozen=True, slots=True)
class DrainFigures:
    """Events a second; `live_ms` is from the commit of one event to the broker's PUBACK, p50 and p99."""

    events: int
    uplink_per_s: float
    paho_single_per_s: float
    paho_batched_per_s: float
    payload_bytes_per_event: float
    memory_mb: float
    live_p50_ms: float
    live_p99_ms: float

    def lines(self) -> list[str]:
        """For people."""
        return [
            f"drain of {self.events:,} events: {self.uplink_per_s:,.0f} events/s (target {TARGET_EVENTS_PER_S:,.0f}), "
            f"{self.payload_bytes_per_event:.1f} bytes each, {self.memory_mb:.0f} MB resident at the most",
            f"paho alone, one event per message: {self.paho_single_per_s:,.0f} events/s",
            f"paho alone, in messages of {MOST_ENTRIES}: {self.paho_batched_per_s:,.0f} events/s",
            f"live, commit to PUBACK: p50 {self.live_p50_ms:.2f} ms, p99 {self.live_p99_ms:.2f} ms",
        ]


def measure(events: int, folder: Path) -> DrainFigures:
    """Fill an outbox in `folder`, drain it, then let paho send the same. Takes a minute per million events."""
    with Broker(folder / "broker", extra=["max_inflight_messages 0", "set_tcp_nodelay true"]) as broker:
        store = OutboxStore.open(folder / "outbox.db", OutboxLimits(size_bytes=20e9, age_s=1e9), time.time_ns())
        try:
            for first in range(1, events + 1, _COMMIT):
                store.append([_body(n) for n in range(first, min(first + _COMMIT, events + 1))])
            uplink = _uplink(broker, store)
            began_s = time.monotonic()
            uplink.start()
            _until(lambda: store.pending(None, 1, 1) == [])
            drained_per_s = events / (time.monotonic() - began_s)
            memory_mb = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024.0
            live_ms = sorted(_live(store, uplink, events + n) for n in range(1, 501))
            uplink.stop()
        finally:
            store.close()
        items = [
            for_wire(encode(_entry(1, n)), evidence=False, historical=True)
            for n in range(1, min(events, _PAHO_EVENTS) + 1)
        ]
        batches = [b"".join(items[at : at + MOST_ENTRIES]) for at in range(0, len(items), MOST_ENTRIES)]
        return DrainFigures(
            events=events,
            uplink_per_s=drained_per_s,
            paho_single_per_s=len(items) / _paho_s(broker, items),
            paho_batched_per_s=len(items) / _paho_s(broker, batches),
            payload_bytes_per_event=sum(map(len, items)) / len(items),
            memory_mb=memory_mb,
            live_p50_ms=live_ms[len(live_ms) // 2],
            live_p99_ms=live_ms[int(len(live_ms) * 0.99)],
        )


def main(arguments: Sequence[str] | None = None) -> int:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--events", type=int, default=1_000_000)
    options = parser.parse_args(arguments)
    with tempfile.TemporaryDirectory(prefix="uplink-bench-") as folder:
        figures = measure(options.events, Path(folder))
    sys.stdout.write("\n".join(figures.lines()) + "\n")
    return 0


def _uplink(broker: Broker, store: OutboxStore) -> Uplink:
    def nothing() -> Mapping[str, object]:
        return {}

    return Uplink(UplinkOptions(broker=broker.url), NAMES, store.boot, store, nothing, nothing)


def _entry(boot: int, seq: int) -> EventEntry:
    evidence = Evidence((-80.1, -92.4, -85.0, -87.7), 0.31, 812.0, 640.0, 10**9 * seq - 10**8, 10**9 * seq + 2 * 10**8)
    event = Event(
        f"shelf-1-{seq:06d}", 1, Status.FINAL, Kind.PICK, "shelf-1", "A1", "cola-033", 1, -345.2, 101.5, 80.0,
        10**9 * seq, 10**9 * seq + 3 * 10**8, 0.9991, False, (), (), evidence,
    )  # fmt: skip
    return EventEntry(boot, seq, event, Stamp(1_795_284_000 * 10**9 + 10**9 * seq, TimeQuality.SYNCED))


def _body(number: int) -> Body:
    return Body(lambda boot, seq: encode(_entry(boot, seq)), 1_795_284_000 * 10**9 + 10**9 * number)


def _live(store: OutboxStore, uplink: Uplink, number: int) -> float:
    """Milliseconds from the end of one event's commit until the broker has it."""
    sent = uplink.state()["sent"]
    store.append([_body(number)])
    began_s = time.monotonic()
    uplink.poke()
    _until(lambda: uplink.state()["sent"] > sent, 0.0001)
    return 1000.0 * (time.monotonic() - began_s)


def _paho_s(broker: Broker, payloads: Sequence[bytes]) -> float:
    """Seconds until all are acknowledged, with paho's own thread and window."""
    client = paho.Client(CallbackAPIVersion.VERSION2, protocol=paho.MQTTv5)
    client.max_inflight_messages_set(_IN_FLIGHT)
    client.max_queued_messages_set(0)
    room = threading.Semaphore(_PAHO_QUEUE)  # paho has 65,535 message ids, and forgets what it has none for
    client.on_publish = lambda *_: room.release()
    client.connect(broker.host, broker.port)
    client.loop_start()
    _until(client.is_connected)
    began_s = time.monotonic()
    for payload in payloads:
        if not room.acquire(timeout=_GIVE_UP_S):
            raise TimeoutError("paho doesn't send")
        client.publish(NAMES.event, payload, qos=1)
    for _ in range(_PAHO_QUEUE):
        if not room.acquire(timeout=_GIVE_UP_S):
            raise TimeoutError("paho didn't send everything")
    took_s = time.monotonic() - began_s
    client.disconnect()
    client.loop_stop()
    return took_s


def _until(condition: Callable[[], bool], every_s: float = 0.002) -> None:
    end_s = time.monotonic() + _GIVE_UP_S
    while not condition():
        if time.monotonic() > end_s:
            raise TimeoutError("the broker didn't take everything")
        time.sleep(every_s)


if __name__ == "__main__":
    sys.exit(main())
