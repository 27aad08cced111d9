"""Creep of a load: fits with unknown truth keep to their stated doubt, whatever form the creep has."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import numpy.typing as npt
import pytest

from calibration.creep import (
    C3_SHARE_30_MIN,
    DRIFT_SHARE_PER_H,
    FIRST_S,
    LAST_S,
    CreepFit,
    CreepSeries,
    fit_creep,
)
from calibration.creep_verdict import bumps, judge_creep, meaning
from calibration.findings import Reason
from calibration.placements import CalibrationInputError

Floats = npt.NDArray[np.float64]
Creep = Callable[[Floats], Floats]
NAMES = ("fl", "fr", "bl", "br")
SEEDS = range(7000, 7014)


def _exponentials(rng: np.random.Generator) -> Creep:
    """Two to four time constants anywhere between 3 s and 50 min: not those of the fit."""
    many = int(rng.integers(2, 5))
    taus = np.exp(rng.uniform(np.log(3.0), np.log(3000.0), many))
    shares = rng.uniform(0.0, 1.0, many)
    shares *= rng.uniform(100e-6, 900e-6) / shares.sum()
    return lambda t: (shares * -np.expm1(-np.maximum(t, 0.0)[:, None] / taus)).sum(axis=1)


def _logarithm(rng: np.random.Generator) -> Creep:
    share = rng.uniform(-20e-6, 300e-6)
    return lambda t: share * np.log10(1.0 + np.maximum(t, 0.0) / 2.0)


def _true_share(creep: Creep) -> float:
    first, last = creep(np.array([FIRST_S, LAST_S]))
    return float(last - first)


def _series(
    creep: Creep, rng: np.random.Generator, load_g: float, on_s: float, recovery_s: float, walk_g: float
) -> CreepSeries:
    """What four cells weigh once a second; ``walk_g``: of each cell's zero, per square root of a second."""
    time_s = np.arange(-30.0, on_s + recovery_s)
    time_s = time_s[(time_s < -4) | ((time_s > 1) & (time_s < on_s)) | (time_s > on_s + 4)]
    off_s = on_s if recovery_s else None
    lies = (time_s > 0) & (time_s < on_s)
    crept = creep(time_s) - (creep(time_s - on_s) if recovery_s else 0.0)
    steps = np.diff(time_s, prepend=time_s[0])
    grams = np.empty((time_s.size, 4))
    for k, share in enumerate(rng.dirichlet(np.full(4, 20.0))):
        walk = np.cumsum(rng.normal(0.0, 1.0, time_s.size) * walk_g * np.sqrt(steps))
        drift = rng.normal(0.0, DRIFT_SHARE_PER_H * 10_000.0) * time_s / 3600.0
        grams[:, k] = share * load_g * (lies + crept) + walk + drift + rng.normal(0.0, 0.05, time_s.size)
    return CreepSeries(time_s, grams, off_s)


@pytest.mark.parametrize("recovery_s", [0.0, 300.0])
@pytest.mark.parametrize("form", [_logarithm, _exponentials])
def test_the_truth_lies_within_the_stated_doubt_of_board_and_cells(form, recovery_s):
    board, cells = [], []
    for seed in SEEDS:
        rng = np.random.default_rng(seed)
        creep = form(rng)
        walk_g = float(rng.uniform(0.002, 0.02))
        fits = fit_creep(_series(creep, rng, 8000.0, 1200.0, recovery_s, walk_g), 8000.0)
        truth = _true_share(creep)
        board.append((fits.board.share_30_min - truth) / fits.board.share_30_min_sd)
        cells += [(fit.share_30_min - truth) / fit.share_30_min_sd for fit in fits.cells if fit is not None]
    for deviations in (np.array(board), np.array(cells)):
        assert (np.abs(deviations) < 2.0).mean() > 0.78  # 95 % but for chance in fourteen
        assert np.sqrt((deviations**2).mean()) < 1.4
        assert np.abs(deviations).max() < 5.0
    assert len(cells) > 2 * len(SEEDS)


def test_a_calm_cell_gets_its_class_and_a_restless_one_none():
    rng = np.random.default_rng(7100)
    calm = fit_creep(_series(lambda t: 40e-6 * np.log10(1.0 + np.maximum(t, 0.0)), rng, 8000.0, 1200.0, 300.0, 0.0005),
                     8000.0, capacity_g=500.0)  # fmt: skip
    assert calm.board.grade == "within class C3"
    assert abs(calm.board.share_30_min) + 2 * calm.board.share_30_min_sd <= C3_SHARE_30_MIN
    assert judge_creep(calm, 8000.0, 1200.0, None, None) == []
    bad = fit_creep(_series(lambda t: 700e-6 * np.log10(1.0 + np.maximum(t, 0.0)), rng, 8000.0, 1200.0, 300.0, 0.0005),
                    8000.0)  # fmt: skip
    assert bad.board.grade == "more than a hobby cell may"
    noisy = fit_creep(_series(lambda t: 0.0 * t, rng, 500.0, 1200.0, 0.0, 0.02), 500.0)
    found = judge_creep(noisy, 500.0, 1200.0, None, None)
    assert [finding.reason for finding in found] == [Reason.TOO_SHORT]
    assert "heavier weight" in found[0].remedy
    assert all(cell is None for cell in noisy.cells)  # none of them tells


def test_what_comes_back_in_the_recovery_is_told():
    rng = np.random.default_rng(7101)
    series = _series(lambda t: 800e-6 * -np.expm1(-np.maximum(t, 0.0) / 100.0), rng, 8000.0, 1200.0, 300.0, 0.0005)
    recovered = fit_creep(series, 8000.0).board.recovered
    assert recovered == pytest.approx(1.0 - np.exp(-3.0), abs=0.15)


def test_a_bump_is_found_on_the_board_and_on_a_cell_and_creep_and_wander_are_none():
    rng = np.random.default_rng(7102)
    creep = _exponentials(rng)
    series = _series(creep, rng, 8000.0, 1200.0, 0.0, 0.005)
    assert bumps(series, 8000.0, NAMES) == []
    knocked = series.grams + np.where(series.time_s > 400.0, 3.0, 0.0)[:, None]
    found = bumps(CreepSeries(series.time_s, knocked), 8000.0, NAMES)
    assert found[0].reason is Reason.BUMPED
    assert "after 7 min" in found[0].evidence
    shifted = series.grams + np.where(series.time_s > 400.0, 1.0, 0.0)[:, None] * np.array([6.0, -6.0, 0.0, 0.0])
    found = bumps(CreepSeries(series.time_s, shifted), 8000.0, NAMES)
    assert found[0].subject in ("fl", "fr")  # it slipped: the sum is as it was


def test_a_warming_room_and_a_drifting_zero_speak_against_it():
    rng = np.random.default_rng(7103)
    series = _series(lambda t: 0.0 * t, rng, 2000.0, 1200.0, 300.0, 0.0005)
    fits = fit_creep(series, 2000.0)
    assert judge_creep(fits, 2000.0, 1200.0, (21.0, 21.4), None) == []
    assert judge_creep(fits, 2000.0, 1200.0, (21.0, 22.5), None)[0].reason is Reason.DRIFTING
    assert judge_creep(fits, 2000.0, 1200.0, (21.0, 22.5), 0.05) == []  # known to be small
    assert judge_creep(fits, 2000.0, 1200.0, (21.0, 21.6), -1.5)[0].reason is Reason.DRIFTING
    drifting = CreepSeries(series.time_s, series.grams + series.time_s[:, None] * 3.0 / 3600.0, series.off_s)
    found = judge_creep(fit_creep(drifting, 2000.0), 2000.0, 1200.0, None, None)
    assert Reason.DRIFTING in [finding.reason for finding in found]


@pytest.mark.parametrize("load_g", [0.0, -5.0, float("nan")])
def test_what_cant_be_is_refused(load_g):
    series = _series(lambda t: 0.0 * t, np.random.default_rng(1), 2000.0, 300.0, 0.0, 0.001)
    with pytest.raises(CalibrationInputError):
        fit_creep(series, load_g)
    short = CreepSeries(series.time_s[:60], series.grams[:60])
    with pytest.raises(CalibrationInputError, match="two minutes"):
        fit_creep(short, 2000.0)


def test_what_it_means_is_said_for_the_full_shelf():
    fit = CreepFit(2000.0, 0.0003, 0.00005, 0.0, 0.1, 0.5, 0.1, 20.0)
    assert meaning(fit, 20_000.0).startswith("20 kg put on this shelf read 6.0 ± 2.0 g more half an hour later")
    assert fit.grade == "probably as a hobby cell may"


def _graded(share: float, late: float, sd: float = 5e-6) -> str:
    return CreepFit(8000.0, share, 4 * sd, 0.0, 0.1, 0.5, 0.1, 30.0, late, sd).grade


def test_class_c3_has_a_second_limit_that_is_asked_of_runs_that_last_for_it():
    assert _graded(180e-6, 30e-6) == "within class C3"
    assert _graded(180e-6, 49e-6) == "probably within class C3"
    assert _graded(180e-6, 56e-6) == "probably as a hobby cell may"
    assert _graded(180e-6, 90e-6) == "as a hobby cell may"  # it goes on creeping too fast for it
    assert _graded(180e-6, float("nan")) == "within class C3"  # nobody looked
    rng = np.random.default_rng(7104)

    def slow(time_s: Floats) -> Floats:
        return 250e-6 * -np.expm1(-np.maximum(time_s, 0.0) / 1500.0)

    long = fit_creep(_series(slow, rng, 40_000.0, 1800.0, 0.0, 0.0005), 40_000.0).board
    truth = 250e-6 * (np.exp(-1200.0 / 1500.0) - np.exp(-1800.0 / 1500.0))
    assert abs(long.late_share - truth) < 3.0 * long.late_share_sd
    assert long.late_share_sd < 0.5 * truth
    assert np.isnan(fit_creep(_series(slow, rng, 8000.0, 1200.0, 0.0, 0.0005), 8000.0).board.late_share)
