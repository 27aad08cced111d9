"""The peers' formulas against slow twins: overlap of Gaussians, moving statistics, runs, shares of a change."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from peers_scene import corner_shelf, lanes, one_cell_shelf, scene

from hil.peers.gaussians import below, overlap_area
from hil.peers.recording import recording_of
from hil.peers.shelf import shelves_of
from hil.peers.windows import active_runs, moving_mean, moving_variance


def _integrated(mean_a: float, sd_a: float, mean_b: float, sd_b: float) -> float:
    x = np.linspace(min(mean_a, mean_b) - 9 * max(sd_a, sd_b), max(mean_a, mean_b) + 9 * max(sd_a, sd_b), 400_001)
    a = np.exp(-0.5 * ((x - mean_a) / sd_a) ** 2) / (sd_a * np.sqrt(2 * np.pi))
    b = np.exp(-0.5 * ((x - mean_b) / sd_b) ** 2) / (sd_b * np.sqrt(2 * np.pi))
    return float(np.minimum(a, b).sum() * (x[1] - x[0]))


@settings(max_examples=60, deadline=None)
@given(st.floats(-50, 50), st.floats(0.5, 20), st.floats(0.5, 20))
def test_the_overlap_area_is_the_integral_of_the_lower_curve(apart: float, sd_a: float, sd_b: float) -> None:
    assert overlap_area(300.0, sd_a, 300.0 + apart, sd_b) == pytest.approx(
        _integrated(300.0, sd_a, 300.0 + apart, sd_b), abs=2e-5
    )


@pytest.mark.parametrize("sd", [1.0, 10.0])
def test_the_overlap_area_of_equal_spreads_has_a_short_form(sd: float) -> None:
    assert overlap_area(0.0, sd, 2.0 * sd, sd) == pytest.approx(2.0 * below(-1.0))
    assert overlap_area(5.0, sd, 5.0, sd) == pytest.approx(1.0)
    assert overlap_area(0.0, sd, 3.0, sd * (1 + 1e-12)) == pytest.approx(overlap_area(0.0, sd, 3.0, sd))


def test_a_spread_of_zero_is_refused() -> None:
    with pytest.raises(ValueError, match="positive standard deviations"):
        overlap_area(0.0, 0.0, 1.0, 1.0)


@settings(max_examples=30, deadline=None)
@given(st.lists(st.floats(-1000, 1000), min_size=1, max_size=40), st.integers(1, 12))
def test_moving_statistics_are_those_of_the_window(values: list[float], window: int) -> None:
    array = 20_000.0 + np.array(values)
    means, variances = moving_mean(array, window), moving_variance(array, window)
    for at in range(array.size):
        inside = array[max(at - window // 2, 0) : at + (window + 1) // 2]
        assert means[at] == pytest.approx(inside.mean(), abs=1e-6)
        assert variances[at] == pytest.approx(inside.var(ddof=1) if inside.size > 1 else 0.0, abs=1e-4)


@pytest.mark.parametrize(
    ("pattern", "runs"),
    [
        ("....####......", [(4, 8)]),
        ("....##........", []),  # too short
        ("....###.##.....", [(4, 10)]),  # goes on through a short quiet
        ("..###....####....", [(2, 5), (9, 13)]),
        ("....#####", []),  # doesn't come to rest
        ("....#####..", []),  # not for long enough
    ],
)
def test_a_run_lasts_to_the_first_long_quiet(pattern: str, runs: list[tuple[int, int]]) -> None:
    assert active_runs(np.array([letter == "#" for letter in pattern]), 2, 3) == runs


def test_shares_lie_where_the_centre_of_pressure_lies() -> None:
    (shelf,) = shelves_of(_recording_of("corners"))
    change_g = -350.0 * np.array([0.25 * (1 + 100 / 370), 0.25 * (1 - 100 / 370)] * 2)  # 100 mm left of the middle
    assert shelf.place(change_g) == (pytest.approx(300.0), pytest.approx(200.0))
    assert shelf.shares(change_g) == pytest.approx([0.0, 350.0, 0.0, 0.0], abs=0.1)
    at_a_border = -350.0 * np.full(4, 0.25)
    assert shelf.shares(at_a_border) == pytest.approx([0.0, 175.0, 175.0, 0.0], abs=0.1)


def test_a_board_on_one_cell_shares_equally_and_a_lane_keeps_its_own() -> None:
    (shelf,) = shelves_of(_recording_of("one"))
    assert shelf.place(np.array([-350.0])) == (None, None)
    assert shelf.shares(np.array([-350.0])) == pytest.approx([350.0] * 4)
    (shelf,) = shelves_of(_recording_of("lanes"))
    assert shelf.shares(np.array([0.0, -350.0, 4.0, 0.0])) == pytest.approx([0.0, 350.0, 4.0, 0.0])


def _recording_of(layout: str):  # type: ignore[no-untyped-def]
    setup = {"corners": corner_shelf, "one": one_cell_shelf, "lanes": lanes}[layout]()
    return recording_of(setup, layout, scene(setup, layout, []).blocks)
