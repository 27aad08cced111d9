"""A product's unit weight and its spread out of steps in weight: units put down or taken away, one or several at once.

How many units a step was isn't told: it is what makes all steps agree. With ``n_i`` units in a step of ``g_i`` grams::

    g_i ~ N(n_i m, n_i s² + e_i²)        m: unit weight, s: spread from unit to unit, e_i: the measurement's own doubt

A few units say little about a spread, so it starts from what products are like: a standard deviation of 0.8 % of the
weight (82 units of 33 SKUs weighed in a real store), within a factor of two. `m` is integrated out for each of a grid
of spreads and the grid is averaged over: with few units the tails are those of Student's t.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from firmware_bridge.errors import ShelfedgeError

Floats = npt.NDArray[np.float64]

TYPICAL_SPREAD = 0.008
TYPICAL_WITHIN = 0.7  # standard deviation of its logarithm: a factor of two either way
SPREADS = ((0.012, 0.8), (0.04, 0.2))  # while units are counted: of packed goods, of what grows; and how many are
MOST_AT_ONCE = 12
LEAST_UNIT_G = 1.0
AS_SAID = 0.85  # of the steps have as many units as was said; the others a few more or fewer
FEWER_OR_MORE = 0.35  # each unit away from that is so much rarer
EXPECTED_TIMES, EXPECTED_WITHIN = 10.0, 0.15
STRANGE = 0.02  # of the steps are something else: another product, a hand
STRANGE_SIGMAS = 4.5
_RELATIVE_SPREADS = np.exp(np.linspace(math.log(0.0005), math.log(0.15), 80))


class TeachError(ShelfedgeError, ValueError):
    """A unit weight can't be told. Examples: no step at all, steps that agree in nothing, an unknown SKU."""


@dataclass(frozen=True, slots=True)
class WeightStep:
    """A change of the weight on a board between two rests.

    Attributes:
        grams: negative where something was taken away. sd_g: of the measurement, calibration left out.
        x_mm, y_mm: where; nan where the cells can't tell.
    """

    grams: float
    sd_g: float
    x_mm: float = math.nan
    y_mm: float = math.nan


@dataclass(frozen=True, slots=True)
class CountedStep:
    """A step and what it was taken for: units (negative: taken away; 0: set aside), and why it was set aside."""

    step: WeightStep
    units: int
    why: str = ""


@dataclass(frozen=True, slots=True)
class UnitWeight:
    """What the steps say.

    Attributes:
        weight_sd_g: standard deviation of ``weight_g``, the calibration's own doubt among it; weight_95_g: between
            these with 95 %.
        spread_g: standard deviation from unit to unit; spread_95_g: the same for it.
        units: different units that were weighed.
        per_step: how many units most steps were.
    """

    weight_g: float
    weight_sd_g: float
    weight_95_g: tuple[float, float]
    spread_g: float
    spread_95_g: tuple[float, float]
    units: int
    per_step: int
    steps: tuple[CountedStep, ...]

    @property
    def planogram_spread_g(self) -> float:
        """What one more unit is off by, spread and doubt of the weight together: what events are judged by."""
        return math.hypot(self.spread_g, self.weight_sd_g)


def unit_weight(
    steps: Sequence[WeightStep], at_a_time: int = 1, gain_relative_sd: float = 0.0, expected_g: float | None = None
) -> UnitWeight:
    """The unit weight out of some steps.

    Args:
        at_a_time: units in most steps.
        expected_g: about what a unit is thought to weigh: it helps in counting units, and never moves the result.
        gain_relative_sd: how far the board's calibration may be off, all steps alike.
    Raises:
        TeachError: no steps, or hardly any two agree.
    """
    if not steps:
        raise TeachError("nothing was put down or taken away; put units of it on the board, one after the other")
    grams, noise = np.array([abs(s.grams) for s in steps]), np.array([s.sd_g for s in steps])
    units = _most_likely_units(grams, noise, at_a_time, expected_g)
    for _ in range(4):
        used = units > 0
        if not used.any() or (len(steps) > 1 and used.sum() * 2 <= len(steps)):
            raise TeachError(
                f"these steps have no unit weight in common: {', '.join(f'{s.grams:+.1f} g' for s in steps)}; put "
                "units of one product down, one after the other"
            )
        fit = _posterior(grams[used], noise[used], units[used])
        sd = np.sqrt(units * fit.spread_g**2 + (units * fit.weight_sd_g) ** 2 + noise**2)
        strange = used & (np.abs(grams - units * fit.weight_g) > STRANGE_SIGMAS * sd)
        if not strange.any():
            break
        units = np.where(strange, 0, units)
    signs = np.sign([s.grams for s in steps]).astype(int)
    counted, again = _without_repeats(steps, units, signs)
    if again.any():  # units weighed twice say nothing more about their spread
        fit = _posterior(grams[(units > 0) & ~again], noise[(units > 0) & ~again], units[(units > 0) & ~again])
    by_gain = gain_relative_sd * fit.weight_g
    widen = math.hypot(fit.weight_sd_g, by_gain) / fit.weight_sd_g
    low, high = (fit.weight_g + widen * (edge - fit.weight_g) for edge in fit.weight_95_g)
    kept = units[(units > 0) & ~again]
    return UnitWeight(
        fit.weight_g,
        math.hypot(fit.weight_sd_g, by_gain),
        (low, high),
        fit.spread_g,
        fit.spread_95_g,
        int(kept.sum()),
        int(np.bincount(kept).argmax()),
        tuple(_told(each, fit.weight_g) for each in counted),
    )


@dataclass(frozen=True, slots=True)
class _Posterior:
    weight_g: float
    weight_sd_g: float
    weight_95_g: tuple[float, float]
    spread_g: float
    spread_95_g: tuple[float, float]


def _posterior(grams: Floats, noise: Floats, units: npt.NDArray[np.int64]) -> _Posterior:
    """The module's formulas on the grid of spreads: for each, ``m`` is normal with the weighted mean."""
    each = grams / units
    about = float(np.median(each))
    spreads = _RELATIVE_SPREADS * about
    precision = 1.0 / (spreads[:, None] ** 2 / units + (noise / units) ** 2)
    total = precision.sum(axis=1)
    means = (precision @ each) / total
    left = ((each - means[:, None]) ** 2 * precision).sum(axis=1)
    prior = -0.5 * (np.log(_RELATIVE_SPREADS / TYPICAL_SPREAD) / TYPICAL_WITHIN) ** 2
    log_p = prior + 0.5 * np.log(precision).sum(axis=1) - 0.5 * np.log(total) - 0.5 * left
    p = np.exp(log_p - log_p.max())
    p /= p.sum()
    weight = float(p @ means)
    sd = math.sqrt(float(p @ (1.0 / total + (means - weight) ** 2)))
    at = np.linspace(weight - 12 * sd, weight + 12 * sd, 2401)
    density = p @ (np.exp(-0.5 * (at - means[:, None]) ** 2 * total[:, None]) * np.sqrt(total)[:, None])
    below = np.cumsum(density) / density.sum()
    edges = float(np.interp(0.025, below, at)), float(np.interp(0.975, below, at))
    spread_below = np.cumsum(p)
    spread_edges = (
        float(np.interp(0.025, spread_below, spreads)),
        float(np.interp(0.975, spread_below, spreads)),
    )
    return _Posterior(weight, sd, edges, math.sqrt(float(p @ spreads**2)), spread_edges)


def _most_likely_units(grams: Floats, noise: Floats, at_a_time: int, expected_g: float | None) -> npt.NDArray[np.int64]:
    """Units per step, 0 for a strange one, under the unit weight that explains all steps best."""
    numbers = np.arange(1, max(MOST_AT_ONCE, at_a_time + 3) + 1)
    chance = np.where(numbers == at_a_time, AS_SAID, (1 - AS_SAID) * FEWER_OR_MORE ** np.abs(numbers - at_a_time))
    strange = STRANGE / (2.0 * float(grams.max()))
    best, found = -math.inf, np.zeros(grams.size, np.int64)
    for weight in sorted({float(g) / int(n) for g in grams for n in numbers if g / n >= LEAST_UNIT_G}):
        thought = 0.0 if expected_g is None else _as_expected(weight / expected_g)
        for spread, how_often in SPREADS:
            # ``weight`` itself came from a unit with a spread of its own
            sd = np.sqrt((numbers + 0.5 * numbers**2) * (spread * weight) ** 2 + noise[:, None] ** 2)
            z = (grams[:, None] - numbers * weight) / sd
            density = chance * np.exp(-0.5 * z**2) / (sd * math.sqrt(2 * math.pi))
            score = thought + math.log(how_often) + float(np.log(density.sum(axis=1) + strange).sum())
            if score > best:
                best = score
                found = np.where(density.max(axis=1) > strange, numbers[density.argmax(axis=1)], 0)
    return found


def _as_expected(ratio: float) -> float:
    """Logarithm of how much likelier a unit weight is for being what was expected: ten times, or nothing at all."""
    return math.log(1.0 + EXPECTED_TIMES * math.exp(-0.5 * (math.log(ratio) / EXPECTED_WITHIN) ** 2))


def _without_repeats(
    steps: Sequence[WeightStep], units: npt.NDArray[np.int64], signs: npt.NDArray[np.int_]
) -> tuple[list[CountedStep], npt.NDArray[np.bool_]]:
    """Units that go back the way they came are the same ones again."""
    ways = {sign: int(units[signs == sign].sum()) for sign in (1, -1)}
    main = 1 if ways[1] >= ways[-1] else -1
    counted, again = [], np.zeros(len(steps), np.bool_)
    for k, step in enumerate(steps):
        if units[k] == 0:
            counted.append(CountedStep(step, 0, "strange"))
        elif signs[k] != main:
            again[k] = True
            counted.append(CountedStep(step, 0, "weighed before: not counted twice"))
        else:
            counted.append(CountedStep(step, int(signs[k] * units[k])))
    return counted, again


def _told(counted: CountedStep, weight_g: float) -> CountedStep:
    if counted.why != "strange":
        return counted
    ratio = abs(counted.step.grams) / weight_g
    return CountedStep(counted.step, 0, f"{ratio:.2f} units: another product, or a hand")
