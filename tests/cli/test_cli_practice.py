"""What practice leaves alone, and who has the boards while a procedure runs: the same for all procedures."""

from __future__ import annotations

from pathlib import Path

import pytest
from installer_node import FAST, files_of, installer_node

from calibration.store import CalibrationStore
from edge.config.setup import load_setup
from edge.node.board_source import BoardSourceError, hold_node
from edge.node.simulate import calibration_for, physics_for
from edge.node.state_lock import StateLock

CALIBRATE = ("calibrate", "shelf-1", "NODE", "--weight", "2 kg")
CREEP = ("calibrate", "creep", "shelf-1", "NODE", "--weight", "12 kg", "--minutes", "5", "--recovery", "0")
TEACH = ("teach", "cola-033", "NODE")
PROCEDURES = pytest.mark.parametrize("command", [CALIBRATE, CREEP, TEACH], ids=["calibrate", "creep", "teach"])


@pytest.fixture
def node(tmp_path: Path) -> Path:
    """Calibrated, at 10 SPS, its state beside it."""
    node = installer_node(tmp_path, calibration=True)
    node.write_text(node.read_text().replace("rate: 80 Hz", "rate: 10 Hz") + "\nstate: state\n")
    setup = load_setup(node, calibrated=False)
    CalibrationStore(tmp_path / "calibration").save(calibration_for(setup, physics_for(setup, 1), 1)["shelf-1"])
    return node


def _asked(command: tuple[str, ...], node: Path) -> list[str | Path]:
    return [node if word == "NODE" else word for word in command]


@PROCEDURES
def test_practice_changes_nothing_whatever_the_board_hangs_on_and_a_node_may_run(node, shelfedge, command) -> None:
    """The demo's boards are `driver: simulated`: without --simulate they are saved, with it never."""
    state = node.parent / "state" / "bay-12"
    state.mkdir(parents=True)
    lock = StateLock(state)
    try:
        before = files_of(node.parent)
        done = shelfedge(*_asked(command, node), "--simulate", "7", *FAST)
        assert files_of(node.parent) == before
    finally:
        lock.release()
    assert done.returncode == 0, done.stdout + done.stderr
    assert "practice on a simulated board: nothing was" in done.stdout
    assert "next:" not in done.stdout


@PROCEDURES
def test_a_node_on_simulated_boards_that_runs_is_left_alone_too(node, shelfedge, command) -> None:
    state = node.parent / "state" / "bay-12"
    state.mkdir(parents=True)
    lock = StateLock(state)
    try:
        before = files_of(node.parent)
        done = shelfedge(*_asked(command, node), *FAST)
        assert files_of(node.parent) == before
    finally:
        lock.release()
    assert done.returncode == 1
    assert "is running" in done.stderr


@PROCEDURES
def test_two_commands_at_one_node_that_never_ran_keep_off_each_other(node, shelfedge, command) -> None:
    """Without a state folder there is none to lock: the node file is."""
    held = hold_node(node, load_setup(node))
    assert held is not None
    try:
        done = shelfedge(*_asked(command, node), *FAST)
    finally:
        held.release()
    assert done.returncode == 1
    assert "another command has the boards of bay-12" in done.stderr
    again = hold_node(node, load_setup(node))
    assert again is not None
    with pytest.raises(BoardSourceError, match="another command"):
        hold_node(node, load_setup(node))
    again.release()
