"""What boards hang on: simulated ones that go on for years, and recordings."""

from __future__ import annotations

import shutil
from pathlib import Path

import numpy as np
import pytest
from node_benches import S, ToldClock

from drivers.errors import DriverError
from edge.config.demo import demo_node_path
from edge.config.setup import load_setup
from edge.node.hardware import Hardware
from edge.node.simulate import simulate_trace
from edge.node.simulated_boards import KEPT, LONGEST_PAUSE_NS


@pytest.fixture
def node(tmp_path) -> Path:
    for name in ("node.yaml", "planogram.yaml"):
        shutil.copy(demo_node_path().with_name(name), tmp_path / name)
    return tmp_path / "node.yaml"


def test_simulated_boards_bring_their_calibration():
    hardware = Hardware(load_setup(demo_node_path()), demo_node_path(), 1, ToldClock())
    assert set(hardware.setup.calibration) == {"shelf-1", "shelf-2"}


def test_the_same_seed_gives_the_same_samples_and_another_seed_others():
    def samples(seed: int) -> np.ndarray:
        clock = ToldClock()
        driver = Hardware(load_setup(demo_node_path()), demo_node_path(), seed, clock).make("shelf-1")
        driver.start()
        return driver.read(clock() + 5 * S).counts

    assert np.array_equal(samples(1), samples(1))
    assert not np.array_equal(samples(1), samples(2))


def test_an_endless_shopper_needs_no_more_memory():
    """P4: six hours of visits every second."""
    clock = ToldClock()
    hardware = Hardware(load_setup(demo_node_path()), demo_node_path(), 1, clock, visit_every_s=1.0)
    assert hardware._simulated is not None
    stage = hardware._simulated.stage
    for hour in range(6):
        stage.play(3600.0 * (hour + 1))
        for board in ("shelf-1", "shelf-2"):
            stage.acting(board, 0.0)
    assert len(stage.movements) <= KEPT + 1
    assert len(stage.disturbances) <= KEPT + 20
    assert len(stage.world.hands) <= KEPT + 1
    assert sum(map(len, stage.world.lying.values())) < 500


def test_a_node_that_stood_still_doesnt_make_up_for_hours():
    clock = ToldClock()
    hardware = Hardware(load_setup(demo_node_path()), demo_node_path(), 1, clock)
    drivers = [hardware.make(name) for name in ("shelf-1", "shelf-2")]
    for driver in drivers:
        driver.start()
        driver.read(clock() + S)
    before_ns = clock() + S
    clock.ns += 5 * 3600 * S
    blocks = [driver.read(clock()) for driver in drivers]
    for block in blocks:
        assert before_ns <= block.time_ns[0]
        assert block.time_ns[-1] < clock()
        assert clock() - block.time_ns[-1] < 100_000_000
        assert block.time_ns[-1] - block.time_ns[0] <= LONGEST_PAUSE_NS
        assert (np.diff(block.time_ns) >= 0).all()


def test_a_simulated_board_is_made_once():
    hardware = Hardware(load_setup(demo_node_path()), demo_node_path(), 1, ToldClock())
    hardware.make("shelf-1")
    with pytest.raises(DriverError, match="once"):
        hardware.make("shelf-1")


def test_only_some_boards_are_simulated(node):
    """What happens to the others isn't played: nobody would take it away."""
    head, second = node.read_text().split("  shelf-2:")
    node.write_text(head + "  shelf-2:" + second.replace("driver: simulated", "driver: bridge"))
    hardware = Hardware(load_setup(node), node, 1, ToldClock())
    assert hardware._simulated is not None
    assert hardware._simulated.boards == ("shelf-1",)
    assert set(hardware._simulated.stage.world.boards) == {"shelf-1"}
    assert set(hardware.setup.calibration) == {"shelf-1"}


def test_a_recording_is_played_with_its_own_calibration(node):
    simulate_trace(load_setup(node), node.with_name("tuesday.mcap"), seed=3, duration_s=10.0)
    node.write_text(node.read_text().replace("driver: simulated", "driver: {type: trace, file: tuesday.mcap}"))
    clock = ToldClock()
    hardware = Hardware(load_setup(node), node, 1, clock)
    assert set(hardware.setup.calibration) == {"shelf-1", "shelf-2"}
    drivers = [hardware.make(name) for name in ("shelf-1", "shelf-2")]
    for driver in drivers:
        driver.start()
    for driver in drivers:
        block = driver.read(clock() + 5 * S)
        assert len(block) > 1000
        assert block.time_ns[0] == clock()
        rest = driver.read(clock() + 20 * S)
        assert len(rest) > 1000
        assert len(driver.read(clock() + 30 * S)) == 0
        driver.stop()


def test_a_recording_that_isnt_there_is_said_and_no_reason_to_end(node):
    node.write_text(node.read_text().replace("driver: simulated", "driver: {type: trace, file: gone.mcap}"))
    hardware = Hardware(load_setup(node), node, 1, ToldClock())
    assert all("gone.mcap" in problem for problem in hardware.problems)
    assert len(hardware.problems) == 2
    with pytest.raises(OSError, match=r"gone\.mcap"):
        hardware.make("shelf-1")


@pytest.mark.parametrize(("visit_every_s", "first_s"), [(1.0, 2.0), (4.0, 5.0), (60.0, 5.0)])
def test_somebody_who_comes_often_comes_soon(visit_every_s, first_s):
    hardware = Hardware(load_setup(demo_node_path()), demo_node_path(), 1, ToldClock(), visit_every_s)
    assert hardware._simulated is not None
    stage = hardware._simulated.stage
    stage.play(first_s - 0.2)
    assert not stage.movements
    stage.play(first_s + 10.0)
    assert stage.movements
