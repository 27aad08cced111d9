"""How hands act on a board: picking up, putting down, leaning. Numbers are drawn here unless the scene gives them."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from drivers.simulated.forces import Force, Shock
from drivers.simulated.scene import Lean, Pick, Put
from drivers.simulated.world import Unit


@dataclass(frozen=True, slots=True)
class Manner:
    """How people handle things. Pairs are the least and the most; the defaults are what was measured.

    Attributes:
        contact_median_s, contact_spread, contact_s: hand on the shelf, log-normal and clipped. FR 4.1.3: 0.5-3.0 s,
            median 1.4.
        lift_s: in which the weight leaves, or is let go.
        impact: peak of the landing force over the weight. FR 4.1.3: raw peaks 1.1-3.0 times the net step.
        pushes_share: of the picks in which the hand really presses before it lifts.
        touch_share: with which share of the weight it presses then. touch_most_g: but not harder than this.
        lean_g, lean_s: bumps and leans (the brief: up to 4 kg, held up to 4 s), log-uniform.
    """

    contact_median_s: float = 1.4
    contact_spread: float = 0.4
    contact_s: tuple[float, float] = (0.5, 3.0)
    lift_s: tuple[float, float] = (0.1, 0.6)
    impact: tuple[float, float] = (1.1, 3.0)
    pushes_share: float = 0.7
    touch_share: tuple[float, float] = (0.1, 3.0)
    touch_most_g: float = 2_500.0
    lean_g: tuple[float, float] = (200.0, 4_000.0)
    lean_s: tuple[float, float] = (0.1, 4.0)


AS_MEASURED = Manner()


def contact_s(rng: np.random.Generator, manner: Manner = AS_MEASURED) -> float:
    """How long a hand stays on the shelf."""
    drawn = manner.contact_median_s * math.exp(manner.contact_spread * rng.standard_normal())
    return float(np.clip(drawn, *manner.contact_s))


def pick(
    units: Sequence[Unit], action: Pick, rng: np.random.Generator, manner: Manner = AS_MEASURED
) -> tuple[list[Force], float]:
    """Forces of taking units off, and the time of the last contact.

    First contact; the hand pushes while it gets hold of the item; perhaps it holds it half lifted; the weight leaves
    in a ramp, together with the hand.
    """
    grams = sum(unit.grams for unit in units)
    whole_s = contact_s(rng, manner)
    lift_s = action.lift_s if action.lift_s is not None else float(rng.uniform(*manner.lift_s))
    touch_s = action.touch_s if action.touch_s is not None else min(max(whole_s - lift_s, 0.2), 2.0)
    touch_g = action.touch_g
    if touch_g is None:
        pushes = rng.random() < manner.pushes_share
        share = _log_uniform(rng, *manner.touch_share) if pushes else _log_uniform(rng, 0.01, 0.1)
        touch_g = min(share * grams, manner.touch_most_g)
    begin = action.at_s
    lift = begin + touch_s + action.hold_s
    end = lift + lift_s
    forces = []
    held = float(rng.uniform(0.3, 0.7)) if action.hold_s > 0 else 0.0
    for k, unit in enumerate(units):
        late = 0.0 if k == 0 else float(rng.uniform(0.0, 0.4)) * lift_s  # fingers don't close on all of them at once
        leaves = lift_s * float(rng.uniform(0.6, 1.0)) - late * 0.6
        times = (lift + late, lift + late + leaves / 2, lift + late + leaves)
        weights = (0.0, -float(rng.uniform(0.35, 0.65)) * unit.grams, -unit.grams)
        forces.append(Force(unit.x_mm, unit.y_mm, times, weights))
        if held:
            taken = begin + touch_s + min(0.15, 0.5 * action.hold_s)
            carried = (0.0, -held * unit.grams, -held * unit.grams, 0.0)
            forces.append(
                Force(unit.x_mm, unit.y_mm, (begin + touch_s, taken, times[0], times[2]), carried, *_tremor(rng))
            )
    last = max(force.end_s for force in forces)
    end = max(end, last)
    rise = float(rng.uniform(0.15, 0.4)) * touch_s
    hand = Force(
        units[0].x_mm + float(rng.normal(0, 12)),
        units[0].y_mm + float(rng.normal(0, 15)),
        (begin, begin + rise, begin + 0.7 * touch_s, lift, lift + 0.6 * lift_s),
        (0.0, touch_g * float(rng.uniform(0.6, 1.0)), touch_g, touch_g * float(rng.uniform(0.5, 1.0)), 0.0),
        *_tremor(rng),
    )
    return [hand, *forces, *_knocks(units[0], begin, lift, 0.3 * grams, rng)], end


def put(
    units: Sequence[Unit], action: Put, rng: np.random.Generator, manner: Manner = AS_MEASURED
) -> tuple[list[Force], float]:
    """Forces of putting units down, and the time of the last contact.

    Landing with an impact; the hand still carries part of the weight, or rests on the item; it lets go in a ramp.
    """
    grams = sum(unit.grams for unit in units)
    whole_s = action.contact_s if action.contact_s is not None else contact_s(rng, manner)
    release_s = min(float(rng.uniform(*manner.lift_s)), 0.6 * whole_s)
    begin, end = action.at_s, action.at_s + whole_s
    release = end - release_s
    forces = []
    for k, unit in enumerate(units):
        lands = begin if k == 0 else begin + float(rng.uniform(0.0, 0.3)) * (release - begin)
        ramp = min(float(rng.uniform(0.03, 0.15)), 0.5 * (release - lands))
        rests = float(rng.uniform(0.5, 1.0))  # share of the weight that the hand has already given away
        carried = (rests - 1.0) * unit.grams  # by the hand, which wavers
        forces.append(Force(unit.x_mm, unit.y_mm, (lands, lands + ramp), (0.0, unit.grams)))
        times = (lands, lands + ramp, release, end)
        forces.append(Force(unit.x_mm, unit.y_mm, times, (0.0, carried, carried, 0.0), *_tremor(rng)))
        peak = action.impact if action.impact is not None else float(rng.uniform(*manner.impact))
        forces.append(_impact(unit, lands + 0.5 * ramp, (peak - rests) * unit.grams, float(rng.uniform(0.02, 0.06))))
    rest_g = float(rng.uniform(0.0, 0.5)) * min(grams, 1_600.0) if rng.random() < 0.6 else 0.0
    reach = release - begin
    hand = Force(
        units[0].x_mm + float(rng.normal(0, 12)),
        units[0].y_mm + float(rng.normal(0, 15)),
        (begin, begin + 0.3 * reach, release, release + 0.7 * release_s),
        (0.0, rest_g * float(rng.uniform(0.4, 1.0)), rest_g, 0.0),
        *_tremor(rng),
    )
    return [*forces, hand, *_knocks(units[0], begin, release, 0.3 * grams, rng)], end


def lean(
    width_mm: float, depth_mm: float, action: Lean, rng: np.random.Generator, manner: Manner = AS_MEASURED
) -> tuple[list[Force], list[Shock]]:
    """A push that goes away again; a short one is a bump and knocks the board."""
    lasts_s = action.lasts_s if action.lasts_s is not None else _log_uniform(rng, *manner.lean_s)
    force_g = action.force_g if action.force_g is not None else _log_uniform(rng, *manner.lean_g)
    x_mm = action.x_mm if action.x_mm is not None else float(rng.uniform(0.0, width_mm))
    y_mm = action.y_mm if action.y_mm is not None else float(rng.uniform(0.0, 0.6 * depth_mm))  # from the front
    rise = min(float(rng.uniform(0.05, 0.4)), 0.4 * lasts_s)
    fall = min(float(rng.uniform(0.05, 0.4)), 0.4 * lasts_s)
    begin, end = action.at_s, action.at_s + lasts_s
    middle = force_g * float(rng.uniform(0.7, 1.0))
    times = (begin, begin + rise, (begin + rise + end - fall) / 2, end - fall, end)
    push = Force(x_mm, y_mm, times, (0.0, force_g, middle, force_g * float(rng.uniform(0.6, 1.0)), 0.0), *_tremor(rng))
    knocks = []
    if lasts_s < 0.5:
        peak = 0.05 * force_g
        knocks.append(Shock(x_mm, y_mm, begin, peak, float(rng.uniform(10, 20)), float(rng.uniform(0.1, 0.4))))
    return [push], knocks


def _knocks(unit: Unit, begin_s: float, end_s: float, typical_g: float, rng: np.random.Generator) -> list[Force]:
    """Fingers and items that hit the board, each other and the shelf: about two a second, and the plate rings."""
    knocks = []
    for _ in range(rng.poisson(2.0 * (end_s - begin_s))):
        at_s, peak_g = float(rng.uniform(begin_s, end_s)), typical_g * float(rng.lognormal(0.0, 0.7))
        knocks.append(_impact(unit, at_s, min(peak_g, 800.0), float(rng.uniform(0.015, 0.04))))
    return knocks


def _impact(unit: Unit, at_s: float, peak_g: float, lasts_s: float) -> Force:
    """Half a sine."""
    turns = np.linspace(0.0, 1.0, 9)
    times = tuple(float(t) for t in at_s + turns * lasts_s)
    weights = tuple(float(g) for g in np.sin(np.pi * turns) * max(peak_g, 0.0))
    return Force(unit.x_mm, unit.y_mm, times, (*weights[:-1], 0.0))


def _tremor(rng: np.random.Generator) -> tuple[float, tuple[float, float], tuple[float, float]]:
    """5-20 % of the force; slow sway 1-3 Hz and physiological tremor 8-12 Hz (common knowledge, not in the facts)."""
    sway_hz, hand_hz = float(rng.uniform(1, 3)), float(rng.uniform(8, 12))
    return float(rng.uniform(0.05, 0.2)), (sway_hz, hand_hz), (float(rng.random()), float(rng.random()))


def _log_uniform(rng: np.random.Generator, low: float, high: float) -> float:
    return float(math.exp(rng.uniform(math.log(low), math.log(high))))
