"""A quiet shelf or a resting hand: how steady it is and how long it lasts decide."""

from __future__ import annotations

import itertools
import math

import numpy as np
import pytest
from activities import LAYOUTS, load, model_of, plateau

from edge.fusion.plateau import Plateau
from edge.fusion.resting import log_hand, log_load, log_rest

MODEL = model_of()
NOISE_G = 0.2
CLEARLY = 3.0  # nats


def _plateau(seconds: float, tremor_g: float = 0.0) -> Plateau:
    """A plateau of a board with a batch noise of 0.2 g, on which somebody's hand trembles."""
    noise_g = math.hypot(tremor_g, NOISE_G)
    return plateau(MODEL, load(1000.0), 5.0, 5.0 + seconds, noise_g / NOISE_G, noise_g)


@pytest.mark.parametrize("force_g", [1000.0, 3000.0])
@pytest.mark.parametrize("seconds", [0.5, 1.5])
def test_a_steady_heavy_load_is_hardly_a_hand(seconds: float, force_g: float) -> None:
    """Nobody presses a kilogram onto a shelf without trembling by a gram."""
    steady = _plateau(seconds)
    assert log_rest(steady) > log_hand(steady, force_g) + CLEARLY
    assert log_rest(steady) > log_hand(steady, -force_g) + CLEARLY


@pytest.mark.parametrize("force_g", [1000.0, 3000.0])
def test_a_load_that_trembles_is_a_hand(force_g: float) -> None:
    trembling = _plateau(0.5, 0.05 * force_g)
    assert log_hand(trembling, force_g) > log_rest(trembling) + CLEARLY


def test_a_light_touch_may_be_as_quiet_as_a_shelf() -> None:
    """A finger on an item: for a moment that is quite possible."""
    touch = _plateau(0.3)
    assert log_hand(touch, 5.0) > log_rest(touch) - CLEARLY
    assert log_hand(touch, 5.0) > log_hand(touch, 1000.0)


def test_the_longer_it_lasts_the_less_it_is_a_hand() -> None:
    lasting = [_plateau(seconds) for seconds in (0.2, 0.5, 1.0, 2.0, 5.0, 20.0)]
    for shorter, longer in itertools.pairwise(lasting):
        assert log_rest(longer) >= log_rest(shorter)
        assert log_hand(longer, 100.0) < log_hand(shorter, 100.0)
    assert log_rest(lasting[-1]) > log_hand(lasting[-1], 0.0) + CLEARLY


@pytest.mark.parametrize("seconds", [0.0, 0.05, 30.0, 3_600.0, 86_400.0, 30 * 86_400.0])
@pytest.mark.parametrize("force_g", [0.0, -1.0, 50_000.0])
@pytest.mark.parametrize("tremor_g", [0.0, 500.0])
def test_any_plateau_is_judged(seconds: float, force_g: float, tremor_g: float) -> None:
    """From a moment to a month of rest, without an exception."""
    judged = _plateau(seconds, tremor_g)
    assert math.isfinite(log_hand(judged, force_g))
    assert math.isfinite(log_rest(judged))


@pytest.mark.parametrize("layout", LAYOUTS)
@pytest.mark.parametrize("grams", [0.0, 30.0, -400.0, 4000.0, 100_000.0])
def test_a_hands_load_has_a_density_on_any_board(layout: str, grams: float) -> None:
    """Likelier on the board than beside it, and likelier a push than a person's weight."""
    model = model_of(LAYOUTS[layout])
    on, beside = (log_load(model, load(grams, x, 50.0) * model.sees) for x in (100.0, 700.0))
    assert math.isfinite(on)
    assert math.isfinite(beside)
    if model.sees[1] and abs(grams) > 50:
        assert on > beside + CLEARLY
    assert log_load(model, load(400.0) * model.sees) > log_load(model, load(20_000.0) * model.sees) + CLEARLY


def test_a_hands_load_is_a_density_in_weight() -> None:
    model = model_of(LAYOUTS["one"])
    grams = np.linspace(-12_000, 12_000, 4801)
    total = float(np.exp([log_load(model, load(g)) for g in grams]).sum()) * float(grams[1] - grams[0])
    assert total == pytest.approx(1.0, abs=0.02)
