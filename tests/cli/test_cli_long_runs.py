"""`shelfedge calibrate creep` and `calibrate temperature` as an installer types them, on boards with physics."""

from __future__ import annotations

import json
import os
import re
import signal
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from installer_node import FAST, files_of, installer_node

from calibration.record import BoardCalibration, CellCalibration
from calibration.store import CalibrationStore
from calibration.temperature_log import LogRow, LogWriter, read_log
from drivers.simulated.room import DAY_S, Room, Wave
from edge.config.setup import load_setup
from edge.node.simulate import calibration_for, physics_for
from hil.terminal import Terminal

ROOT = Path(__file__).parents[2]


@pytest.fixture
def node(tmp_path) -> Path:
    """A node whose shelf-1 is calibrated, at 10 SPS: long runs are simulated faster then."""
    node = installer_node(tmp_path, calibration=True)
    node.write_text(node.read_text().replace("rate: 80 Hz", "rate: 10 Hz"))
    setup = load_setup(node, calibrated=False)
    record = calibration_for(setup, physics_for(setup, 1), 1)["shelf-1"]
    CalibrationStore(tmp_path / "calibration").save(record)
    return node


def _in_use(node: Path) -> BoardCalibration:
    record = CalibrationStore(node.parent / "calibration").current("shelf-1")
    assert record is not None
    return record


def test_a_creep_run_adds_its_figures_to_the_record_and_changes_nothing_else(node, shelfedge):
    before = _in_use(node)
    done = shelfedge("calibrate", "creep", "shelf-1", node, "--weight", "12 kg", "--minutes", "5", "--recovery", "1",
                     "--who", "ada", *FAST)  # fmt: skip
    assert done.returncode == 0, done.stdout + done.stderr
    assert "shelf-1: CREEPS" in done.stdout
    assert "4 of 5 minutes" in done.stdout
    record = _in_use(node)
    assert record.cells == before.cells
    assert record.creep is not None
    assert (record.creep.who, record.creep.weight_g, record.version) == ("ada", 12_000.0, 3)
    assert record.creep.temperature_c is not None
    cells = physics_for(load_setup(node), 1)["shelf-1"].cells
    shares = [share * (np.exp(-10 / tau) - np.exp(-1800 / tau)) for cell in cells for tau, share in cell.creep]
    found = record.creep.board
    assert found.ppm_per_decade == pytest.approx(1e6 * sum(shares) / 4 / np.log10(180), abs=3 * found.ppm_per_decade_sd)
    history = shelfedge("calibrate", "history", "shelf-1", node).stdout.splitlines()
    assert "ppm/decade" in history[1]
    assert json.loads(shelfedge("calibrate", "export", "shelf-1", node).stdout)["creep"]["minutes"] == pytest.approx(
        5.0, abs=0.2
    )
    assert shelfedge("config", "check", node).returncode == 0


def _night(path: Path, node: Path) -> None:
    """A log of ten hours of cells that follow a room through two lags."""
    rng = np.random.default_rng(9100)
    cells = physics_for(load_setup(node), 1)["shelf-1"].cells
    room = Room(21.0, (Wave(2.5, DAY_S, 0.1), Wave(0.5, 5000.0, 0.3)))
    writer = LogWriter(path, "shelf-1", tuple(load_setup(node).node.boards["shelf-1"].cells), "a sensor", 0.0)
    for minute in range(600):
        at_s = 60.0 * minute
        inside = float(room.celsius(at_s, (1200.0, 300.0)))
        counts = tuple(0.3 * inside * cell.counts_per_gram + float(rng.normal(0.0, 5.0)) for cell in cells)
        writer.write(LogRow(1e9 + at_s, float(room.celsius(at_s)), 1.0, counts))
    writer.close()


def test_a_log_is_fitted_and_kept_with_the_board_and_told(node, shelfedge):
    log = node.parent / "night.csv"
    _night(log, node)
    done = shelfedge("calibrate", "temperature", "shelf-1", node, "--fit", log, "--json")
    assert done.returncode == 0, done.stdout + done.stderr
    data = json.loads(done.stdout)
    assert data["accepted"]
    assert data["saved"]["number"] == 2
    assert data["grams_per_degree"] == pytest.approx(1.2, abs=3 * data["grams_per_degree_sd"] + 0.02)
    record = _in_use(node)
    assert record.temperature is not None
    assert record.temperature.thermometer == "a sensor"
    assert "g/°C" in shelfedge("calibrate", "history", "shelf-1", node).stdout


@pytest.mark.parametrize("phase", ["Leave it alone", "Hands off"])
def test_ctrl_c_pressed_in_the_recovery_is_a_result_and_before_it_is_none(node, phase):
    before = files_of(node.parent)
    command = ["calibrate", "creep", "shelf-1", str(node), "--weight", "12 kg", "--minutes", "2", "--speed", "60"]
    with Terminal(command) as terminal:
        assert terminal.look_for(phase), terminal.screen.rows
        terminal.press("\x03")
        if phase == "Leave it alone":
            assert terminal.end() == 130
            assert any("stopped: nothing was changed" in row for row in terminal.screen.rows)
            assert files_of(node.parent) == before
            return
        assert terminal.look_for("CREEP")
        if "Keep it in" in terminal.screen.text:
            terminal.press("n\r")
        assert terminal.end() == 1
    rows = " ".join(terminal.screen.rows)
    assert "CREEPS" in rows or "CREEP NOT KNOWN" in rows  # of what was measured; never that it was stopped
    assert "it was stopped" not in rows
    assert files_of(node.parent) == before


def test_ctrl_c_ends_the_log_with_what_it_has_and_it_is_gone_on_with(node, shelfedge):
    log = node.parent / "night.csv"
    command = [sys.executable, "-u", "-m", "edge.cli.main", "calibrate", "temperature", "shelf-1", str(node), "--log",
               str(log), *FAST]  # fmt: skip
    with subprocess.Popen(
        command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, env={**os.environ, "PYTHONPATH": str(ROOT)}
    ) as process:
        assert process.stdout is not None
        for line in process.stdout:
            if line.startswith("0 h 30 min"):
                break
        process.send_signal(signal.SIGINT)
        out, said = process.communicate(timeout=60)
    assert "Traceback" not in said
    assert "stopped; what there is will be fitted" in said
    assert f"the log is kept: {log}" in " ".join(out.split())
    rows = read_log(log).series.time_s.size
    assert rows >= 30
    done = shelfedge("calibrate", "temperature", "shelf-1", node, "--log", log, "--hours", "0.05", *FAST)
    assert "Traceback" not in done.stderr
    series = read_log(log).series
    assert series.time_s.size > 0
    assert log.read_text().count("# begun") == 2


@pytest.mark.parametrize(
    ("arguments", "said", "code"),
    [
        (("creep", "shelf-2", "--weight", "2 kg"), "was never calibrated", 1),
        (("creep", "shelf-9", "--weight", "2 kg"), "has no board", 2),
        (("creep", "shelf-1"), "say how heavy the weight is", 2),
        (("creep", "shelf-1", "--weight", "2"), "a number without a unit", 2),
        (("creep", "shelf-1", "--weight", "90 kg"), "nearly overloads the cells", 1),
        (("creep", "shelf-1", "--weight", "2 kg", "--minutes", "1"), "--minutes", 2),
        (("creep", "shelf-1", "--weight", "2 kg", "--minutes", "nan"), "--minutes", 2),
        (("temperature", "shelf-2"), "was never calibrated", 1),
        (("temperature", "shelf-1", "--sensor", "none/such"), "can't be read", 1),
        (("temperature", "shelf-1", "--fit", "none.csv"), "No such file", 1),
        (("temperature", "shelf-1", "--fit", "node.yaml"), "not a temperature log", 1),
        (("temperature", "shelf-1", "--log", "node.yaml"), "not a temperature log", 1),
        (("temperature", "shelf-1", "--log", "a.csv", "--fit", "b.csv"), "either --log or --fit", 2),
        (("shelf-1", "--weight", "2 kg", "--temperature", "nan"), "expected -40 to 85", 2),
        (("shelf-1", "--weight", "2 kg", "--temperature", "900"), "expected -40 to 85", 2),
    ],
)
def test_what_cant_be_is_refused_in_a_sentence_and_changes_nothing(node, shelfedge, arguments, said, code):
    before = files_of(node.parent)
    at = 2 if arguments[0] in ("creep", "temperature") else 1
    done = shelfedge("calibrate", *arguments[:at], node, *arguments[at:], *FAST, cwd=node.parent)
    assert done.returncode == code, done.stdout + done.stderr
    assert said in " ".join(re.sub("[│╭╰─╮╯]", " ", done.stderr).split())
    assert "Traceback" not in done.stderr
    assert files_of(node.parent) == before


def test_a_sensor_that_always_says_85_is_refused_and_one_that_goes_in_mid_run_is_told(node, shelfedge, tmp_path):
    sensor = tmp_path / "sensor"
    sensor.write_text("85000")
    done = shelfedge("calibrate", "temperature", "shelf-1", node, "--sensor", sensor, *FAST)
    assert done.returncode == 1
    assert "before it has measured" in done.stderr
    sensor.write_text("21500")
    log = tmp_path / "night.csv"
    command = [sys.executable, "-u", "-m", "edge.cli.main", "calibrate", "temperature", "shelf-1", str(node), "--log",
               str(log), "--sensor", str(sensor), "--hours", "0.65", *FAST]  # fmt: skip
    with subprocess.Popen(
        command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, env={**os.environ, "PYTHONPATH": str(ROOT)}
    ) as process:
        assert process.stdout is not None
        for line in process.stdout:
            if line.startswith("0 h 30 min"):
                break
        sensor.unlink()
        _, said = process.communicate(timeout=100)
    assert process.returncode == 1  # the temperature didn't change
    assert "Traceback" not in said
    assert "can't be read: No such file or directory" in said
    assert "logging goes on" in said
    assert read_log(log).series.time_s.size >= 37


def test_a_typed_temperature_and_the_rooms_own_go_into_the_record_and_long_runs_are_carried_on(node, shelfedge):
    store = CalibrationStore(node.parent / "calibration")
    done = shelfedge("calibrate", "shelf-1", node, "--weight", "2 kg", "--temperature", "21.5", *FAST)
    assert done.returncode == 0, done.stdout + done.stderr
    record = store.current("shelf-1")
    assert record is not None
    assert record.run is not None
    assert record.run.temperature_c == 21.5


def test_a_record_of_version_2_is_still_read(node):
    path = node.parent / "calibration" / "shelf-1.json"
    data = json.loads(path.read_text())
    assert data["version"] <= 2
    cell = CellCalibration(zero_counts=1.0, counts_per_gram=2.0)
    newer = BoardCalibration(version=2, board="shelf-1", cells={"a": cell}).model_dump(mode="json")
    assert "creep" not in newer
    assert "temperature" not in newer
