"""The quick check of an old calibration."""

from __future__ import annotations

from dataclasses import replace

import pytest
from calibration_board import GAINS, Script, driver_for, physics_of, site_of, with_gain

from calibration.check import CalibrationCheck
from calibration.findings import Reason
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
