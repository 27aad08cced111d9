"""When an item moved: the split, or the two, that fit the levels best."""

from __future__ import annotations

import itertools

import numpy as np
import numpy.typing as npt
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from edge.fusion.moment import HAND_SHARE, split_once, split_twice

Floats = npt.NDArray[np.float64]
NOTHING = np.zeros(3)
ITEM = np.array([-352.0, 60.0, -20.0])
BOARD = np.array([-3.0, 3.0, -1.3, 1.3])  # its edges, in the unit of the moments


def _cost(z: Floats, level: Floats, edges: Floats, reach: float) -> float:
    """How badly these batches fit a level: squared distance, each component limited; and ``reach`` once more for one
    that lifts the board, or presses beside it."""
    cost = float((np.minimum(np.abs(z - level), reach) ** 2).sum())
    for load, *moments in (z - level).tolist():
        places = [moment / load for moment in moments] if load else []
        beside = any(not low <= place <= high for place, (low, high) in zip(places, edges.reshape(2, 2), strict=False))
        if abs(load) > HAND_SHARE * reach and (load < 0 or beside):
            cost += reach**2
    return cost


def _random(seed: int, batches: int) -> tuple[Floats, Floats, Floats, float]:
    """Batches that go from nothing over one level to another, with a hand's pushes on top."""
    rng = np.random.default_rng(seed)
    between, after = rng.uniform(-500, 500, 3), rng.uniform(-500, 500, 3)
    first, second = np.sort(rng.integers(0, batches + 1, 2))
    step = np.searchsorted([first, second], np.arange(batches), side="right")
    z = np.stack([NOTHING, between, after])[step] + rng.normal(0, 60, (batches, 3))
    z[rng.random(batches) < 0.2] += rng.uniform(-2000, 2000, 3)
    return z, between, after, float(rng.uniform(100, 800))


@settings(max_examples=80, deadline=None, derandomize=True)
@given(seed=st.integers(0, 10**6), batches=st.integers(0, 40))
def test_one_split_is_the_best_of_all(seed: int, batches: int) -> None:
    z, _, after, reach = _random(seed, batches)
    costs = [_cost(z[:k], NOTHING, BOARD, reach) + _cost(z[k:], after, BOARD, reach) for k in range(batches + 1)]
    assert costs[split_once(z, NOTHING, after, BOARD, reach)] == pytest.approx(min(costs))


@settings(max_examples=50, deadline=None, derandomize=True)
@given(seed=st.integers(0, 10**6), batches=st.integers(0, 25))
def test_two_splits_are_the_best_of_all(seed: int, batches: int) -> None:
    z, between, after, reach = _random(seed, batches)
    costs = {
        (i, j): _cost(z[:i], NOTHING, BOARD, reach)
        + _cost(z[i:j], between, BOARD, reach)
        + _cost(z[j:], after, BOARD, reach)
        for i, j in itertools.combinations_with_replacement(range(batches + 1), 2)
    }
    first, second, cost = split_twice(z, NOTHING, between, after, BOARD, reach)
    assert 0 <= first <= second <= batches
    assert cost == pytest.approx(min(costs.values()))
    assert costs[first, second] == pytest.approx(cost)


def test_a_clean_step_is_found_to_the_batch() -> None:
    z = np.where(np.arange(20)[:, None] < 13, NOTHING, ITEM)
    assert split_once(z, NOTHING, ITEM, BOARD, 353.0) == 13


def test_a_hard_landing_doesnt_count_for_more_than_a_light_one() -> None:
    z = np.where(np.arange(20)[:, None] < 13, NOTHING, -ITEM)
    z[13:15, 0] += 30_000.0
    assert split_once(z, NOTHING, -ITEM, BOARD, 353.0) == 13


def test_where_a_leaning_hand_hides_both_levels_the_item_moves_last() -> None:
    """A hand as heavy as twenty kilograms in the middle of the board fits either level as badly."""
    z = np.where(np.arange(20)[:, None] < 5, NOTHING, ITEM)
    z[5:15] = np.array([20_000.0, 5_000.0, 5_000.0])
    assert split_once(z, NOTHING, ITEM, BOARD, 353.0) == 15


def test_a_leaning_hand_tells_which_level_it_leans_on() -> None:
    """Once the item at the right has left, a hand at the left edge would press beside the board if it hadn't."""
    item = np.array([-800.0, -2000.0, 0.0])
    hand = np.array([3000.0, -8000.0, 0.0])
    at = np.arange(20)[:, None]
    z = np.where(at < 5, NOTHING, np.where(at < 10, hand, np.where(at < 15, item + hand, item)))
    assert split_once(z, NOTHING, item, BOARD, 801.0) == 10


def test_two_picks_one_after_the_other() -> None:
    second = ITEM + np.array([-180.0, -30.0, 10.0])
    at = np.arange(30)[:, None]
    z = np.where(at < 9, NOTHING, np.where(at < 21, ITEM, second))
    assert split_twice(z, NOTHING, ITEM, second, BOARD, 400.0) == (9, 21, pytest.approx(0.0))


def test_no_batches_no_split() -> None:
    assert split_once(np.empty((0, 3)), NOTHING, ITEM, BOARD, 353.0) == 0
    assert split_twice(np.empty((0, 3)), NOTHING, ITEM, ITEM, BOARD, 353.0) == (0, 0, 0.0)
