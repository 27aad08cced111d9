"""Ctrl-C ends a command, also where C code swallows the exception."""

from __future__ import annotations

import signal
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).parents[2]
START = "import ctypes, signal, sys, time\nfrom edge.cli.interrupt import end_on_interrupt\nend_on_interrupt()\n"
CALLBACK = "ctypes.CFUNCTYPE(None)(lambda: signal.raise_signal(signal.SIGINT))()\n"


def run(program: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-c", START + program], capture_output=True, text=True, cwd=ROOT, timeout=30, check=False
    )


def test_an_interrupt_that_a_callback_swallowed_comes_again() -> None:
    done = run(f"try:\n    {CALLBACK}    time.sleep(20)\nexcept KeyboardInterrupt:\n    sys.exit(7)\n")
    assert (done.returncode, done.stderr) == (7, "")


def test_the_second_interrupt_ends_at_once() -> None:
    twice = "    signal.raise_signal(signal.SIGINT)\n"
    done = run(f"try:\n{twice}except KeyboardInterrupt:\n{twice}print('still here')\n")
    assert (done.returncode, done.stdout, done.stderr) == (130, "", "")


def test_other_swallowed_errors_are_still_told() -> None:
    assert "ZeroDivisionError" in run("ctypes.CFUNCTYPE(None)(lambda: 1 / 0)()\n").stderr


def test_a_command_in_the_background_keeps_ignoring_it() -> None:
    program = (
        "import signal\nsignal.signal(signal.SIGINT, signal.SIG_IGN)\n"
        + START
        + "assert signal.getsignal(signal.SIGINT) is signal.SIG_IGN\n"
    )
    done = subprocess.run([sys.executable, "-c", program], cwd=ROOT, timeout=30, check=False)
    assert done.returncode == 0
    assert signal.getsignal(signal.SIGINT) is not None


EARLY = """
import signal, sys
class AtTyper:
    def find_spec(self, name, path=None, target=None):
        if name == "typer":
            signal.raise_signal(signal.SIGINT)
sys.meta_path.insert(0, AtTyper())
"""


def test_while_the_command_line_is_being_imported_it_ends_without_a_traceback() -> None:
    program = EARLY + "import edge.cli.main\nprint('still here')\n"
    done = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, cwd=ROOT, timeout=30, check=False
    )
    assert (done.returncode, done.stdout, done.stderr) == (130, "", "")


def test_afterwards_it_is_as_it_was() -> None:
    program = "import signal, edge.cli.main\nassert signal.getsignal(signal.SIGINT) is signal.default_int_handler\n"
    done = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, cwd=ROOT, timeout=30, check=False
    )
    assert (done.returncode, done.stderr) == (0, "")
