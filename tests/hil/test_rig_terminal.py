"""`shelfedge` in a terminal, real firmware behind a pty, and somebody who has only the screen to go by, in real time.

`python -m hil.rig_calibration` does a whole visit like this; here the short one, so that it can't rot.
"""

from __future__ import annotations

import dataclasses
import signal
import subprocess
import sys

import pytest

from calibration.prompts import Step
from calibration.record import BoardCalibration, CellCalibration
from calibration.store import CalibrationStore
from hil.installations import Installation, draw_installation
from hil.installer import Habits
from hil.rig_session import LivePort, follow_screen, node_for
from hil.terminal import Screen, Terminal
from hil.terminal_person import Reader

SEED = 4101


def true_record(installation: Installation) -> BoardCalibration:
    """What a perfect calibration would have found."""
    names = [cell.name for cell in installation.site.cells]
    cells = {
        name: CellCalibration(
            zero_counts=cell.zero_counts,
            counts_per_gram=cell.counts_per_gram,
            carries=names[index] if names[index] != name else None,
        )
        for name, cell, index in zip(names, installation.physics.cells, installation.cell_of, strict=True)
    }
    return BoardCalibration(version=2, board=installation.site.board, made="by hand", cells=cells)


@pytest.mark.usefixtures("rig_program")
def test_a_check_in_a_terminal_on_real_firmware_and_a_second_program_that_wants_the_port(tmp_path):
    """The person reads the screen, puts the weight down, and the board's old calibration holds. Whoever opens the port
    meanwhile is told that it is in use, and the run isn't disturbed."""
    careful = Habits(bumps_share=0.0, early_share=0.0, wrong_place_share=0.0)
    installation = dataclasses.replace(draw_installation(SEED, 3, cells=4), habits=careful)
    second: list[subprocess.Popen[str]] = []

    def another(terminal: Terminal) -> None:
        if not second and terminal.screen.full:
            command = [sys.executable, "-m", "edge.cli.main", "calibrate", "shelf-1", str(other), "--weight", "2 kg"]
            second.append(subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True))

    with LivePort(installation, tmp_path, SEED) as port:
        node = node_for(installation, tmp_path, port.rig.port)
        (tmp_path / "other").mkdir()  # of the same node it would already be refused at that one's lock
        other = node_for(installation, tmp_path / "other", port.rig.port)
        CalibrationStore(tmp_path / "calibration").save(true_record(installation))
        before = (tmp_path / "calibration" / "shelf-1.json").read_bytes()
        weight = f"{installation.weight_g:g} g"
        arguments = ["calibrate", "shelf-1", str(node), "--weight", weight, "--check"]
        code, terminal, asked = follow_screen(port, arguments, 80.0, seen=another)
        _, said = second[0].communicate(timeout=60)
    assert "THE CALIBRATION HOLDS" in terminal.screen.text, terminal.screen.text[-2000:]
    assert code == 0
    assert asked == ("put the weight middle",)
    assert not terminal.screen.full  # the terminal is left as it was
    assert second[0].returncode == 1
    assert "is in use by another program" in said
    assert (tmp_path / "calibration" / "shelf-1.json").read_bytes() == before


@pytest.mark.usefixtures("rig_program")
def test_a_window_that_is_closed_in_mid_run_changes_nothing_and_lets_go_of_the_port(tmp_path):
    installation = draw_installation(SEED, 3, cells=4)
    with LivePort(installation, tmp_path, SEED) as port:
        node = node_for(installation, tmp_path, port.rig.port)
        with Terminal(["calibrate", "shelf-1", str(node), "--weight", "2 kg"]) as terminal:
            while terminal.look() and "HANDS OFF" not in terminal.screen.text and not terminal.screen.full:
                pass
            terminal.look(1.0)
            terminal.hang_up()
            assert terminal.end() == 128 + signal.SIGHUP
        assert list((tmp_path / "calibration").iterdir()) == []
        assert not port.rig.state().opened


def test_a_screen_is_what_was_written_last_at_each_place():
    screen = Screen(20, 4)
    screen.write(b"\x1b[?1049h\x1b[H\x1b[1mPUT\x1b[0m 2 kg\r\nwait\a")
    assert (screen.full, screen.rows, screen.bells) == (True, ["PUT 2 kg", "wait", "", ""], 1)
    screen.write("\x1b[HTAKE  █".encode()[:-1])
    screen.write("█".encode()[-1:])
    assert screen.rows[0] == "TAKE  █g"
    screen.write(b"\x1b[?1049l\x1b[2Ka\r\nb\r\nc\r\nd\r\ne")
    assert (screen.full, screen.rows) == (False, ["b", "c", "d", "e"])


def test_a_reader_acts_once_on_what_a_screen_asks_for_and_again_when_it_changes():
    reader = Reader(2000.0)
    place = "   MIDDLE:  450 mm from the left, 200 mm from the front, then let go"
    put = [" shelfedge calibrate   shelf-1  1 of 5", place, ""]
    first = reader.read(put)
    assert first is not None
    assert (first.step, first.place, first.x_mm, first.y_mm, first.number) == (Step.PUT, "middle", 450.0, 200.0, 1)
    assert reader.read(put) is None
    taken = reader.read([put[0], "   Got it. Take the weight off.", ""])
    assert taken is not None
    assert taken.step is Step.TAKE_OFF
    again = reader.read([put[0], put[1], "   The weight was lifted before it had rested."])
    assert again is not None
    assert "lifted" in again.mistake
