"""Frames to the working size: whole pixels are averaged until the picture is small enough."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt
from numba import njit

U8 = npt.NDArray[np.uint8]

MOST_PIXELS = 120_000  # 400 x 300; a person of a fifteenth of the picture's height is then still 20 pixels high


def reduction(height: int, width: int) -> int:
    """How many pixels in a row become one: 1 or an even number (so that chroma is reduced by whole pixels too)."""
    factor = 1
    while (height // factor) * (width // factor) > MOST_PIXELS:
        factor = 2 if factor == 1 else factor + 2
    return factor


@njit(cache=True, nogil=True)
def reduce_plane(plane: U8, factor: int, out: U8) -> None:
    """Mean over ``factor`` x ``factor`` pixels, rounded; pixels beyond the last whole square are left out."""
    height, width = out.shape
    if factor == 1:
        for i in range(height):
            for j in range(width):
                out[i, j] = plane[i, j]
    elif factor == 2:
        for i in range(height):
            a, b, row = plane[2 * i], plane[2 * i + 1], out[i]
            for j in range(width):
                upper = np.int64(a[2 * j]) + np.int64(a[2 * j + 1])
                row[j] = (upper + np.int64(b[2 * j]) + np.int64(b[2 * j + 1]) + 2) >> 2
    else:
        half = factor * factor // 2
        for i in range(height):
            for j in range(width):
                total: Any = half
                for k in range(factor):
                    for m in range(factor):
                        total += np.int64(plane[i * factor + k, j * factor + m])
                out[i, j] = total // (factor * factor)
