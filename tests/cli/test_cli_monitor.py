"""`shelfedge monitor` as a technician runs it: at a node that stops and comes back, in a terminal, in a pipe."""

from __future__ import annotations

import json
import os
import pty
import re
import select
import signal
import struct
import subprocess
import sys
import termios
import time
from collections.abc import Callable
from fcntl import ioctl
from pathlib import Path

from installer_node import installer_node
from run_process import NodeProcess, demo_node, wait_for

ROOT = Path(__file__).parents[2]
Command = Callable[..., "subprocess.CompletedProcess[str]"]


def _environ(**more: str) -> dict[str, str]:
    return {**os.environ, "PYTHONPATH": str(ROOT), "TERM": "xterm-256color", **more}


class Terminal:
    """The command in a terminal of its own."""

    def __init__(self, *arguments: str | Path, columns: int = 80, lines: int = 24, **environ: str) -> None:
        self.master, slave = pty.openpty()
        self.resize(columns, lines)
        self.before = termios.tcgetattr(slave)
        self._slave = slave
        self.process = subprocess.Popen(
            [sys.executable, "-m", "edge.cli.main", *map(str, arguments)],
            stdin=slave, stdout=slave, stderr=slave, env=_environ(**environ), start_new_session=True,
            preexec_fn=lambda: ioctl(0, termios.TIOCSCTTY, 0),
        )  # fmt: skip
        self.shown = ""

    def resize(self, columns: int, lines: int) -> None:
        ioctl(self.master, termios.TIOCSWINSZ, struct.pack("HHHH", lines, columns, 0, 0))

    def read(self) -> str:
        while select.select([self.master], [], [], 0.02)[0]:
            try:
                self.shown += os.read(self.master, 65536).decode(errors="replace")
            except OSError:
                break
        return self.shown

    def wait_for(self, text: str) -> None:
        wait_for(lambda: text in self.read(), 30.0)

    def press(self, keys: str) -> None:
        os.write(self.master, keys.encode())

    def end(self) -> int:
        deadline_s = time.monotonic() + 20.0
        while self.process.poll() is None and time.monotonic() < deadline_s:
            self.read()
        code = self.process.wait(1.0)
        self.read()
        return code

    def same_as_before(self) -> bool:
        return termios.tcgetattr(self._slave) == self.before

    def close(self) -> None:
        if self.process.poll() is None:
            self.process.kill()
            self.process.wait()
        os.close(self.master)
        os.close(self._slave)


def test_in_a_terminal_it_obeys_keys_and_resizing_and_leaves_it_as_it_was(tmp_path: Path) -> None:
    terminal = Terminal("monitor", installer_node(tmp_path), NO_COLOR="1")
    try:
        terminal.wait_for("shelf-2")
        terminal.press("1")
        terminal.wait_for("(1 of 2)")
        terminal.press("t")
        terminal.wait_for("NET, less")
        terminal.shown = ""
        terminal.resize(120, 40)
        terminal.wait_for("▲ front: you stand here ▲")
        terminal.press("q")
        assert terminal.end() == 0
        assert terminal.same_as_before()
        assert "\x1b[?1049l" in terminal.shown
        assert not re.search(r"\x1b\[[0-9;]*(3[0-7]|4[0-7]|9[0-7])m", terminal.shown), "a colour, in spite of NO_COLOR"
        assert "Traceback" not in terminal.shown
    finally:
        terminal.close()


def test_a_dumb_terminal_gets_lines_until_ctrl_c(tmp_path: Path) -> None:
    terminal = Terminal("monitor", installer_node(tmp_path), TERM="dumb")
    try:
        terminal.wait_for("fl: ")
        terminal.press("\x03")
        assert terminal.end() == 130
        assert terminal.same_as_before()
        assert "\x1b" not in terminal.shown
        assert "Traceback" not in terminal.shown
    finally:
        terminal.close()


def test_at_a_node_it_tells_its_boards_and_events_and_goes_on_when_that_stops(tmp_path: Path) -> None:
    path = demo_node(tmp_path)
    seen: list[dict] = []
    with NodeProcess(path) as node:
        node.wait_ready()
        told = subprocess.Popen(
            [sys.executable, "-m", "edge.cli.main", "monitor", str(path), "--json"],
            stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, env=_environ(),
        )  # fmt: skip
        try:
            assert told.stdout is not None

            def until(wanted: Callable[[dict], bool]) -> dict:
                for line in told.stdout:
                    seen.append(json.loads(line))
                    if wanted(seen[-1]):
                        return seen[-1]
                    assert len(seen) < 60, seen[-1]
                raise AssertionError(told.stderr.read())

            live = until(lambda view: view["live"] and view["boards"] and view["boards"][0]["level_g"] is not None)
            assert live["source"] == "node"
            assert {board["board"] for board in live["boards"]} == {"shelf-1", "shelf-2"}
            assert until(lambda view: view["events"])["events"][0]["ago_s"] < 60.0
            assert node.stop() == 0
            assert "has stopped; waiting" in until(lambda view: not view["live"])["text"]
            told.send_signal(signal.SIGINT)
            assert told.wait(10.0) == 130
            assert told.stderr is not None
            assert told.stderr.read() == ""
        finally:
            told.kill()
            told.wait()


def test_one_look_is_text_or_json(shelfedge: Command, tmp_path: Path) -> None:
    node = installer_node(tmp_path)
    done = shelfedge("monitor", node, "--once", "--json", "--board", "shelf-2")
    assert done.returncode == 0, done.stderr
    found = json.loads(done.stdout)
    assert [board["board"] for board in found["boards"]] == ["shelf-2"]
    assert found["boards"][0]["cells"][0]["noise_nv"] > 0
    assert found["source"] == "hardware"


def test_what_cant_be_watched_is_refused_in_a_sentence(shelfedge: Command, tmp_path: Path) -> None:
    node = installer_node(tmp_path)
    wrong = shelfedge("monitor", node, "--board", "shelf-3")
    assert wrong.returncode == 2
    assert "has no board 'shelf-3'; did you mean" in wrong.stderr
