"""How long a person waits: whole processes from their start, compiled kernels at hand."""

from __future__ import annotations

import os
import statistics
import subprocess
import sys
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path

REPEATS = 7
SECONDS = 20.0
SEED = 90_300


@dataclass(frozen=True, slots=True)
class StartUp:
    """Seconds; the machine is shared, so the best and the median of the repeats.

    Attributes:
        help_*: `shelfedge --help`. first_decision_*: `shelfedge replay` of a short trace, until its first event.
    """

    help_best_s: float
    help_median_s: float
    first_decision_best_s: float
    first_decision_median_s: float


def measure(repeats: int = REPEATS) -> StartUp:
    """Start each command several times and take the time to its end, or to its first line."""
    from edge.node.simulate import simulate_trace
    from hil.layouts import corner_boards

    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "short.mcap"
        simulate_trace(corner_boards(SEED), path, SEED, SECONDS)
        helps = [_seconds_to_first_line("--help") for _ in range(repeats)]
        firsts = [_seconds_to_first_line("replay", str(path)) for _ in range(repeats + 1)][1:]  # the first one compiles
    return StartUp(min(helps), statistics.median(helps), min(firsts), statistics.median(firsts))


def _seconds_to_first_line(*arguments: str) -> float:
    """From starting `shelfedge` with these arguments until its first line (of `--help`: all of it) is there."""
    root = Path(__file__).parents[1]
    command = [sys.executable, "-m", "edge.cli.main", *arguments]
    began = time.perf_counter()
    with subprocess.Popen(
        command,
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        env=os.environ | {"PYTHONPATH": str(root)},
    ) as process:
        assert process.stdout is not None
        got = process.stdout.read() if arguments == ("--help",) else process.stdout.readline()
        took_s = time.perf_counter() - began
        process.stdout.read()
    if not got or process.returncode:
        raise RuntimeError(f"shelfedge {' '.join(arguments)} failed ({process.returncode})")
    return took_s
