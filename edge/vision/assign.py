"""Who is who: the assignment with the least total cost.

Shortest augmenting paths (Jonker and Volgenant 1987; the form with potentials is that of Crouse 2016), O(n^2 m).
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
from numba import njit

Floats = npt.NDArray[np.float64]
Ints = npt.NDArray[np.int64]

NEVER = 1e9  # a cost that rules a pair out


@njit(cache=True)
def assign(cost: Floats, out: Ints) -> None:
    """For each row of ``cost`` float64[n, m] its column into ``out`` int64[n], or -1: the least sum of costs.

    As many pairs as the shorter side has are made, but pairs that cost `NEVER` or more are dropped again.
    """
    rows, columns = cost.shape
    size = max(rows, columns)
    square = np.zeros((size, size))
    for i in range(rows):
        for j in range(columns):
            square[i, j] = cost[i, j]
    row_price, column_price = np.zeros(size + 1), np.zeros(size + 1)
    row_of = np.zeros(size + 1, np.int64)  # of each column, 1-based; 0: none
    before = np.zeros(size + 1, np.int64)
    for i in range(1, size + 1):
        row_of[0] = i
        at = 0
        shortest = np.full(size + 1, np.inf)
        done = np.zeros(size + 1, np.bool_)
        while True:
            done[at] = True
            row, step, nearest = row_of[at], np.inf, 0
            for j in range(1, size + 1):
                if not done[j]:
                    reduced = square[row - 1, j - 1] - row_price[row] - column_price[j]
                    if reduced < shortest[j]:
                        shortest[j] = reduced
                        before[j] = at
                    if shortest[j] < step:
                        step, nearest = shortest[j], j
            for j in range(size + 1):
                if done[j]:
                    row_price[row_of[j]] += step
                    column_price[j] -= step
                else:
                    shortest[j] -= step
            at = nearest
            if row_of[at] == 0:
                break
        while at != 0:
            row_of[at] = row_of[before[at]]
            at = before[at]
    for i in range(rows):
        out[i] = -1
    for j in range(1, size + 1):
        i = row_of[j] - 1
        if i < rows and j - 1 < columns and cost[i, j - 1] < NEVER:
            out[i] = j - 1
