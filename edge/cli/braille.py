"""A curve out of braille dots: two columns and four rows of dots in each character."""

from __future__ import annotations

import math
from collections.abc import Sequence

_DOTS = ((0x01, 0x08), (0x02, 0x10), (0x04, 0x20), (0x40, 0x80))  # [row][column] bits of U+2800
_EMPTY = 0x2800


def braille_curve(values: Sequence[float], columns: int, rows: int, low: float, high: float) -> list[str]:
    """``rows`` lines of ``columns`` characters; the values, two per column, from left to right.

    NaN leaves a gap; what lies beyond ``low`` and ``high`` is drawn at the edge. Neighbours are joined.
    """
    cells = [[0] * columns for _ in range(rows)]
    last_row: int | None = None
    top = 4 * rows - 1
    for x, value in enumerate(values[: 2 * columns]):
        if math.isnan(value):
            last_row = None
            continue
        share = (value - low) / (high - low) if high > low else 0.5
        row = round((1 - min(max(share, 0.0), 1.0)) * top)
        begin, end = (row, row) if last_row is None else (min(row, last_row), max(row, last_row))
        for y in range(begin, end + 1):
            cells[y // 4][x // 2] |= _DOTS[y % 4][x % 2]
        last_row = row
    return ["".join(chr(_EMPTY + bits) for bits in line) for line in cells]
