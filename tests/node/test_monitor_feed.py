"""Where the monitor hears of boards: a node's door that comes and goes, or the hardware while no node runs."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from monitor_rig import BOARD, Bench

from edge.config.demo import demo_node_path
from edge.config.setup import load_setup
from edge.config.state_folder import state_folder
from edge.node.control import ControlServer
from edge.node.monitor import Monitor
from edge.node.monitor_feed import HardwareFeed, NodeFeed, open_feed
from edge.node.state_lock import NodeRunsError, StateLock


def _until(wanted: Callable[[], Any]) -> Any:
    deadline_s = time.monotonic() + 20.0
    while not (found := wanted()):
        assert time.monotonic() < deadline_s
        time.sleep(0.005)
    return found


@pytest.fixture(scope="module")
def answers() -> list[dict[str, Any]]:
    """What a node says of one board, as its `watch` does."""
    bench = Bench()
    bench.run(4.0)
    return [{**answer, "events": []} for answer in _news(bench)]


def _news(bench: Bench) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = []
    for _ in range(10):
        for _ in range(10):
            bench.clock.ns += 20_000_000
            bench.feed.round()
        found += bench.feed.news()
    return found


def _door(folder: Path, answers: list[dict[str, Any]], with_facts: bool = True) -> ControlServer:
    def watch(request: dict[str, Any]) -> Iterator[dict[str, Any]]:
        for number, answer in enumerate(answers):
            told = {key: value for key, value in answer.items() if key != "facts"}
            yield {**told, "facts": answer["facts"]} if with_facts and number == 0 else told
        time.sleep(30.0)

    server = ControlServer(folder, {"watch": watch, "who": lambda request: {"node": "bay-12"}})
    server.start()
    return server


def test_a_node_that_stops_is_waited_for_and_a_tare_outlives_that(tmp_path: Path, answers: list) -> None:
    door = _door(tmp_path, answers)
    feed = NodeFeed(tmp_path, "bay-12", again_s=0.02)
    monitor = Monitor(feed)
    try:
        _until(lambda: monitor.update() and monitor.view(0).boards[0].level_g is not None)
        assert monitor.view(0).live
        assert monitor.tare(BOARD)
        door.stop()
        _until(lambda: not feed.live)
        assert "has stopped; waiting until it is started again" in feed.text
        assert monitor.view(0).boards, "what was last seen stays on the screen"
        door = _door(tmp_path, answers)
        _until(monitor.update)
        view = monitor.view(0)
        assert (view.live, view.text) == (True, "")
        assert view.boards[0].tare_g is not None
    finally:
        feed.close()
        door.stop()


def test_a_node_of_another_version_is_said_to_be_one(tmp_path: Path, answers: list) -> None:
    door = _door(tmp_path, answers, with_facts=False)
    feed = NodeFeed(tmp_path, "bay-12", again_s=0.02)
    try:
        _until(lambda: "older version" in feed.text)
        assert not feed.live
        assert feed.news() == []
    finally:
        feed.close()
        door.stop()


def test_news_that_nobody_takes_are_bounded(answers: list) -> None:
    """P4."""
    bench = Bench()
    for _ in range(10 * 300):
        bench.clock.ns += 20_000_000
        bench.feed.round()
    assert len(bench.feed.news()) <= 128


def test_hardware_is_opened_only_where_no_node_runs_and_none_starts_meanwhile(tmp_path: Path) -> None:
    setup = load_setup(demo_node_path())
    setup = type(setup)(
        setup.node.model_copy(update={"state": str(tmp_path)}), setup.planogram, setup.calibration, "", ""
    )
    folder = state_folder(demo_node_path(), setup.node)
    folder.mkdir(parents=True)
    lock = StateLock(folder)
    starting = open_feed(demo_node_path(), setup)
    assert isinstance(starting, NodeFeed)
    assert "doesn't answer yet" in starting.text
    starting.close()
    lock.release()
    feed = open_feed(demo_node_path(), setup)
    try:
        assert isinstance(feed, HardwareFeed)
        with pytest.raises(NodeRunsError):
            StateLock(folder)
        _until(feed.news)
    finally:
        feed.close()
    StateLock(folder).release()
