"""`make bench`: the figures of the README, measured on this machine by this code; also written to out/bench.json."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from rich.console import Console
from rich.table import Table

from drivers.simulated.shopper import RandomShopper
from edge.fusion.replay import replay
from edge.fusion.score import Score, score
from edge.node.demo import compile_kernels
from edge.node.simulate import physics_for, simulate_trace, simulated_blocks
from edge.trace.reader import TraceReader
from hil.layouts import corner_boards

REPORT_SEEDS = range(90_001, 90_021)  # for reporting only: nobody tunes on these
SCENE_MINUTES = 5
LONG_HOURS = 10
LONG_BOARDS = 4

Row = tuple[str, str, str]


def main() -> None:
    """Run every bench and print its rows: what, measured, target."""
    console = Console(stderr=True)
    rows: list[Row] = []
    compile_kernels(corner_boards(1), 1)
    for title, bench in (
        (f"{len(REPORT_SEEDS)} scenes of {SCENE_MINUTES} min", calm_scenes),
        (
            f"a {LONG_HOURS} h trace of {LONG_BOARDS * 4} cells (simulating it takes longer than replaying it)",
            long_replay,
        ),
        ("start-up", start_up),
    ):
        with console.status(f"measuring {title} ..."):
            rows += bench()
    table = Table("what", "measured", "target", title="shelfedge bench")
    for row in rows:
        table.add_row(*row)
    Console().print(table)
    out = Path("out")
    out.mkdir(exist_ok=True)
    (out / "bench.json").write_text(
        json.dumps([dict(zip(("what", "measured", "target"), row, strict=True)) for row in rows], indent=1)
    )


def calm_scenes() -> list[Row]:
    """Four corner cells, eight slots, picks and puts 3-5 s apart, default noise; boards, SKUs and physics by seed."""
    scores: list[Score] = []
    seconds = 60.0 * SCENE_MINUTES
    for seed in REPORT_SEEDS:
        setup = corner_boards(seed)
        scene = RandomShopper(seed, until_s=seconds - 4)
        calibrated, labels, blocks = simulated_blocks(setup, physics_for(setup, seed), scene, seed, seconds)
        scores.append(score(labels, list(replay(blocks, calibrated)), seconds))
    labels_n, events_n = sum(s.label_units for s in scores), sum(s.event_units for s in scores)
    right = sum(s.right_units for s in scores)
    accepted = sum(s.accepted_units for s in scores)
    wrong = sum(s.accepted_wrong_units for s in scores)
    early = sorted(s.first_latency.median_s or 0.0 for s in scores)
    late = sorted(s.final_latency.p95_s or 0.0 for s in scores)
    middle = len(scores) // 2
    return [
        ("picks and puts 3-5 s apart: F1", f"{2 * right / (labels_n + events_n):.4f} ({labels_n} units)", ">= 0.99"),
        ("  worst single scene", f"{min(s.f1 or 0.0 for s in scores):.4f}", ""),
        ("  sent to review", f"{sum(s.review_units for s in scores) / events_n:.2%}", ""),
        ("  wrong among the accepted", f"{wrong / accepted:.2%} ({wrong} of {accepted})", ""),
        ("  first right answer after the label's end, median", f"{early[middle] * 1e3:.0f} ms", ""),
        ("  final after the label's end, p95 (median scene)", f"{late[middle]:.1f} s", ""),
    ]


def long_replay() -> list[Row]:
    """Trace file to events, everything included, in this one process."""
    setup = corner_boards(90_100, boards=LONG_BOARDS)
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "long.mcap"
        labels = simulate_trace(setup, path, 90_100, LONG_HOURS * 3600.0)
        size = path.stat().st_size
        began, cpu = time.perf_counter(), time.process_time()
        with TraceReader(path) as reader:
            events = sum(1 for _ in replay(reader.epochs(), reader.require_setup()))
            samples = reader.sample_count or 0
        took, cpu = time.perf_counter() - began, time.process_time() - cpu
    return [
        (f"{LONG_HOURS} h, {LONG_BOARDS * 4} cells, 80 Hz, {len(labels)} movements: replay", f"{took:.1f} s", "< 60 s"),
        ("  times real time", f"{LONG_HOURS * 3600 / took:.0f}", ""),
        ("  cell-samples per second, file to events", f"{samples / took / 1e6:.2f} M", ""),
        ("  processor time", f"{cpu:.1f} s", "one core"),
        ("  events and revisions", f"{events}", ""),
        ("  trace size", f"{size / samples:.2f} bytes per sample", ""),
    ]


def start_up() -> list[Row]:
    """Whole processes, the best of five (the machine is shared)."""
    command = [sys.executable, "-m", "edge.cli.main", "--help"]
    environment = os.environ | {"PYTHONPATH": str(Path(__file__).parents[1])}
    times = []
    for _ in range(5):
        began = time.perf_counter()
        subprocess.run(command, check=True, capture_output=True, env=environment)
        times.append(time.perf_counter() - began)
    return [("shelfedge --help", f"{min(times) * 1e3:.0f} ms", "< 300 ms")]


if __name__ == "__main__":
    main()
