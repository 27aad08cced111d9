"""From the placements of a run to a board's calibration: gains, zeros, wiring, and how far each can be trusted."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from calibration.placements import MV_PER_V_PER_COUNT, NV_PER_COUNT, BoardSite, Placement, changes
from calibration.solve import PLACE_SD_MM, Problem, Solution, problem_of, without
from calibration.wiring import find_wiring, lane_wiring

Floats = npt.NDArray[np.float64]

OWN_LANE_SHARE = 0.97  # a weight that one cell carries alone: the cells don't share a plate
SITE_SD_MM = 30.0  # how far a cell may be from where the node file has it
LEAST_GAIN_SD = 1e-4


@dataclass(frozen=True, slots=True)
class BoardNoise:
    """What the empty board does.

    Attributes:
        zero_counts, zero_sd: float64[channels], at the end of the run, with what it strayed during the run.
        sample_counts: float64[channels], rms of single samples.
        window_cov: float64[channels, channels], of a window's means; window_s: its length.
    """

    zero_counts: Floats
    zero_sd: Floats
    sample_counts: Floats
    window_cov: Floats
    window_s: float


@dataclass(frozen=True, slots=True)
class CellFit:
    """One cell by its name in the node file, and the channel that was found to carry it.

    Attributes:
        gain_relative_sd: of this cell's gain by itself. Where a plate is stiff the gains err together, in such a way
            that sums stay right: `BoardFit.load_relative_sd` is what a weight on the board is off by.
        x_mm, y_mm, site_sd_mm: where the cell seems to carry the board; nan where the data can't tell.
        noise_counts, noise_g, noise_nv: of single samples, rms.
        mv_per_v: output at its capacity; None without one. off_label: as a share of the label's; None without one.
    """

    name: str
    channel: int
    counts_per_gram: float
    gain_relative_sd: float
    zero_counts: float
    zero_sd_counts: float
    x_mm: float
    y_mm: float
    site_sd_mm: float
    noise_counts: float
    noise_g: float
    noise_nv: float
    mv_per_v: float | None
    off_label: float | None

    @property
    def reversed(self) -> bool:
        """Its counts fall under load."""
        return self.counts_per_gram < 0


@dataclass(frozen=True, slots=True)
class PlaceFit:
    """One placement as the fit sees it.

    Attributes:
        residual_g: sum of the cells less the weight.
        alone_share: the same, as a share of the weight, by a fit in which this place has no say: what the others make
            of it. doubt_share: standard deviation of that.
        off_x_mm, off_y_mm: how far from its guided place the weight lay; nan where the cells can't tell.
        off_alone_mm: the distance, by a fit in which this place has no say.
        blame: how much better everything fits without this place (chi²). left_chi2: what misfit the others have then.
    """

    placement: Placement
    residual_g: float
    alone_share: float
    doubt_share: float
    off_x_mm: float
    off_y_mm: float
    off_alone_mm: float
    blame: float
    left_chi2: float


@dataclass(frozen=True, slots=True)
class BoardFit:
    """A board's calibration with its doubts.

    Attributes:
        cells: in the node file's order.
        cell_of: cell_of[channel] is the cell that it carries, as index into `cells`.
        wiring_sure: another wiring would fit clearly worse. own_lanes: each cell carries a plate of its own.
        wiring_doubtful: the cells whose channels can't be told apart, as index into `cells`.
        load_relative_sd: a weight on the board, at the worst of the places, against the reference weight.
        misfit: how much worse the sums agree than noise explains, at least 1; it is in `load_relative_sd`.
        common_relative_sd: that the reference weight itself may be off.
        grams_per_count, gain_cov: float64[channels], float64[channels, channels].
        zero_return_g: largest change of the empty board's sum over one placement.
        hysteresis_g: loads on the way down less the same on the way up; None without such loads.
        repeatability_g: standard deviation of one weighing.
        untold: what this run couldn't find out, in sentences.
    """

    site: BoardSite
    cells: tuple[CellFit, ...]
    places: tuple[PlaceFit, ...]
    cell_of: tuple[int, ...]
    wiring_sure: bool
    wiring_doubtful: tuple[int, ...]
    own_lanes: bool
    load_relative_sd: float
    misfit: float
    common_relative_sd: float
    grams_per_count: Floats
    gain_cov: Floats
    noise: BoardNoise
    zero_return_g: float
    hysteresis_g: float | None
    repeatability_g: float
    untold: tuple[str, ...]

    @property
    def wiring_differs(self) -> bool:
        """The channels don't carry the cells in the node file's order."""
        return self.cell_of != tuple(range(len(self.cells)))


def fit_board(
    site: BoardSite,
    placements: Sequence[Placement],
    noise: BoardNoise,
    tolerance_share: float,
    place_sd_mm: float = PLACE_SD_MM,
) -> BoardFit:
    """The fit of a whole run.

    Args:
        tolerance_share: how far the reference weight may be off, as a share of it (one standard deviation).
        place_sd_mm: how far from its places a weight lies, along each axis (one standard deviation).
    """
    problem = problem_of(site, placements)
    wiring = find_wiring(problem, place_sd_mm)
    own_lanes = _own_lanes(problem, wiring.solution)
    if own_lanes:
        problem = problem_of(site, placements, one_plate=False)
        wiring = lane_wiring(problem, wiring.solution.grams_per_count)
    solution = wiring.solution
    a = solution.grams_per_count
    inflated = max(1.0, _misfit(solution))
    cov = solution.cov * inflated**2
    d = changes(placements)
    load_sd = np.sqrt(np.einsum("pk,kl,pl->p", d, cov, d)) / problem.weight_g
    sites = _sites(problem, solution, place_sd_mm)
    returns = [float(a @ (p.up - p.down)) for p in placements if p.down is not None]
    return BoardFit(
        site,
        tuple(_cell(site, index, solution, cov, sites, noise) for index in range(len(site.cells))),
        tuple(_place(problem, solution, p, placements, place_sd_mm) for p in range(len(placements))),
        solution.cell_of,
        wiring.sure,
        wiring.doubtful,
        own_lanes,
        float(load_sd.max()),
        inflated,
        tolerance_share,
        a,
        cov,
        noise,
        max(returns, key=abs, default=0.0),
        _hysteresis(placements, a),
        _repeatability(placements, a, solution),
        _untold(site, problem, solution, own_lanes, cov),
    )


def _own_lanes(problem: Problem, solution: Solution) -> bool:
    if len(problem.sites_mm) < 2:
        return False
    forces = np.abs(problem.counts * solution.grams_per_count)
    shares = forces.max(axis=1) / np.maximum(forces.sum(axis=1), 1e-30)
    alone = shares > OWN_LANE_SHARE
    answered = np.unique(forces.argmax(axis=1)[alone])
    return bool(answered.size == len(problem.sites_mm))


def _misfit(solution: Solution) -> float:
    """How much worse the sums are than their own doubt, where there are more of them than gains: chi per degree."""
    n, cells = solution.force_left.size, solution.grams_per_count.size
    if n <= cells:
        return 1.0
    return math.sqrt(float(((solution.force_left / solution.force_sd) ** 2).sum()) / (n - cells))


def _cell(
    site: BoardSite, index: int, solution: Solution, cov: Floats, sites: tuple[Floats, Floats], noise: BoardNoise
) -> CellFit:
    cell = site.cells[index]
    k = solution.cell_of.index(index)
    a = float(solution.grams_per_count[k])
    gain = 1.0 / a
    label = cell.label_counts_per_gram
    counts = float(noise.sample_counts[k])
    place, place_sd = sites
    return CellFit(
        cell.name,
        k,
        gain,
        max(math.sqrt(float(cov[k, k])) / abs(a), LEAST_GAIN_SD),
        float(noise.zero_counts[k]),
        float(noise.zero_sd[k]),
        cell.x_mm + float(place[index, 0]),
        cell.y_mm + float(place[index, 1]),
        float(place_sd[index].max()),
        counts,
        counts * abs(a),
        counts * NV_PER_COUNT,
        abs(gain) * cell.capacity_g * MV_PER_V_PER_COUNT if cell.capacity_g else None,
        abs(gain) / label - 1.0 if label else None,
    )


def _place(
    problem: Problem, solution: Solution, p: int, placements: Sequence[Placement], place_sd_mm: float
) -> PlaceFit:
    placement = placements[p]
    offs, axes = solution.off_mm[p], problem.axes
    off = offs @ axes if len(axes) == 2 else np.full(2, np.nan)
    if len(axes) == 1:  # along the line of the cells only
        off = np.where(np.abs(axes[0]) > 0.9, offs[0] * axes[0], np.nan)
    residual_g = float(solution.force_left[p]) * placement.weight_g
    same = [each.place == placement.place for each in placements]
    if all(same):
        return PlaceFit(placement, residual_g, 0.0, 1.0, float(off[0]), float(off[1]), math.nan, 0.0, 0.0)
    others = without(problem, solution.cell_of, p, same, place_sd_mm)
    return PlaceFit(
        placement,
        residual_g,
        others.force_share,
        others.force_sd,
        float(off[0]),
        float(off[1]),
        float(np.sqrt((others.off_mm**2).sum())) if len(axes) else math.nan,
        solution.chi2 - others.chi2,
        others.chi2,
    )


def _sites(problem: Problem, solution: Solution, place_sd_mm: float) -> tuple[Floats, Floats]:
    """How far each cell is from where the node file has it, and the doubt of that: float64[cells, 2] each.

    The offsets left by the fit are ``Σ_k r_pk Δ_k / W`` and the person's own; ridge regression, each against its own
    standard deviation. nan without moments to tell.
    """
    cells = len(problem.sites_mm)
    if len(problem.axes) < 2:
        return np.zeros((cells, 2)), np.full((cells, 2), np.nan)
    shares = problem.counts * solution.grams_per_count / problem.weight_g[:, None]
    normal = shares.T @ shares / place_sd_mm**2 + np.eye(cells) / SITE_SD_MM**2
    off = solution.off_mm @ problem.axes
    moved = np.asarray(-np.linalg.solve(normal, shares.T @ off / place_sd_mm**2), np.float64)
    sd = np.sqrt(np.diag(np.linalg.inv(normal)))
    order = np.argsort(solution.cell_of)
    doubt: Floats = np.repeat(sd[order, None], 2, axis=1)
    return moved[order], doubt


def _hysteresis(placements: Sequence[Placement], a: Floats) -> float | None:
    """Down less up at the same place and load, the largest."""
    found = [
        float(a @ (down.change - up.change))
        for down in placements
        if down.leg == "down"
        for up in placements
        if up.leg == "up" and up.place == down.place and abs(up.weight_g - down.weight_g) < 1e-6 * up.weight_g
    ]
    return max(found, key=abs) if found else None


def _repeatability(placements: Sequence[Placement], a: Floats, solution: Solution) -> float:
    """From placements at the same place with the same weight; else from what the fit leaves."""
    sums: dict[tuple[str, float], list[float]] = {}
    for placement in placements:
        if placement.leg == "up":
            sums.setdefault((placement.place, placement.weight_g), []).append(float(a @ placement.change))
    again = [np.array(each) for each in sums.values() if len(each) > 1]
    if again:
        return math.sqrt(sum(float(((e - e.mean()) ** 2).sum()) for e in again) / sum(e.size - 1 for e in again))
    weight = np.array([placement.weight_g for placement in placements])
    spare = max(1, len(placements) - a.size)
    return math.sqrt(float(((solution.force_left * weight) ** 2).sum()) / spare)


def _untold(site: BoardSite, problem: Problem, solution: Solution, own_lanes: bool, cov: Floats) -> tuple[str, ...]:
    """What no data of this run say."""
    told = []
    cells = len(site.cells)
    if cells == 1:
        told.append("one cell tells the weight alone, not where it lies")
    elif own_lanes:
        told.append("each cell carries a plate of its own: where on its plate a weight lies can't be told")
    elif len(problem.axes) < 2:
        told.append("the cells stand in one line: where across that line a weight lies can't be told")
    relative = np.sqrt(np.diag(cov)) / np.abs(solution.grams_per_count)
    if cells > 1 and float(relative.max()) > 0.005:
        told.append(
            f"the plate is so stiff that sums don't tell each cell's own gain: those are known to "
            f"{100 * float(relative.max()):.1f} % only, from the places; weights are right all the same"
        )
    return tuple(told)
