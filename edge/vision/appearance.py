"""What somebody wears: a colour histogram of the upper and of the lower half of the box.

Luma in 8 steps, each colour difference in 5, finer near grey where clothes are. Two histograms are compared by the
Bhattacharyya coefficient, sum of sqrt(p q): 1 is equal, 0 has no colour in common (Comaniciu, Ramesh and Meer 2003).
"""

from __future__ import annotations

import math

import numpy as np
import numpy.typing as npt
from numba import njit

U8 = npt.NDArray[np.uint8]
Floats = npt.NDArray[np.float64]

BINS = 8 * 5 * 5
UPPER, LOWER = 0, 1
CHROMA_MIDDLES = (98.0, 115.5, 128.0, 140.5, 158.0)  # of the five steps of a colour difference


def _chroma_steps() -> U8:
    edges = np.array([128 - 20, 128 - 5, 128 + 5, 128 + 20])
    steps: U8 = np.searchsorted(edges, np.arange(256), side="right").astype(np.uint8)
    return steps


CHROMA_STEPS = _chroma_steps()


@njit(cache=True)
def colour_code(y: int, u: int, v: int) -> int:
    """Which bin a colour belongs to."""
    return int(((y >> 5) * 5 + CHROMA_STEPS[u]) * 5 + CHROMA_STEPS[v])


@njit(cache=True)
def same_clothes(one: Floats, other: Floats) -> float:
    """Mean Bhattacharyya coefficient of both halves; histograms float64[2, BINS] that add up to 1 each."""
    total = 0.0
    for half in range(2):
        for k in range(BINS):
            total += math.sqrt(one[half, k] * other[half, k])
    return 0.5 * total


@njit(cache=True)
def contrast(one: Floats, other: Floats, out: Floats) -> None:
    """For each bin how much more it speaks for ``one``: (p - q) / (p + q), tanh of half the log likelihood ratio.

    ``other`` is mixed with somebody unknown, who wears anything; a colour that nobody wears says little.
    """
    few, anything = 0.01, 0.2 / BINS
    for half in range(2):
        for k in range(BINS):
            p, q = one[half, k], 0.8 * other[half, k] + anything
            out[half, k] = (p - q) / (p + q + few)


@njit(cache=True)
def take_in(histogram: Floats, seen: Floats, share: float) -> None:
    """Mix what was seen (counts, float64[2, BINS]) into a histogram."""
    for half in range(2):
        total = 0.0
        for k in range(BINS):
            total += seen[half, k]
        if total <= 0.0:
            continue
        for k in range(BINS):
            histogram[half, k] += share * (seen[half, k] / total - histogram[half, k])


@njit(cache=True)
def mean_colours(histogram: Floats, out: Floats) -> None:
    """Mean y, u, v of the upper and of the lower half into ``out`` float64[6]; as fine as the bins are."""
    out[:] = 0.0
    for half in range(2):
        for k in range(BINS):
            share = histogram[half, k]
            out[3 * half] += share * (32 * (k // 25) + 16)
            out[3 * half + 1] += share * CHROMA_MIDDLES[k // 5 % 5]
            out[3 * half + 2] += share * CHROMA_MIDDLES[k % 5]
