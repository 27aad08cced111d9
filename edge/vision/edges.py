"""The box drawn tight: where somebody who stands free begins and ends."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt
from numba import njit

from edge.vision.background import FOREGROUND
from edge.vision.fit import HEIGHT, WIDTH, Desk, mark_near
from edge.vision.motion import POSITION
from edge.vision.sizes import Sizes
from edge.vision.table import Table

U8 = npt.NDArray[np.uint8]
Floats = npt.NDArray[np.float64]
Ints = npt.NDArray[np.int64]

MARGIN = 0.25  # of the box: how far out to look
LEAST_SHARE = 0.1  # of the widest row (column): less is noise
LONGEST_GAP = 0.12  # of the box: a neck or a belt that looks like the floor


@njit(cache=True)
def _span(profile: Ints, first: int, last: int, middle: int, gap: int) -> tuple[int, int]:
    """Begin and end of what holds together around ``middle`` in ``profile[first:last]``."""
    most = 0
    for k in range(first, last):
        most = max(most, profile[k])
    least = max(int(most * LEAST_SHARE), 1)
    begin, end = middle, middle
    k = middle
    while k < last and k - end <= gap:
        if profile[k] >= least:
            end = k + 1
        k += 1
    k = middle
    while k >= first and begin - k <= gap + 1:
        if profile[k] >= least:
            begin = k
        k -= 1
    return begin, end


@njit(cache=True)
def tight_box(
    smooth: U8, table: Table, sizes: Sizes, k: int, desk: Desk, count: int, rows: Ints, columns: Ints, out: Floats
) -> int:
    """Left, top, right, bottom of the person in track k's box into ``out``.

    Returns 0 if it can't be told, 1 if only top and bottom can (somebody near stands beside), 3 if all can.
    """
    height, width = smooth.shape
    x, y, wide, high = table.x[k, POSITION], table.y[k, POSITION], table.size[k, WIDTH], table.size[k, HEIGHT]
    margin_x, margin_y = max(MARGIN * wide, 2.0), max(MARGIN * high, 2.0)
    left, right = int(max(x - 0.5 * wide - margin_x, 0.0)), int(min(x + 0.5 * wide + margin_x, width * 1.0))
    top, bottom = int(max(y - 0.5 * high - margin_y, 0.0)), int(min(y + 0.5 * high + margin_y, height * 1.0))
    if right - left < 3 or bottom - top < 3:
        return 0
    alone, covered = count == 0, desk.covered
    if not alone:
        mark_near(table, sizes, desk, count, -1e18, left, top, right - left, bottom - top)
    free = 0
    for column in range(left, right):
        columns[column] = 0
    for row in range(top, bottom):
        rows[row] = 0
        for column in range(left, right):
            if not alone:
                if covered[row - top, column - left] != 0 or abs(column + 0.5 - x) * 2.0 > wide:
                    continue
                free += 1
            if smooth[row, column] >= FOREGROUND:
                rows[row] += 1
                columns[column] += 1
    if not alone and free < 0.6 * wide * (bottom - top):
        return 0
    middle_x, middle_y = min(max(int(x), left), right - 1), min(max(int(y), top), bottom - 1)
    begin, end = _span(rows, top, bottom, middle_y, int(LONGEST_GAP * high) + 1)
    out[1], out[3] = begin, end
    if end - begin < 0.5 * high:
        return 0
    first, last = begin, end
    for column in range(left, right):
        columns[column] = 0
        for row in range(first, last):
            if smooth[row, column] >= FOREGROUND and (alone or covered[row - top, column - left] == 0):
                columns[column] += 1
    begin, end = _span(columns, left, right, middle_x, int(LONGEST_GAP * wide) + 1)
    out[0], out[2] = begin, end
    if end - begin < 0.4 * wide:
        return 1
    if not alone:
        for column in (max(begin - 1, left), min(end, right - 1)):
            others: Any = 0
            for row in range(first, last):
                others += np.int64(covered[row - top, column - left])
            if others > 0.3 * (last - first):
                return 1
    return 3
