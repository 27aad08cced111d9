"""What the board went through between two rests: a hypothesis' path through the batches of an activity.

While items are handled the board carries its level, and hands. A hand works where its item lies, so what is on top of
the level lies on a *line*, ``f (1, x, y)`` for any force f at a known place: two of the three numbers of each batch are
evidence even while nothing is at rest. That tells one movement from two at once, which of them came first, and when an
item left under a leaning arm (the arm's own line is taken out).

A hidden Markov model with Viterbi's path (Viterbi 1967). States are pairs of what has moved so far (a subset of the
hypothesis' movements) and what the hands do (a *mode*):

* rest: the level itself, with a Student t's wide tails for a plate that rings;
* a hand at a movement's own place, an arm at a place that the activity itself shows (`leans`), a load anywhere;
* two of these at once: any two forces on their two lines.

Densities are those of `edge.fusion.hands`, over the same batches for every hypothesis.
"""

from __future__ import annotations

import math

import numpy as np
import numpy.typing as npt
from numba import njit

from edge.fusion.hands import (
    AT_REST,
    BOTH,
    LIFTS,
    PRIOR,
    READ_OFF,
    lines_of,
    log_at_rest,
    log_both,
    log_enters,
    log_place,
    log_stays,
    pairs_of,
)

Floats = npt.NDArray[np.float64]
Ints = npt.NDArray[np.int64]

LOG_SWITCH = math.log(0.12)  # per batch: hands do something else
LOG_MOVED = math.log(0.03)  # per batch: an item leaves or arrives ...
LOG_UNTOUCHED = math.log(1e-3)  # ... without a hand where it lies
LOG_LINGERS = -0.2  # per batch: a hand at a place from which the thing is gone, or to which it hasn't come yet
HELD_UP_SHARE, LOG_HELD_UP = 0.8, -0.6  # per batch: a hand holds a thing up where it lay, all of its weight
PRUNED = 40.0  # states so much less likely than the best aren't followed
ELSEWHERE_PRICE = 3.0  # of a batch that no hand at a known place explains


@njit(cache=True)
def follow(
    z: Floats,
    weight: Floats,
    lasts: Floats,
    moved: Floats,
    place_sd: Floats,
    leans: Floats,
    noise: Floats,
    edges_mm: Floats,
    at: Ints,
) -> tuple[float, float]:
    """Log likelihood of the best path of a hypothesis, when its movements happened on it, and how well hands keep to
    their places on it: the mean over batches of the log ratio of being there and being anywhere; 0 without hands.

    Args:
        z: [n, 3] batches less the level before. weight: [n] how much of an independent observation each is.
        lasts: [n] how many batches each stands for.
        moved: [moves, 3] weight and moments of each movement; all of them make the level after.
        place_sd: [moves, 2] how well their places are known along x and y, mm.
        leans: [lines, 2] places where arms may have leaned.
        noise: [n, 3, 3] covariance of each batch's own noise, a ringing plate's; 0 along an axis that the board doesn't
            see.
        edges_mm: [4] the board's, about the moment origin.
        at: [moves] to fill: number of the first batch after each movement.
    """
    n, k = z.shape[0], moved.shape[0]
    subsets = 1 << k
    lines = lines_of(moved, place_sd, leans, edges_mm)
    pairs = pairs_of(lines, k, noise[0])
    singles = lines.shape[0]
    modes = 1 + singles + pairs.shape[0]
    log_pair = math.log(BOTH / max(pairs.shape[0], 1))
    levels = np.zeros((subsets, 3))
    for s in range(subsets):
        for m in range(k):
            if s >> m & 1:
                levels[s] += moved[m]
    untouched = np.full((modes, max(k, 1)), LOG_UNTOUCHED)
    for m in range(k):
        untouched[1 + m, m] = 0.0
        for i in range(pairs.shape[0]):
            if m in (int(pairs[i, 16]), int(pairs[i, 17])):
                untouched[1 + singles + i, m] = 0.0
    score = np.full((subsets, modes), -1e18)
    score[0, 0] = 0.0
    back = np.zeros((n, subsets, modes), np.int16)
    new = np.empty((subsets, modes))
    top = np.empty(subsets)
    top_mode = np.empty(subsets, np.int64)
    r, before = np.empty(3), np.empty(3)
    for t in range(n):
        for s in range(subsets):
            top[s], top_mode[s] = score[s, 0], 0
            for mode in range(1, modes):
                if score[s, mode] > top[s]:
                    top[s], top_mode[s] = score[s, mode], mode
        highest = top.max()
        w = weight[t]
        for s in range(subsets):
            likely = top[s] + LOG_SWITCH
            for m in range(k):
                if s >> m & 1:
                    likely = max(likely, top[s ^ (1 << m)] + LOG_MOVED + LOG_SWITCH)
            if likely < highest - PRUNED:
                new[s, :] = -1e18
                continue
            for axis in range(3):
                r[axis] = z[t, axis] - levels[s, axis]
                before[axis] = (z[t - 1, axis] if t > 0 else 0.0) - levels[s, axis]
            elsewhere = log_place(r, r, False, lines[singles - 1], noise[t])
            for mode in range(modes):
                stayed, stayed_from = score[s, mode], s * modes + mode
                came, came_from = top[s] + LOG_SWITCH, s * modes + top_mode[s]
                for m in range(k):
                    if s >> m & 1:
                        old, moves_now = s ^ (1 << m), LOG_MOVED + untouched[mode, m]
                        if score[old, mode] + moves_now > stayed:
                            stayed, stayed_from = score[old, mode] + moves_now, old * modes + mode
                        if top[old] + moves_now + LOG_SWITCH > came:
                            came, came_from = top[old] + moves_now + LOG_SWITCH, old * modes + top_mode[old]
                if max(stayed, came) < highest - PRUNED:
                    new[s, mode] = -1e18
                    continue
                if mode == 0:
                    value = w * log_at_rest(r, noise[t])
                    stayed, entered = stayed + value, came + math.log(AT_REST) + value
                elif mode <= singles:
                    line = lines[mode - 1]
                    there = elsewhere if line[READ_OFF] > 0.0 else log_place(r, r, False, line, noise[t])
                    goes_on = stayed > came - PRUNED
                    stayed = stayed + log_stays(r, before, w, line, there, elsewhere, noise[t]) if goes_on else -1e18
                    entered = came + line[PRIOR]
                    if entered > stayed:
                        entered += log_enters(r, w, line, there, elsewhere)
                else:
                    pair = pairs[mode - 1 - singles]
                    stayed = stayed + log_both(r, before, True, w, pair, noise[t]) if stayed > came - PRUNED else -1e18
                    entered = came + log_pair
                    if entered > stayed:
                        entered += log_both(r, before, False, w, pair, noise[t])
                if stayed >= entered:
                    new[s, mode], back[t, s, mode] = stayed, stayed_from
                else:
                    new[s, mode], back[t, s, mode] = entered, came_from
                for m in range(k):
                    if untouched[mode, m] == 0.0 and (moved[m, 0] < 0.0) == (s >> m & 1 == 1):
                        new[s, mode] += lasts[t] * LOG_LINGERS
                if mode == 0 or mode == singles:
                    continue
                if mode < singles:
                    lift = -r[0] / lines[mode - 1, LIFTS]
                else:
                    pair = pairs[mode - 1 - singles]
                    lift = -(r[0] * pair[0] + r[1] * pair[1] + r[2] * pair[2]) / pair[18]
                    lift = max(lift, -(r[0] * pair[3] + r[1] * pair[4] + r[2] * pair[5]) / pair[19])
                if lift > HELD_UP_SHARE:
                    new[s, mode] += lasts[t] * LOG_HELD_UP
        score[:] = new
    best, state = -1e18, (subsets - 1) * modes
    for mode in range(modes):
        if score[subsets - 1, mode] > best:
            best, state = score[subsets - 1, mode], (subsets - 1) * modes + mode
    kept, hands = 0.0, 0
    for t in range(n - 1, -1, -1):
        mode = state % modes
        if 0 < mode <= singles:
            line = lines[mode - 1]
            for axis in range(3):
                r[axis] = z[t, axis] - levels[state // modes, axis]
            hands += 1
            if line[READ_OFF] > 0.0:
                kept -= ELSEWHERE_PRICE
            else:
                kept += log_place(r, r, False, line, noise[t])
                kept -= log_place(r, r, False, lines[singles - 1], noise[t])
        elif mode > singles:
            hands += 1
            kept -= ELSEWHERE_PRICE
        earlier = int(back[t, state // modes, state % modes])
        came_now = (state // modes) & ~(earlier // modes)
        for m in range(k):
            if came_now >> m & 1:
                at[m] = t
        state = earlier
    return best, kept / max(hands, 1)
