"""When an item moved: change points inside an activity.

Between two plateaus the weight goes from one level to the other, with a hand on top of it. The moment of the movement
is the split (one movement) or the two splits (two movements) of the batches that leave the smallest squared distance to
the levels. A batch's distance is limited, so that a hard landing doesn't count for more than a light one.
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
from numba import njit

HAND_SHARE = 0.2  # of the item's weight: below that, what is on top of a level may be noise


@njit(cache=True)
def _cost(
    z: npt.NDArray[np.float64], i: int, level: npt.NDArray[np.float64], edges: npt.NDArray[np.float64], reach: float
) -> float:
    """How badly batch ``i`` fits a level: squared distance, weight and moments each limited to ``reach``.

    What is on top of the level should be a hand's: it presses down, and on the board. Otherwise the cost of one more
    ``reach`` is added, so that a leaning hand, far from either level, still tells which of them it leans on.
    """
    cost = 0.0
    for axis in range(z.shape[1]):
        cost += min(abs(z[i, axis] - level[axis]), reach) ** 2
    load = z[i, 0] - level[0]
    if abs(load) > HAND_SHARE * reach:
        off_board = load < 0.0
        for axis in range(1, z.shape[1]):
            place = (z[i, axis] - level[axis]) / load
            off_board = off_board or place < edges[2 * axis - 2] or place > edges[2 * axis - 1]
        if off_board:
            cost += reach**2
    return cost


@njit(cache=True)
def split_once(
    z: npt.NDArray[np.float64],
    before: npt.NDArray[np.float64],
    after: npt.NDArray[np.float64],
    edges: npt.NDArray[np.float64],
    reach: float,
) -> int:
    """Number of batches of ``z`` [n, 3] that belong to the level ``before`` [3]; the rest is at ``after``.

    All in grams: moments (and ``edges`` [4], the board's about the moment origin) are divided by a length, so that
    weight and place count alike.
    """
    best, best_cost, cost = 0, 0.0, 0.0
    for i in range(z.shape[0]):
        cost += _cost(z, i, before, edges, reach) - _cost(z, i, after, edges, reach)
        if cost <= best_cost:  # where a leaning hand hides both levels, the item moves last
            best, best_cost = i + 1, cost
    return best


@njit(cache=True)
def split_twice(
    z: npt.NDArray[np.float64],
    before: npt.NDArray[np.float64],
    between: npt.NDArray[np.float64],
    after: npt.NDArray[np.float64],
    edges: npt.NDArray[np.float64],
    reach: float,
) -> tuple[int, int, float]:
    """The two splits for three levels as in `split_once`, and the squared distance that is left.

    For each second split the best first one is known from the running minimum, so one pass is enough.
    """
    left = 0.0  # everything at the last level
    for i in range(z.shape[0]):
        left += _cost(z, i, after, edges, reach)
    best_first, best_second, best = 0, 0, left
    first, first_cost = 0, 0.0  # best of cost(before) - cost(between) over the batches so far
    head = 0.0
    for i in range(z.shape[0]):
        at_between = _cost(z, i, between, edges, reach)
        left += at_between - _cost(z, i, after, edges, reach)
        head += _cost(z, i, before, edges, reach) - at_between
        if head < first_cost:
            first, first_cost = i + 1, head
        if left + first_cost < best:
            best_first, best_second, best = first, i + 1, left + first_cost
    return best_first, best_second, best
