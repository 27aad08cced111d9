"""What the tests of the uplink share: an outbox in memory, entries to put in, a listener at the broker, and waiting."""

from __future__ import annotations

import json
import threading
import time
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import cbor2
import paho.mqtt.client as paho
from paho.mqtt.enums import CallbackAPIVersion
from paho.mqtt.subscribeoptions import SubscribeOptions

from edge.config.live_schema import UplinkOptions
from edge.stream.entry import EventEntry, Stamp, TimeQuality
from edge.stream.outbox.records import OutboxCounts, Position, Row
from edge.stream.uplink.command_memory import CommandMemory
from edge.stream.uplink.patience import Pace
from edge.stream.uplink.topics import Names
from edge.stream.uplink.uplink import Uplink
from edge.stream.wire import decode_items, encode
from edge.trace.event import Event, Kind, Status
from hil.broker import Broker

NAMES = Names("store-7", "bay-12")
BOOT = 41
DEADLINE_S = 30.0
FAST = Pace(retry_first_s=0.05, retry_most_s=0.4, stable_s=1.0, connect_s=5.0, connack_s=2.0, stop_s=5.0)


def until(condition: Callable[[], Any], what: str, deadline_s: float = DEADLINE_S) -> None:
    """Wait for a condition; an AssertionError naming `what` when it doesn't come."""
    end_s = time.monotonic() + deadline_s
    while not condition():
        assert time.monotonic() < end_s, f"waited {deadline_s:.0f} s for {what}"
        time.sleep(0.005)


def entry(boot: int, seq: int, wall_ns: int | None = None) -> EventEntry:
    """A pick as a shelf gives it."""
    wall_ns = time.time_ns() if wall_ns is None else wall_ns
    event = Event(
        f"shelf-1-{seq:06d}", 1, Status.FINAL, Kind.PICK, "shelf-1", "A1", "cola-033", 1, -345.2, 101.5, 80.0,
        10**9 * seq, 10**9 * seq + 3 * 10**8, 0.9991, False,
    )  # fmt: skip
    return EventEntry(boot, seq, event, Stamp(wall_ns, TimeQuality.SYNCED))


class MemoryOutbox:
    """The outbox as the uplink sees it, in memory. Entries are added by tests' threads."""

    def __init__(self, boot: int = BOOT) -> None:
        self.boot = boot
        self.kept: list[Row] = []
        self.done_to: dict[int, int] = {}
        self._lock = threading.Lock()

    def add(self, count: int, boot: int | None = None, decided_wall_ns: int | None = None) -> None:
        """Commit so many entries."""
        boot = self.boot if boot is None else boot
        wall_ns = time.time_ns() if decided_wall_ns is None else decided_wall_ns
        with self._lock:
            last = max((row.seq for row in self.kept if row.boot == boot), default=0)
            for seq in range(last + 1, last + count + 1):
                self.kept.append(Row(boot, seq, encode(entry(boot, seq, wall_ns)), wall_ns))

    def forget(self, boot: int, first: int, last: int) -> None:
        """As if these had been dropped."""
        with self._lock:
            self.kept = [row for row in self.kept if row.boot != boot or not first <= row.seq <= last]

    def pending(self, after: Position | None, most_entries: int, most_bytes: int) -> list[Row]:
        found: list[Row] = []
        with self._lock:
            order = list(dict.fromkeys(row.boot for row in self.kept))
            for row in self.kept:
                at = (order.index(row.boot), row.seq)
                if after is not None and after.boot in order and at <= (order.index(after.boot), after.seq):
                    continue
                if row.seq > self.done_to.get(row.boot, 0) and len(found) < most_entries and most_bytes > 0:
                    found.append(row)
                    most_bytes -= len(row.payload)
        return found

    def rows(self, boot: int, from_seq: int, most: int) -> list[Row]:
        with self._lock:
            return [row for row in self.kept if row.boot == boot and row.seq >= from_seq][:most]

    def done(self, boot: int, seq: int) -> None:
        with self._lock:
            self.done_to[boot] = max(seq, self.done_to.get(boot, 0))

    def counts(self) -> OutboxCounts:
        waiting = self.waiting()
        return OutboxCounts(waiting, len(self.kept), 0, None, 0, 0)

    def first_kept(self, boot: int) -> int | None:
        return next((row.seq for row in self.kept if row.boot == boot), None)

    def boots(self) -> list[int]:
        with self._lock:
            return list(dict.fromkeys([row.boot for row in self.kept] + [self.boot]))

    def last_seq(self, boot: int) -> int:
        with self._lock:
            return max((row.seq for row in self.kept if row.boot == boot), default=0)

    def waiting(self) -> int:
        with self._lock:
            return sum(row.seq > self.done_to.get(row.boot, 0) for row in self.kept)


class Listener:
    """Somebody at the broker who reads everything of the nodes, and may publish."""

    def __init__(self, broker: Broker, topic: str = "shelfedge/#", user: tuple[str, str] | None = None) -> None:
        assert broker.tls is None, "it speaks plainly; where TLS is the question, make a client for it"
        self.messages: list[tuple[str, bytes, bool]] = []
        self._ready = threading.Event()
        self._topic = topic
        self.client = paho.Client(CallbackAPIVersion.VERSION2, protocol=paho.MQTTv5)
        self.client.reconnect_delay_set(1, 1)
        self.client.max_queued_messages_set(0)
        if user is not None:
            self.client.username_pw_set(*user)
        self.client.on_connect = self._on_connect
        self.client.on_subscribe = lambda *_: self._ready.set()
        self.client.on_message = self._on_message
        self.client.connect(broker.host, broker.port)
        self.client.loop_start()
        assert self._ready.wait(DEADLINE_S)

    def __enter__(self) -> Listener:
        return self

    def __exit__(self, *_: object) -> None:
        self.client.disconnect()
        self.client.loop_stop()

    def _on_connect(self, client: paho.Client, *_: object) -> None:
        client.subscribe(self._topic, options=SubscribeOptions(qos=1))

    def _on_message(self, _client: object, _data: object, message: paho.MQTTMessage) -> None:
        self.messages.append((message.topic, bytes(message.payload), message.retain))

    def publish(self, topic: str, payload: bytes, retain: bool = False) -> None:
        """Returns when the broker has it."""
        self.client.publish(topic, payload, qos=1, retain=retain).wait_for_publish(DEADLINE_S)

    def on(self, topic: str) -> list[bytes]:
        """The payloads of a topic in the order in which they came."""
        return [payload for of, payload, _ in list(self.messages) if of == topic]

    def entries(self, names: Names = NAMES) -> list[Any]:
        """Every entry that came, in order, as often as it came."""
        return [item for payload in self.on(names.event) for item in decode_items(payload)]

    def once(self, names: Names = NAMES) -> list[tuple[int, int]]:
        """(boot, seq) of every entry, at its first coming."""
        return list(dict.fromkeys((item.boot, item.seq) for item in self.entries(names)))


def options(broker: Broker | str, **more: Any) -> UplinkOptions:
    """Options for a broker, by attribute name."""
    return UplinkOptions(broker=broker if isinstance(broker, str) else broker.url, **more)


def start_uplink(
    outbox: Any, broker: Broker | str, names: Names = NAMES, pace: Pace = FAST, boot: int = BOOT,
    report: Callable[[], Mapping[str, Any]] = lambda: {"well": True}, memory: CommandMemory | None = None, **more: Any,
) -> Uplink:  # fmt: skip
    """An uplink that runs; end it with `stop`."""
    birth = {"version": "0.0", "started": "2026-11-21T18:00:00Z", "boards": {"shelf-1": "simulated"}}
    uplink = Uplink(options(broker, **more), names, boot, outbox, lambda: birth, report, pace=pace, memory=memory)
    uplink.start()
    return uplink


def secret(path: Path, text: str) -> str:
    """A file that only we can read; gives its path."""
    path.touch(mode=0o600)
    path.write_text(text)
    return str(path)


def statuses(listener: Listener, names: Names = NAMES) -> list[dict[str, Any]]:
    return [json.loads(payload) for payload in listener.on(names.status)]


def expected(outbox: MemoryOutbox) -> list[tuple[int, int]]:
    return [(row.boot, row.seq) for row in outbox.kept]


def acknowledge_until_done(listener: Listener, outbox: MemoryOutbox) -> None:
    """Be the store's back end: acknowledge what has come without a gap, until the node needs no more."""

    def done() -> bool:
        have = set(listener.once())
        upto = 0
        while (BOOT, upto + 1) in have:
            upto += 1
        if upto and listener.client.is_connected():
            listener.client.publish(NAMES.ack, cbor2.dumps({BOOT: upto}), qos=1)
        time.sleep(0.05)
        return outbox.waiting() == 0

    until(done, "everything acknowledged", 60.0)
