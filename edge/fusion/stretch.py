"""What the batches of an activity say by themselves: where arms leaned, and how much a ringing plate may be off."""

from __future__ import annotations

import math

import numpy as np
import numpy.typing as npt
from numba import njit

Floats = npt.NDArray[np.float64]

LEAN_G = 60.0  # less than that on top of a level says nothing of a place
LEAN_BATCHES = 6
GREATEST_SHARE = 0.25
SAME_PLACE_MM = 20.0
LEAN_LINES = 3
NEIGHBOURS = 2  # batches to either side that tell how a plate rings


@njit(cache=True)
def leans(z: Floats, change: Floats) -> Floats:
    """Places [lines, 2] that an activity itself shows a load at: as it begins, as it ends, where it is greatest.

    Args:
        z: [n, 3] weight and moments of the batches less the level before. change: [3] from that level to the next.
    """
    n, lines = z.shape[0], 0
    found = np.empty((LEAN_LINES, 2))
    if n == 0:
        return found[:0]
    heavy = np.sort(np.abs(z[:, 0]))[math.ceil((1.0 - GREATEST_SHARE) * (n - 1))]
    places, place = np.empty((n, 2)), np.empty(2)
    for part in range(LEAN_LINES):
        loaded = 0
        for t in range(n):
            row = n - 1 - t if part == 1 else t
            over = 1.0 if part == 1 else 0.0
            grams = z[row, 0] - over * change[0]
            if grams <= LEAN_G or (part == 2 and abs(z[row, 0]) < heavy):
                continue
            for axis in range(2):
                places[loaded, axis] = (z[row, 1 + axis] - over * change[1 + axis]) / grams
            loaded += 1
            if loaded == LEAN_BATCHES and part < 2:
                break
        if loaded == 0:
            continue
        another = True
        for axis in range(2):
            ordered = np.sort(places[:loaded, axis])
            place[axis] = 0.5 * (ordered[(loaded - 1) // 2] + ordered[loaded // 2])
        for line in range(lines):
            apart = max(abs(place[0] - found[line, 0]), abs(place[1] - found[line, 1]))
            another = another and apart > SAME_PLACE_MM
        if another:
            found[lines] = place
            lines += 1
    return found[:lines]


@njit(cache=True)
def ringing(z: Floats, still_var: Floats, sees: npt.NDArray[np.bool_]) -> Floats:
    """Covariance [n, 3, 3] of what each batch may be off: ``still_var`` [3] at rest, and a plate that rings.

    A plate rings from batch to batch, hands don't: what is left of a batch less its neighbours' mean, squared and
    averaged over five batches, is three times (between white noise's 1.5 and a zigzag's 4) the variance. 0 along an
    axis that the board doesn't see.
    """
    n = z.shape[0]
    noise = np.zeros((n, 3, 3))
    rough = np.zeros((n, 3))
    for t in range(1, n - 1):
        for axis in range(3):
            rough[t, axis] = z[t, axis] - 0.5 * (z[t - 1, axis] + z[t + 1, axis])
    if n > 2:
        rough[0], rough[n - 1] = rough[1], rough[n - 2]
    for t in range(n):
        first, last = max(t - NEIGHBOURS, 0), min(t + NEIGHBOURS + 1, n)
        for a in range(3):
            for b in range(3):
                if not (sees[a] and sees[b]):
                    continue
                total = 0.0
                for s in range(first, last):
                    total += rough[s, a] * rough[s, b]
                noise[t, a, b] = total / (3.0 * (last - first)) + (still_var[a] if a == b else 0.0)
    return noise
