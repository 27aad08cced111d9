"""What the batches between two plateaus tell: what moved there, in which order and when; and under which hands."""

from __future__ import annotations

import math

import numpy as np
import numpy.typing as npt
import pytest
from activities import LAYOUTS, activity_of, during, load, model_of, path, ramp, times
from hypothesis import given, settings
from hypothesis import strategies as st

from edge.fusion.activity import BATCH_WEIGHT

Floats = npt.NDArray[np.float64]
CORNERS = model_of()
CLEARLY = 5.0  # nats
SEEDS = [1, 2, 3]
LEFT, RIGHT = load(352.0, -300.0, 60.0), load(410.0, 300.0, -80.0)
NOTHING: Floats = np.zeros(3)


def _pick(batches: int, item: Floats, touch: int, lift: int, gone: int, push: float = 0.5) -> Floats:
    """A hand presses from batch ``touch`` on, and the item leaves from ``lift`` to ``gone``."""
    hand = push * during(batches, touch, lift)
    return times(hand - ramp(batches, lift, gone), item)


@pytest.mark.parametrize("seed", SEEDS)
@pytest.mark.parametrize("push", [0.05, 0.6, 4.0])
def test_a_pick_is_dated(seed: int, push: float) -> None:
    """When the item leaves, not when the hand comes, however hard it presses."""
    activity = activity_of(CORNERS, _pick(40, LEFT, 6, 20, 24, push), -LEFT, seed=seed)
    _, (at,) = path(activity, -LEFT)
    assert 18 <= at <= 25


@pytest.mark.parametrize("seed", SEEDS)
def test_a_put_is_dated(seed: int) -> None:
    """When it lands; that the hand presses on for a second changes nothing."""
    z = times(1.8 * during(40, 10, 11) + 0.4 * during(40, 11, 30) + ramp(40, 9, 11), RIGHT)
    _, (at,) = path(activity_of(CORNERS, z, RIGHT, seed=seed), RIGHT)
    assert 8 <= at <= 12


@pytest.mark.parametrize("seed", SEEDS)
def test_two_hands_at_two_places_are_two_movements(seed: int) -> None:
    """The change alone could as well be one thing from the middle; what the board went through couldn't."""
    z = _pick(40, LEFT, 3, 12, 16) + _pick(40, RIGHT, 8, 24, 28, 0.4)
    activity = activity_of(CORNERS, z, -LEFT - RIGHT, seed=seed)
    two, (first, second) = path(activity, -LEFT, -RIGHT)
    one, _ = path(activity, -LEFT - RIGHT)
    assert two > one + CLEARLY
    assert 10 <= first <= 17
    assert 22 <= second <= 29


@pytest.mark.parametrize("seed", SEEDS)
def test_one_hand_at_one_place_is_one_movement(seed: int) -> None:
    activity = activity_of(CORNERS, _pick(40, LEFT + RIGHT, 3, 20, 24), -LEFT - RIGHT, seed=seed)
    assert path(activity, -LEFT - RIGHT)[0] > path(activity, -LEFT, -RIGHT)[0] + CLEARLY


@pytest.mark.parametrize("first_is_left", [True, False])
def test_the_order_of_two_is_the_one_in_which_they_happened(first_is_left: bool) -> None:
    """Whichever is named first."""
    early, late = (LEFT, RIGHT) if first_is_left else (RIGHT, LEFT)
    activity = activity_of(CORNERS, _pick(44, early, 4, 12, 15) + _pick(44, late, 24, 32, 36), -LEFT - RIGHT)
    log, (at_left, at_right) = path(activity, -LEFT, -RIGHT)
    assert (at_left < at_right) == first_is_left
    assert abs(at_left - at_right) > 12
    mirrored, (again_right, again_left) = path(activity, -RIGHT, -LEFT)
    assert mirrored == pytest.approx(log, abs=0.5)
    assert (again_left, again_right) == (at_left, at_right)


def test_three_hands_one_after_the_other() -> None:
    middle = load(260.0, 20.0, 90.0)
    z = _pick(60, LEFT, 4, 10, 13) + _pick(60, middle, 20, 28, 31) + _pick(60, RIGHT, 40, 48, 52)
    activity = activity_of(CORNERS, z, -LEFT - middle - RIGHT)
    three, at = path(activity, -LEFT, -middle, -RIGHT)
    assert at == sorted(at)
    assert [abs(found - true) <= 4 for found, true in zip(at, (12, 30, 50), strict=True)] == [True] * 3
    assert three > path(activity, -LEFT - middle - RIGHT)[0] + CLEARLY


@pytest.mark.parametrize("seed", SEEDS)
def test_an_item_that_leaves_under_a_leaning_arm_is_dated(seed: int) -> None:
    """Four times as heavy as the item and elsewhere, from before to long after."""
    arm = times(during(60, 5, 52), load(1500.0, 150.0, -120.0))
    activity = activity_of(CORNERS, arm + _pick(60, LEFT, 14, 24, 28), -LEFT, seed=seed)
    _, (at,) = path(activity, -LEFT)
    assert 22 <= at <= 30


@pytest.mark.parametrize("seed", SEEDS)
@pytest.mark.parametrize("sign", [1, -1])
def test_put_and_taken_back(seed: int, sign: int) -> None:
    """Or taken and put back, with the other sign: the level says nothing of it, the way there does."""
    away = during(60, 12, 16) + during(60, 40, 44)
    z = times(sign * (ramp(60, 12, 15) - ramp(60, 41, 44)) + 0.5 * away, LEFT)
    activity = activity_of(CORNERS, z, NOTHING, seed=seed)
    both, (came, went) = path(activity, sign * LEFT, -sign * LEFT)
    still, none = path(activity)
    assert none == []
    assert both > still + CLEARLY
    assert 10 <= came <= 16
    assert 39 <= went <= 46


@pytest.mark.parametrize("seed", SEEDS)
def test_a_hand_that_only_leans_moves_nothing(seed: int) -> None:
    """It wavers, and no item lies where it leans."""
    waver = 1.0 + 0.15 * np.sin(0.9 * np.arange(40)) + 0.1 * np.cos(2.1 * np.arange(40))
    activity = activity_of(CORNERS, times(during(40, 6, 30) * waver, load(900.0, 40.0, -150.0)), NOTHING, seed=seed)
    still, _ = path(activity)
    assert still > path(activity, LEFT, -LEFT)[0] + CLEARLY
    assert still > path(activity, RIGHT, -RIGHT)[0] + CLEARLY


@pytest.mark.parametrize("layout", LAYOUTS)
def test_every_layout_dates_a_pick(layout: str) -> None:
    """One cell, two, four or eight: weight alone dates it too."""
    model = model_of(LAYOUTS[layout])
    _, (at,) = path(activity_of(model, _pick(40, LEFT, 6, 20, 24), -LEFT), -LEFT * model.sees)
    assert 18 <= at <= 25


@pytest.mark.parametrize("layout", LAYOUTS)
def test_every_layout_orders_a_pair_by_its_weights(layout: str) -> None:
    model = model_of(LAYOUTS[layout])
    heavy = 3.0 * RIGHT
    activity = activity_of(model, _pick(50, LEFT, 4, 10, 14) + _pick(50, heavy, 28, 36, 40), -LEFT - heavy)
    _, (light_at, heavy_at) = path(activity, -LEFT * model.sees, -heavy * model.sees)
    assert 8 <= light_at <= 15
    assert 34 <= heavy_at <= 41


@pytest.mark.parametrize("layout", LAYOUTS)
@pytest.mark.parametrize("batches", [0, 1, 2, 3])
@pytest.mark.parametrize("moves", [0, 1, 2, 3])
def test_short_activities_are_judged_without_a_nan(layout: str, batches: int, moves: int) -> None:
    """Two plateaus with next to nothing between them: any number of movements, on any board."""
    model = model_of(LAYOUTS[layout])
    moved = [-LEFT, -RIGHT, load(180.0, 100.0, 100.0)][:moves]
    change = sum(moved, NOTHING)
    activity = activity_of(model, times(ramp(batches, 0, batches), change), change)
    log, at = path(activity, *(each * model.sees for each in moved))
    assert math.isfinite(log)
    assert all(0 <= each <= batches for each in at)
    assert len(at) == moves


@settings(max_examples=60, deadline=None, derandomize=True)
@given(
    seed=st.integers(0, 10**6),
    layout=st.sampled_from(sorted(LAYOUTS)),
    batches=st.integers(0, 40),
    moves=st.integers(0, 3),
    scale_g=st.sampled_from([0.0, 1.0, 300.0, 30_000.0]),
)
def test_whatever_happens_is_judged(seed: int, layout: str, batches: int, moves: int, scale_g: float) -> None:
    """Numbers without any sense, from none at all to a person who steps on the shelf: a finite likelihood, times within
    the activity, and the same again."""
    rng = np.random.default_rng(seed)
    model = model_of(LAYOUTS[layout])
    places = np.stack([np.ones(batches), rng.uniform(-450, 450, batches), rng.uniform(-200, 200, batches)], axis=1)
    z = scale_g * rng.standard_normal((batches, 1)) * places
    moved = [load(rng.uniform(-2000, 2000), rng.uniform(-450, 450), rng.uniform(-200, 200)) for _ in range(moves)]
    activity = activity_of(model, z, sum(moved, NOTHING), noise_g=0.0)
    log, at = path(activity, *(each * model.sees for each in moved))
    assert math.isfinite(log)
    assert all(0 <= each <= batches for each in at)
    assert path(activity, *(each * model.sees for each in moved)) == (log, at)


def test_an_activity_of_a_minute_is_looked_at_more_coarsely_and_dated_all_the_same() -> None:
    z = _pick(1100, LEFT, 660, 700, 720) + times(during(1100, 100, 600), load(1500.0, 150.0, -120.0))
    _, (at,) = path(activity_of(CORNERS, z, -LEFT), -LEFT)
    assert 690 <= at <= 730


def test_nothing_is_moved_by_a_change_of_nothing() -> None:
    """A level that comes back to the very same number, as recordings in whole grams do: no division by zero."""
    log, _ = path(activity_of(CORNERS, np.zeros((10, 3)), NOTHING, noise_g=0.0), NOTHING)
    assert math.isfinite(log)


@pytest.mark.parametrize("layout", ["one", "row", "column", "corners"])
def test_rest_is_a_density_on_any_board(layout: str) -> None:
    """Integrated over all that a board may say of one batch at rest it makes one: on boards that see less as well, so
    that rest and hands are weighed alike. By drawing from a wider t distribution (importance sampling)."""
    model = model_of(LAYOUTS[layout])
    seen = np.flatnonzero(model.sees)
    sd = np.sqrt(np.diag(activity_of(model, np.zeros((1, 3)), NOTHING, noise_g=0.0).stretch(0, 1).noise[0])[seen])
    rng = np.random.default_rng(5)
    freedom, wider, axes = 2.0, 1.3, seen.size
    total = 0.0
    draws = 3000
    for _ in range(draws):
        unit = rng.standard_normal(axes) / math.sqrt(rng.chisquare(freedom) / freedom)
        drawn = math.lgamma((freedom + axes) / 2) - math.lgamma(freedom / 2) - axes / 2 * math.log(freedom * math.pi)
        drawn -= float(np.log(wider * sd).sum()) + (freedom + axes) / 2 * math.log1p(float(unit @ unit) / freedom)
        z = np.zeros((1, 3))
        z[0, seen] = wider * sd * unit
        log, _ = path(activity_of(model, z, NOTHING, noise_g=0.0))
        total += math.exp(log / BATCH_WEIGHT - drawn)
    assert total / draws == pytest.approx(1.0, abs=0.2)
