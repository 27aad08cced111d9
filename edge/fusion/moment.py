"""When an item moved: change points inside an activity.

Between two plateaus the weight goes from one level to the other, with a hand on top of it. The moment of the movement
is the split (one movement) or the two splits (two movements) of the batches that leave the smallest squared distance to
the levels. A batch's distance is limited, so that a hard landing doesn't count for more than a light one.
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
from numba import njit


@njit(cache=True)
def _cost(z: npt.NDArray[np.float64], i: int, level: npt.NDArray[np.float64], reach: float) -> float:
    """Squared distance of batch ``i`` from a level, weight and moments each limited to ``reach``."""
    cost = 0.0
    for axis in range(z.shape[1]):
        cost += min(abs(z[i, axis] - level[axis]), reach) ** 2
    return cost


@njit(cache=True)
def split_once(
    z: npt.NDArray[np.float64], before: npt.NDArray[np.float64], after: npt.NDArray[np.float64], reach: float
) -> int:
    """Number of batches of ``z`` [n, 3] that belong to the level ``before`` [3]; the rest is at ``after``.

    All in grams: moments divided by a length, so that weight and place count alike.
    """
    best, best_cost, cost = 0, 0.0, 0.0
    for i in range(z.shape[0]):
        cost += _cost(z, i, before, reach) - _cost(z, i, after, reach)
        if cost <= best_cost:  # where a leaning hand hides both levels, the item moves last
            best, best_cost = i + 1, cost
    return best


@njit(cache=True)
def split_twice(
    z: npt.NDArray[np.float64],
    before: npt.NDArray[np.float64],
    between: npt.NDArray[np.float64],
    after: npt.NDArray[np.float64],
    reach: float,
) -> tuple[int, int, float]:
    """The two splits for three levels as in `split_once`, and the squared distance that is left.

    For each second split the best first one is known from the running minimum, so one pass is enough.
    """
    left = 0.0  # everything at the last level
    for i in range(z.shape[0]):
        left += _cost(z, i, after, reach)
    best_first, best_second, best = 0, 0, left
    first, first_cost = 0, 0.0  # best of cost(before) - cost(between) over the batches so far
    head = 0.0
    for i in range(z.shape[0]):
        at_between = _cost(z, i, between, reach)
        left += at_between - _cost(z, i, after, reach)
        head += _cost(z, i, before, reach) - at_between
        if head < first_cost:
            first, first_cost = i + 1, head
        if left + first_cost < best:
            best_first, best_second, best = first, i + 1, left + first_cost
    return best_first, best_second, best
