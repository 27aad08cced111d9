"""Where calibrate and teach get a board's samples from: the hardware while nobody else reads it, or a recording."""

from __future__ import annotations

import shutil

import pytest

from drivers.errors import DriverError
from edge.config.demo import demo_node_path
from edge.config.setup import load_setup
from edge.node.board_source import BoardSourceError, HardwareSource, TraceSource, UnknownBoardError, check_board
from edge.node.simulate import simulate_trace
from edge.node.simulated_installer import SimulatedClock
from edge.node.state_lock import NodeRunsError, StateLock
from edge.trace.errors import TraceDamagedError

SECONDS = 12.0


@pytest.fixture
def node(tmp_path):
    """Both boards play a recording, as a bench without hardware does; the node has run before."""
    for file in ("node.yaml", "planogram.yaml"):
        shutil.copy(demo_node_path().parent / file, tmp_path / file)
    path = tmp_path / "node.yaml"
    simulate_trace(load_setup(path), tmp_path / "idle.mcap", seed=3, duration_s=SECONDS, scene=lambda world: [])
    text = path.read_text().replace("driver: simulated", "driver: {type: trace, file: idle.mcap, speed: 1}")
    path.write_text(text + "state: state\n")
    (tmp_path / "state" / "bay-12").mkdir(parents=True)
    return path


def samples(source, seconds):
    found = {}
    for _ in range(round(seconds / 0.05)):
        for block in source.read(source.clock()):
            found[block.board] = found.get(block.board, 0) + len(block)
        source.clock.sleep(0.05)
    return found


def test_the_boards_samples_come_and_nobody_else_can_start_the_node(node):
    setup = load_setup(node)
    source = HardwareSource(setup, node, "shelf-1", SimulatedClock(1e9))
    try:
        found = samples(source, 5.0)
        assert found["shelf-1"] > 4 * 80 * 4
        with pytest.raises(NodeRunsError):
            StateLock(node.parent / "state" / "bay-12")
    finally:
        source.close()
    StateLock(node.parent / "state" / "bay-12").release()
    source.close()  # twice does no harm


def test_a_node_that_runs_is_named_with_what_to_do(node):
    lock = StateLock(node.parent / "state" / "bay-12")
    with pytest.raises(BoardSourceError, match=r"is running.*sudo systemctl stop shelfedge"):
        HardwareSource(load_setup(node), node, "shelf-1", SimulatedClock(1e9))
    lock.release()


def test_hardware_that_cant_be_opened_leaves_the_node_free(node):
    node.write_text(node.read_text().replace("{type: trace, file: idle.mcap, speed: 1}",
                                             "{type: bridge, port: /dev/ttyUSB77, chips: {fl: 0, fr: 1, bl: 2, br: 3}}",
                                             1))  # fmt: skip
    with pytest.raises((DriverError, OSError)):
        HardwareSource(load_setup(node), node, "shelf-1", SimulatedClock(1e9))
    StateLock(node.parent / "state" / "bay-12").release()


def test_another_board_that_fails_is_nobodys_matter(node):
    before, after = node.read_text().rsplit("{type: trace, file: idle.mcap, speed: 1}", 1)
    node.write_text(before + "{type: trace, file: none.mcap, speed: 1}" + after)
    source = HardwareSource(load_setup(node), node, "shelf-1", SimulatedClock(1e9))
    try:
        assert set(samples(source, 3.0)) == {"shelf-1"}
    finally:
        source.close()


def test_a_board_that_isnt_there_is_named_with_those_that_are(node):
    setup = load_setup(node)
    with pytest.raises(UnknownBoardError, match="did you mean 'shelf-2'"):
        check_board(setup, "shelf-3", node)
    with pytest.raises(UnknownBoardError, match="it has shelf-1, shelf-2"):
        check_board(setup, "freezer", node)


def test_a_recording_gives_its_board_and_says_what_is_lost(node):
    setup = load_setup(node)
    whole = TraceSource(node.parent / "idle.mcap", setup, "shelf-2")
    n = 0
    while not whole.over:
        blocks = whole.read(whole.clock())
        assert {block.board for block in blocks} <= {"shelf-2"}
        n += sum(map(len, blocks))
    assert n > 0.9 * SECONDS * 80 * 4
    assert whole.clock() == pytest.approx(SECONDS * 1e9, rel=0.01)
    whole.raise_losses()
    whole.close()
    data = (node.parent / "idle.mcap").read_bytes()
    (node.parent / "cut.mcap").write_bytes(data[: len(data) * 2 // 3])
    cut = TraceSource(node.parent / "cut.mcap", setup, "shelf-2")
    while not cut.over:
        cut.read(cut.clock())
    with pytest.raises(TraceDamagedError):
        cut.raise_losses()
    cut.close()
