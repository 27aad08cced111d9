"""`make bench`: sensing quality, calibration, peers, stock, speed and cost, measured on this machine by this code.

Prints its tables; writes bench.json, bench.md, reliability.png and trade_off.png. Complaints and progress go to stderr.
"""

from __future__ import annotations

import argparse
import json
import sys
import tempfile
import time
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path

from rich import box
from rich.console import Console
from rich.table import Table

from edge.config.schema import FusionOptions
from edge.node.demo import compile_kernels
from hil import live_cost, speed, start_up
from hil.bench_table import Sheet, sheets, to_markdown, to_object
from hil.case_facts import CaseFacts, EventFact
from hil.families import FAMILIES, why_skipped
from hil.figures import pooled
from hil.inventory import InventoryJob, run_inventory
from hil.layouts import corner_boards
from hil.reliability import draw_reliability, reliability_of
from hil.results import ALL_BUT_HARD, HARD, NOTHING, Results
from hil.run_family import SceneJob, by_family, run_jobs, run_scene
from hil.trade_off import draw_trade_off, point_at, trade_off

PARTS = ("quality", "layouts", "inventory", "speed", "live", "start")
MINUTES = 5.0
LAYOUT_FAMILIES = ("calm", "busy", "grabs", "leans", "everything")
LAYOUTS = ("two", "lanes", "one")
NOTHING_HOURS = 24
INVENTORY = ("calm", "grabs", "wrong-slot", "everything")
INVENTORY_FROM = 90  # seed indices that no other scene uses
INVENTORY_MINUTES = 75.0  # 3-5 s apart: over 1,000 movements
PIPE_WIDTH = 190  # characters
REVIEW_BELOW = FusionOptions().review_below


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the parts asked for; 1 if a scene failed."""
    options = _options().parse_args(arguments)
    parts = options.only or PARTS
    console = Console(stderr=True)
    began = time.monotonic()
    partial = bool(options.only) or set(options.families) != set(FAMILIES)
    found = Results(partial=partial, split=options.split, seeds=options.seeds)
    with console.status("compiling kernels, once ..."):
        compile_kernels(corner_boards(1), 1)
    if "speed" in parts:  # first, while nothing else runs
        with console.status("measuring the speed of fusion (samples are simulated first, which takes longer) ..."):
            found.speeds = speed.speeds(*_speed_sizes(options.quick))
            found.long_replay = speed.long_replay(1 if options.quick else speed.LONG_HOURS)
    if "live" in parts:
        with console.status("measuring the live cost over 24 h of data ..."), tempfile.TemporaryDirectory() as folder:
            path = Path(folder) / "live.mcap"
            live_cost.prepare(path)
            found.live = live_cost.measure(path, *((0.1, 2.0) if options.quick else ()))
    if "start" in parts:
        with console.status("measuring start-up ..."):
            found.start_up = start_up.measure(3 if options.quick else start_up.REPEATS)
    for part, run in (("quality", _quality), ("layouts", _layouts), ("inventory", _inventory)):
        if part in parts:
            run(found, options, console)
    _write(found, options.out)
    for sheet in sheets(found, {}):
        _show(sheet)
    for failure in found.failures:
        console.print(f"failed: {failure}", style="red", markup=False)
    for name, why in found.skipped.items():
        console.print(f"skipped: {name}: {why}", markup=False)
    console.print(f"{time.monotonic() - began:.0f} s; written to {options.out}/", markup=False)
    return 1 if found.failures else 0


def _options() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m hil.bench", description="Sensing quality, speed and cost.")
    parser.add_argument("--only", type=_names(PARTS), help=f"parts to run, of {','.join(PARTS)} (default: all)")
    parser.add_argument("--families", type=_names(FAMILIES), default=tuple(FAMILIES), help="of " + ",".join(FAMILIES))
    parser.add_argument("--split", choices=("tuning", "reporting"), default="reporting")
    parser.add_argument("--seeds", type=int, default=8, help="scenes per family (default 8)")
    parser.add_argument("--peer-seeds", type=int, default=2, help="how many of them the peers get too (default 2)")
    parser.add_argument("--no-peers", action="store_true")
    parser.add_argument("--quick", action="store_true", help="a few seeds and short traces: does everything run?")
    parser.add_argument("--workers", type=int, default=2, help="processes for scenes (default 2)")
    parser.add_argument("--out", type=Path, default=Path("out"), help="folder for what is written (default out)")
    return parser


def _names(known: Iterable[str]) -> Callable[[str], tuple[str, ...]]:
    choices = tuple(known)

    def split(text: str) -> tuple[str, ...]:
        names = tuple(name.strip() for name in text.split(",") if name.strip())
        unknown = [name for name in names if name not in choices]
        if unknown or not names:
            raise argparse.ArgumentTypeError(f"unknown: {', '.join(unknown)}; expected some of {', '.join(choices)}")
        return names

    return split


def _quality(found: Results, options: argparse.Namespace, console: Console) -> None:
    seeds = min(options.seeds, 2) if options.quick else options.seeds
    peer_seeds = 0 if options.no_peers else min(1 if options.quick else options.peer_seeds, seeds)
    peers = _peer_names() if peer_seeds else ()
    jobs = []
    for family in _with_recordings(options.families, found):
        if family == NOTHING:
            hours = 2 if options.quick else NOTHING_HOURS
            jobs += [SceneJob(family, "corners", options.split, index, 60.0) for index in range(hours)]
            continue
        for index in range(seeds):
            theirs = peers if index < peer_seeds else ()
            jobs.append(SceneJob(family, "corners", options.split, index, MINUTES, theirs))
    done, failures = run_jobs(run_scene, jobs, "families of scenes", console, options.workers, _job_name)
    found.failures += failures
    found.scenes = by_family(result.fusion for _, result in done)
    with_peers = [result for job, result in done if job.peers]
    found.peer_base = by_family(result.fusion for result in with_peers)
    for name in peers:
        groups = by_family(result.peers[name] for result in with_peers if name in result.peers)
        if groups:
            found.peers[name] = groups
        else:
            found.skipped[name] = "this peer's library isn't installed (extra `bench`)"
    for result in (result for _, result in done):
        making_s, deciding_s = found.processor_s.get(result.fusion.family, (0.0, 0.0))
        found.processor_s[result.fusion.family] = (making_s + result.making_s, deciding_s + result.deciding_s)
    everything = found.all_scenes()
    if not everything:
        return
    found.calibration = reliability_of(everything)
    found.curves["all families"] = trade_off(everything)
    found.defaults["all families"] = point_at(_events(everything), REVIEW_BELOW)
    easier = [facts for facts in everything if facts.family not in HARD]
    if 0 < len(easier) < len(everything):
        found.curves[ALL_BUT_HARD] = trade_off(easier)
        found.defaults[ALL_BUT_HARD] = point_at(_events(easier), REVIEW_BELOW)


def _layouts(found: Results, options: argparse.Namespace, console: Console) -> None:
    families = [family for family in LAYOUT_FAMILIES if family in options.families]
    seeds = min(options.seeds, 1 if options.quick else 6)
    jobs = [
        SceneJob(family, layout, options.split, index, MINUTES)
        for layout in LAYOUTS
        for family in families
        for index in range(seeds)
    ]
    done, failures = run_jobs(run_scene, jobs, "other layouts", console, options.workers, _job_name)
    found.failures += failures
    for layout in LAYOUTS:
        groups = by_family(result.fusion for _, result in done if result.fusion.layout == layout)
        if groups:
            found.layouts[layout] = groups


def _inventory(found: Results, options: argparse.Namespace, console: Console) -> None:
    minutes = 10.0 if options.quick else INVENTORY_MINUTES
    families = [family for family in INVENTORY if family in options.families]
    jobs = [
        InventoryJob(family, options.split, INVENTORY_FROM + index, minutes)
        for family in families
        for index in range(1 if options.quick else 2)
    ]
    done, failures = run_jobs(run_inventory, jobs, "stock after 1,000 visits", console, options.workers)
    found.failures += failures
    found.inventory = [books for _, books in done]


def _peer_names() -> tuple[str, ...]:
    from hil.peers import PEERS

    return tuple(PEERS)


def _with_recordings(families: Sequence[str], found: Results) -> list[str]:
    """Families that can be made here; those that need recordings which are absent are noted as skipped."""
    reasons = {family: why_skipped(family) for family in families}
    found.skipped |= {family: reason for family, reason in reasons.items() if reason is not None}
    return [family for family, reason in reasons.items() if reason is None]


def _speed_sizes(quick: bool) -> tuple[tuple[float, ...], tuple[int, ...], int]:
    return ((0.25, 0.5), (1, 2), 1) if quick else (speed.HOURS, speed.BOARDS, 3)


def _events(cases: Sequence[CaseFacts]) -> list[EventFact]:
    return [event for facts in cases for event in facts.events]


def _job_name(job: SceneJob) -> str:
    return f"{job.family}, {job.layout}, scene {job.index}"


def _write(found: Results, folder: Path) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "bench.json").write_text(json.dumps(to_object(found), indent=1, ensure_ascii=False), encoding="utf-8")
    titles = {name: family.title for name, family in FAMILIES.items()}
    (folder / "bench.md").write_text(to_markdown(found, titles), encoding="utf-8")
    if found.calibration is not None and found.calibration.count:
        scenes = f"{found.split} scenes of {len(found.scenes)} families, four-cell boards; reviewed events included"
        draw_reliability(found.calibration, folder / "reliability.png", scenes)
    if found.curves:
        peers = {
            name: pooled([facts for group in groups.values() for facts in group]).accepted_error
            for name, groups in found.peers.items()
        }
        draw_trade_off(found.curves, found.defaults, peers, folder / "trade_off.png")


def _show(sheet: Sheet) -> None:
    """On a terminal, in its width; into a pipe, wide enough for every table."""
    console = Console(width=None if sys.stdout.isatty() else PIPE_WIDTH)
    table = Table(title=sheet.title, title_justify="left", box=box.SIMPLE_HEAD, pad_edge=False)
    for number, name in enumerate(sheet.head):
        table.add_column(name, justify="left" if number == 0 else "right", overflow="fold")
    for row in sheet.rows:
        table.add_row(*row)
    console.print(table)


if __name__ == "__main__":
    sys.exit(main())
