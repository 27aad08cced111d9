"""What a pixel's byte becomes at a model's input: a table of 256 entries per channel.

Quantised inputs: real = (q - zero point) scale (TFLite's quantisation specification). What range of real values stands
for black to white is told by the model file, or by whoever opened it; else it is that of the usual three (0 to 1, -1 to
1, 0 to 255) that comes nearest to what the input can hold, and -1 to 1 for a floating-point input, as detectors have.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt

from edge.vision.inference.structure import Structure

Range = tuple[float, float]  # of black and of white

USUAL: tuple[Range, ...] = ((0.0, 1.0), (-1.0, 1.0), (0.0, 255.0))
BYTES = np.arange(256, dtype=np.float64)


def pixel_table(
    dtype: type[np.generic], scale: float, zero_point: int, channels: int, structure: Structure, given: Range | None
) -> npt.NDArray[Any]:
    """dtype[256, 1] or dtype[256, channels]: the input for each byte. ``scale`` 0 for a floating-point input."""
    if given is not None:
        real = _spread(given)
    elif structure.mean is not None and structure.sd is not None and len(structure.mean) in (1, channels):
        real = (BYTES[:, None] - np.array(structure.mean)) / np.array(structure.sd)
    elif scale == 0.0:
        real = _spread((-1.0, 1.0))
    else:
        limits = np.iinfo(np.dtype(dtype))
        low, high = (limits.min - zero_point) * scale, (limits.max - zero_point) * scale
        real = _spread(
            min(USUAL, key=lambda usual: (abs(usual[0] - low) + abs(usual[1] - high)) / (usual[1] - usual[0]))
        )
    if scale != 0.0:
        limits = np.iinfo(np.dtype(dtype))
        real = np.clip(np.rint(real / scale) + zero_point, limits.min, limits.max)
    return np.asarray(real.astype(dtype))


def _spread(black_to_white: Range) -> npt.NDArray[np.float64]:
    black, white = black_to_white
    return (black + (white - black) * BYTES / 255.0)[:, None]
