"""Which channel carries which cell: the wiring for which the statics of a run come out best."""

from __future__ import annotations

from dataclasses import dataclass
from itertools import combinations, permutations

import numpy as np
import numpy.typing as npt

from calibration.solve import Problem, Solution, solve

Floats = npt.NDArray[np.float64]

EXHAUSTIVE_UP_TO = 5  # cells: 120 wirings; beyond, pairs are swapped from a good start on
CLEAR_CHI2 = 9.0  # the node file's wiring is believed unless another one fits better by this: three sigma


@dataclass(frozen=True, slots=True)
class Wiring:
    """The best wiring.

    Attributes:
        solution: gains with it.
        margin: by how much chi² the next best is worse; inf where there is only one.
        sure: the next best is worse by `CLEAR_CHI2` at least.
    """

    solution: Solution
    margin: float

    @property
    def sure(self) -> bool:
        return self.margin >= CLEAR_CHI2


def find_wiring(problem: Problem, place_sd_mm: float) -> Wiring:
    """All wirings up to five cells; with more, two starts (the node file's, and channels to the cells nearest to where
    they felt the weight most), each improved by swapping pairs until none helps."""
    cells = problem.signs.size
    as_filed = tuple(range(cells))
    tried: dict[tuple[int, ...], Solution] = {}

    def fit(order: tuple[int, ...]) -> Solution:
        if order not in tried:
            tried[order] = solve(problem, order, place_sd_mm)
        return tried[order]

    if cells <= EXHAUSTIVE_UP_TO:
        for order in permutations(range(cells)):
            fit(order)
    else:
        for start in (as_filed, nearest(problem)):
            best = start
            improved = True
            while improved:
                rivals = [_swapped(best, i, j) for i, j in combinations(range(cells), 2)]
                better = min(rivals, key=lambda order: fit(order).chi2)
                improved = fit(better).chi2 < fit(best).chi2 - 1e-9
                best = better if improved else best
    ranked = sorted(tried.values(), key=lambda each: each.chi2)
    best_fit = ranked[0]
    filed = fit(as_filed)
    if filed.chi2 - best_fit.chi2 < CLEAR_CHI2:
        best_fit = filed
    rivals_chi2 = [each.chi2 for each in ranked if each.cell_of != best_fit.cell_of]
    return Wiring(best_fit, rivals_chi2[0] - best_fit.chi2 if rivals_chi2 else float("inf"))


def lane_wiring(problem: Problem, grams_per_count: Floats) -> Wiring:
    """Cells that don't share a plate: a channel belongs to the cell nearest to where it alone felt the weight."""
    forces = np.abs(problem.counts * grams_per_count) ** 2
    centre = (forces.T @ problem.place_mm) / np.maximum(forces.sum(axis=0), 1e-30)[:, None]
    order = _assigned(((centre[:, None] - problem.sites_mm[None]) ** 2).sum(axis=2))
    return Wiring(solve(problem, order), float("inf"))


def nearest(problem: Problem) -> tuple[int, ...]:
    """Channels to cells by where each felt the weight: centre of its own (downward) force over the placements.

    Centres are pulled towards the middle, so both sets are brought to the same spread before pairs are swapped until
    the distances' squares sum to the least.
    """
    felt = np.maximum(problem.counts * problem.signs / problem.weight_g[:, None], 0.0)
    felt -= felt.min(axis=0)
    felt = felt**2
    centre = (felt.T @ problem.place_mm) / np.maximum(felt.sum(axis=0), 1e-30)[:, None]
    centre -= centre.mean(axis=0)
    spread = np.sqrt((problem.sites_mm**2).mean(axis=0)) / np.maximum(np.sqrt((centre**2).mean(axis=0)), 1e-9)
    cost = ((centre[:, None] * spread - problem.sites_mm[None]) ** 2).sum(axis=2)
    return _assigned(cost)


def _assigned(cost: Floats) -> tuple[int, ...]:
    """Channels to cells with little cost in sum: pairs are swapped until none helps."""
    order = list(range(len(cost)))
    improved = True
    while improved:
        improved = False
        for i, j in combinations(range(len(order)), 2):
            if cost[i, order[j]] + cost[j, order[i]] < cost[i, order[i]] + cost[j, order[j]] - 1e-9:
                order[i], order[j] = order[j], order[i]
                improved = True
    return tuple(order)


def _swapped(order: tuple[int, ...], i: int, j: int) -> tuple[int, ...]:
    swapped = list(order)
    swapped[i], swapped[j] = swapped[j], swapped[i]
    return tuple(swapped)
