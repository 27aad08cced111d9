"""Compile fusion's kernels before the first sample comes, so that the first visit isn't seen late.

The first time on a machine that takes a minute or more, and a process that has compiled is 200 MB larger for the rest
of its life. So a process of its own fills numba's cache, and the node loads from there. Run as a program, this module
is that process.
"""

from __future__ import annotations

import contextlib
import hashlib
import logging
import os
import platform
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Callable
from pathlib import Path

import numba
from llvmlite.binding import get_host_cpu_name  # type: ignore[import-untyped]

import drivers.hx711
import drivers.simulated
import edge.fusion
import edge.vision
from drivers.hx711.examiner import Examiner
from drivers.hx711.readings import Reading
from edge.config.demo import demo_node_path
from edge.config.setup import load_setup
from edge.fusion.path import follow
from edge.node.demo import compile_kernels

log = logging.getLogger("shelfedge.node")

PATIENCE_S = 2.0
"""Loading takes less; what takes longer is compiling, and somebody waits for it."""
_ROOM_BYTES = 32 * 1024 * 1024
_MOST_REFUSALS = 500  # more than there are kernels
_LOOK_EVERY_S = 0.1
_SIGHT = "sight"
_COMPILING = "compiling fusion for this machine (once, takes a minute) ..."


def warm_up(wanted: Callable[[], bool] = lambda: True, sight: bool = False) -> float:
    """Play a short scene on the demo's boards through a fusion of its own; gives the seconds it took.

    ``sight``: people will be followed too.

    The kernels' types are the same for every board, so any will do. Ends early when it is no longer ``wanted``.
    """
    began_s = time.monotonic()
    setup = load_setup(demo_node_path())
    told = threading.Timer(PATIENCE_S, log.info, (_COMPILING,))
    told.daemon = True
    told.start()
    try:
        for _ in range(_MOST_REFUSALS):
            try:
                compile_kernels(setup, 1, wanted)
                if sight:
                    _compile_sight(wanted)
                break
            except OSError as error:  # a kernel that can't be kept in the cache is compiled all the same
                log.debug("a compiled kernel can't be kept: %s", error)
    finally:
        told.cancel()
    return time.monotonic() - began_s


def fill_cache(wanted: Callable[[], bool], sight: bool = False) -> bool:
    """Have the kernels compiled by another process, where that hasn't been done; waits for it.

    ``sight``: those that follow people too. False when it is no longer ``wanted``. Where it can't be done, `warm_up`
    compiles in this process.
    """
    mark = _mark(sight)
    if mark is None or mark.exists() or not _has_room(mark.parent):
        return True
    began_s = time.monotonic()
    told = False
    root = str(Path(edge.fusion.__file__).parents[2])
    environ = {**os.environ, "PYTHONPATH": os.pathsep.join(filter(None, (root, os.environ.get("PYTHONPATH"))))}
    try:
        child = subprocess.Popen(
            [sys.executable, "-m", "edge.node.warm_up", *([_SIGHT] if sight else [])],
            env=environ,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            process_group=0,  # Ctrl-C is for the node, which ends it
        )
    except OSError as error:
        log.debug("no process to compile in: %s", error)
        return True
    with child:
        try:
            while True:
                with contextlib.suppress(subprocess.TimeoutExpired):
                    code = child.wait(_LOOK_EVERY_S)
                    break
                if not wanted():
                    return False
                if not told and time.monotonic() - began_s > PATIENCE_S:
                    log.info(_COMPILING)
                    told = True
        finally:
            if child.poll() is None:
                child.kill()
    if code:
        log.warning("compiling in a process of its own failed (%d); it is done in the node itself", code)
    elif told:
        log.info("compiled in %.0f s", time.monotonic() - began_s)
    return True


def compile_all() -> None:
    """Every kernel that a node may need: fusion's, simulated boards', and those that judge real chips' readings."""
    compile_kernels(load_setup(demo_node_path()), 1)
    examiner = Examiner(1, 80.0)
    for n in range(20):
        examiner.push(Reading(0, n * 12_500_000, 1000 + n % 7, 0))
        examiner.take(n * 12_500_000 + 1_000_000)
    examiner.flush()


def _compile_sight(wanted: Callable[[], bool] = lambda: True) -> None:
    from edge.node.warm_up_sight import compile_sight  # a node that follows nobody needs none of it

    compile_sight(wanted)


def _mark(sight: bool) -> Path | None:
    """The file, in numba's cache, that says that it was filled for these kernels on this machine; None: no cache."""
    stats = getattr(follow, "stats", None)  # there are none with NUMBA_DISABLE_JIT=1
    if stats is None or not stats.cache_path:
        return None
    facts = [platform.python_version(), numba.__version__, platform.machine(), get_host_cpu_name()]
    for package in (edge.fusion, drivers.hx711, drivers.simulated, *([edge.vision] if sight else [])):
        for path in sorted(Path(str(package.__file__)).parent.glob("*.py")):
            found = path.stat()
            facts.append(f"{path.name} {found.st_mtime_ns} {found.st_size}")
    digest = hashlib.sha256("\n".join(facts).encode()).hexdigest()[:16]
    return Path(stats.cache_path) / f"shelfedge-{_SIGHT if sight else 'kernels'}-{digest}.txt"


def _has_room(folder: Path) -> bool:
    """Whether compiled kernels can be kept there."""
    try:
        folder.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryFile(dir=folder) as file:
            os.posix_fallocate(file.fileno(), 0, _ROOM_BYTES)
    except OSError as error:
        log.debug("compiled kernels can't be kept: %s: %s", folder, error)
        return False
    return True


def _write_mark(sight: bool) -> None:
    mark = _mark(sight)
    if mark is not None:
        with contextlib.suppress(OSError):
            for old in mark.parent.glob(f"{mark.name.rpartition('-')[0]}-*.txt"):
                old.unlink()
            mark.write_text("numba's cache has been filled; see edge/node/warm_up.py\n")


if __name__ == "__main__":
    compile_all()
    if _SIGHT in sys.argv[1:]:
        _compile_sight()
    _write_mark(_SIGHT in sys.argv[1:])
