"""How long after its last sample, and after it was decided, an event is at the broker's reader: the real node on
simulated boards, in real time. `python -m hil.stream_latency`.
"""

from __future__ import annotations

import argparse
import json
import os
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import paho.mqtt.client as mqtt
from paho.mqtt.enums import CallbackAPIVersion

import edge.config.demo
from edge.config.setup import load_setup
from edge.node.run import NodeRun, RunOptions
from edge.stream.entry import EventEntry
from edge.stream.wire import decode_items
from edge.trace.event import Event
from hil.broker import Broker

DEMO = Path(edge.config.demo.__file__).parent
SECONDS = 180.0
VISIT_EVERY_S = 3.0
SEED = 77_100
TARGET_MS = 60.0


@dataclass(frozen=True, slots=True)
class Latency:
    """Arrival at a subscriber on the same machine: 50th and 99th percentile and the largest, in milliseconds.

    Attributes:
        revisions: how many were measured.
        sample_ms: from the time of the sample that decided a revision.
        fusion_ms: of that, until fusion has said it.
        overhead_ms: from then on: outbox with its fsync, uplink, broker.
    """

    revisions: int
    sample_ms: tuple[float, float, float]
    fusion_ms: tuple[float, float, float]
    overhead_ms: tuple[float, float, float]

    def __str__(self) -> str:
        rows = (
            ("deciding sample to broker's reader", self.sample_ms),
            ("  of that: until fusion has said it", self.fusion_ms),
            (f"  of that: beyond the decision (target p99 <= {TARGET_MS:.0f} ms)", self.overhead_ms),
        )
        lines = [f"{name:55} p50 {p50:6.1f}  p99 {p99:6.1f}  largest {most:6.1f} ms" for name, (p50, p99, most) in rows]
        return "\n".join([f"{self.revisions} revisions of events", *lines])


class _TimedNode(NodeRun):
    """A node that notes when fusion said what."""

    def decided(self, events: Sequence[Event]) -> None:
        """See `edge.node.loop.Sinks`."""
        now_ns = time.monotonic_ns()
        for event in events:
            self.said_ns[event.event_id, event.revision] = now_ns, event.decided_ns
        super().decided(events)

    said_ns: dict[tuple[str, int], tuple[int, int]]


def measure(seconds: float = SECONDS, seed: int = SEED) -> Latency:
    """Run node, broker and subscriber for so long. Raises BrokerError where there is no mosquitto."""
    with tempfile.TemporaryDirectory() as name, Broker(Path(name) / "broker") as broker:
        folder = Path(name)
        shutil.copy(DEMO / "planogram.yaml", folder)
        text = (DEMO / "node.yaml").read_text("utf-8")
        node_file = folder / "node.yaml"
        node_file.write_text(f"{text}\nstate: state\nuplink: {{broker: '{broker.url}'}}\n", "utf-8")
        subscriber = _start_subscriber(broker)
        node = _TimedNode(node_file, load_setup(node_file), RunOptions(seed, VISIT_EVERY_S, seconds), {})
        node.said_ns = {}
        node.run()
        assert subscriber.stdin is not None
        assert subscriber.stdout is not None
        subscriber.stdin.close()
        arrived = {(each[0], each[1]): each[2] for each in json.load(subscriber.stdout)}
        subscriber.wait()
    both = [(decided, said, arrived[key]) for key, (said, decided) in node.said_ns.items() if key in arrived]
    decided_ns, said_ns, arrived_ns = np.array(both, dtype=np.int64).T
    return Latency(
        len(both), _spread(arrived_ns - decided_ns), _spread(said_ns - decided_ns), _spread(arrived_ns - said_ns)
    )


def _spread(waits_ns: np.typing.NDArray[np.int64]) -> tuple[float, float, float]:
    p50, p99, most = np.percentile(waits_ns / 1e6, (50, 99, 100))
    return float(p50), float(p99), float(most)


def _start_subscriber(broker: Broker) -> subprocess.Popen[bytes]:
    """In a process of its own: reading must not take the node's interpreter."""
    root = Path(__file__).parents[1]
    command = [sys.executable, "-m", "hil.stream_latency", "--subscribe", broker.host, str(broker.port)]
    child = subprocess.Popen(
        command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, env=os.environ | {"PYTHONPATH": str(root)}
    )
    assert child.stdout is not None
    child.stdout.readline()  # it has subscribed
    return child


def _subscribe(host: str, port: int) -> None:
    """Note when each revision arrives (CLOCK_MONOTONIC is one for all processes) until stdin ends; print them."""
    arrived: dict[tuple[str, int], int] = {}

    def on_message(client: mqtt.Client, userdata: object, message: mqtt.MQTTMessage) -> None:
        now_ns = time.monotonic_ns()
        for entry in decode_items(bytes(message.payload)):
            if isinstance(entry, EventEntry):
                arrived.setdefault((entry.event.event_id, entry.event.revision), now_ns)

    client = mqtt.Client(CallbackAPIVersion.VERSION2, client_id="latency", protocol=mqtt.MQTTv5)
    client.on_message = on_message
    client.on_subscribe = lambda *_: print(flush=True)  # noqa: T201 - tells the one who started this
    client.connect(host, port)
    client.subscribe("shelfedge/1/+/+/event", qos=1)
    client.loop_start()
    sys.stdin.read()
    client.disconnect()
    client.loop_stop()
    json.dump([[*key, at_ns] for key, at_ns in arrived.items()], sys.stdout)


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seconds", type=float, default=SECONDS, help="how long the node runs (default 180)")
    parser.add_argument("--subscribe", nargs=2, metavar=("HOST", "PORT"), help=argparse.SUPPRESS)
    chosen = parser.parse_args()
    if chosen.subscribe:
        _subscribe(chosen.subscribe[0], int(chosen.subscribe[1]))
    else:
        print(measure(chosen.seconds))  # noqa: T201 - that is what it is run for


if __name__ == "__main__":
    main()
