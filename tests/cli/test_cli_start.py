"""`shelfedge --help` is quick because it imports nothing heavy; errors are sentences."""

from __future__ import annotations

import errno
import subprocess
import sys
from pathlib import Path

import pytest

from edge.cli.errors import refusal
from firmware_bridge.errors import DataLostError, ShelfedgeError

# Not pydantic: newer versions of typer load it themselves to read arguments.
HEAVY = ["numba", "llvmlite", "numpy", "yaml", "mcap", "zstandard", "matplotlib", "rich"]
ROOT = Path(__file__).parents[2]


def _imported_by(*arguments: str) -> set[str]:
    """Names of the heavy modules that a command has loaded by the time it ends."""
    code = (
        "import sys, atexit\n"
        f"atexit.register(lambda: print('loaded:', *[m for m in {HEAVY!r} if m in sys.modules]))\n"
        f"sys.argv = ['shelfedge', *{list(arguments)!r}]\n"
        "from edge.cli.main import main\n"
        "main()\n"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, cwd=ROOT, check=False)
    assert "Traceback" not in done.stderr, done.stderr
    return set(done.stdout.rpartition("loaded:")[2].split())


@pytest.mark.parametrize(
    "command",
    [
        [],
        *[
            [name]
            for name in (
                *["demo", "replay", "plot", "score", "simulate", "flash", "trace", "config"],
                *["record", "run", "events", "service"],
            )
        ],
    ],
)
def test_help_imports_nothing_heavy(command: list[str]) -> None:
    assert _imported_by(*command, "--help") == set()


def test_config_check_and_trace_info_do_without_numba(trace: Path) -> None:
    node = ROOT / "edge" / "config" / "demo" / "node.yaml"
    assert "numba" not in _imported_by("config", "check", str(node))
    assert "numba" not in _imported_by("trace", "info", str(trace))


def test_help_names_every_command_and_the_exit_codes(shelfedge) -> None:
    done = shelfedge("--help")
    assert done.returncode == 0
    for name in ("demo", "replay", "plot", "score", "simulate", "flash", "trace", "config", "Exit codes"):
        assert name in done.stdout


def test_version(shelfedge) -> None:
    done = shelfedge("--version")
    assert done.returncode == 0
    assert done.stdout.startswith("shelfedge ")


@pytest.mark.parametrize(
    ("error", "words", "exit_code"),
    [
        (ShelfedgeError("the port isn't there"), "the port isn't there", 1),
        (DataLostError("the end is missing"), "the end is missing", 3),
        (PermissionError(errno.EACCES, "Permission denied", "a.json"), "a.json: permission denied", 1),
        (OSError(errno.ENOSPC, "No space left on device", "a.json"), "a.json: the disk is full", 1),
        (FileNotFoundError(errno.ENOENT, "No such file", "x/a.json"), "x/a.json: no such file or folder", 1),
        (IsADirectoryError(errno.EISDIR, "Is a directory", "x"), "x: is a folder", 1),
        (OSError("odd"), "odd", 1),
    ],
)
def test_each_error_becomes_a_sentence_and_an_exit_code(error: OSError, words: str, exit_code: int) -> None:
    text, code = refusal(error)
    assert text.startswith(words)
    assert code == exit_code


@pytest.mark.parametrize(
    "arguments",
    [
        ["replay", "nowhere.mcap"],
        ["replay", "{empty}"],
        ["replay", "{text}"],
        ["replay", "{folder}"],
        ["replay", "{trace}", "--speed", "fast"],
        ["replay", "{trace}", "--speed", "0"],
        ["replay", "{trace}", "--speed", "nan"],
        ["replay", "{trace}", "--config", "nowhere.yaml"],
        ["replay", "{trace}", "--events", "no/such/folder/events.jsonl"],
        ["replay", "{trace}", "--events", "{folder}"],
        ["score", "nowhere.mcap"],
        ["score", "{trace}", "--labels", "nowhere.json"],
        ["score", "{trace}", "--labels", "{text}"],
        ["score", "{trace}", "--events", "{text}"],
        ["score", "{trace}", "--events", "{trace}"],
        ["plot", "nowhere.mcap"],
        ["plot", "{trace}", "-o", "picture.jpeg"],
        ["plot", "{trace}", "-o", "no/such/folder/picture.html"],
        ["plot", "{trace}", "--from", "20", "--to", "10"],
        ["plot", "{trace}", "--from", "9000", "-o", "later.html"],
        ["demo", "--seconds", "1"],
        ["demo", "--speed", "0"],
        ["dance"],
    ],
    ids=lambda arguments: " ".join(arguments),
)
def test_bad_input_gives_a_sentence_and_no_traceback(
    shelfedge, trace: Path, tmp_path: Path, arguments: list[str]
) -> None:
    (tmp_path / "empty.mcap").touch()
    (tmp_path / "text.txt").write_text("nothing of use\n", encoding="utf-8")
    (tmp_path / "folder").mkdir()
    places = {
        "{trace}": trace,
        "{empty}": tmp_path / "empty.mcap",
        "{text}": tmp_path / "text.txt",
        "{folder}": tmp_path / "folder",
    }
    done = shelfedge(*[places.get(argument, argument) for argument in arguments], cwd=tmp_path)
    assert done.returncode in (1, 2), done
    assert "Traceback" not in done.stderr
    assert done.stderr.strip()
    assert done.stdout == ""


def test_a_reader_that_goes_away_is_no_error() -> None:
    command = f"{sys.executable} -m edge.cli.main config schema | head -n 1"
    done = subprocess.run(["bash", "-c", command], capture_output=True, text=True, cwd=ROOT, check=False)
    assert done.stderr == ""
