"""How large a person is where in the picture: from the floor map, else learned from those who walk alone.

Learned: width and height of the box are each a quadratic in the box centre's place (ridge regression, recursive, with
robust weights): linear is what a camera that looks along the floor sees, the squares are for one that looks down.
Before somebody was seen alone for a while, nothing is known and nothing is split.
"""

from __future__ import annotations

import math
from typing import NamedTuple

import numpy as np
import numpy.typing as npt
from numba import njit

Floats = npt.NDArray[np.float64]

TERMS = 6
RIDGE = (0.0, 0.3, 0.3, 3.0, 3.0, 3.0)  # as if so many samples said that this term is zero
ENOUGH = 12.0  # samples
MOST_LEVERAGE = 0.15  # as good as the mean of seven samples, or nothing is said
MEMORY = 3000.0  # samples
CELL = 8  # pixels
FIRST_MEMORY = 15.0  # the first samples, of a background that isn't settled, are soon forgotten
ODD_SHARE = 0.4  # a sample that is so much smaller than expected counts half
TOO_LARGE_SHARE = 0.12  # and one so much larger: two people, or one with a shadow, are common; half a person isn't


class Sizes(NamedTuple):
    """Normal equations and their solution."""

    normal: Floats  # [TERMS, TERMS]
    right: Floats  # [TERMS, 2] width, height
    terms: Floats  # [TERMS, 2]
    lower: Floats  # [TERMS, TERMS] Cholesky factor of the normal equations
    weight: Floats  # [2] of the samples remembered, of all
    given: Floats  # [rows, columns, 2] by place, a value each CELL pixels, 0 where nobody stands; [0, 0, 2]: learned
    strips: Floats  # [rows, columns, STRIPS, 4] likewise (edge.vision.shapes)
    nearness: Floats  # [rows, columns]


def new_sizes(given: Floats | None = None, shapes: tuple[Floats, Floats] | None = None) -> Sizes:
    """Nothing known, or sizes that are ``given``: float64[rows, columns, 2], see `Sizes`, and shapes with them."""
    right = np.zeros((TERMS, 2))
    by_place = np.zeros((0, 0, 2)) if given is None else np.ascontiguousarray(given)
    strips, nearness = (np.zeros((0, 0, 0, 4)), np.zeros((0, 0))) if shapes is None else shapes
    normal = np.zeros((TERMS, TERMS))
    return Sizes(normal, right, right.copy(), np.eye(TERMS), np.zeros(2), by_place, strips, nearness)


@njit(cache=True)
def _place(x: float, y: float, width: int, height: int, out: Floats) -> None:
    half = 0.5 * max(width, height)
    a, b = (x - 0.5 * width) / half, (y - 0.5 * height) / half
    out[0], out[1], out[2], out[3], out[4], out[5] = 1.0, a, b, a * a, a * b, b * b


@njit(cache=True)
def typical_size(sizes: Sizes, out: Floats) -> bool:
    """Mean width and height of those seen so far into ``out``, or over the floor; False before there were enough."""
    if sizes.given.size > 0:
        count = 0
        out[0], out[1] = 0.0, 0.0
        for i in range(sizes.given.shape[0]):
            for j in range(sizes.given.shape[1]):
                if sizes.given[i, j, 0] > 0.0:
                    count += 1
                    for side in range(2):
                        out[side] += (sizes.given[i, j, side] - out[side]) / count
        return count > 0
    if sizes.weight[0] < ENOUGH:
        return False
    for side in range(2):
        out[side] = sizes.right[0, side] / sizes.normal[0, 0]
    return True


@njit(cache=True)
def expected_size(sizes: Sizes, x: float, y: float, width: int, height: int, out: Floats) -> bool:
    """Width and height of a person's box with its centre at x, y into ``out``; False while that isn't known there."""
    if sizes.given.size > 0:
        rows, columns, _ = sizes.given.shape
        row, column = min(max(int(y / CELL), 0), rows - 1), min(max(int(x / CELL), 0), columns - 1)
        out[0], out[1] = sizes.given[row, column, 0], sizes.given[row, column, 1]
        return bool(out[0] > 0.0)
    if sizes.weight[0] < ENOUGH:
        return False
    place = np.empty(TERMS)
    _place(min(max(x, 0.0), width * 1.0), min(max(y, 0.0), height * 1.0), width, height, place)
    leverage = 0.0  # place' (normal + ridge)^-1 place: what the samples so far say about here
    solved = np.empty(TERMS)
    for i in range(TERMS):
        solved[i] = place[i]
        for k in range(i):
            solved[i] -= sizes.lower[i, k] * solved[k]
        solved[i] /= sizes.lower[i, i]
        leverage += solved[i] * solved[i]
    if leverage > MOST_LEVERAGE:
        return False
    for side in range(2):
        value = 0.0
        for k in range(TERMS):
            value += place[k] * sizes.terms[k, side]
        typical = sizes.right[0, side] / sizes.normal[0, 0]
        out[side] = min(max(value, typical / 3.0), typical * 3.0)
    return True


@njit(cache=True)
def learn_size(sizes: Sizes, x: float, y: float, width: int, height: int, box: Floats, weight: float) -> None:
    """Take in the box (width, height) of somebody who is seen whole and alone, unless sizes are given."""
    if sizes.given.size > 0:
        return
    expected = np.empty(2)
    if expected_size(sizes, x, y, width, height, expected):
        for side in range(2):
            odd = (box[side] / expected[side] - 1.0) / (ODD_SHARE if box[side] < expected[side] else TOO_LARGE_SHARE)
            weight /= 1.0 + odd * odd
    place = np.empty(TERMS)
    _place(x, y, width, height, place)
    keep = 1.0 - weight / min(MEMORY, FIRST_MEMORY + 0.5 * sizes.weight[1])
    for k in range(TERMS):
        for m in range(TERMS):
            sizes.normal[k, m] = sizes.normal[k, m] * keep + weight * place[k] * place[m]
        for side in range(2):
            sizes.right[k, side] = sizes.right[k, side] * keep + weight * place[k] * box[side]
    sizes.weight[0] = sizes.weight[0] * keep + weight
    sizes.weight[1] += weight


@njit(cache=True)
def solve_sizes(sizes: Sizes) -> None:
    """Bring ``terms`` up to date: Cholesky decomposition of the normal equations with the ridge."""
    if sizes.weight[0] <= 0.0:
        return
    lower = sizes.lower
    for i in range(TERMS):
        for j in range(i + 1):
            value = sizes.normal[i, j] + (RIDGE[i] if i == j else 0.0)
            for k in range(j):
                value -= lower[i, k] * lower[j, k]
            lower[i, j] = math.sqrt(max(value, 1e-9)) if i == j else value / lower[j, j]
    for side in range(2):
        forward = np.zeros(TERMS)
        for i in range(TERMS):
            value = sizes.right[i, side]
            for k in range(i):
                value -= lower[i, k] * forward[k]
            forward[i] = value / lower[i, i]
        for i in range(TERMS - 1, -1, -1):
            value = forward[i]
            for k in range(i + 1, TERMS):
                value -= lower[k, i] * sizes.terms[k, side]
            sizes.terms[i, side] = value / lower[i, i]
