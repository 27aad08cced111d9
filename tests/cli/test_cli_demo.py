"""The demo: finds what its shopper does, and fits the terminal."""

from __future__ import annotations

import io
import math

import pytest

from edge.cli.braille import braille_curve
from edge.cli.demo_screen import Screen, rows_of
from edge.config.demo import demo_node_path
from edge.config.setup import load_setup
from edge.node.demo import Demo, FastClock
from edge.trace.curves import CurveBuilder

NS_PER_S = 1_000_000_000


@pytest.fixture(scope="module")
def played() -> tuple[Demo, CurveBuilder]:
    """The whole demo, on a clock that is told the time."""
    told_ns = [0]
    demo = Demo(load_setup(demo_node_path()), 1, 40.0, lambda: told_ns[0])
    curves = CurveBuilder(demo.setup)
    while not demo.over:
        told_ns[0] += NS_PER_S // 4
        blocks, _ = demo.step()
        curves.add(blocks)
    demo.finish()
    return demo, curves


def test_what_is_shown_is_what_happened(played: tuple[Demo, CurveBuilder]) -> None:
    demo, _ = played
    rows, result = rows_of(demo.events, demo.truth(), demo.now_s)
    assert result.label_units >= 5
    assert result.f1 == 1.0
    assert [row.time_s for row in rows] == sorted(row.time_s for row in rows)
    assert all(row.label is not None and row.event is not None for row in rows)


@pytest.mark.parametrize(("columns", "lines"), [(80, 24), (120, 40), (60, 16)])
def test_a_frame_fits_the_terminal(played: tuple[Demo, CurveBuilder], columns: int, lines: int) -> None:
    from rich.console import Console

    demo, curves = played
    console = Console(width=columns, height=lines, record=True, file=io.StringIO(), force_terminal=True)
    rows, _ = rows_of(demo.events, demo.truth(), demo.now_s)
    screen = Screen(demo.setup, 40.0, 2.0, 1)
    console.print(screen.frame(demo.now_s, curves.curves(), rows, columns, lines))
    text = console.export_text().splitlines()
    assert len(text) <= lines
    assert max(map(len, text)) <= columns
    assert any("shelf-1" in line and " g " in line for line in text)
    assert any("✓ right" in line for line in text)


def test_what_is_not_yet_decided_waits_and_then_is_missed(played: tuple[Demo, CurveBuilder]) -> None:
    demo, _ = played
    truth = demo.truth()[:1]
    assert rows_of([], truth, truth[0].end_s + 0.5)[0][0].verdict == "pending"
    assert rows_of([], truth, truth[0].end_s + 60.0)[0][0].verdict == "missed"


def test_braille_joins_points_leaves_gaps_and_stays_inside() -> None:
    assert braille_curve([0.0, 0.0, 1.0, 1.0], 2, 1, 0.0, 1.0) == ["⣀⡏"]
    flat = braille_curve([0.0] * 4, 2, 2, 0.0, 1.0)
    assert flat == ["⠀⠀", "⣀⣀"]
    assert braille_curve([math.nan] * 4, 2, 1, 0.0, 1.0) == ["⠀⠀"]
    assert braille_curve([9.0, -9.0], 1, 1, 0.0, 1.0) == ["⢹"]


def test_the_fast_clock_starts_at_zero_and_runs_at_its_speed() -> None:
    real_ns = [7 * NS_PER_S]
    clock = FastClock(3.0, lambda: real_ns[0])
    assert clock() == 0
    real_ns[0] += NS_PER_S
    assert clock() == 3 * NS_PER_S


def test_without_a_terminal_the_demo_prints_lines(shelfedge) -> None:
    done = shelfedge("demo", "--seconds", "15", "--speed", "50")
    assert done.returncode == 0, done.stderr
    assert "really" in done.stdout
    assert "final" in done.stdout
    assert "F1" in done.stdout
