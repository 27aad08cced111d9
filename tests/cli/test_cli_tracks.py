"""`shelfedge events tracks`: where ceiling cameras see people, through the broker."""

from __future__ import annotations

import json
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from edge.config.demo import demo_node_path
from edge.config.live_schema import UplinkOptions
from edge.stream.track_link import TrackLink
from edge.stream.track_publisher import TrackPublisher
from edge.stream.uplink.topics import Names
from edge.trace.sighting import TrackPoint
from hil.broker import Broker, find_mosquitto

Command = Callable[..., "subprocess.CompletedProcess[str]"]
DEADLINE_S = 30.0


def test_a_node_without_a_broker_is_refused_with_what_to_give(shelfedge: Command) -> None:
    done = shelfedge("events", "tracks", demo_node_path())
    assert (done.returncode, done.stdout) == (1, "")
    assert "node bay-12 names no broker; give one with --url, or add `uplink:" in done.stderr
    assert "--broker" not in done.stderr, "this command has no such option"


@pytest.mark.skipif(find_mosquitto() is None, reason="needs mosquitto (apt-get install mosquitto)")
def test_points_come_as_json_lines_until_ctrl_c(tmp_path: Path) -> None:
    for path in demo_node_path().parent.glob("*.yaml"):
        shutil.copy(path, tmp_path)
    node = tmp_path / "node.yaml"
    with Broker(tmp_path / "broker") as broker:
        node.write_text(
            node.read_text("utf-8") + f"\nuplink: {{broker: '{broker.url}'}}\ntracks: {{from: [ceiling-1]}}\n", "utf-8"
        )
        publisher = TrackPublisher(7)
        link = TrackLink(UplinkOptions(broker=broker.url), Names("demo-store", "ceiling-1"), publisher, None)
        link.start()
        command = [sys.executable, "-m", "edge.cli.main", "events", "tracks", str(node)]
        with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE) as process:
            assert process.stderr is not None
            assert process.stdout is not None
            assert b"listening to ceiling-1; Ctrl-C ends it" in process.stderr.readline()
            for _ in range(12):
                now_ns = time.monotonic_ns()
                point = TrackPoint("aisle-1.7.3", now_ns, 1500.0, 2500.0, 900.0, 0.0, 900.0, 0.0, 0.0)
                publisher.give("aisle-1", now_ns, [point])
                time.sleep(0.11)
            said = json.loads(process.stdout.readline())
            assert (said["node"], said["track"], said["x_mm"]) == ("ceiling-1", "aisle-1.7.3", 1500.0)
            process.send_signal(signal.SIGINT)
            assert process.wait(DEADLINE_S) == 130
            assert b"Traceback" not in process.stderr.read()
        link.stop()
