"""What steps in weight say of a product: how many units each was, their weight, their spread, and how sure that is."""

from __future__ import annotations

import math

import numpy as np
import pytest

from calibration.teaching import TeachError, UnitWeight, WeightStep, unit_weight

NOISE_G = 0.3
SEED = 9_1147


def steps_of(units, weight_g, spread_g, rng, noise_g=NOISE_G):
    return [
        WeightStep(
            float(math.copysign(1, n) * (abs(n) * weight_g + math.sqrt(abs(n)) * spread_g * rng.standard_normal())
                  + noise_g * rng.standard_normal()),
            noise_g,
        )
        for n in units
    ]  # fmt: skip


def units_in(found: UnitWeight) -> list[int]:
    return [each.units for each in found.steps]


@pytest.mark.parametrize("count", [2, 3, 5, 12])
def test_the_95_percent_hold_the_truth_in_95_of_100_with_few_units_too(count):
    rng = np.random.default_rng([SEED, count])
    held_weight = held_spread = 0
    trials = 300
    for _ in range(trials):
        weight = float(np.exp(rng.uniform(np.log(25), np.log(1500))))
        spread = 0.008 * weight * float(np.exp(0.6 * rng.standard_normal()))
        found = unit_weight(steps_of([1] * count, weight, spread, rng))
        held_weight += found.weight_95_g[0] < weight < found.weight_95_g[1]
        held_spread += found.spread_95_g[0] < spread < found.spread_95_g[1]
    assert 0.91 <= held_weight / trials <= 0.99
    assert 0.91 <= held_spread / trials <= 0.995


def test_one_two_or_three_at_a_time_are_told_apart():
    rng = np.random.default_rng(SEED)
    units = [1, 2, 1, 3, 1, 1]
    found = unit_weight(steps_of(units, 352.0, 2.5, rng))
    assert units_in(found) == units
    assert (found.units, found.per_step) == (9, 1)
    assert found.weight_g == pytest.approx(352, abs=3)


def test_several_at_a_time_when_that_is_said():
    rng = np.random.default_rng(SEED + 1)
    steps = steps_of([2, 2, 2], 352.0, 2.5, rng)
    assert unit_weight(steps).weight_g == pytest.approx(704, abs=12)  # nothing else can be known
    found = unit_weight(steps, at_a_time=2)
    assert units_in(found) == [2, 2, 2]
    assert found.weight_g == pytest.approx(352, abs=5)


def test_another_product_and_a_hand_are_set_aside():
    rng = np.random.default_rng(SEED + 2)
    steps = steps_of([1, 1, 1, 1], 524.0, 4.0, rng)
    strange = [WeightStep(276.4, NOISE_G), WeightStep(1311.0, NOISE_G)]
    found = unit_weight([steps[0], strange[0], *steps[1:], strange[1]])
    assert units_in(found) == [1, 0, 1, 1, 1, 0]
    assert found.weight_g == pytest.approx(524, abs=6)
    assert "0.53 units" in found.steps[1].why


def test_units_taken_away_count_as_well_as_units_put_down():
    rng = np.random.default_rng(SEED + 3)
    found = unit_weight(steps_of([-1, -1, -2, -1], 97.0, 1.0, rng))
    assert units_in(found) == [-1, -1, -2, -1]
    assert found.weight_g == pytest.approx(97, abs=2)


def test_units_that_go_back_the_way_they_came_are_not_other_units():
    """The same five cans twice say no more of cans than five."""
    rng = np.random.default_rng(SEED + 4)
    put = steps_of([1] * 5, 352.0, 2.5, rng, noise_g=0.05)
    back = [WeightStep(-step.grams + 0.05 * float(rng.standard_normal()), 0.05) for step in reversed(put)]
    once, twice = unit_weight(put), unit_weight([*put, *back])
    assert twice.units == once.units == 5
    assert twice.weight_sd_g == pytest.approx(once.weight_sd_g, rel=0.01)
    assert all("not counted twice" in each.why for each in twice.steps[5:])


def test_what_a_unit_is_thought_to_weigh_helps_in_counting_and_never_moves_the_result():
    """30 g, and then half of one that a hand still holds: three and two units of 10 g, if nobody knew better."""
    steps = [WeightStep(g, 0.3) for g in (30.3, 20.5, 29.8)]
    found = unit_weight(steps, expected_g=30.0)
    assert units_in(found) == [1, 0, 1]
    rng = np.random.default_rng(SEED + 7)
    heavy = steps_of([1] * 5, 377.0, 2.5, rng)
    assert unit_weight(heavy, expected_g=352.0) == unit_weight(heavy)


def test_one_unit_is_enough_for_a_weight_but_not_for_a_spread():
    found = unit_weight([WeightStep(500.0, 0.3)])
    assert found.weight_g == pytest.approx(500.0)
    assert found.spread_95_g[1] / found.spread_95_g[0] > 8
    assert found.weight_95_g[1] - found.weight_95_g[0] > 0.02 * 500


def test_the_spread_for_the_planogram_knows_how_unsure_the_weight_is():
    rng = np.random.default_rng(SEED + 5)
    few = unit_weight(steps_of([1] * 2, 352.0, 2.5, rng))
    many = unit_weight(steps_of([1] * 60, 352.0, 2.5, rng))
    assert few.planogram_spread_g > 1.15 * few.spread_g
    assert many.planogram_spread_g < 1.05 * many.spread_g
    assert many.spread_g == pytest.approx(2.5, rel=0.25)


def test_a_calibration_that_may_be_off_makes_the_weight_unsure():
    rng = np.random.default_rng(SEED + 6)
    steps = steps_of([1] * 20, 1000.0, 1.0, rng)
    sure, unsure = unit_weight(steps), unit_weight(steps, gain_relative_sd=0.005)
    assert unsure.weight_sd_g == pytest.approx(math.hypot(sure.weight_sd_g, 5.0), rel=0.01)
    assert unsure.weight_95_g[1] - unsure.weight_95_g[0] == pytest.approx(4 * 5.0, rel=0.1)


@pytest.mark.parametrize(
    ("grams", "said"),
    [([], "nothing was put down"), ([100.0, 171.3], "have no unit weight in common")],
)
def test_steps_that_say_nothing_are_refused_with_what_to_do(grams, said):
    with pytest.raises(TeachError, match=said):
        unit_weight([WeightStep(g, 0.2) for g in grams])
