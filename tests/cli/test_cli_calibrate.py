"""`shelfedge calibrate` as an installer types it, on simulated boards with physics and somebody in front of them."""

from __future__ import annotations

import json
import os
import pty
import select
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
from installer_node import FAST, files_of, installer_node

from edge.config.setup import load_setup
from edge.node.simulate import physics_for
from edge.node.state_lock import StateLock

ROOT = Path(__file__).parents[2]


@pytest.fixture
def node(tmp_path) -> Path:
    return installer_node(tmp_path, calibration=True)


def test_a_run_ends_with_a_record_that_the_node_weighs_with(node, shelfedge):
    done = shelfedge("calibrate", "shelf-1", node, "--weight", "2 kg", "--who", "ada", *FAST)
    assert done.returncode == 0, done.stderr
    assert "shelf-1: CALIBRATED" in done.stdout
    assert "5/5  Put 2000 g at" in done.stdout
    record = load_setup(node).calibration["shelf-1"]
    truth = physics_for(load_setup(node, calibrated=False), 1)["shelf-1"].cells
    for found, cell in zip(record.cells.values(), truth, strict=True):
        assert found.counts_per_gram == pytest.approx(cell.counts_per_gram, rel=0.001)  # signs too
    assert record.run is not None
    assert (record.run.who, record.run.weights, record.run.firmware) == ("ada", ("2000 g",), "simulated")
    assert len(record.run.places) == 5
    checked = shelfedge("config", "check", node)
    assert checked.returncode == 0, checked.stdout + checked.stderr


def test_options_may_stand_before_the_board_and_the_word_run_may_stand_there(node, shelfedge):
    first = shelfedge("calibrate", "--weight", "2 kg", "shelf-1", node, *FAST)
    second = shelfedge("calibrate", "run", "shelf-1", node, "--weight=2 kg", *FAST)
    assert (first.returncode, second.returncode) == (0, 0), first.stderr + second.stderr
    assert "number 2; number 1 is kept" in second.stdout


def test_the_result_as_json_and_the_prompts_beside_it(node, shelfedge):
    done = shelfedge("calibrate", "shelf-1", node, "--weight", "2 kg", "--tolerance", "0.1 g", "--json", *FAST)
    data = json.loads(done.stdout)
    assert data["accepted"] and data["saved"]["number"] == 1  # noqa: PT018
    assert data["load_error_percent"] < 0.1
    assert data["weight_error_percent"] == pytest.approx(100 * 0.1 / 2000 / 3**0.5)
    assert max(data["place_sd_mm"].values()) < 1.5
    assert len(data["places"]) == 5
    assert "Take the weight off" in done.stderr


def test_more_loads_up_and_down_tell_the_hysteresis(node, shelfedge):
    done = shelfedge("calibrate", "shelf-1", node, "--weight", "2 kg", "--extra", "5 kg", "--extra", "9 kg", "--json",
                     *FAST)  # fmt: skip
    data = json.loads(done.stdout)
    assert data["accepted"]
    assert abs(data["hysteresis_g"]) < 3.0
    assert [place["weight_g"] for place in data["places"]][-3:] == [5000.0, 9000.0, 5000.0]


def test_a_calibration_that_holds_and_one_that_does_not(node, shelfedge):
    assert shelfedge("calibrate", "shelf-1", node, "--weight", "2 kg", *FAST).returncode == 0
    before = files_of(node.parent)
    good = shelfedge("calibrate", "--check", "shelf-1", node, "--weight", "2 kg", *FAST)
    assert good.returncode == 0
    assert "THE CALIBRATION HOLDS" in good.stdout
    lighter = shelfedge("calibrate", "--check", "shelf-1", node, "--weight", "1.5 kg", "--json", *FAST)
    assert lighter.returncode == 0
    assert json.loads(lighter.stdout)["grams"] == pytest.approx(1500, rel=0.001)
    other = shelfedge("calibrate", "--check", "shelf-2", node, "--weight", "2 kg", *FAST)
    assert other.returncode == 1
    assert "never calibrated" in other.stderr
    assert files_of(node.parent) == before


def test_a_refused_run_names_reason_evidence_and_remedy_and_changes_nothing(node, shelfedge):
    """Cells of 1 mV/V where the label says 2."""
    text = node.read_text().replace("capacity: 10 kg", "capacity: 10 kg, sensitivity: 2 mV/V")
    node.write_text(text)
    before = files_of(node.parent)
    done = shelfedge("calibrate", "shelf-1", node, "--weight", "2 kg", *FAST)
    assert done.returncode == 1
    assert "NOT CALIBRATED, nothing was changed" in done.stdout
    assert "OFF THE LABEL" in done.stdout
    assert "mV/V at its capacity" in done.stdout
    assert "→" in done.stdout
    assert files_of(node.parent) == before


def test_history_restore_and_export(node, shelfedge, tmp_path):
    for weight in ("2 kg", "1 kg"):
        assert shelfedge("calibrate", "shelf-1", node, "--weight", weight, "--who", "ada", *FAST).returncode == 0
    listed = shelfedge("calibrate", "history", "shelf-1", node).stdout.splitlines()
    assert len(listed) == 2
    assert "in use" in listed[1] and "1000 g" in listed[1] and "by ada" in listed[0]  # noqa: PT018
    first = shelfedge("calibrate", "export", "shelf-1", node, "--number", "1").stdout
    restored = shelfedge("calibrate", "restore", "shelf-1", "1", node, "--who", "bob")
    assert "in use again, as number 3" in restored.stdout
    now = json.loads(shelfedge("calibrate", "export", "shelf-1", node).stdout)
    assert now["cells"] == json.loads(first)["cells"]
    assert "no. 1 restored" in now["made"]
    lines = shelfedge("calibrate", "history", "shelf-1", node, "--json").stdout.splitlines()
    assert [json.loads(line)["in_use"] for line in lines] == [False, False, True]
    written = shelfedge("calibrate", "export", "shelf-1", node, "-o", tmp_path / "out.json")
    assert written.returncode == 0
    assert json.loads((tmp_path / "out.json").read_text()) == now
    wrong = shelfedge("calibrate", "restore", "shelf-1", "9", node)
    assert wrong.returncode == 1
    assert "there are 1 to 3" in wrong.stderr
    own = shelfedge("calibrate", "export", "shelf-1", node, "-o", node)
    assert own.returncode == 1


def test_a_node_file_without_a_calibration_gets_the_line_and_keeps_its_text(tmp_path, shelfedge):
    node = installer_node(tmp_path)
    text = node.read_text()
    done = shelfedge("calibrate", "shelf-1", node, "--weight", "2 kg", *FAST)
    assert done.returncode == 0, done.stderr
    assert "added to" in done.stdout
    assert node.read_text().replace("calibration: calibration\n", "") == text
    assert (tmp_path / "node.yaml.bak").read_text() == text
    assert "shelf-1" in load_setup(node).calibration


def test_practice_on_a_simulated_board_keeps_nothing_for_a_real_one(tmp_path, shelfedge):
    node = installer_node(tmp_path)
    chips = "{type: bridge, serial: ABC, chips: {fl: 0, fr: 1, bl: 2, br: 3}}"
    node.write_text(node.read_text().replace("driver: simulated", f"driver: {chips}", 1))
    before = files_of(tmp_path)
    done = shelfedge("calibrate", "shelf-1", node, "--weight", "2 kg", "--simulate", "7", *FAST)
    assert done.returncode == 0, done.stderr
    assert "practice on a simulated board: nothing was saved" in done.stdout
    assert files_of(tmp_path) == before


def test_a_broken_record_keeps_nobody_from_calibrating_again(node, shelfedge):
    (node.parent / "calibration" / "shelf-1.json").write_text('{"version": 1')
    assert shelfedge("config", "check", node).returncode == 1
    done = shelfedge("calibrate", "shelf-1", node, "--weight", "2 kg", *FAST)
    assert done.returncode == 0, done.stderr
    assert shelfedge("config", "check", node).returncode == 0


@pytest.mark.parametrize(
    ("arguments", "said", "code"),
    [
        (("shelf-3", "--weight", "2 kg"), "did you mean 'shelf-2'", 2),
        (("shelf-1", "--weight", "2,5 kg"), "the decimal sign is a point", 2),
        (("shelf-1", "--weight", "20 kg"), "nearly overloads a cell of 10000 g", 1),
        (("shelf-1", "--weight", "10 g"), "too light for cells of 10000 g", 1),
        (("shelf-1", "--weight", "2 kg", "--extra", "60 kg"), "more than the cells of shelf-1 carry together", 1),
        (("shelf-1", "--weight", "2 kg", "--tolerance", "500 g"), "is no reference", 1),
    ],
)
def test_what_cant_be_is_refused_in_a_sentence_before_anything_is_opened(node, shelfedge, arguments, said, code):
    before = files_of(node.parent)
    board, *options = arguments
    done = shelfedge("calibrate", board, node, *options, *FAST)
    assert done.returncode == code, done.stderr
    assert said in " ".join(done.stderr.replace("│", " ").split())
    assert "Traceback" not in done.stderr
    assert files_of(node.parent) == before


def test_a_node_that_runs_is_left_alone(tmp_path, shelfedge):
    node = installer_node(tmp_path, calibration=True)
    chips = "{type: bridge, port: /dev/ttyUSB77, chips: {fl: 0, fr: 1, bl: 2, br: 3}}"
    text = node.read_text().replace("driver: simulated", f"driver: {chips}", 1)
    node.write_text(text + "state: state\n")
    state = tmp_path / "state" / "bay-12"
    state.mkdir(parents=True)
    lock = StateLock(state)
    try:
        done = shelfedge("calibrate", "shelf-1", node, "--weight", "2 kg")
    finally:
        lock.release()
    assert done.returncode == 1
    assert "is running" in done.stderr
    assert "sudo systemctl stop shelfedge" in done.stderr


def test_a_calibration_that_names_a_file_is_refused_with_what_to_do(tmp_path, shelfedge):
    node = installer_node(tmp_path)
    (tmp_path / "records.json").write_text("{}")
    node.write_text(node.read_text() + "calibration: records.json\n")
    done = shelfedge("calibrate", "shelf-1", node, "--weight", "2 kg", *FAST)
    assert done.returncode == 1
    assert "expected a folder, in which each board has its own" in done.stderr


def test_ctrl_c_in_a_pipe_changes_nothing_and_says_so(node):
    """At each step: test_cli_calibrate_stopped.py."""
    before = files_of(node.parent)
    command = [sys.executable, "-u", "-m", "edge.cli.main", "calibrate", "shelf-1", str(node), "--weight", "2 kg",
               "--speed", "20"]  # fmt: skip
    environment = {**os.environ, "PYTHONPATH": str(ROOT)}
    with subprocess.Popen(
        command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, env=environment
    ) as process:
        assert process.stdout is not None
        for line in process.stdout:
            if line.startswith("1/5  Put"):
                break
        process.send_signal(signal.SIGINT)
        _, said = process.communicate(timeout=30)
    assert process.returncode == 130
    assert "stopped: nothing was changed" in said
    assert "Traceback" not in said
    assert files_of(node.parent) == before


def test_in_a_terminal_it_asks_for_the_weight_and_before_it_saves(node):
    """The whole screen while it runs, then the result, then the question; no is no."""
    before = files_of(node.parent)
    said, code = _in_a_terminal(["calibrate", "shelf-1", str(node), *FAST], {"How heavy": "2 kg\n", "Save it?": "n\n"})
    assert code == 1
    assert "CALIBRATED" in said
    assert "not saved: nothing was changed" in said
    assert files_of(node.parent) == before
    said, code = _in_a_terminal(["calibrate", "shelf-1", str(node), "--weight", "2 kg", "--yes", *FAST], {})
    assert code == 0
    assert "saved as" in said


@pytest.mark.parametrize("question", ["How heavy"])
def test_ctrl_c_at_a_question_changes_nothing_and_says_so(node, question):
    before = files_of(node.parent)
    answers = {"How heavy": "2 kg\n", question: "\x03"}
    said, code = _in_a_terminal(["calibrate", "shelf-1", str(node), *FAST], answers)
    assert code == 130
    assert "stopped: nothing was changed" in said
    assert files_of(node.parent) == before


def _in_a_terminal(arguments: list[str], answers: dict[str, str]) -> tuple[str, int]:
    """What is said on a terminal of 80 x 24, and the exit code; ``answers`` by what is waited for.

    An answer that nothing follows is given again, as people do: a key that comes between a question and its read may
    not wake up the read.
    """
    child, handle = pty.fork()
    if child == 0:
        os.environ |= {"PYTHONPATH": str(ROOT), "COLUMNS": "80", "LINES": "24", "TERM": "xterm"}
        os.execv(sys.executable, [sys.executable, "-m", "edge.cli.main", *arguments])
    said, waiting, last, until = "", dict(answers), "", time.monotonic() + 90
    while time.monotonic() < until:
        if not select.select([handle], [], [], 3.0)[0]:
            os.write(handle, last.encode())
            continue
        try:
            said += os.read(handle, 65_536).decode("utf-8", "replace")
        except OSError:  # its end
            break
        for cue, answer in list(waiting.items()):
            if cue in said:
                os.write(handle, answer.encode())
                last = answer if answer == "\x03" else ""
                del waiting[cue]
    else:
        os.kill(child, signal.SIGKILL)
    os.close(handle)
    return said, os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])
