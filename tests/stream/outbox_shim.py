"""The preloaded library that fails, tears or records what an outbox does to its disk: building it, arming it."""

from __future__ import annotations

import ctypes
import errno
import os
import shutil
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

OFF, FAIL_ONCE, FAIL_ON, TEAR, RECORD = range(5)
TORN = 77  # exit status of a process whose write was torn
ROOT = Path(__file__).parents[2]


def why_not() -> str | None:
    """Why it can't be built here; None if it can."""
    if not sys.platform.startswith("linux"):
        return "the preloaded library is for Linux"
    return None if shutil.which("gcc") else "no gcc to build the preloaded library with"


def built(folder: Path) -> Path:
    """The library."""
    library = folder / "outbox_shim.so"
    source = Path(__file__).with_name("outbox_shim.c")
    subprocess.run(["gcc", "-O1", "-shared", "-fPIC", "-o", library, source, "-ldl"], check=True)
    return library


def run_victim(library: Path, *arguments: str | Path) -> str:
    """Run outbox_victim.py with the library; what it prints."""
    environment = os.environ | {"LD_PRELOAD": str(library), "PYTHONPATH": f"{ROOT}{os.pathsep}{Path(__file__).parent}"}
    command = [sys.executable, str(Path(__file__).with_name("outbox_victim.py")), *map(str, arguments)]
    return subprocess.run(command, env=environment, check=True, text=True, stdout=subprocess.PIPE, timeout=300).stdout


def arm(folder: Path, mode: int, at: int = -1, code: int = errno.EIO, log: Path | None = None) -> None:
    """In a process with the library: from now on. `at` counts changes from 0."""
    ctypes.CDLL(None).shim_arm(os.fsencode(folder), mode, ctypes.c_long(at), code, os.fsencode(log or ""))


def seen() -> int:
    """How many changes there were since it was armed."""
    function = ctypes.CDLL(None).shim_seen
    function.restype = ctypes.c_long
    return int(function())


def mark(text: str) -> None:
    """Note something down between the changes."""
    ctypes.CDLL(None).shim_mark(text.encode())


@dataclass(frozen=True)
class Change:
    """One change of a file: write, sync, cut, rename, unlink, make; or a mark, with its text as path."""

    what: str
    path: str
    other: str
    offset: int
    data: bytes


def read_log(path: Path) -> Iterator[Change]:
    """What was recorded, in order."""
    with path.open("rb") as file:
        while line := file.readline():
            what, name, other, offset, size = line.decode().rstrip("\n").split("\t")
            yield Change(what, name, other, int(offset), file.read(int(size)))
