"""A quiet shelf or a resting hand: how likely a plateau is either.

A plateau within an activity may be the shelf at rest between two visits, or a hand that holds an item half lifted, has
put it down but not let go, or leans on the shelf. Hands tremble, and don't stay for long.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from edge.fusion.likelihood import NOTHING, log_add, log_anything, log_share_of
from edge.fusion.model import BoardModel
from edge.fusion.moves import Moves
from edge.fusion.plateau import Plateau

Floats = npt.NDArray[np.float64]

HAND_SHARE = 0.5  # of the shortest plateaus within an activity: a hand
HAND_TAU_S = 0.8  # each such time makes a hand e times less likely
# A force that wavers by less than this share of itself, for longer than a moment, isn't a hand's.
TREMOR_SHARE, STILL_FROM_S, STILL_TAU_S = 0.03, 0.8, 0.3
REST_TAU_S = 0.7  # between two visits a shelf rests for about this long or longer (Weibull, shape 2)
HAND_SCALES_G = (300.0, 1_500.0)  # half an item, or somebody leaning: Laplace about the shelf's true level
ON_ITEM_SHARE = 0.7  # of the hands in an activity that moved something: on the very thing that was moved
ON_ITEM_MM = 20.0  # how far from the middle of what is moved the hand presses
# Unrest (batch noise over the running noise) of a quiet shelf is about 1, more in a burst of vibration.
QUIET_LOG_UNREST, QUIET_LOG_UNREST_SD = 0.0, 0.9
HAND_LOG_UNREST, HAND_LOG_UNREST_SD = math.log(8.0), 1.2


@dataclass(frozen=True, slots=True)
class Held:
    """What a hand may have rested on: ``item`` (as z), come on top of ``offset``, at a place known to ``place_var``."""

    offset: Floats
    item: Floats
    place_var: Floats


def held_by(rows: tuple[int, ...], moves: Moves, z: Floats) -> tuple[Held, ...]:
    """What a hand held half-way through the moves of an explanation, whose net change is ``z``."""
    none = np.zeros(3)
    if len(rows) == 1:
        if rows == (NOTHING,) or abs(z[0]) < 1.0:
            return ()
        return (Held(none, z, np.full(3, ON_ITEM_MM**2)),)
    loads, places = [], []
    for row in rows:
        box = moves.box_mm[row]
        loads.append(moves.weight_g[row] * np.array([1.0, 0.5 * (box[0] + box[1]), 0.5 * (box[2] + box[3])]))
        places.append(ON_ITEM_MM**2 + np.array([0.0, (box[1] - box[0]) ** 2, (box[3] - box[2]) ** 2]) / 12.0)
    (a, b), (a_var, b_var) = loads, places
    return Held(none, a, a_var), Held(none, b, b_var), Held(z - b, b, b_var), Held(z - a, a, a_var)


def log_hand(model: BoardModel, plateau: Plateau, z: Floats, net: Floats, held: tuple[Held, ...]) -> float:
    """Log of prior times density that a plateau at ``z`` from the true level is a hand's.

    Where the activity moved something (``held``, ``net`` in all), the hand mostly rested on that, with some share of
    its weight; or it leaned on the shelf, before the thing was moved or after.
    """
    price = math.log(HAND_SHARE) - plateau.seconds / HAND_TAU_S
    force_g = min(abs(float(z[0])), abs(float(z[0] - net[0]))) if held else abs(float(z[0]))
    batch_sd_g = math.sqrt(0.5 * plateau.sum_var * plateau.batches)
    if TREMOR_SHARE * force_g > 2.0 * batch_sd_g:
        price -= max(plateau.seconds - STILL_FROM_S, 0.0) / STILL_TAU_S
    price += _log_unrest(plateau.unrest, HAND_LOG_UNREST, HAND_LOG_UNREST_SD)
    if not held:
        return price + _log_lean(model, z)
    leans = log_add(_log_lean(model, z), _log_lean(model, z - net))
    density = math.log(0.5 * (1.0 - ON_ITEM_SHARE)) + leans
    for thing in held:
        on_item = float(log_share_of(z - thing.offset, thing.item, thing.place_var, model.sees))
        density = log_add(density, math.log(ON_ITEM_SHARE / len(held)) + on_item)
    return price + float(density)


def log_rest(plateau: Plateau) -> float:
    """Log of prior that a plateau is the shelf at rest, with the density of its unrest."""
    price = math.log(-math.expm1(-((plateau.seconds / REST_TAU_S) ** 2)) + 1e-3)
    return price + _log_unrest(plateau.unrest, QUIET_LOG_UNREST, QUIET_LOG_UNREST_SD)


def _log_lean(model: BoardModel, z: Floats) -> float:
    """Log density of a hand's load anywhere on the board."""
    near, far = (0.25 / scale * math.exp(-abs(float(z[0])) / scale) for scale in HAND_SCALES_G)
    return float(log_anything(z, model.sees, model.edges_mm, math.log(near + far + 1e-300)))


def _log_unrest(unrest: float, mean: float, sd: float) -> float:
    """Log density of a plateau's unrest, log-normal."""
    off = math.log(max(unrest, 0.05)) - mean
    return -0.5 * (off / sd) ** 2 - math.log(sd)
