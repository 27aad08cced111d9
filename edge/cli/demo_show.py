"""Runs the demo on a screen or as plain lines."""

from __future__ import annotations

import contextlib
import time

from rich.console import Console
from rich.live import Live

from edge.cli.demo_screen import Screen, clock, percent, rows_of
from edge.cli.score_table import score_table
from edge.config.demo import demo_node_path
from edge.config.setup import Setup, load_setup
from edge.fusion.score import Score, score
from edge.node.demo import Demo, FastClock, compile_kernels
from edge.trace.counted import counted
from edge.trace.curves import CurveBuilder
from edge.trace.event import Event, Label

_FRAME_S = 0.125
_PLAIN_STEP_S = 0.25


def run_screen(seed: int, seconds: float, speed: float) -> None:
    """The live view, and the tally when the scene is over or Ctrl-C ends it."""
    console = Console()
    setup = load_setup(demo_node_path())
    with console.status("compiling the kernels, once ..."):
        compile_kernels(setup, seed)
    demo = Demo(setup, seed, seconds, FastClock(speed))
    screen = Screen(demo.setup, seconds, speed, seed)
    curves = CurveBuilder(demo.setup)
    with Live(console=console, screen=True, auto_refresh=False) as live, contextlib.suppress(KeyboardInterrupt):
        while not demo.over:
            started_s = time.monotonic()
            blocks, _ = demo.step()
            curves.add(blocks)
            rows, _ = rows_of(demo.events, demo.truth(), demo.now_s)
            live.update(screen.frame(demo.now_s, curves.curves(), rows, *console.size), refresh=True)
            time.sleep(max(0.0, _FRAME_S - (time.monotonic() - started_s)))
    demo.finish()
    rows, _ = rows_of(demo.events, demo.truth(), demo.now_s)
    console.print(screen.list_of(rows, console.width))
    _print_tally(console, demo)


def run_plain(seed: int, seconds: float, speed: float) -> None:
    """A line for each thing that happens or is decided, for logs and pipes, and the tally at the end."""
    console = Console(soft_wrap=True, highlight=False)
    setup = load_setup(demo_node_path())
    console.print("compiling the kernels, once ...")
    compile_kernels(setup, seed)
    demo = Demo(setup, seed, seconds, FastClock(speed))
    screen = Screen(demo.setup, seconds, speed, seed)
    told = 0
    while not demo.over:
        _, decided = demo.step()
        truth = demo.truth()
        for label in truth[told:]:
            console.print(_really_line(screen, label))
        told = len(truth)
        for event in decided:
            console.print(_decided_line(screen, event))
        time.sleep(_PLAIN_STEP_S)
    for event in demo.finish():
        console.print(_decided_line(screen, event))
    _print_tally(console, demo)


def _really_line(screen: Screen, label: Label) -> str:
    move = screen.move(label.kind, label.quantity, label.sku, label.slot)
    return f"{clock(label.start_s):>6}  really       {label.board}  {move}"


def _decided_line(screen: Screen, event: Event) -> str:
    move = screen.move(event.kind, event.quantity, event.sku, event.slot)
    review = ", for review" if event.needs_review else ""
    return (
        f"{clock(event.decided_ns / 1e9):>6}  {event.status.value:<11}  {event.board}  {move}  "
        f"({percent(event.confidence)} sure, moved at {clock(event.time_ns / 1e9)}{review})"
    )


def _print_tally(console: Console, demo: Demo) -> None:
    result = score(demo.truth(), demo.events, demo.now_s)
    console.print()
    console.print(_sentence(result, demo.setup), style="bold")
    console.print(score_table(result, f"{demo.setup.node.node}, simulated"))
    console.print(
        "The same on a recorded trace: shelfedge replay, plot and score; make one: shelfedge simulate", style="dim"
    )


def _sentence(result: Score, setup: Setup) -> str:
    boards = len(setup.node.boards)
    return (
        f"{counted(result.label_units, 'item')} moved on {counted(boards, 'board')}: {result.right_units} found right, "
        f"{result.missed_units} missed, {result.false_units} false, {result.review_units} for review, "
        f"{result.accepted_wrong_units} accepted wrongly."
    )
