"""Weighted least squares for the gains of one board, with a given wiring.

Unknown are ``a_k = 1 / (counts per gram)`` of each channel, with sign. Statics hold however stiff the plate is and
however it shares a load among its cells: with ``r_pk = a_k d_pk`` the force on cell k that placement p brought,

    Σ_k r_pk = W_p,    Σ_k r_pk x_k = W_p (X_p + e_p)    and the same for y.

A person puts a weight 5-15 mm off its place, so ``e_p`` is unknown too (errors in variables): it is normal with
`PLACE_SD_MM`, marginalised here by giving the moment equations that much doubt, and estimated afterwards.

A rigid plate on four cells leaves one combination of gains without a trace in the forces (twist: one diagonal's gains
up, the other's down); eight cells on a rigid plate leave five. The moments tell it, as well as the weights were placed.
What neither tells, a weak prior settles: gains as on the label, or all alike, within `PRIOR_SHARE`.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from calibration.placements import BoardSite, Placement, changes

Floats = npt.NDArray[np.float64]

PLACE_SD_MM = 8.0
PRIOR_SHARE = 0.2
MODEL_SHARE = 0.0003  # of the weight: creep within seconds, hysteresis, a cell that isn't quite straight
MOST_SIGMAS = 5.0
LEVER_MM = 20.0  # cells spread by less than this (rms) along a line don't tell where along it a weight lies


@dataclass(frozen=True, slots=True)
class Problem:
    """The equations of a run, but for the wiring.

    Attributes:
        counts: float64[placements, channels]; cov: float64[placements, channels, channels].
        weight_g, place_mm: float64[placements], float64[placements, 2].
        sites_mm: float64[cells, 2], relative to the cells' middle, as `place_mm` is.
        axes: float64[axes, 2], directions along which the cells feel a moment; none for cells that don't share a plate.
        prior: float64[channels] for cells in node file order: grams per count without sign; nan: all alike.
        signs: float64[channels].
    """

    counts: Floats
    cov: Floats
    weight_g: Floats
    place_mm: Floats
    sites_mm: Floats
    axes: Floats
    prior: Floats
    signs: Floats


@dataclass(frozen=True, slots=True)
class Solution:
    """Gains for one wiring.

    Attributes:
        cell_of: cell_of[k] is the cell that channel k carries, as index into the node file's order.
        grams_per_count: float64[channels], with sign; cov: of them.
        chi2: misfit of everything, the prior included. blunt_chi2: the same with no equation counting for more than
            `MOST_SIGMAS`: one placement with another weight can't outvote all others.
        force_left: float64[placements], (Σ r - W) / W.
        off_mm: float64[placements, axes], where the weight lay by the fit, less its place.
        force_sd: float64[placements], doubt of one placement's sum, as a share of W.
    """

    cell_of: tuple[int, ...]
    grams_per_count: Floats
    cov: Floats
    chi2: float
    blunt_chi2: float
    force_left: Floats
    off_mm: Floats
    force_sd: Floats


def problem_of(site: BoardSite, placements: Sequence[Placement], one_plate: bool = True) -> Problem:
    """The equations of these placements."""
    counts = changes(placements)
    sites = site.xy_mm
    middle = sites.mean(axis=0)
    sites = sites - middle
    spread, directions = np.linalg.eigh(sites.T @ sites / len(sites))
    axes = directions.T[np.sqrt(np.maximum(spread, 0.0)) > LEVER_MM] if one_plate else np.zeros((0, 2))
    labels = [cell.label_counts_per_gram for cell in site.cells]
    biggest = np.argmax(np.abs(counts), axis=0)  # nearest to its cell: there the force is downwards on any plate
    signs = np.where(counts[biggest, np.arange(counts.shape[1])] < 0, -1.0, 1.0)
    return Problem(
        counts,
        np.array([placement.cov for placement in placements]),
        np.array([placement.weight_g for placement in placements]),
        np.array([(placement.x_mm, placement.y_mm) for placement in placements]) - middle,
        sites,
        axes,
        np.array([1.0 / label if label else np.nan for label in labels]),
        signs,
    )


def solve(problem: Problem, cell_of: Sequence[int], place_sd_mm: float = PLACE_SD_MM) -> Solution:
    """Gains with this wiring; two rounds, since the doubt of each equation needs the gains."""
    order = list(cell_of)
    prior = _prior(problem, order)
    levers = problem.sites_mm[order] @ problem.axes.T  # [channels, axes]
    a = prior
    for _ in range(2):
        rows, goals, force_sd = _equations(problem, levers, a, place_sd_mm)
        matrix = np.vstack([rows, np.diag(1.0 / (PRIOR_SHARE * np.abs(prior)))])
        right = np.concatenate([goals, np.sign(prior) / PRIOR_SHARE])
        normal = matrix.T @ matrix
        a = np.linalg.solve(normal, matrix.T @ right)
    cov = np.linalg.inv(normal)
    left = rows @ a - goals
    squares = np.concatenate([left, (a - prior) / (PRIOR_SHARE * prior)]) ** 2
    n = problem.weight_g.size
    moment_sd = np.sqrt(place_sd_mm**2 + _moment_noise(problem, levers, a))
    shape = (len(problem.axes), n)
    return Solution(
        tuple(order),
        a,
        cov,
        float(squares.sum()),
        float(np.minimum(squares, MOST_SIGMAS**2).sum()),
        left[:n] * force_sd,
        left[n:].reshape(shape).T * moment_sd.T,
        force_sd,
    )


@dataclass(frozen=True, slots=True)
class WithoutSome:
    """One placement as the others see it.

    Attributes:
        chi2: of the others alone.
        force_share: what they weigh it, less its weight, as a share of that. force_sd: the doubt of it.
        off_mm: float64[axes], where they see it, less its place.
    """

    chi2: float
    force_share: float
    force_sd: float
    off_mm: Floats


def without(
    problem: Problem, cell_of: Sequence[int], one: int, left_out: Sequence[bool], place_sd_mm: float = PLACE_SD_MM
) -> WithoutSome:
    """Solve without some placements, and look at one of them with those gains. One at least must be left to solve."""
    kept = ~np.asarray(left_out)
    others = dataclasses.replace(
        problem,
        counts=problem.counts[kept],
        cov=problem.cov[kept],
        weight_g=problem.weight_g[kept],
        place_mm=problem.place_mm[kept],
    )
    solution = solve(others, cell_of, place_sd_mm)
    a, d = solution.grams_per_count, problem.counts[one] / problem.weight_g[one]
    own = float(a @ problem.cov[one] @ a) / float(problem.weight_g[one]) ** 2
    levers = problem.sites_mm[list(cell_of)] @ problem.axes.T
    return WithoutSome(
        solution.chi2,
        float(a @ d) - 1.0,
        float(np.sqrt(d @ solution.cov @ d + own + MODEL_SHARE**2)),
        (a * d) @ levers - problem.axes @ problem.place_mm[one],
    )


def _prior(problem: Problem, order: list[int]) -> Floats:
    """Grams per count before anything is fitted: the label's, or all alike so that the sums come out right."""
    label = problem.prior[order]
    together = (problem.counts * problem.signs).sum(axis=1)
    alike = float(together @ problem.weight_g) / max(float(together @ together), 1e-30)
    prior: Floats = np.where(np.isnan(label), max(alike, 1e-9), label) * problem.signs
    return prior


def _equations(problem: Problem, levers: Floats, a: Floats, place_sd_mm: float) -> tuple[Floats, Floats, Floats]:
    """Forces, then moments along each axis, all over the weight and in units of their own doubt."""
    w = problem.weight_g
    force_sd = np.sqrt(np.einsum("k,pkl,l->p", a, problem.cov, a) / w**2 + MODEL_SHARE**2)
    shares = problem.counts / w[:, None]
    rows, goals = [shares / force_sd[:, None]], [1.0 / force_sd]
    sd = np.sqrt(place_sd_mm**2 + _moment_noise(problem, levers, a))
    for axis in range(levers.shape[1]):
        rows.append(shares * levers[:, axis] / sd[axis][:, None])
        goals.append(problem.place_mm @ problem.axes[axis] / sd[axis])
    return np.vstack(rows), np.concatenate(goals), force_sd


def _moment_noise(problem: Problem, levers: Floats, a: Floats) -> Floats:
    """Variance in mm² of each place as measured, by the counts' noise: float64[axes, placements]."""
    arms = levers * a[:, None]
    noise: Floats = np.einsum("kx,pkl,lx->xp", arms, problem.cov, arms) / problem.weight_g**2
    return noise
