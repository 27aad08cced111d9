"""The zero against temperature: coverage with unknown truth, other physics than the fit's own, and what is refused."""

from __future__ import annotations

import numpy as np
import pytest

from calibration.placements import CalibrationInputError, CellSite
from calibration.temperature import (
    HOBBY_SHARE_PER_DEGREE,
    TemperatureSeries,
    fit_temperature,
    lags_of,
    parts_of,
)
from drivers.simulated.room import Room, Wave

SITE = (CellSite("fl", 0.0, 0.0, 10_000.0),)
GAIN = np.array([215.0])


def _night(seed: int, lags_s: tuple[float, ...], walk: float = 0.5, hours: float = 12.0, noise: float = 3.0) -> tuple[
    float, TemperatureSeries
]:  # fmt: skip
    """Counts per degree of a cell that follows a room through lags one after the other, and its log."""
    rng = np.random.default_rng(seed)
    waves = (
        Wave(float(rng.uniform(1.5, 3.5)), 86_400.0, float(rng.random())),
        Wave(float(rng.uniform(0.3, 0.8)), float(rng.uniform(4000.0, 9000.0)), float(rng.random())),
        Wave(float(rng.uniform(0.1, 0.4)), float(rng.uniform(1500.0, 3000.0)), float(rng.random())),
    )
    room = Room(21.0, waves)
    time_s = np.arange(0.0, hours * 3600.0, 60.0)
    truth = float(rng.normal(0.0, 110.0))
    wander = np.cumsum(rng.normal(0.0, walk * np.sqrt(60.0), time_s.size)) + rng.normal(0.0, noise, time_s.size)
    counts = 9e4 + truth * room.celsius(time_s, lags_s) + wander
    celsius = room.celsius(time_s) + rng.normal(0.0, 0.03, time_s.size)
    return truth, TemperatureSeries(time_s, celsius, counts[:, None], _begins(time_s.size, 0))


def _begins(rows: int, *at: int) -> np.ndarray:
    begins = np.zeros(rows, np.bool_)
    begins[list(at)] = True
    return begins


@pytest.mark.parametrize("stages", [1, 2])
def test_the_truth_lies_within_the_stated_doubt(stages):
    deviations = []
    for seed in range(8000, 8008):
        rng = np.random.default_rng(seed + 500)
        lags_s = tuple(float(each) for each in rng.uniform(120.0, 2000.0, stages))
        truth, series = _night(seed, lags_s)
        try:
            cell = fit_temperature(series, SITE, GAIN).cells[0]
        except CalibrationInputError:  # a night in which hardly anything changed
            continue
        assert cell is not None
        deviations.append((cell.counts_per_degree - truth) / cell.counts_per_degree_sd)
    found = np.array(deviations)
    assert found.size >= 6
    assert (np.abs(found) < 2.0).mean() >= 0.75
    assert np.sqrt((found**2).mean()) < 1.6


def test_gain_lag_and_share_come_out_of_a_good_day():
    truth, series = _night(8100, (1500.0,), walk=0.05, hours=24.0)
    fits = fit_temperature(series, SITE, GAIN)
    cell = fits.cells[0]
    assert cell is not None
    assert cell.counts_per_degree == pytest.approx(truth, rel=0.05)
    assert cell.lag_min == pytest.approx(25.0, abs=5.0)
    assert cell.r2 > 0.95
    assert cell.tells
    assert cell.grams_per_degree == pytest.approx(truth / 215.0, rel=0.05)
    assert fits.grams_per_degree == cell.grams_per_degree
    assert fits.hours == pytest.approx(24.0, abs=0.1)


def test_gaps_and_things_that_are_moved_and_a_log_that_is_gone_on_with_cost_nothing_but_doubt():
    truth, series = _night(8101, (900.0,), walk=0.05, hours=20.0)
    counts = series.counts.copy()
    counts[300:] += 80_000.0  # a case of bottles
    counts[700:] -= 30_000.0
    begins = _begins(counts.shape[0], 0, 500)
    counts[500:] += 5_000.0  # the converter was without power
    counts[100:130] = np.nan
    celsius = series.celsius.copy()
    celsius[900:960] = np.nan  # the sensor was unplugged
    kept = np.ones(counts.shape[0], np.bool_)
    kept[400:460] = False
    moved = TemperatureSeries(series.time_s[kept], celsius[kept], counts[kept], begins[kept])
    fits = fit_temperature(moved, SITE, GAIN)
    assert fits.moved == 2
    assert fits.cells[0] is not None
    assert fits.cells[0].counts_per_degree == pytest.approx(truth, abs=3 * fits.cells[0].counts_per_degree_sd + 5.0)


def test_a_wandering_zero_is_not_taken_for_movements():
    _, series = _night(8102, (900.0,), walk=3.0)
    assert parts_of(series, np.ones(series.time_s.size, np.bool_)).max() == 0


def test_a_constant_temperature_and_a_short_log_are_refused_with_the_reason():
    _, series = _night(8103, (900.0,))
    steady = TemperatureSeries(series.time_s, np.full_like(series.celsius, 21.3), series.counts, series.begins)
    with pytest.raises(CalibrationInputError, match="expected a change of 2 °C"):
        fit_temperature(steady, SITE, GAIN)
    short = TemperatureSeries(*(each[:20] for each in (series.time_s, series.celsius, series.counts, series.begins)))
    with pytest.raises(CalibrationInputError, match="20 rows"):
        fit_temperature(short, SITE, GAIN)
    silent = TemperatureSeries(series.time_s, np.full_like(series.celsius, np.nan), series.counts, series.begins)
    with pytest.raises(CalibrationInputError, match="0 rows"):
        fit_temperature(silent, SITE, GAIN)


def test_a_zero_that_goes_its_own_way_tells_nothing_and_a_calm_one_tells_that_it_is_good():
    _, series = _night(8104, (900.0,))
    rng = np.random.default_rng(8105)
    wild = 9e4 + np.cumsum(rng.normal(0.0, 60.0, series.time_s.size))
    cell = fit_temperature(
        TemperatureSeries(series.time_s, series.celsius, wild[:, None], series.begins), SITE, GAIN
    ).cells[0]
    assert cell is not None
    assert not cell.tells
    calm = 9e4 + rng.normal(0.0, 3.0, series.time_s.size)
    cell = fit_temperature(
        TemperatureSeries(series.time_s, series.celsius, calm[:, None], series.begins), SITE, GAIN
    ).cells[0]
    assert cell is not None
    assert cell.tells
    assert abs(cell.share_per_degree) < 0.1 * HOBBY_SHARE_PER_DEGREE
    assert cell.grade == "no more than the converter itself may"


def test_without_a_calibration_a_cell_is_judged_by_its_label():
    _, series = _night(8106, (900.0,), walk=0.05)
    cell = fit_temperature(series, (CellSite("fl", 0.0, 0.0, None, 2.0),)).cells[0]
    assert cell is not None
    assert cell.grams_per_degree is None
    assert cell.share_per_degree == pytest.approx(cell.counts_per_degree / 4.295e6, rel=0.01)  # 2 mV/V


def test_the_lag_of_a_step_is_the_first_order_one():
    time_s = np.arange(0.0, 7200.0, 60.0)
    step = np.where(time_s < 1.0, 20.0, 25.0)
    lagged = lags_of(time_s, step[:, None], np.array([1200.0]))[:, 0]
    assert lagged[20] == pytest.approx(25.0 - 5.0 * np.exp(-1.0), abs=0.15)


def test_a_calm_log_tells_the_lag_closer_than_lags_are_tried_at_first():
    """Or all the likelihood would lie on one of them, and a gain that is 5 % off be stated to 0.5 %."""
    for seed, lag_min in ((8110, 7.9), (8111, 13.1), (8112, 27.0)):
        truth, series = _night(seed, (60.0 * lag_min,), walk=0.02, hours=20.0, noise=1.0)
        cell = fit_temperature(series, SITE, GAIN).cells[0]
        assert cell is not None
        assert abs(cell.counts_per_degree - truth) < 3.0 * cell.counts_per_degree_sd
        assert cell.lag_sd_min < 0.04 * lag_min  # they are a fifth apart
        assert cell.lag_min == pytest.approx(lag_min, abs=4.0 * cell.lag_sd_min + 0.2)
