"""Which channel carries which cell: the wiring that both the statics of a run and the pattern of its forces speak for.

Statics (`calibration.solve`) hold on any plate, but on a stiff one with six or eight cells they leave so many gains
free that another wiring fits nearly as well. What tells then is where each channel feels the weight more and where
less: on a rigid plate the force on a cell is a plane over the weight's place whose slope, as a share of its height, is
proportional to the cell's own place; on a soft one the slopes keep that order. Gains and signs fall out of the ratio.
"""

from __future__ import annotations

from dataclasses import dataclass
from itertools import combinations, permutations

import numpy as np
import numpy.typing as npt

from calibration.solve import Problem, Solution, solve

Floats = npt.NDArray[np.float64]

EXHAUSTIVE_UP_TO = 5  # cells: 120 wirings; beyond, pairs are swapped from good starts on
CLEAR = 9.0  # the node file's wiring is believed unless another one fits better by this: three sigma
PATTERN_SHARE = 0.2  # of the way to the next cell: how far a slope points from its cell, on plates from rigid to soft


@dataclass(frozen=True, slots=True)
class Wiring:
    """The best wiring.

    Attributes:
        solution: gains with it.
        margin: by how much the next best fits worse, as chi² of the statics and the pattern; inf where there is none.
        rival: the next best; None where there is none.
    """

    solution: Solution
    margin: float
    rival: tuple[int, ...] | None = None

    @property
    def sure(self) -> bool:
        """The next best is worse by `CLEAR` at least."""
        return self.margin >= CLEAR

    @property
    def doubtful(self) -> tuple[int, ...]:
        """The cells whose channels can't be told apart, as index into the node file's order."""
        if self.sure or self.rival is None:
            return ()
        pairs = zip(self.solution.cell_of, self.rival, strict=True)
        return tuple(sorted(own for own, other in pairs if own != other))


def find_wiring(problem: Problem, place_sd_mm: float) -> Wiring:
    """All wirings up to five cells; with more, two starts (the node file's, and what the pattern says), each improved
    by swapping pairs until none helps."""
    cells = problem.signs.size
    as_filed = tuple(range(cells))
    pattern = _pattern_misfit(problem)
    tried: dict[tuple[int, ...], tuple[float, Solution]] = {}

    def misfit(order: tuple[int, ...]) -> float:
        if order not in tried:
            solution = solve(problem, order, place_sd_mm)
            tried[order] = (solution.blunt_chi2 + float(pattern[range(cells), order].sum()), solution)
        return tried[order][0]

    if cells <= EXHAUSTIVE_UP_TO:
        for order in permutations(range(cells)):
            misfit(order)
    else:
        for start in (as_filed, assigned(pattern)):
            best = start
            improved = True
            while improved:
                better = min((_swapped(best, i, j) for i, j in combinations(range(cells), 2)), key=misfit)
                improved = misfit(better) < misfit(best) - 1e-9
                best = better if improved else best
    ranked = sorted(tried, key=misfit)
    chosen = as_filed if misfit(as_filed) - misfit(ranked[0]) < CLEAR else ranked[0]
    rivals = [order for order in ranked if order != chosen]
    if not rivals:
        return Wiring(tried[chosen][1], float("inf"))
    return Wiring(tried[chosen][1], abs(misfit(rivals[0]) - misfit(chosen)), rivals[0])


def lane_wiring(problem: Problem, grams_per_count: Floats) -> Wiring:
    """Cells that don't share a plate: a channel belongs to the cell nearest to where it alone felt the weight."""
    forces = np.abs(problem.counts * grams_per_count) ** 2
    centre = (forces.T @ problem.place_mm) / np.maximum(forces.sum(axis=0), 1e-30)[:, None]
    order = assigned(((centre[:, None] - problem.sites_mm[None]) ** 2).sum(axis=2))
    return Wiring(solve(problem, order), float("inf"))


def assigned(cost: Floats) -> tuple[int, ...]:
    """Channels to cells at the least cost in sum, exactly: over all sets of cells that the first channels may take."""
    cells = len(cost)
    best: dict[int, tuple[float, tuple[int, ...]]] = {0: (0.0, ())}
    for channel in range(cells):
        longer: dict[int, tuple[float, tuple[int, ...]]] = {}
        for taken, (so_far, order) in best.items():
            for cell in range(cells):
                if taken >> cell & 1:
                    continue
                total, key = so_far + float(cost[channel, cell]), taken | 1 << cell
                if key not in longer or total < longer[key][0]:
                    longer[key] = (total, (*order, cell))
        best = longer
    return best[(1 << cells) - 1][1]


def _pattern_misfit(problem: Problem) -> Floats:
    """Chi² for a channel to be on a cell, by the pattern alone: float64[channels, cells]; zeros without a lever.

    The slopes are brought to the spread of the cells along each axis, since how steep they are is the plate's affair.
    """
    cells = problem.signs.size
    if not len(problem.axes) or cells < 2:
        return np.zeros((cells, cells))
    sites, places = problem.sites_mm @ problem.axes.T, problem.place_mm @ problem.axes.T
    planes = np.column_stack([np.ones(len(places)), places])
    height, *slopes = np.linalg.lstsq(planes, problem.counts * problem.signs / problem.weight_g[:, None], rcond=None)[0]
    floor = 0.01 * max(float(np.abs(height).max()), 1e-30)  # a dead channel points nowhere
    pointing = np.array(slopes).T / np.maximum(np.abs(height), floor)[:, None]
    pointing -= pointing.mean(axis=0)
    spread = np.sqrt((pointing**2).mean(axis=0))
    pointing *= np.sqrt((sites**2).mean(axis=0)) / np.maximum(spread, 1e-12)
    apart = np.sqrt(((sites[:, None] - sites[None]) ** 2).sum(axis=2))
    next_mm = np.maximum((apart + np.diag(np.full(cells, np.inf))).min(axis=1), 1.0)
    away = ((pointing[:, None] - sites[None]) ** 2).sum(axis=2)
    misfit: Floats = away / (PATTERN_SHARE * next_mm) ** 2
    return misfit


def _swapped(order: tuple[int, ...], i: int, j: int) -> tuple[int, ...]:
    swapped = list(order)
    swapped[i], swapped[j] = swapped[j], swapped[i]
    return tuple(swapped)
