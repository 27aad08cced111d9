"""The quick check of an old calibration, the creep run, and the zero against temperature."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from calibration_board import GAINS, Script, driver_for, physics_of, site_of, with_gain

from calibration.check import CalibrationCheck
from calibration.creep import C3_SHARE_30_MIN, fit_creep, fit_temperature
from calibration.creep_run import CreepRun
from calibration.findings import Reason
from calibration.placements import CalibrationInputError
from calibration.record import BoardCalibration, CalibrationError, CellCalibration
from drivers.simulated.physics import BoardPhysics


def _record(wiring: tuple[int, ...] = (0, 1, 2, 3)) -> BoardCalibration:
    names = list(GAINS)
    cells = {
        names[k]: CellCalibration(
            zero_counts=20_000.0 * (k - 1.5),
            counts_per_gram=GAINS[names[cell]],
            gain_relative_sd=0.0005,
            carries=names[cell] if cell != k else None,
        )
        for k, cell in enumerate(wiring)
    }
    return BoardCalibration(board="shelf-1", cells=cells)


def _checked(physics: BoardPhysics, record: BoardCalibration, grams: float = 2000.0) -> CalibrationCheck:
    check = CalibrationCheck(site_of(), record, 2000.0)
    script = Script()
    if grams:
        script.put(300.0, 150.0, grams, 8.0)
    driver = driver_for(physics, script)
    now_s = 0.0
    while check.result is None and now_s < 100.0:
        now_s += 0.25
        check.push([driver.read(round(now_s * 1e9))], round(now_s * 1e9))
    assert check.result is not None
    if grams:
        assert now_s < 30.0
    return check


def test_a_calibration_that_holds_is_told_within_30_s_with_the_place() -> None:
    result = _checked(physics_of(site_of(), list(GAINS.values())), _record()).result
    assert result is not None
    assert result.holds, [str(f) for f in result.findings]
    assert result.grams == pytest.approx(2000.0, rel=0.001)
    assert (result.x_mm, result.y_mm) == (pytest.approx(300.0, abs=3.0), pytest.approx(150.0, abs=3.0))
    assert abs(result.zero_g) < 3.0


def test_a_record_with_another_wiring_is_read_by_what_its_channels_carry() -> None:
    wiring = (2, 0, 3, 1)
    names = list(GAINS)
    physics = physics_of(site_of(), [GAINS[names[c]] for c in wiring], wiring)
    result = _checked(physics, _record(wiring)).result
    assert result is not None
    assert result.holds
    assert result.x_mm == pytest.approx(300.0, abs=3.0)


def test_a_gain_that_changed_and_a_weight_that_never_came_are_named() -> None:
    site = site_of()
    changed = physics_of(site, list(GAINS.values()), change=with_gain(0, 1.05))
    result = _checked(changed, _record()).result
    assert result is not None
    assert [f.reason for f in result.findings] == [Reason.OFF_CALIBRATION]
    dead = physics_of(site, list(GAINS.values()), change=with_gain(0, 0.001))
    result = _checked(dead, _record()).result
    assert result is not None
    assert [f.reason for f in result.findings if f.refuses] == [Reason.DEAD_CELL]
    result = _checked(physics_of(site, list(GAINS.values())), _record(), grams=0.0).result
    assert result is not None
    assert [f.reason for f in result.findings] == [Reason.NOT_MOVED]


def test_a_zero_that_moved_is_told_but_the_calibration_holds() -> None:
    moved = physics_of(
        site_of(), list(GAINS.values()), change=lambda k, cell: replace(cell, zero_counts=cell.zero_counts + 15_000.0)
    )
    result = _checked(moved, _record()).result
    assert result is not None
    assert result.holds
    assert Reason.ZERO_MOVED in [f.reason for f in result.findings]


def test_a_record_of_another_board_is_an_error() -> None:
    record = BoardCalibration(board="x", cells={"fl": CellCalibration(zero_counts=0, counts_per_gram=200)})
    with pytest.raises(CalibrationError, match="differ in their cells"):
        CalibrationCheck(site_of(), record, 2000.0)


def test_the_creep_run_finds_the_creep_that_the_cells_have() -> None:
    site = site_of()
    physics = physics_of(
        site, list(GAINS.values()), noise_counts=30.0,
        change=lambda k, cell: replace(cell, creep=((60.0, 0.0006), (600.0, 0.0006)), walk_counts=1.0, daily_g=0.0),
    )  # fmt: skip
    script = Script()
    script.put(450.0, 200.0, 8000.0, 8.0)
    run = CreepRun(site, 1.0 / np.array(list(GAINS.values())), 8000.0, lasts_s=900.0)
    driver = driver_for(physics, script)
    now_s = 0.0
    while run.result is None and not run.failed:
        now_s += 2.0
        run.push([driver.read(round(now_s * 1e9))], round(now_s * 1e9))
    assert run.result is not None
    assert 0.0006 < run.result.share_30_min < 0.0016
    assert run.result.grade == "more than a hobby cell may"


def test_creep_is_fitted_on_the_logarithm_of_time() -> None:
    rng = np.random.default_rng(21)
    since = np.arange(1.0, 1200.0)
    grams = 5000.0 + 5000.0 * 0.00009 * np.log10(since / 10.0) + rng.normal(0, 0.1, since.size)
    fit = fit_creep(since, grams, 5000.0)
    assert fit.share_per_decade == pytest.approx(0.00009, abs=4 * fit.share_per_decade_sd + 2e-6)
    assert abs(fit.share_30_min) < C3_SHARE_30_MIN
    assert fit.grade == "within class C3"
    with pytest.raises(CalibrationInputError):
        fit_creep(since[:50], grams[:50], 5000.0)


def test_the_zero_against_a_lagging_temperature() -> None:
    time_s = np.arange(0.0, 12 * 3600.0, 60.0)
    celsius = 20.0 + 4.0 * np.sin(2 * np.pi * time_s / (6 * 3600.0))
    lagged = np.empty_like(celsius)
    lagged[0] = celsius[0]
    for k in range(1, celsius.size):
        lagged[k] = lagged[k - 1] + (celsius[k] - lagged[k - 1]) * (1 - np.exp(-60.0 / 1500.0))
    zero = 90_000.0 + 110.0 * lagged + np.random.default_rng(22).normal(0, 10.0, time_s.size)
    fit = fit_temperature(time_s, celsius, zero)
    assert fit.counts_per_degree == pytest.approx(110.0, rel=0.03)
    assert fit.lag_min == 25.0
    with pytest.raises(CalibrationInputError, match="change of 1"):
        fit_temperature(time_s, np.full_like(celsius, 20.0), zero)
