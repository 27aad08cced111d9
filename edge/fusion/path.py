"""What the board went through between two rests: a hypothesis' path through the batches of an activity.

While items are handled the board carries its level, and hands. A hand works where its item lies, so what is on top of
the level lies on a *line*, ``f (1, x, y)`` for any force f at a known place: two of the three numbers of each batch are
evidence even while nothing is at rest. That tells one movement from two at once, which of them came first, and when an
item left under a leaning arm (the arm's own line is taken out).

A hidden Markov model with Viterbi's path (Viterbi 1967). States are pairs of what has moved so far (a subset of the
hypothesis' movements) and what the hands do (a *mode*):

* rest: the level itself, with a Student t's wide tails for a plate that rings;
* at a movement's own place: any force, Laplace, on its line;
* leaning: any force on a line that the activity itself shows (`lean_places`);
* two hands at once, or a hand and an arm: any two forces on their two lines;
* anything: any force, anywhere on the board.

All are densities over ``z = (W, Mx, My)``, so that hypotheses can be compared. Neighbouring batches share one hand, so
each counts only for a part (`weight`) of an independent observation.
"""

from __future__ import annotations

import math

import numpy as np
import numpy.typing as npt
from numba import njit

Floats = npt.NDArray[np.float64]
Ints = npt.NDArray[np.int64]

MOST_MOVES = 3
BATCH_WEIGHT = 0.3
LOG_SWITCH = math.log(0.06)  # per batch: hands do something else
LOG_MOVED = math.log(0.03)  # per batch: an item leaves or arrives
LOG_ANYTHING = math.log(0.1)
LOG_BOTH = math.log(0.2)  # all pairs of hands together
LOG_LEAN = math.log(0.3)
REST_FREEDOM = 2.0  # degrees of freedom of the t distributions
LINE_FREEDOM = 3.0
HAND_G = 600.0
FAR_HAND_SHARE = 0.3
_LOG_NEAR = math.log(0.5 * (1.0 - FAR_HAND_SHARE))
_LOG_FAR = math.log(0.5 * FAR_HAND_SHARE / HAND_G)
LEAN_FORCE_G = 800.0
LEAN_SD_MM = 12.0
LINES_APART_MM = 30.0  # two hands nearer to each other can't be told apart
LEVER_MM = 200.0  # moments are divided by it where they stand beside weights

_LOG_2PI = math.log(2.0 * math.pi)
_T3 = math.lgamma(0.5 * (REST_FREEDOM + 3.0)) - math.lgamma(0.5 * REST_FREEDOM) - 1.5 * math.log(REST_FREEDOM * math.pi)
_T2 = (
    math.lgamma(0.5 * (LINE_FREEDOM + 2.0)) - math.lgamma(0.5 * LINE_FREEDOM) - math.log(LINE_FREEDOM * math.pi)
)
_T1 = (
    math.lgamma(0.5 * (LINE_FREEDOM + 1.0)) - math.lgamma(0.5 * LINE_FREEDOM) - 0.5 * math.log(LINE_FREEDOM * math.pi)
)


@njit(cache=True)
def _log_rest(r: Floats, noise: Floats) -> float:
    """Student t about the level. ``noise``: [3] scale."""
    square = 0.0
    log_scale = 0.0
    for axis in range(3):
        if noise[axis] > 0.0:
            square += (r[axis] / noise[axis]) ** 2
            log_scale += math.log(noise[axis])
    return _T3 - log_scale - 0.5 * (REST_FREEDOM + 3.0) * math.log(1.0 + square / REST_FREEDOM)


@njit(cache=True)
def _log_line(r: Floats, x: float, y: float, x_sd: float, y_sd: float, noise: Floats) -> float:
    """Density of the moments of a force ``r[0]`` at (x, y), known to ``x_sd``, ``y_sd``."""
    square = 0.0
    log_scale = 0.0
    for axis in (1, 2):
        if noise[axis] > 0.0:
            at, sd = (x, x_sd) if axis == 1 else (y, y_sd)
            scale = math.sqrt(noise[axis] ** 2 + (sd * r[0]) ** 2)
            square += ((r[axis] - r[0] * at) / scale) ** 2
            log_scale += math.log(scale)
    return _T2 - log_scale - 0.5 * (LINE_FREEDOM + 2.0) * math.log(1.0 + square / LINE_FREEDOM)


@njit(cache=True)
def _log_force(f: float, grams: float) -> float:
    """Density of a hand's force on an item of that weight: some share of it, or a push."""
    return max(_LOG_NEAR - abs(f) / grams - math.log(grams), _LOG_FAR - abs(f) / HAND_G)


@njit(cache=True)
def _log_anything(r: Floats, edges_mm: Floats, noise: Floats) -> float:
    """Density of any force anywhere on the board; off it, at a price."""
    density = -abs(r[0]) / HAND_G - math.log(2.0 * HAND_G)
    reach = abs(r[0]) + 5.0
    for axis in (1, 2):
        if noise[axis] > 0.0:
            low, high = edges_mm[2 * axis - 2], edges_mm[2 * axis - 1]
            extent = high - low
            place = r[axis] / reach
            density -= math.log(extent * reach)
            beyond = max(low - place, place - high, 0.0)
            density -= 3.0 * math.log(1.0 + 4.0 * beyond / extent)
    return density


@njit(cache=True)
def _pairs(moved: Floats, place_sd: Floats, leans: Floats, noise: Floats) -> Floats:
    """Two hands at once, a row for each two lines of which one at least is a movement's.

    Columns: the dual vectors that give the two forces, [0:3] and [3:6]; the unit normal of the plane of the two lines
    [6:9]; log of the area that two grams span in it [9]; weights of the items, 0 for an arm [10:12]; variances of the
    normal component per gram squared of the two forces [12:14].
    """
    k, lines = moved.shape[0], moved.shape[0] + leans.shape[0]
    table = np.empty((lines * lines, 14))
    p, q = np.empty(3), np.empty(3)
    n = 0
    if noise[1] <= 0.0:
        return table[:0]
    for a in range(k):
        for b in range(a + 1, lines):
            p[0], p[1], p[2] = 1.0, moved[a, 1] / moved[a, 0] / LEVER_MM, moved[a, 2] / moved[a, 0] / LEVER_MM
            if b < k:
                q[0], q[1], q[2] = 1.0, moved[b, 1] / moved[b, 0] / LEVER_MM, moved[b, 2] / moved[b, 0] / LEVER_MM
            else:
                q[0], q[1], q[2] = 1.0, leans[b - k, 0] / LEVER_MM, leans[b - k, 1] / LEVER_MM
            apart = math.hypot(p[1] - q[1], p[2] - q[2] if noise[2] > 0.0 else 0.0)
            if apart * LEVER_MM < LINES_APART_MM:
                continue
            normal = np.cross(p, q)
            area = math.sqrt((normal**2).sum())
            normal /= area
            pp, qq, pq = (p * p).sum(), (q * q).sum(), (p * q).sum()
            determinant = pp * qq - pq * pq
            row = table[n]
            for axis in range(3):
                lever = 1.0 if axis == 0 else LEVER_MM
                row[axis] = (qq * p[axis] - pq * q[axis]) / determinant / lever
                row[3 + axis] = (pp * q[axis] - pq * p[axis]) / determinant / lever
                row[6 + axis] = normal[axis] / lever
            row[9] = math.log(area)
            row[10] = abs(moved[a, 0]) + 20.0
            row[11] = abs(moved[b, 0]) + 20.0 if b < k else 0.0
            row[12] = ((normal[1] * place_sd[a, 0]) ** 2 + (normal[2] * place_sd[a, 1]) ** 2) / LEVER_MM**2
            x_sd, y_sd = (place_sd[b, 0], place_sd[b, 1]) if b < k else (LEAN_SD_MM, LEAN_SD_MM)
            row[13] = ((normal[1] * x_sd) ** 2 + (normal[2] * y_sd) ** 2) / LEVER_MM**2
            n += 1
    return table[:n]


@njit(cache=True)
def _log_both(r: Floats, pairs: Floats, noise: Floats) -> float:
    """Two hands at once, each on its own line: the likeliest two."""
    best = -1e9
    sees_y = noise[2] > 0.0
    jacobian = 2.0 * math.log(LEVER_MM) if sees_y else math.log(LEVER_MM)
    for i in range(pairs.shape[0]):
        row = pairs[i]
        fa = r[0] * row[0] + r[1] * row[1] + r[2] * row[2]
        fb = r[0] * row[3] + r[1] * row[4] + r[2] * row[5]
        value = _log_force(fa, row[10]) - row[9]
        if row[11] > 0.0:
            value += _log_force(fb, row[11])
        else:
            value += -abs(fb) / LEAN_FORCE_G - math.log(2.0 * LEAN_FORCE_G)
        if sees_y:
            off = r[0] * row[6] + r[1] * row[7] + r[2] * row[8]
            var = noise[0] ** 2 + fa * fa * row[12] + fb * fb * row[13]
            square = off * off / var
            value += _T1 - 0.5 * math.log(var) - 0.5 * (LINE_FREEDOM + 1.0) * math.log(1.0 + square / LINE_FREEDOM)
        best = max(best, value)
    return LOG_BOTH + best - jacobian - math.log(1.0 + pairs.shape[0])


@njit(cache=True)
def follow(
    z: Floats,
    weight: Floats,
    moved: Floats,
    place_sd: Floats,
    leans: Floats,
    noise: Floats,
    edges_mm: Floats,
    at: Ints,
) -> float:
    """Log likelihood of the best path of a hypothesis, and when its movements happened on it.

    Args:
        z: [n, 3] batches less the level before. weight: [n] how much of an observation each is.
        moved: [moves, 3] weight and moments of each movement; all of them make the level after.
        place_sd: [moves, 2] how well their places are known along x and y, mm.
        leans: [lines, 2] places where arms may have leaned.
        noise: [3] scale of a batch's own noise; 0 along an axis that the board doesn't see.
        edges_mm: [4] the board's, about the moment origin.
        at: [moves] to fill: number of the first batch after each movement.
    """
    n, k, lines = z.shape[0], moved.shape[0], leans.shape[0]
    subsets = 1 << k
    both = 1 + k + lines
    anything = both + 1
    modes = anything + 1
    everything = subsets - 1
    levels = np.zeros((subsets, 3))
    for s in range(subsets):
        for m in range(k):
            if s >> m & 1:
                levels[s] += moved[m]
    pairs = _pairs(moved, place_sd, leans, noise)
    score = np.full((subsets, modes), -1e18)
    score[0, 0] = 0.0
    for mode in range(1, modes):
        score[0, mode] = LOG_SWITCH
    back = np.zeros((n, subsets, modes), np.int16)
    new = np.empty((subsets, modes))
    top = np.empty(subsets)
    top_mode = np.empty(subsets, np.int64)
    r = np.empty(3)
    for t in range(n):
        for s in range(subsets):
            top[s], top_mode[s] = score[s, 0], 0
            for mode in range(1, modes):
                if score[s, mode] > top[s]:
                    top[s], top_mode[s] = score[s, mode], mode
        for s in range(subsets):
            came, came_from = top[s] + LOG_SWITCH, s * modes + top_mode[s]
            for m in range(k):
                if s >> m & 1:
                    old = s ^ (1 << m)
                    if top[old] + LOG_MOVED > came:
                        came, came_from = top[old] + LOG_MOVED, old * modes + top_mode[old]
            for axis in range(3):
                r[axis] = z[t, axis] - levels[s, axis]
            for mode in range(modes):
                if mode == 0:
                    value = _log_rest(r, noise)
                elif mode <= k:
                    m = mode - 1
                    grams = abs(moved[m, 0]) + 20.0
                    x, y = moved[m, 1] / moved[m, 0], moved[m, 2] / moved[m, 0]
                    value = _log_force(r[0], grams) + _log_line(r, x, y, place_sd[m, 0], place_sd[m, 1], noise)
                elif mode < both:
                    line = mode - 1 - k
                    value = LOG_LEAN - abs(r[0]) / LEAN_FORCE_G - math.log(2.0 * LEAN_FORCE_G)
                    value += _log_line(r, leans[line, 0], leans[line, 1], LEAN_SD_MM, LEAN_SD_MM, noise)
                elif mode == both:
                    value = _log_both(r, pairs, noise)
                else:
                    value = LOG_ANYTHING + _log_anything(r, edges_mm, noise)
                value *= weight[t]
                if score[s, mode] >= came:
                    new[s, mode] = score[s, mode] + value
                    back[t, s, mode] = s * modes + mode
                else:
                    new[s, mode] = came + value
                    back[t, s, mode] = came_from
        score[:] = new
    best, state = -1e18, everything * modes
    for mode in range(modes):
        if score[everything, mode] > best:
            best, state = score[everything, mode], everything * modes + mode
    for t in range(n - 1, -1, -1):
        before = int(back[t, state // modes, state % modes])
        came = (state // modes) & ~(before // modes)
        for m in range(k):
            if came >> m & 1:
                at[m] = t
        state = before
    return best
