"""Procedures and monitor on terminals that draw nothing, with encodings that lack letters, and into closed pipes."""

from __future__ import annotations

import os
import pty
import subprocess
import sys
from pathlib import Path

import pytest
from installer_node import FAST, files_of, installer_node
from monitor_views import bay

from edge.cli.calibrate_screen import ProcedureScreen
from edge.cli.monitor_screen import Look, frame
from edge.cli.next_step import start_command
from edge.cli.window import only_lines
from edge.node.calibrate import site_of

ROOT = Path(__file__).parents[2]


@pytest.fixture
def node(tmp_path: Path) -> Path:
    return installer_node(tmp_path, calibration=True)


def _environ(**more: str) -> dict[str, str]:
    return {**os.environ, "PYTHONPATH": str(ROOT), **more}


def test_a_terminal_that_draws_nothing_is_told_what_to_do_in_lines(node: Path) -> None:
    """Rich draws no screen on TERM=dumb: the installer would look at an empty window."""
    master, slave = pty.openpty()
    command = [sys.executable, "-m", "edge.cli.main", "calibrate", "shelf-1", str(node), "--weight", "2 kg", "--yes",
               *FAST]  # fmt: skip
    process = subprocess.Popen(command, stdin=slave, stdout=slave, stderr=slave, env=_environ(TERM="dumb"))
    os.close(slave)
    said = b""
    while True:
        try:
            more = os.read(master, 65_536)
        except OSError:  # its end
            break
        if not more:
            break
        said += more
    os.close(master)
    assert process.wait(30.0) == 0
    assert b"1/5  Put 2000 g at" in said
    assert b"CALIBRATED" in said


@pytest.mark.parametrize(
    ("term", "terminal", "wanted", "for_program", "lines"),
    [
        ("xterm", True, False, False, False),
        ("xterm", True, True, False, True),
        ("xterm", True, False, True, True),
        ("xterm", False, False, False, True),
        ("dumb", True, False, False, True),
        ("unknown", True, False, False, True),
    ],
)
def test_lines_or_a_screen_is_decided_once(monkeypatch, term, terminal, wanted, for_program, lines) -> None:
    monkeypatch.setenv("TERM", term)
    monkeypatch.setattr(sys.stdout, "isatty", lambda: terminal, raising=False)
    assert only_lines(wanted, for_program) is lines


def test_a_letter_that_stdout_cant_show_is_no_reason_to_stop(node: Path) -> None:
    done = subprocess.run(
        [sys.executable, "-m", "edge.cli.main", "monitor", str(node), "--once"], capture_output=True, check=False,
        env=_environ(LC_ALL="C", PYTHONUTF8="0", PYTHONIOENCODING="ascii"), timeout=60.0,
    )  # fmt: skip
    assert b"Traceback" not in done.stderr
    assert done.returncode == 0, done.stderr
    assert b"shelf-1" in done.stdout


def test_who_reads_the_prompts_has_gone_and_it_is_said_what_became_of_the_run(node: Path) -> None:
    before = files_of(node.parent)
    command = [sys.executable, "-u", "-m", "edge.cli.main", "calibrate", "shelf-1", str(node), "--weight", "2 kg",
               *FAST]  # fmt: skip
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, env=_environ()) as process:
        assert process.stdout is not None
        assert process.stderr is not None
        process.stdout.close()
        said = process.stderr.read()
        assert process.wait(30.0) == 1
    assert b"stopped: nothing was changed" in said
    assert b"Traceback" not in said
    assert b"Exception" not in said
    assert files_of(node.parent) == before


@pytest.mark.parametrize("size", [(30, 20), (39, 24), (100, 9), (20, 5)])
def test_a_window_that_is_too_small_is_told_instead_of_half_words(node: Path, size: tuple[int, int]) -> None:
    from edge.config.setup import load_setup

    columns, lines = size
    shown = [row.plain for row in frame(bay(2), Look(), columns, lines)]
    assert "make the window" not in "".join(row.plain for row in frame(bay(2), Look(), 40, 10))
    setup = load_setup(node, calibrated=False)
    screen = ProcedureScreen("calibrate", site_of("shelf-1", setup.node.boards["shelf-1"]), "")
    for rows in (shown, [row.plain for row in screen.frame(columns, lines).renderables]):  # type: ignore[attr-defined]
        assert "make the window" in rows[0]
        assert f"{columns} x {lines}" in " ".join(rows)
        assert max(map(len, rows)) <= columns
        assert len(rows) <= lines
    needed = [row.plain for row in screen.frame(59, 18).renderables]  # type: ignore[attr-defined]
    assert needed[-1] == "needs 60 x 18"  # a place and its figures go in there


def test_the_node_is_started_by_its_service_where_that_is_installed(tmp_path: Path) -> None:
    node = tmp_path / "bay-12.yaml"
    assert start_command(node, units=tmp_path / "none") == f"shelfedge run {node}"
    (tmp_path / "shelfedge.service").write_text(
        "[Service]\nExecStart=/usr/bin/shelfedge run /etc/shelfedge/node.yaml\n"
    )
    assert start_command(node, units=tmp_path) == f"shelfedge run {node}"
    (tmp_path / "bay.service").write_text(f"[Service]\nExecStart=/usr/bin/shelfedge run {node}\n")
    assert start_command(node, units=tmp_path) == "sudo systemctl start bay"
    assert start_command(node, again=True, units=tmp_path) == "sudo systemctl restart bay"


@pytest.mark.parametrize("supply", ["12V", "5", "much", "1 V"])
def test_a_supply_that_cant_be_is_wrong_usage(node: Path, shelfedge, supply: str) -> None:
    done = shelfedge("monitor", node, "--once", "--supply", supply)
    assert done.returncode == 2
    assert "a supply" in " ".join(done.stderr.replace("│", " ").split())
