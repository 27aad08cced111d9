"""A quiet shelf or a resting hand: how likely a plateau is either.

A plateau within an activity may be the shelf at rest between two visits, or a hand that holds an item half lifted, has
put it down but not let go, or leans on the shelf. Hands tremble, and don't stay for long. What a hand's plateau says of
the hand's place is the path's to judge (`edge.fusion.path`).
"""

from __future__ import annotations

import math

import numpy as np
import numpy.typing as npt

from edge.fusion.likelihood import log_anything
from edge.fusion.model import BoardModel
from edge.fusion.plateau import Plateau

Floats = npt.NDArray[np.float64]

HAND_SHARE = 0.4  # of the shortest plateaus within an activity: a hand
HAND_TAU_S = 0.8  # each such time makes a hand e times less likely ...
HOLD_SHARE, HOLD_TAU_S = 0.02, 6.0  # ... but some hold on to a thing for long
TREMOR_SHARE, TREMOR_S = 0.06, 0.5  # of its force, that a hand's wavers by; a shorter plateau sees less of its sway
LONGEST_S = 600.0  # beyond that it is all the same
REST_TAU_S = 0.4  # between two visits a shelf rests for about this long or longer (Weibull, shape 2)
HAND_SCALES_G = (300.0, 1_500.0)  # half an item, or somebody leaning: Laplace about the shelf's true level
# Unrest (batch noise over the running noise) of a quiet shelf is about 1, more in a burst of vibration.
QUIET_LOG_UNREST_SD, HAND_LOG_UNREST_SD = 0.9, 1.0


def log_hand(plateau: Plateau, force_g: float) -> float:
    """Log of prior that a plateau at ``force_g`` from the shelf's true level is a hand's, with its unrest's density."""
    seconds, unrest = plateau.seconds, max(plateau.unrest, 0.05)
    seconds = min(seconds, LONGEST_S)
    price = math.log(HAND_SHARE * math.exp(-seconds / HAND_TAU_S) + HOLD_SHARE * math.exp(-seconds / HOLD_TAU_S))
    noise_g = math.sqrt(0.5 * plateau.sum_var * plateau.batches) / unrest
    tremor_g = TREMOR_SHARE * min(seconds / TREMOR_S, 1.0) * abs(force_g)
    return price + _log_unrest(unrest, math.log1p(tremor_g / noise_g), HAND_LOG_UNREST_SD)


def log_load(model: BoardModel, z: Floats) -> float:
    """Log density of a hand's load ``z``, a push or half an item, anywhere on the board."""
    near, far = (0.25 / scale * math.exp(-abs(float(z[0])) / scale) for scale in HAND_SCALES_G)
    return float(log_anything(z, model.sees, model.edges_mm, math.log(near + far + 1e-300)))


def log_rest(plateau: Plateau) -> float:
    """Log of prior that a plateau is the shelf at rest, with the density of its unrest."""
    price = math.log(-math.expm1(-((plateau.seconds / REST_TAU_S) ** 2)) + 1e-3)
    return price + _log_unrest(plateau.unrest, 0.0, QUIET_LOG_UNREST_SD)


def _log_unrest(unrest: float, mean: float, sd: float) -> float:
    """Log density of a plateau's unrest, log-normal."""
    off = math.log(max(unrest, 0.05)) - mean
    return -0.5 * (off / sd) ** 2 - math.log(sd)
