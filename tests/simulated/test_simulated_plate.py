"""The plate rings at the frequency and with the damping that it was given, and sits still where it should."""

from __future__ import annotations

import math

import numpy as np
import pytest
from simulated_boards import CORNERS, STILL_CELL, board, cell_series, run, script, settled_g

from drivers.simulated.kernels import ring
from drivers.simulated.scene import Lean, Pick


def _step_response(hz: float, damping: float, held_g: float = 0.0, softening_g: float = 20_000.0):
    n = 4000
    state = np.zeros((1, 2))
    return ring(np.ones((1, n)), np.full(n, held_g), state, np.array([hz]), damping, softening_g, 0.001)[0]


@pytest.mark.parametrize(("hz", "damping"), [(10.0, 0.02), (18.0, 0.06), (30.0, 0.15)])
def test_ring_frequency_and_decay_are_as_configured(hz, damping):
    away = _step_response(hz, damping) - 1.0
    crossings = np.flatnonzero(np.diff(np.sign(away[:1000])) != 0)
    at = crossings + away[crossings] / (away[crossings] - away[crossings + 1])
    half_period_s = np.mean(np.diff(at[:6])) * 0.001
    assert 1 / (2 * half_period_s) == pytest.approx(hz * math.sqrt(1 - damping**2), rel=0.01)
    half = round(half_period_s * 1000)
    peaks = [np.abs(away[k * half : (k + 1) * half]).max() for k in range(1, 5)]
    decrement = np.mean(np.diff(np.log(peaks)))
    assert decrement == pytest.approx(-math.pi * damping / math.sqrt(1 - damping**2), rel=0.05)


def test_the_frequency_falls_with_what_lies_on_the_board():
    def first_crossing(held_g):
        return int(np.argmax(_step_response(12.0, 0.05, held_g) >= 1.0))

    assert first_crossing(20_000.0) == pytest.approx(first_crossing(0.0) * math.sqrt(2), rel=0.03)


def test_a_knock_on_a_whole_board_rings_at_its_heave_frequency():
    physics = board(plate={"heave_hz": 12.0, "tilt_x_hz": 14.0, "tilt_y_hz": 15.0, "damping": 0.03, "hum_g": 0.0,
                           "softening_g": 1e12}, rate_error=0.0, **STILL_CELL)  # fmt: skip
    middle = Lean(1.0, "b", 2000.0, 0.12, 450.0, 200.0)
    block, _ = run(physics, script(middle), 4.0)
    grid = np.arange(1.4, 3.4, 1 / 80)
    total = sum(np.interp(grid, *cell_series(block, k)) for k in range(4))
    total = (total - total.mean()) * np.hanning(grid.size)
    spectrum = np.abs(np.fft.rfft(total, 8192))
    assert np.fft.rfftfreq(8192, 1 / 80)[spectrum.argmax()] == pytest.approx(12.0, abs=0.4)


def test_a_load_settles_to_static_balance():
    physics = board(plate={"flexibility": 0.0, "hum_g": 0.0}, **STILL_CELL)
    lean = Lean(1.0, "b", 1000.0, 30.0, 240.0, 200.0)
    block, _ = run(physics, script(lean), 36.0)
    at_rest = settled_g(block, physics, 0.0, 1.0)
    held = settled_g(block, physics, 5.0, 14.0) - at_rest
    x = np.array([c[0] for c in CORNERS])
    assert held @ x / held.sum() == pytest.approx(240.0, abs=5.0)
    assert held[0] == pytest.approx(held[2], abs=2.0)  # on the middle line, front and back carry the same
    assert settled_g(block, physics, 34.0, 36.0) == pytest.approx(at_rest, abs=0.05)


def test_a_pick_shows_the_hand_before_the_weight_leaves():
    physics = board(plate={"hum_g": 0.0}, **STILL_CELL)
    block, stage = run(physics, script(Pick(2.0, "A5", touch_g=500.0, touch_s=1.0, lift_s=0.3)), 8.0)
    (moved,) = stage.movements
    grid = np.arange(1.0, 8.0, 1 / 80)
    total = sum(np.interp(grid, *cell_series(block, k)) / 215.0 for k in range(4))
    before, after = total[grid < 1.9].mean(), total[grid > 6].mean()
    touching = total[(grid > 2.4) & (grid < 3.0)]
    assert after - before == pytest.approx(moved.grams, abs=0.3)
    assert touching.max() - before > 300.0
    assert moved.end_s == pytest.approx(3.3, abs=0.06)
