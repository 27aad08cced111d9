"""An HX711 as measured: its own clock, noise that isn't white, settling, end stops, spikes, gaps, creep."""

from __future__ import annotations

import numpy as np
import pytest
from simulated_boards import STILL_CELL, board, cell_series, run, script

from drivers.samples import SampleFlag
from drivers.simulated.kernels import spline
from drivers.simulated.physics import ADC_MAX, ADC_MIN, FaultRates
from drivers.simulated.scene import Lean

_QUIET_PLATE = {"hum_g": 0.0}


def _idle(duration_s, seed=1, **options):
    physics = board([(450.0, 200.0)], plate=_QUIET_PLATE, **options)
    block, _ = run(physics, script(), duration_s, seed)
    return block, physics


@pytest.mark.parametrize("rate_error", [-0.03, 0.0, 0.17])
def test_rate_is_the_chip_s_own_and_jitter_is_57_ppm(rate_error):
    time_s, _ = cell_series(_idle(120.0, rate_error=rate_error)[0], 0)
    period_s = np.diff(time_s)
    assert 1 / period_s.mean() == pytest.approx(80.0 * (1 + rate_error), rel=1e-4)
    assert period_s.std() / period_s.mean() == pytest.approx(57e-6, rel=0.05)


@pytest.mark.parametrize("rate_hz", [10.0, 80.0])
def test_noise_has_the_level_and_the_autocorrelation_that_were_measured(rate_hz):
    """facts/field.md 4.1.7: lag-1 0.49, about nothing beyond."""
    still = {**STILL_CELL, "noise_counts": 40.0}
    _, counts = cell_series(_idle(1200.0 if rate_hz == 10.0 else 200.0, rate_hz=rate_hz, **still)[0], 0)
    away = counts - counts.mean()
    assert away.std() == pytest.approx(40.0, rel=0.04)
    lags = [float(away[lag:] @ away[:-lag] / (away @ away)) for lag in (1, 2, 3)]
    assert lags == pytest.approx([0.493, 0.05, 0.0], abs=0.035)


def test_the_kernel_is_sinc_4_and_averages_to_one():
    at = np.linspace(0, 4, 4001)
    kernel = np.array([spline(float(u), 4) for u in at])
    assert kernel.sum() * 0.001 == pytest.approx(1.0, abs=1e-3)
    assert kernel[2000] == pytest.approx(2 / 3, abs=1e-6)
    assert spline(0.5, 1) == 1.0


def test_a_slow_converter_averages_the_ring_away():
    """facts/field.md 4.1.2: at 10 samples/s the ring would fold into the band unless the filter stops it."""
    lean = Lean(2.0, "b", 2000.0, 0.2, 450.0, 200.0)
    stray = {}
    for rate_hz in (10.0, 80.0):
        physics = board(
            [(450.0, 200.0)], {"hum_g": 0.0, "damping": 0.02, "heave_hz": 15.0}, rate_hz=rate_hz, **STILL_CELL
        )
        time_s, counts = cell_series(run(physics, script(lean), 6.0)[0], 0)
        ringing = counts[(time_s > 3.0) & (time_s < 4.0)]
        stray[rate_hz] = ringing.std() / 215.0
    assert stray[80.0] > 20 * stray[10.0]


def test_first_conversions_settle_and_say_so_only_if_the_driver_knows():
    options = {**STILL_CELL, "settling_counts": 700.0, "cold_start": True}
    block, _ = _idle(2.0, marks_settling=True, **options)
    off = block.counts - block.counts[-1]
    assert (off[:4] > 300).all()
    assert (np.diff(off[:5]) < 0).all()
    assert (np.abs(off[4:]) < 5).all()
    assert (block.flags[:4] == SampleFlag.SETTLING).all()
    assert (block.flags[4:] == 0).all()
    assert (_idle(2.0, **options)[0].flags == 0).all()


def test_a_gross_overload_stops_at_the_converters_end_stops():
    physics = board([(450.0, 200.0)], plate=_QUIET_PLATE, counts_per_gram=215.0)
    lean = Lean(2.0, "b", 60_000.0, 4.0, 450.0, 200.0)
    block, _ = run(physics, script(lean), 8.0)
    assert block.counts.max() == ADC_MAX
    reversed_block, _ = run(board([(450.0, 200.0)], counts_per_gram=-215.0), script(lean), 8.0)
    assert reversed_block.counts.min() == ADC_MIN


def test_spikes_are_corrupted_codes_and_cost_the_next_conversion():
    """P7's raw material. facts/field.md 4.1.5: 2^n - 1 with n = 19..23, or 0."""
    faults = FaultRates(spikes_per_1000=5.0, lost_per_hour=0.0, resets_per_hour=0.0)
    block, _ = _idle(300.0, faults=faults, rate_error=0.0, zero_counts=30_000.0, **STILL_CELL)
    time_s, counts = cell_series(block, 0)
    spiked = np.flatnonzero(np.abs(counts - np.median(counts)) > 1000)
    assert set(counts[spiked]) <= {0.0, *(2.0**n - 1 for n in range(19, 24))}
    assert spiked.size == pytest.approx(0.005 * 80 * 300, rel=0.35)
    waits = np.diff(time_s)[spiked[spiked < time_s.size - 1]] * 80
    assert np.median(waits) == pytest.approx(2.0, abs=0.01)


def test_resets_leave_gaps_of_0_42_s_and_new_settling():
    faults = FaultRates(spikes_per_1000=0.0, lost_per_hour=0.0, resets_per_hour=120.0)
    block, _ = _idle(300.0, faults=faults, marks_settling=True, settling_counts=700.0, **STILL_CELL)
    time_s, counts = cell_series(block, 0)
    gaps = np.flatnonzero(np.diff(time_s) > 0.1)
    assert 3 <= gaps.size <= 25
    assert np.diff(time_s)[gaps].min() > 0.42
    assert np.diff(time_s)[gaps].max() < 0.95  # two resets may fall together
    assert (counts[gaps + 1] - np.median(counts) > 500).all()
    assert (block.flags[gaps + 1] == SampleFlag.SETTLING).all()
    assert (block.flags != 0).sum() <= 4 * gaps.size


def test_single_conversions_get_lost():
    faults = FaultRates(spikes_per_1000=0.0, lost_per_hour=600.0, resets_per_hour=0.0)
    time_s, _ = cell_series(_idle(300.0, faults=faults, rate_error=0.0)[0], 0)
    waits = np.rint(np.diff(time_s) * 80)
    assert (waits == 2).sum() == pytest.approx(50, abs=25)


def test_a_cell_dies_and_a_cell_sticks():
    """P7's raw material."""
    dead, _ = _idle(10.0, dies_at_s=4.0)
    assert dead.time_ns.max() / 1e9 == pytest.approx(4.0, abs=0.02)
    time_s, counts = cell_series(_idle(10.0, sticks_at_s=4.0)[0], 0)
    assert np.unique(counts[time_s >= 4.0]).size == 1
    assert np.unique(counts[time_s < 4.0]).size > 50


def test_creep_follows_a_load_and_comes_back():
    """facts/loadcell.md 6: 0.05 % in half an hour for a hobby cell, and recovery."""
    creeping = {**STILL_CELL, "creep": ((60.0, 0.0005),)}
    physics = board([(450.0, 200.0)], plate=_QUIET_PLATE, counts_per_gram=215.0, **creeping)
    block, stage = run(physics, script(Lean(10.0, "b", 2000.0, 600.0, 450.0, 200.0)), 1100.0)
    start_g = sum(g for _, _, g in stage.settled_g["b"])
    time_s, counts = cell_series(block, 0)

    def at(begin_s):
        return float(np.median(counts[(time_s > begin_s) & (time_s < begin_s + 4)])) / 215.0

    assert at(5.0) == pytest.approx(start_g * 1.0005, abs=0.02)
    released = at(612.0)
    assert released - start_g * 1.0005 > 0.3  # it still remembers the load
    assert at(1090.0) == pytest.approx(start_g * 1.0005, abs=0.02)


def test_the_zero_wanders_slowly_and_drifts_as_told():
    drifting = {**STILL_CELL, "drift_g_per_h": 20.0}
    _, counts = cell_series(_idle(360.0, **drifting)[0], 0)
    assert (counts[-1] - counts[0]) / 215.0 == pytest.approx(2.0, abs=0.02)
    walking = {**STILL_CELL, "walk_counts": 5.0}
    ends = [cell_series(_idle(100.0, seed, **walking)[0], 0)[1] for seed in range(24)]
    assert np.std([e[-1] - e[0] for e in ends]) == pytest.approx(50.0, rel=0.4)
