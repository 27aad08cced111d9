"""How another node's clock stands to ours: the truth is always within what is stated, whatever the network does."""

from __future__ import annotations

import statistics

import pytest

from edge.stream.track_clock import LEAST_SD_NS, ONE_WAY_AFTER_NS, ClockBounds
from hil.track_line import Delay, Line, burdened, lopsided, stalled, wired, wireless

S, MS = 10**9, 10**6


@pytest.mark.parametrize(
    ("there", "back", "sd_ms"),
    [
        pytest.param(wired, wired, 1.0, id="wired"),
        pytest.param(wireless, wireless, 5.0, id="wireless"),
        pytest.param(stalled, stalled, 1.0, id="stalled"),
        pytest.param(wired, burdened, 2.0, id="burdened one way"),
        pytest.param(stalled, wired, 1.0, id="stalled one way"),
        pytest.param(wired, lopsided, 6.0, id="slower one way"),
    ],
)
@pytest.mark.parametrize("ppm", [-50, 50])
def test_the_error_is_within_the_stated_sd(there: Delay, back: Delay, sd_ms: float, ppm: int) -> None:
    """An hour, clocks that differ by a day and drift apart by 50 ppm."""
    line = Line(lambda at_s: 86_400.0 * S + ppm * 1e-6 * at_s * S, there, back, seed=40 + ppm)
    line.run(3600.0)
    assert line.within == 1.0
    assert statistics.median(line.sds_ns) <= sd_ms * MS
    assert len(line.errors_ns) > 3500
    assert line.bounds.slips == 0


def test_a_long_outage_leaves_the_bounds_right_and_the_first_answer_makes_them_narrow_again() -> None:
    line = Line(
        lambda at_s: -5.0 * S + 50e-6 * at_s * S,
        wired,
        wired,
        5,
        silent=lambda at_s: 600.0 < at_s < 600.0 + 12 * 3600.0,
    )
    line.run(13 * 3600.0)
    assert line.within == 1.0
    assert max(line.sds_ns) > 4 * S  # 12 h at 100 ppm
    assert line.sds_ns[-1] < 2 * MS
    assert line.bounds.slips == 0


def test_a_clock_that_is_slewed_costs_milliseconds_for_a_while() -> None:
    """By 500 ppm each, in opposite directions: the most that kernels do. It shows when bounds contradict each other."""

    def offset_ns(at_s: float) -> float:
        return 1000e-6 * S * min(max(at_s - 600.0, 0.0), 900.0)

    line = Line(offset_ns, wired, wired, 6)
    line.run(3600.0)
    assert line.bounds.slips >= 1
    assert max(line.errors_ns) < 5 * MS
    assert line.within >= 0.95
    assert line.sds_ns[-1] < 2 * MS


@pytest.mark.parametrize("jump_s", [-300.0, 300.0])
def test_a_clock_that_slept_is_found_out_by_the_next_answer(jump_s: float) -> None:
    line = Line(lambda at_s: jump_s * S * (at_s > 100.5), wired, wired, 7)
    line.run(100.0)
    assert line.within == 1.0
    line.errors_ns.clear()
    line.run(20.0, from_s=101.0)
    assert line.bounds.slips >= 1
    assert all(error < 5 * MS for error in line.errors_ns[-15:])


def test_without_answers_a_message_is_thought_to_take_0_to_20_ms() -> None:
    line = Line(lambda at_s: 3.0 * S + 50e-6 * at_s * S, wireless, wireless, 8, answers=False)
    line.run(600.0)
    assert line.within == 1.0
    found = line.bounds.offset(600 * S)
    assert found is not None
    assert not found.two_way
    assert found.sd_ns == 10 * MS


def test_nothing_is_said_before_enough_is_known() -> None:
    bounds = ClockBounds()
    assert bounds.offset(0) is None
    bounds.heard(0, 5 * MS)
    assert bounds.offset(10 * MS) is None  # an answer may come yet
    assert bounds.offset(5 * MS + ONE_WAY_AFTER_NS) is not None
    bounds.answered(6 * MS, 7 * MS, 8 * MS)
    found = bounds.offset(8 * MS)
    assert found is not None
    assert found.two_way
    assert found.sd_ns >= LEAST_SD_NS
