"""Light that changes everywhere at once: auto-exposure, a light that is switched.

Auto-exposure multiplies the whole picture; the factor is the median, over pixels where nobody is, of what they show by
what they usually show, and the model is multiplied by it. A light that is switched changes every surface differently:
when more than half of the picture looks unlike its background all the same, the picture is learned anew, but for the
places where people are, where only the factor is applied.
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
from numba import njit

from edge.vision.background import FULL, OPEN, U8, Background

ONE = 256  # a factor of 1
STEP = 4  # every so many pixels, both ways
DARKEST, BRIGHTEST = 20, 240  # darker ones have no ratio, brighter ones may be clipped
LEAST_CHANGE = 4  # of a factor: less is learned like everything else
MOST = 4 * ONE


@njit(cache=True, nogil=True)
def light_factor(model: Background, y: U8, counts: npt.NDArray[np.int64]) -> int:
    """The picture's light by the model's, 256 for the same; ``counts`` int64[4 * 256 + 1] is room to work in."""
    height, width = y.shape
    counts[:] = 0
    total = 0
    for i in range(STEP // 2, height, STEP):
        for j in range(STEP // 2, width, STEP):
            usual = model.level[i, j] >> 7
            light = int(y[i, j])
            if model.cover[i, j] == OPEN and usual >= DARKEST and light <= BRIGHTEST:
                counts[min(light * ONE * 128 // max(int(model.level[i, j]), 1), MOST)] += 1
                total += 1
    if total < 50:
        return ONE
    seen, factor = 0, 0
    while seen + counts[factor] <= total // 2:
        seen += counts[factor]
        factor += 1
    return factor


@njit(cache=True, nogil=True)
def brighten(model: Background, factor: int) -> None:
    """Multiply all levels and colours by ``factor`` / 256."""
    height, width = model.level.shape
    for i in range(height):
        for j in range(width):
            model.level[i, j] = min(int(model.level[i, j]) * factor // ONE, 255 << 7)
            model.candidate[i, j] = min(int(model.candidate[i, j]) * factor // ONE, 255 << 7)
    grey = 128 << 7
    for i in range(model.u.shape[0]):
        for j in range(model.u.shape[1]):
            for plane in (model.u, model.v):
                colour = grey + (int(plane[i, j]) - grey) * factor // ONE
                plane[i, j] = min(max(colour, 0), 255 << 7)


@njit(cache=True, nogil=True)
def changed_share(model: Background) -> float:
    """Share of the picture without people that is foreground, or in shadow."""
    height, width = model.smooth.shape
    changed, total = 0, 0
    for i in range(STEP // 2, height, STEP):
        for j in range(STEP // 2, width, STEP):
            if model.cover[i, j] == OPEN:
                total += 1
                changed += 1 if model.smooth[i, j] >= FULL // 4 else 0
    return changed / total if total > 0 else 0.0
