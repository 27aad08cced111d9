"""Densities are densities: they sum to one over all that could have been measured, so that they may be compared."""

from __future__ import annotations

import math
from collections.abc import Callable

import numpy as np
import numpy.typing as npt
import pytest
from twin import log_sum

from edge.fusion import likelihood
from edge.fusion.likelihood import (
    log_add,
    log_anything,
    log_blurred_uniform,
    log_foreign,
    log_laplace,
    log_normal,
    log_nothing,
    log_tailed,
)

Floats = npt.NDArray[np.float64]
WEIGHT_ONLY = np.array([True, False, False])
ALL = np.array([True, True, True])
BOARD_MM = np.array([-450.0, 450.0, -200.0, 200.0])
VAR = np.array([0.5, 40_000.0, 10_000.0])


def _sum(log_density: Callable[[float], float], low: float, high: float, steps: int = 20_001) -> float:
    """Integral by the trapezoid rule."""
    x = np.linspace(low, high, steps)
    y = np.exp([log_density(float(at)) for at in x])
    return float(np.sum(0.5 * (y[1:] + y[:-1]) * np.diff(x)))


def test_normal_and_laplace() -> None:
    assert _sum(lambda x: log_normal(x, 4.0), -30, 30) == pytest.approx(1, abs=1e-6)
    assert _sum(lambda x: log_laplace(x, 3.0), -90, 90) == pytest.approx(1, abs=1e-4)


@pytest.mark.parametrize(("var", "grams"), [(1.0, 90.0), (30.0, 1000.0), (0.1, 5000.0)])
def test_a_unit_of_a_kind(var: float, grams: float) -> None:
    """Mostly near its mean, with a share in wide tails."""
    reach = 8 * math.sqrt(16 * var + (0.015 * grams) ** 2)
    assert _sum(lambda x: log_tailed(x, var, grams), -reach, reach) == pytest.approx(1, abs=1e-3)
    assert log_tailed(6 * math.sqrt(var), var, grams) > log_normal(6 * math.sqrt(var), var) + 3


@pytest.mark.parametrize("sd", [0.5, 8.0, 25.0, 200.0])
@pytest.mark.parametrize(("low", "high"), [(0.0, 112.5), (-450.0, 450.0), (300.0, 310.0)])
def test_a_place_in_a_box_seen_with_an_error(sd: float, low: float, high: float) -> None:
    total = _sum(lambda x: log_blurred_uniform(x, low, high, sd), low - 10 * sd, high + 10 * sd)
    assert total == pytest.approx(1, abs=1e-3)


def test_nothing_moved() -> None:
    """Over weight alone by a grid; over weight and both moments by drawing where the density is."""
    weight = _sum(lambda w: log_nothing(np.array([w, 0.0, 0.0]), VAR, WEIGHT_ONLY), -60, 60)
    assert weight == pytest.approx(1, abs=1e-3)
    rng = np.random.default_rng(1)
    scale = np.array([likelihood.JOLT_GRAMS + 1, likelihood.SLIDE_GRAM_MM + 200, likelihood.SLIDE_GRAM_MM + 100])
    draws = rng.laplace(0.0, scale, (20_000, 3))
    draws[::2] = rng.normal(0.0, 1.3 * np.sqrt(VAR), (10_000, 3))
    proposal = [
        log_sum([sum(log_laplace(*pair) for pair in zip(z, scale, strict=True)),
                 sum(log_normal(z[k], 1.69 * VAR[k]) for k in range(3))]) - math.log(2)
        for z in draws.tolist()
    ]  # fmt: skip
    shares = np.exp([log_nothing(z, VAR, ALL) - log for z, log in zip(draws, proposal, strict=True)])
    assert shares.mean() == pytest.approx(1, abs=5 * shares.std() / math.sqrt(shares.size))
    assert shares.std() < 2


def test_a_foreign_object() -> None:
    """Log-normal in weight, half of it taken and half put; nothing below a gram."""
    for sign in (-1.0, 1.0):
        total = _sum(
            lambda log_g, sign=sign: (  # type: ignore[misc]
                log_foreign(np.array([sign * math.exp(log_g), 0, 0]), WEIGHT_ONLY, BOARD_MM) + log_g
            ),
            1e-9,
            16,
        )
        assert total == pytest.approx(0.5, abs=1e-3)
    assert log_foreign(np.array([0.5, 0, 0]), WEIGHT_ONLY, BOARD_MM) < -1e6


@pytest.mark.parametrize("grams", [30.0, -500.0])
def test_a_load_anywhere_on_the_board(grams: float) -> None:
    """For a given weight the moments' density sums to one."""

    def moment(axis: int, sees: Floats) -> float:
        z = np.array([grams, 0.0, 0.0])

        def log_density(value: float) -> float:
            z[axis] = value
            return float(log_anything(z, sees, BOARD_MM, 0.0))

        return _sum(log_density, -700 * (abs(grams) + 2), 700 * (abs(grams) + 2))

    assert moment(1, np.array([True, True, False])) == pytest.approx(1, abs=1e-3)
    assert moment(2, np.array([True, False, True])) == pytest.approx(1, abs=1e-3)


def test_adding_logs() -> None:
    assert log_add(math.log(0.2), math.log(0.3)) == pytest.approx(math.log(0.5))
    assert log_add(-1e9, -3.0) == -3.0
    assert log_add(-3.0, -1e9) == -3.0
    assert log_add(-1000.0, -1000.0) == pytest.approx(-1000 + math.log(2))


def test_beliefs_beforehand_are_at_most_certain() -> None:
    logs = (likelihood.LOG_NOTHING, likelihood.LOG_ONE, likelihood.LOG_TWO, likelihood.LOG_FOREIGN)
    assert 0.9 < sum(math.exp(log) for log in logs) < 1.0 + 1e-9
