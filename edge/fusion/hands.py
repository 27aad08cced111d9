"""How a batch looks under hands: the densities that `edge.fusion.path` chooses its path by.

A hand works where its item lies, so what is on top of a level lies on a *line*, ``f (1, x, y)`` for any force f at a
known place: two of the three numbers of each batch are evidence even while nothing is at rest. A hand that goes on from
the batch before goes on at its place and much with its force: a batch is judged given the one before it, so that one
contact counts once, however long it lasts. All are densities over ``z = (W, Mx, My)``, so that they can be compared.
"""

from __future__ import annotations

import math

import numpy as np
import numpy.typing as npt
from numba import njit

Floats = npt.NDArray[np.float64]
Ints = npt.NDArray[np.int64]

LIFTED_SHARE, LIFTED_G = 1.05, 5.0  # a hand takes no more than the item's weight off a board
LOG_IMPOSSIBLE = -3.0
# What hands do next: at one of the movements' places, lean, anything, or two of these at once. The rest is rest.
AT_ITEM, LEANING, ANYTHING, BOTH, AT_REST = 0.45, 0.1, 0.05, 0.15, 0.25
FREEDOM = 3.0  # degrees of freedom of the t distributions
NEAR_SHARE = 0.7  # of the hands' forces: about the weight of what they move
HAND_G = 600.0  # ... the others: a push
STEADY_SHARE, STEADY_G, STEADY_OF_FORCE = 0.6, 2.0, 0.05  # from batch to batch: it hardly changes ...
MOVING_G, MOVING_OF_FORCE = 60.0, 0.3  # ... or it moves
WANDER_MM = 2.0  # of a hand's place from batch to batch
LEAN_SD_MM = 12.0
AT_PLACE_FREEDOM = 8.0  # of where a hand comes to: it comes there, or elsewhere, which is another mode
STAYS_WEIGHT = 0.1  # of an observation, that a hand goes on being where it should be
LINES_APART_MM = 30.0  # two hands nearer to each other can't be told apart
ELSEWHERE_MM = 150.0  # how far off a line a load anywhere is
LEVER_MM = 200.0  # moments are divided by it where they stand beside weights

_LOG_NEAR = math.log(0.5 * NEAR_SHARE)
_LOG_FAR = math.log(0.5 * (1.0 - NEAR_SHARE) / HAND_G)
_LOG_STEADY = math.log(0.5 * STEADY_SHARE)
_LOG_MOVING = math.log(0.5 * (1.0 - STEADY_SHARE))
_T1, _T2, _T3 = (
    math.lgamma(0.5 * (FREEDOM + n)) - math.lgamma(0.5 * FREEDOM) - 0.5 * n * math.log(FREEDOM * math.pi)
    for n in (1.0, 2.0, 3.0)
)
_P1, _P2 = (
    math.lgamma(0.5 * (AT_PLACE_FREEDOM + n))
    - math.lgamma(0.5 * AT_PLACE_FREEDOM)
    - 0.5 * n * math.log(AT_PLACE_FREEDOM * math.pi)
    for n in (1.0, 2.0)
)

# Columns of a line: place, its sd, weight of what the hand moves, log of the mode's prior, what may be lifted there.
_X, _Y, _X_SD, _Y_SD, _GRAMS, PRIOR, LIFTS, READ_OFF = range(8)
_PAIR_COLUMNS = 21


@njit(cache=True)
def log_at_rest(r: Floats, noise: Floats) -> float:
    """Student t about the level. ``noise``: [3, 3] covariance, 0 along an axis that the board doesn't see."""
    square, scale, axes = 0.0, 1.0, 0
    for axis in range(3):
        if noise[axis, axis] > 0.0:
            square += r[axis] ** 2 / noise[axis, axis]
            scale *= noise[axis, axis]
            axes += 1
    constant = _T3 if axes == 3 else (_T2 if axes == 2 else _T1)
    return constant - 0.5 * math.log(scale) - 0.5 * (FREEDOM + axes) * math.log(1.0 + square / FREEDOM)


@njit(cache=True)
def _log_force(f: float, grams: float) -> float:
    """Density of a hand's force on an item of that weight: some share of it, or a push."""
    return max(_LOG_NEAR - abs(f) / grams - math.log(grams), _LOG_FAR - abs(f) / HAND_G)


@njit(cache=True)
def _log_force_step(step: float, before: float) -> float:
    """Density of the step of a hand's force from the batch before. ``before``: the forces around then."""
    steady = STEADY_G + STEADY_OF_FORCE * before
    moving = MOVING_G + MOVING_OF_FORCE * before
    off = abs(step)
    return max(_LOG_STEADY - off / steady - math.log(steady), _LOG_MOVING - off / moving - math.log(moving))


@njit(cache=True)
def _log_lift(f: float, lifts_g: float) -> float:
    """Price of a force upwards that nobody can exert: arms and hands press, and lift what lies there at most."""
    return 0.0 if f >= -lifts_g else LOG_IMPOSSIBLE * min(1.0, (-f - lifts_g) / 20.0)


@njit(cache=True)
def log_place(r: Floats, before: Floats, goes_on: bool, line: Floats, noise: Floats) -> float:
    """Density of the moments of a force ``r[0]`` on a line; where the hand ``goes_on``, given the batch ``before``."""
    f, f0 = r[0], before[0]
    square, scale, axes = 0.0, 1.0, 0
    for axis in (1, 2):
        if noise[axis, axis] <= 0.0:
            continue
        place, place_var = line[_X + axis - 1], line[_X_SD + axis - 1] ** 2
        noise_var = max(noise[axis, axis] - 2.0 * place * noise[0, axis] + place * place * noise[0, 0], 1.0)
        if goes_on:  # the place as the batch before tells it
            known = f0 * f0 * place_var / (noise_var + f0 * f0 * place_var)
            if f0 != 0.0:
                place += known * (before[axis] / f0 - place)
            place_var = place_var * (1.0 - known) + WANDER_MM**2
        var = noise_var + f * f * place_var
        square += (r[axis] - f * place) ** 2 / var
        scale *= var
        axes += 1
    if axes == 0:
        return 0.0
    freedom, constant = (
        (FREEDOM, _T2 if axes == 2 else _T1) if goes_on else (AT_PLACE_FREEDOM, _P2 if axes == 2 else _P1)
    )
    return constant - 0.5 * math.log(scale) - 0.5 * (freedom + axes) * math.log(1.0 + square / freedom)


@njit(cache=True)
def log_stays(
    r: Floats, before: Floats, weight: float, line: Floats, there: float, elsewhere: float, noise: Floats
) -> float:
    """Density of a batch under a hand that goes on from the batch before, and a little for where it is.

    A force that was held for a whole plateau (``weight`` 1) is a force somebody chose, not a step from the one before.
    ``there``, ``elsewhere``: `log_place` of the batch on the line and on that of a load anywhere, not going on.
    """
    step = _log_force_step(r[0] - before[0], abs(before[0])) if weight < 1.0 else _log_force(r[0], line[_GRAMS])
    step += _log_lift(r[0], line[LIFTS])
    density = weight * (step + log_place(r, before, True, line, noise))
    if line[READ_OFF] > 0.0:
        return density
    return density + STAYS_WEIGHT * (there - elsewhere)


@njit(cache=True)
def log_enters(r: Floats, weight: float, line: Floats, there: float, elsewhere: float) -> float:
    """The same for a hand that comes. It comes to its place once, so that where it comes to has all its weight."""
    # An arm's place was read off this very activity: that it comes there is no evidence.
    place = elsewhere if line[READ_OFF] > 0.0 else there
    force = _log_force(r[0], line[_GRAMS]) + _log_lift(r[0], line[LIFTS])
    return weight * (force + place) + (1.0 - weight) * (place - elsewhere)


@njit(cache=True)
def lines_of(moved: Floats, place_sd: Floats, leans: Floats, edges_mm: Floats) -> Floats:
    """A row for each movement, each lean, and for a load anywhere."""
    k, n = moved.shape[0], leans.shape[0]
    lines = np.empty((k + n + 1, 8))
    log_at = math.log(AT_ITEM / max(k, 1))
    for m in range(k):
        grams = abs(moved[m, 0]) + 20.0
        lines[m, :2] = moved[m, 1:] / moved[m, 0]
        lines[m, 2:4] = place_sd[m]
        lines[m, 4:] = grams, log_at, LIFTED_SHARE * abs(moved[m, 0]) + LIFTED_G, 0.0
    for lean in range(n):
        lines[k + lean] = (
            leans[lean, 0],
            leans[lean, 1],
            LEAN_SD_MM,
            LEAN_SD_MM,
            HAND_G,
            math.log(LEANING / n),
            LIFTED_G,
            1.0,
        )
    width, depth = edges_mm[1] - edges_mm[0], edges_mm[3] - edges_mm[2]
    middle_x, middle_y = 0.5 * (edges_mm[0] + edges_mm[1]), 0.5 * (edges_mm[2] + edges_mm[3])
    lines[k + n] = (
        middle_x,
        middle_y,
        width / math.sqrt(12.0),
        depth / math.sqrt(12.0),
        HAND_G,
        math.log(ANYTHING),
        LIFTED_G,
        1.0,
    )
    return lines


@njit(cache=True)
def pairs_of(lines: Floats, k: int, noise: Floats) -> Floats:
    """Two hands at once, a row for each two lines of known place of which one at least is a movement's.

    Columns: the dual vectors that give the two forces, [0:3] and [3:6]; the unit normal of the plane of the two lines
    [6:9]; log of the area that two grams span in it [9]; weights of what the hands move [10:12]; variances of the
    normal component per gram squared of the two forces [12:14], and of their wandering [14:16];
    which lines they are [16:18], and what may be lifted there [18:20]; and whether the second was
    read off the activity [20].
    """
    n = lines.shape[0] - 1
    table = np.empty((n * n, _PAIR_COLUMNS))
    p, q, normal = np.ones(3), np.ones(3), np.empty(3)
    found = 0
    if noise[1, 1] <= 0.0:
        return table[:0]
    sees_y = noise[2, 2] > 0.0
    second = n if k < 3 else k  # of three movements two hands are enough: nobody leans as well
    for a in range(k):
        for b in range(a + 1, second):
            p[1], q[1] = lines[a, _X] / LEVER_MM, lines[b, _X] / LEVER_MM
            p[2], q[2] = (lines[a, _Y] / LEVER_MM, lines[b, _Y] / LEVER_MM) if sees_y else (0.0, 0.0)
            if math.hypot(p[1] - q[1], p[2] - q[2]) * LEVER_MM < LINES_APART_MM:
                continue
            normal[0] = p[1] * q[2] - p[2] * q[1]
            normal[1] = p[2] * q[0] - p[0] * q[2]
            normal[2] = p[0] * q[1] - p[1] * q[0]
            area = math.sqrt(normal[0] ** 2 + normal[1] ** 2 + normal[2] ** 2)
            normal /= area
            pp, qq, pq = (p * p).sum(), (q * q).sum(), (p * q).sum()
            determinant = pp * qq - pq * pq
            row = table[found]
            for axis in range(3):
                lever = 1.0 if axis == 0 else LEVER_MM
                row[axis] = (qq * p[axis] - pq * q[axis]) / determinant / lever
                row[3 + axis] = (pp * q[axis] - pq * p[axis]) / determinant / lever
                row[6 + axis] = normal[axis] / lever
            row[9] = math.log(area)
            row[10], row[11] = lines[a, _GRAMS], lines[b, _GRAMS]
            nx, ny = (normal[1] / LEVER_MM) ** 2, (normal[2] / LEVER_MM) ** 2
            row[12] = nx * lines[a, _X_SD] ** 2 + ny * lines[a, _Y_SD] ** 2
            row[13] = nx * lines[b, _X_SD] ** 2 + ny * lines[b, _Y_SD] ** 2
            row[14] = row[15] = (nx + ny) * WANDER_MM**2
            row[20] = lines[b, READ_OFF]
            row[16], row[17], row[18], row[19] = a, b, lines[a, LIFTS], lines[b, LIFTS]
            found += 1
    return table[:found]


@njit(cache=True)
def log_both(r: Floats, before: Floats, goes_on: bool, weight: float, pair: Floats, noise: Floats) -> float:
    """Density of a batch under two hands, each on its own line, as `log_stays` and `log_enters` for one."""
    fa = r[0] * pair[0] + r[1] * pair[1] + r[2] * pair[2]
    fb = r[0] * pair[3] + r[1] * pair[4] + r[2] * pair[5]
    off = r[0] * pair[6] + r[1] * pair[7] + r[2] * pair[8]
    density = _log_lift(fa, pair[18]) + _log_lift(fb, pair[19]) - pair[9] - math.log(LEVER_MM)
    nw, nx, ny = pair[6], pair[7], pair[8]
    var, normal = nw * nw * noise[0, 0] + nx * nx * noise[1, 1] + ny * ny * noise[2, 2], 0.0
    var += 2.0 * (nw * nx * noise[0, 1] + nw * ny * noise[0, 2] + nx * ny * noise[1, 2])
    sees_y = noise[2, 2] > 0.0
    if goes_on:
        fa0 = before[0] * pair[0] + before[1] * pair[1] + before[2] * pair[2]
        fb0 = before[0] * pair[3] + before[1] * pair[4] + before[2] * pair[5]
        off -= before[0] * pair[6] + before[1] * pair[7] + before[2] * pair[8]
        around = max(abs(fa0), abs(fb0))
        if weight < 1.0:
            density += _log_force_step(fa - fa0, around) + _log_force_step(fb - fb0, around)
        else:
            density += _log_force(fa, pair[10]) + _log_force(fb, pair[11])
        var += (fa - fa0) ** 2 * pair[12] + (fb - fb0) ** 2 * pair[13] + fa * fa * pair[14] + fb * fb * pair[15]
        freedom = FREEDOM
    else:
        density += _log_force(fa, pair[10]) + _log_force(fb, pair[11])
        far = var + ELSEWHERE_MM**2 / LEVER_MM**2 * (fa * fa + fb * fb)
        var += fa * fa * pair[12] + fb * fb * pair[13]
        freedom = AT_PLACE_FREEDOM
        if sees_y and pair[20] <= 0.0:
            normal -= 0.5 * math.log(var / far)
            normal += (
                0.5
                * (freedom + 1.0)
                * math.log((1.0 + off * off / (far * freedom)) / (1.0 + off * off / (var * freedom)))
            )
    if sees_y:
        density += (_T1 if goes_on else _P1) - math.log(LEVER_MM) - 0.5 * math.log(var)
        density -= 0.5 * (freedom + 1.0) * math.log(1.0 + off * off / (var * freedom))
    return float(weight * density + (1.0 - weight) * normal)
