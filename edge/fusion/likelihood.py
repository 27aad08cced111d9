"""How well a hypothesis explains the change between two plateaus: log densities, summed over hypotheses.

The change is ``z = (W, Mx, My)``: weight, and its moments about the middle of the cells (`edge.fusion.geometry`). All
densities are over the components of z that this board sees, so that they may be compared and added.

* one movement: ``W ~ N(n mu, n spread^2 + n^2 mean_var + var_W)`` with 1 % in wider tails, and the place ``M / W``
  uniform in the slot's box, blurred by how well the place is known;
* two or three movements: W as above for the sum; the moments Normal with the uniform boxes' means and variances
  (``L^2 / 12``);
* nothing: Normal about 0, with 10 % in Laplace tails for a shelf that was jolted or an item that was slid aside;
* a foreign object: log-normal in weight, anywhere on the board.
"""

from __future__ import annotations

import math

import numpy as np
import numpy.typing as npt
from numba import njit

from edge.fusion.moves import REWEIGHED_VAR, Moves

# Beforehand, when a board has been agitated.
LOG_NOTHING = math.log(0.45)
LOG_ONE = math.log(0.50)
LOG_TWO = math.log(0.03)
LOG_THREE = math.log(0.005)
LOG_FOREIGN = math.log(0.015)
LOG_FOREIGN_TAKEN = math.log(0.0002)  # nobody takes away what wasn't there; it may have lain there from the start
TAIL_SHARE = 0.01
JOLT_SHARE = 0.10
JOLT_GRAMS = 2.0
SLIDE_GRAM_MM = 20_000.0  # 400 g slid by 50 mm
EDGE_MM = 8.0  # items stand a little over the edge of their slot, or lean
PAIR_SIGMAS = 5.0
SAME_UNIT_SHARE = 0.8  # of what is taken and put back in one activity
FOREIGN_LOG_G, FOREIGN_LOG_SD = math.log(250.0), 1.0  # a bag, a bottle, a basket; nobody needs to hear of 5 g

NOTHING, FOREIGN_PUT = -1, -2
TOP = 24  # explanations kept per change

_LOG_2PI = math.log(2.0 * math.pi)


@njit(cache=True)
def log_normal(x: float, var: float) -> float:
    """Log density of N(0, var) at x."""
    return -0.5 * (_LOG_2PI + math.log(var) + x * x / var)


@njit(cache=True)
def log_add(a: float, b: float) -> float:
    """log(exp a + exp b)."""
    if a < b:
        a, b = b, a
    return a + math.log1p(math.exp(b - a)) if b > -700.0 + a else a


@njit(cache=True)
def log_laplace(x: float, scale: float) -> float:
    """Log density of a Laplace distribution about 0."""
    return -abs(x) / scale - math.log(2.0 * scale)


@njit(cache=True)
def log_tailed(x: float, var: float, weight_g: float) -> float:
    """Normal with a share of wide tails: a unit far from its kind, a label printed for another batch."""
    wide = 16.0 * var + (0.015 * weight_g) ** 2
    return log_add(math.log(1.0 - TAIL_SHARE) + log_normal(x, var), math.log(TAIL_SHARE) + log_normal(x, wide))


@njit(cache=True)
def log_blurred_uniform(x: float, low: float, high: float, sd: float) -> float:
    """Log density at x of a place uniform in [low, high] seen with a Normal error of ``sd``."""
    root = sd * math.sqrt(2.0)
    inside = 0.5 * (math.erf((x - low) / root) - math.erf((x - high) / root))
    if (
        inside < 1e-12
    ):  # far outside, where the difference of two erfs has no digits left: the tail beyond the nearer edge
        beyond = max(low - x, x - high, 0.0) / sd
        return -0.5 * beyond * beyond - math.log(1.0 + beyond) - math.log(high - low)
    return math.log(inside / (high - low))


@njit(cache=True)
def log_nothing(z: npt.NDArray[np.float64], var: npt.NDArray[np.float64], sees: npt.NDArray[np.bool_]) -> float:
    """Log density of a change if nothing was put or taken."""
    tight = math.log(1.0 - JOLT_SHARE) + log_normal(z[0], var[0])
    jolt = math.log(JOLT_SHARE) + log_laplace(z[0], JOLT_GRAMS + math.sqrt(var[0]))
    for axis in (1, 2):
        if sees[axis]:
            tight += log_normal(z[axis], var[axis])
            jolt += log_laplace(z[axis], SLIDE_GRAM_MM + math.sqrt(var[axis]))
    return log_add(tight, jolt)


@njit(cache=True)
def log_anything(
    z: npt.NDArray[np.float64], sees: npt.NDArray[np.bool_], board_mm: npt.NDArray[np.float64], log_weight: float
) -> float:
    """Log density of a load of density ``log_weight`` in W, anywhere on the board (its edges, about the origin)."""
    density = log_weight
    for axis in (1, 2):
        if sees[axis]:
            low, high = board_mm[2 * axis - 2], board_mm[2 * axis - 1]
            reach = abs(z[0]) + 2.0
            density += log_blurred_uniform(z[axis] / reach, low, high, 25.0) - math.log(reach)
    return density


@njit(cache=True)
def log_foreign(z: npt.NDArray[np.float64], sees: npt.NDArray[np.bool_], board_mm: npt.NDArray[np.float64]) -> float:
    """Log density of a change if an unknown object came or went."""
    grams = abs(z[0])
    if grams < 1.0:
        return -1e9
    off = (math.log(grams) - FOREIGN_LOG_G) / FOREIGN_LOG_SD
    log_weight = -0.5 * (_LOG_2PI + off * off) - math.log(2.0 * grams * FOREIGN_LOG_SD)
    return log_anything(z, sees, board_mm, log_weight)


@njit(cache=True, inline="always")  # a call would hand over all arrays of the moves, which costs more than the work
def log_one(
    z: npt.NDArray[np.float64], var: npt.NDArray[np.float64], gain_var: float, sees: npt.NDArray[np.bool_],
    moves: Moves, i: int,
) -> float:  # fmt: skip
    """Log density of a change under one movement."""
    off = z[0] - moves.weight_g[i]
    spread = moves.weight_var[i] + var[0] + (0.0 if moves.weighed_here[i] else gain_var)
    if z[0] * moves.weight_g[i] <= 0.0 or off * off > 100.0 * (16.0 * spread + (0.015 * moves.weight_g[i]) ** 2):
        return -1e9  # beyond even the wide tails
    density = log_tailed(off, spread, abs(moves.weight_g[i]))
    # The item's true weight by what is known of it and by what was measured: a bad measurement doesn't spoil the place.
    item_var = spread - var[0]
    grams = (moves.weight_g[i] * var[0] + z[0] * item_var) / spread
    grams_var = item_var * var[0] / spread
    for axis in (1, 2):
        if sees[axis]:
            place = z[axis] / grams
            sd = math.sqrt(EDGE_MM**2 + (var[axis] + place * place * grams_var) / (grams * grams))
            low, high = moves.box_mm[i, 2 * axis - 2], moves.box_mm[i, 2 * axis - 1]
            density += log_blurred_uniform(place, low, high, sd) - math.log(abs(grams))
    return density


@njit(cache=True, inline="always")
def _one_unit(moves: Moves, i: int, j: int) -> bool:
    """Taken and put back: most likely it is one unit, whose weight cancels."""
    return bool(moves.sku[i] == moves.sku[j] and moves.sku[i] >= 0 and moves.sign[i] != moves.sign[j])


@njit(cache=True, inline="always")  # a call would hand over all arrays of the moves, which costs more than the work
def log_several(
    z: npt.NDArray[np.float64], var: npt.NDArray[np.float64], gain_var: float, sees: npt.NDArray[np.bool_],
    moves: Moves, i: int, j: int, k: int,
) -> float:  # fmt: skip
    """Log density of a change under two movements at different places, or three (``k`` >= 0)."""
    mean, spread, same = 0.0, var[0] + gain_var, var[0] + gain_var + REWEIGHED_VAR
    for m in (i, j, k):
        if m >= 0:
            mean += moves.weight_g[m]
            spread += moves.weight_var[m]
    density = log_normal(z[0] - mean, spread)
    left, returned = k, False  # of three, the one that isn't of the pair
    if _one_unit(moves, i, j):
        returned = True
    elif k >= 0 and _one_unit(moves, i, k):
        left, returned = j, True
    elif k >= 0 and _one_unit(moves, j, k):
        left, returned = i, True
    if returned:
        mean = 0.0
        if left >= 0:
            mean = moves.weight_g[left]
            same += moves.weight_var[left]
        tight = log_normal(z[0] - mean, same)
        density = log_add(math.log(SAME_UNIT_SHARE) + tight, math.log(1.0 - SAME_UNIT_SHARE) + density)
    for axis in (1, 2):
        if sees[axis]:
            mean, spread = 0.0, var[axis]
            for m in (i, j, k):
                if m >= 0:
                    low, high = moves.box_mm[m, 2 * axis - 2], moves.box_mm[m, 2 * axis - 1]
                    middle, grams = 0.5 * (low + high), moves.weight_g[m]
                    mean += grams * middle
                    spread += grams * grams * ((high - low) ** 2 / 12.0 + EDGE_MM**2)
                    spread += moves.weight_var[m] * middle * middle
            density += log_normal(z[axis] - mean, spread)
    return density


@njit(cache=True)
def _insert(top_log: npt.NDArray[np.float64], top: npt.NDArray[np.int64], value: float, i: int, j: int, k: int) -> None:
    """Keep the best explanations in falling order."""
    row = top_log.size
    while row > 0 and top_log[row - 1] < value:
        row -= 1
    if row == top_log.size:
        return
    for m in range(top_log.size - 1, row, -1):
        top_log[m] = top_log[m - 1]
        top[m, 0], top[m, 1], top[m, 2] = top[m - 1, 0], top[m - 1, 1], top[m - 1, 2]
    top_log[row] = value
    top[row, 0], top[row, 1], top[row, 2] = i, j, k


@njit(cache=True)
def explain(
    z: npt.NDArray[np.float64],
    var: npt.NDArray[np.float64],
    gain_var: float,
    sees: npt.NDArray[np.bool_],
    board_mm: npt.NDArray[np.float64],
    moves: Moves,
    top_log: npt.NDArray[np.float64],
    top: npt.NDArray[np.int64],
) -> float:
    """The best explanations of one change, and the log evidence of all of them together.

    Args:
        z, var: [3] change and variance of its components. gain_var: of the weight, by doubtful gains.
        sees: [3] which components this board has.
        board_mm: [4] the board's edges about the moment origin. moves: candidates, boxes about the same origin.
        top_log, top: [TOP], [TOP, 3] to fill: log of prior times density, and the moves (NOTHING or FOREIGN_PUT as the
            first, -1 for a second or third where there are fewer).

    Returns:
        Log of the summed prior times density.
    """
    top_log[:] = -1e9
    top[:] = NOTHING
    evidence = LOG_NOTHING + log_nothing(z, var, sees)
    _insert(top_log, top, evidence, NOTHING, -1, -1)
    foreign = (LOG_FOREIGN if z[0] > 0.0 else LOG_FOREIGN_TAKEN) + log_foreign(z, sees, board_mm)
    _insert(top_log, top, foreign, FOREIGN_PUT, -1, -1)
    evidence = log_add(evidence, foreign)
    n = moves.sku.size
    for i in range(n):
        value = LOG_ONE + moves.log_prior[i] + log_one(z, var, gain_var, sees, moves, i)
        if value > evidence - 40.0:
            _insert(top_log, top, value, i, -1, -1)
            evidence = log_add(evidence, value)
    for i in range(n):
        if not moves.pairable[i]:
            continue
        for j in range(i, n):  # the same once more: two units, one after the other
            if not moves.pairable[j]:
                continue
            off = z[0] - moves.weight_g[i] - moves.weight_g[j]
            pair_var = moves.weight_var[i] + moves.weight_var[j] + var[0] + gain_var
            prior = moves.log_prior[i] + moves.log_prior[j]
            if off * off <= PAIR_SIGMAS**2 * pair_var:
                value = LOG_TWO + prior + log_several(z, var, gain_var, sees, moves, i, j, -1)
                if value > evidence - 40.0:
                    _insert(top_log, top, value, i, j, -1)
                    evidence = log_add(evidence, value)
            for k in range(j, n):
                left = off - moves.weight_g[k]
                if left * left > PAIR_SIGMAS**2 * (pair_var + moves.weight_var[k]) or not moves.pairable[k]:
                    continue
                value = LOG_THREE + prior + moves.log_prior[k]
                value += log_several(z, var, gain_var, sees, moves, i, j, k)
                if value > evidence - 40.0:
                    _insert(top_log, top, value, i, j, k)
                    evidence = log_add(evidence, value)
    return evidence
