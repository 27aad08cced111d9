"""A part of a frame as the picture that a model wants: any size, RGB or grey, bytes.

Every pixel is a weighted mean under a triangle as wide as what it stands for (bilinear, with antialiasing where the
picture becomes smaller), in integers only: the same frame gives the same bytes on every machine. What lies outside of
the frame is its border, repeated. Colours: BT.601, full range, the inverse of `drivers.frames.planes_of_rgb`.
"""

from __future__ import annotations

import functools
import math
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt
from numba import njit

from drivers.frames import Frame

U8 = npt.NDArray[np.uint8]
Ints = npt.NDArray[np.int64]

WEIGHT_BITS = 14
RED_BY_V, GREEN_BY_U, GREEN_BY_V, BLUE_BY_U = 91881, 22554, 46802, 116130  # of 65536
GREY = 128  # of the borders of a picture that keeps its shape


class Box(NamedTuple):
    """A part of a frame, in its pixels."""

    left: float
    top: float
    width: float
    height: float


class Fitted(NamedTuple):
    """Where the frame lies in a picture that was made of it, as shares of the picture's sides."""

    left: float
    top: float
    width: float
    height: float


WHOLE = Fitted(0.0, 0.0, 1.0, 1.0)


@functools.lru_cache(maxsize=256)
def _weights(begin: float, length: float, count: int, size: int) -> tuple[Ints, Ints]:
    """For each of ``count`` pixels over ``length`` source pixels from ``begin`` on: its first source pixel int64[count]
    and the weights from there on int64[count, taps], which add up to 2^WEIGHT_BITS. ``size``: of the source."""
    step = length / count
    reach = max(step, 1.0)
    taps = min(math.ceil(2.0 * reach) + 1, size)
    first, weights = np.zeros(count, np.int64), np.zeros((count, taps), np.int64)
    for i in range(count):
        middle = begin + (i + 0.5) * step - 0.5
        low = math.ceil(middle - reach)
        at = min(max(low, 0), size - taps)
        share = np.zeros(taps)
        for source in range(low, math.floor(middle + reach) + 1):
            inside = min(max(source, 0), size - 1)  # beyond the border: the border again
            share[min(max(inside - at, 0), taps - 1)] += max(1.0 - abs(source - middle) / reach, 0.0)
        sums = np.rint(np.cumsum(share) / share.sum() * (1 << WEIGHT_BITS)).astype(np.int64)
        first[i], weights[i] = at, np.diff(sums, prepend=0)
    return first, weights


@njit(cache=True, nogil=True)
def _resample(plane: U8, first_row: Ints, by_row: Ints, first_column: Ints, by_column: Ints, out: U8) -> None:
    height, width = out.shape
    begin, end = first_column.min(), first_column.max() + by_column.shape[1]
    line = np.empty(end - begin, np.int64)
    half = 1 << (2 * WEIGHT_BITS - 1)
    for i in range(height):
        line[:] = 0
        for k in range(by_row.shape[1]):
            weight = by_row[i, k]
            if weight != 0:
                row = plane[first_row[i] + k]
                for j in range(begin, end):
                    line[j - begin] += weight * np.int64(row[j])
        for j in range(width):
            total: Any = half
            for k in range(by_column.shape[1]):
                total += by_column[j, k] * line[first_column[j] + k - begin]
            out[i, j] = total >> (2 * WEIGHT_BITS)


@njit(cache=True, nogil=True)
def _byte(value: Any) -> Any:
    return min(max(value, 0), 255)


@njit(cache=True, nogil=True)
def _to_rgb(y: U8, u: U8, v: U8, out: U8) -> None:
    height, width = y.shape
    for i in range(height):
        for j in range(width):
            light = (np.int64(y[i, j]) << 16) + 32768
            blue, red = np.int64(u[i, j]) - 128, np.int64(v[i, j]) - 128
            out[i, j, 0] = _byte((light + RED_BY_V * red) >> 16)
            out[i, j, 1] = _byte((light - GREEN_BY_U * blue - GREEN_BY_V * red) >> 16)
            out[i, j, 2] = _byte((light + BLUE_BY_U * blue) >> 16)


def _resized(plane: U8, box: Box, height: int, width: int) -> U8:
    by_row = _weights(box.top, box.height, height, plane.shape[0])
    by_column = _weights(box.left, box.width, width, plane.shape[1])
    out = np.empty((height, width), np.uint8)
    _resample(np.ascontiguousarray(plane), *by_row, *by_column, out)
    return out


def picture_of(frame: Frame, box: Box, height: int, width: int, channels: int = 3) -> U8:
    """That part of a frame, stretched to uint8[height, width, channels]; RGB, or luma alone for one channel.

    Raises ValueError for a box without an area.
    """
    if not (box.width > 0.0 and box.height > 0.0 and math.isfinite(sum(box))):
        raise ValueError(f"a picture is made of a box with an area, not of {tuple(box)}")
    y = _resized(frame.y, box, height, width)
    if channels == 1:
        return y[..., None]
    if frame.u is None or frame.v is None:
        return y[..., None].repeat(3, axis=2)
    half = Box(0.5 * box.left, 0.5 * box.top, 0.5 * box.width, 0.5 * box.height)
    u, v = (_resized(plane, half, height, width) for plane in (frame.u, frame.v))
    out = np.empty((height, width, 3), np.uint8)
    _to_rgb(y, u, v, out)
    return out


def whole_picture(frame: Frame, height: int, width: int, channels: int, keep_shape: bool) -> tuple[U8, Fitted]:
    """The whole frame; stretched, or in its own shape between grey borders (``keep_shape``), and where it lies then."""
    high, wide = frame.y.shape
    whole = Box(0.0, 0.0, float(wide), float(high))
    if not keep_shape:
        return picture_of(frame, whole, height, width, channels), WHOLE
    scale = min(height / high, width / wide)
    rows, columns = max(round(high * scale), 1), max(round(wide * scale), 1)
    top, left = (height - rows) // 2, (width - columns) // 2
    out = np.full((height, width, channels), GREY, np.uint8)
    out[top : top + rows, left : left + columns] = picture_of(frame, whole, rows, columns, channels)
    return out, Fitted(left / width, top / height, columns / width, rows / height)
