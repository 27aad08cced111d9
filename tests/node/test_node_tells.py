"""What a node does beside its loop, once a second and at every report, on a clock that is told the time."""

from __future__ import annotations

import json
import logging
import re
import shutil
from pathlib import Path
from typing import Any

import pytest
from node_benches import S, ToldClock

from edge.config.demo import demo_node_path
from edge.config.setup import load_setup
from edge.node.run import NodeRun, RunOptions
from edge.stream.uplink.discovery import discovery_messages
from edge.stream.uplink.topics import Names

STOOD_STILL = "the node stood still"


def _node(folder: Path, clock: ToldClock) -> NodeRun:
    """The demo's node, made and not run."""
    shutil.copy(demo_node_path().with_name("planogram.yaml"), folder)
    path = folder / "node.yaml"
    path.write_text(demo_node_path().read_text() + "\nstate: state\n")
    return NodeRun(path, load_setup(path), RunOptions(), {}, clock=clock, sleep_s=clock.sleep)


def _told(caplog: pytest.LogCaptureFixture) -> list[tuple[int, str]]:
    """Level and text of the lines that are about it, without the one that sums up the node."""
    found = [(record.levelno, record.getMessage()) for record in caplog.records]
    caplog.clear()
    return [(level, text) for level, text in found if text.removeprefix("no longer: ").startswith(STOOD_STILL)]


def test_each_tick_samples_the_cpu_so_that_a_report_has_its_share(tmp_path: Path) -> None:
    node = _node(tmp_path, ToldClock())
    assert node.parts.report()["host"]["cpu_share"] is None
    for _ in range(2):
        node.tick()
    assert node.parts.report()["host"]["cpu_share"] >= 0.0


def test_standing_still_is_logged_once_and_so_is_its_end(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    clock = ToldClock()
    node = _node(tmp_path, clock)
    caplog.set_level(logging.INFO, "shelfedge.node")
    clock.ns += 100 * S
    node.progressed(0)
    node.parts.tell_health()
    assert _told(caplog) == []
    node.progressed(31 * S)
    for _ in range(3):  # the time since then changes in the sentence; that is no news
        clock.ns += S
        node.parts.tell_health()
    ((level, text),) = _told(caplog)
    assert level == logging.WARNING
    assert "stood still for 31 s, 1 s ago" in text
    clock.ns += 60 * S
    for _ in range(2):
        node.parts.tell_health()
    ((level, text),) = _told(caplog)
    assert level == logging.INFO
    assert text.startswith("no longer: the node stood still")


def test_what_home_assistant_is_told_to_show_is_in_the_report_that_a_node_gives(tmp_path: Path) -> None:
    """Its templates name values of the health report; one that isn't there would be a sensor without a value."""
    clock = ToldClock()
    node = _node(tmp_path, clock)
    node.parts.start()
    try:
        node.parts.wait_until_open(60.0)
        node.progressed(0)
        report = json.loads(json.dumps(node.parts.report()))
    finally:
        node.parts.stop()
    messages = discovery_messages(Names("store 7", "bay 12"), "1.2")
    assert len(messages) == len({topic for topic, _ in messages}) >= 9
    for topic, payload in messages:
        config = json.loads(payload)
        assert re.fullmatch(r"homeassistant/sensor/[A-Za-z0-9_-]+/[A-Za-z0-9_-]+/config", topic)
        assert re.fullmatch(r"[A-Za-z0-9_-]+", config["unique_id"])
        assert config["device"]["sw_version"] == "1.2"
        assert None not in config.values()
        found: Any = report
        for key in re.findall(r"\.(\w+)(?!\w*\()", config["value_template"].partition("|")[0]):
            assert key in found, (config["value_template"], sorted(found))
            found = found[key]
        assert found is not None, config["name"]
