"""From the steps of a story to single movements with their time, grams and place."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from edge.fusion.lattice import Move, Step, move_of
from edge.fusion.likelihood import FOREIGN_PUT
from edge.fusion.model import BoardModel
from edge.fusion.moment import split_once, split_twice
from edge.fusion.moves import Moves
from edge.fusion.plateau import Plateau

Floats = npt.NDArray[np.float64]
BatchesBetween = Callable[[int, int], tuple[Floats, npt.NDArray[np.int64], int]]
"""(begin_ns, end_ns) -> z of the batches in between [n, 3], their times and the end [n + 1], and how many were dark."""
SURE_COST_SHARE = 0.7  # of the other order's misfit: below that, the order of two movements is clear
TWO_COST_SHARE = 0.8  # of a single step's misfit: above that, two movements aren't seen to be two
DOUBTED_APART_NS = 1_000_000_000  # orders that date both to within this are as good as one
NARROW_MM = 200.0
_MARGIN_MM = 60.0  # what a batch in motion says of a place is rough
_SCALE = np.array([1.0, 150.0, 150.0])  # g mm become g: moments are compared with weights at 150 mm


@dataclass(frozen=True, slots=True)
class Movement:
    """One movement of a story. Place in board coordinates; None where the board can't tell.

    ``dated``: False where two things moved in one activity and it isn't clear which of them went first, or whether it
    wasn't one thing that nobody knows: some pair of items weighs as much as almost anything.
    """

    move: Move
    grams: float
    grams_var: float
    x_mm: float | None
    y_mm: float | None
    time_ns: int
    step: Step
    dated: bool = True


def movements_of(
    model: BoardModel, chain: Sequence[Plateau], moves: Moves, steps: Sequence[Step], between: BatchesBetween
) -> list[Movement]:
    """The movements of a story in order of time."""
    levels = _smoothed_changes(chain, moves, steps)
    found: list[Movement] = []
    for step, grams in zip(steps, levels, strict=True):
        if step.moves:
            found += _of_step(model, chain, moves, step, grams, between)
    return found


def _expected(moves: Moves, step: Step) -> tuple[float, float]:
    """Weight and variance that the moves of a step should have; a foreign object may have any, and nothing none."""
    if not step.moves:
        return 0.0, 1.0
    if step.undoes is not None:
        return -float(step.undoes.edge.z[0]), float(step.undoes.edge.var[0])
    if step.rows == (FOREIGN_PUT,):
        return float(step.edge.z[0]), 1e8
    rows = list(step.rows)
    return float(moves.weight_g[rows].sum()), float(moves.weight_var[rows].sum())


def _smoothed_changes(chain: Sequence[Plateau], moves: Moves, steps: Sequence[Step]) -> list[float]:
    """Change of weight in each step, with the levels between steps corrected by what the items should weigh.

    Least squares over the true levels ``l_k``: ``sum (l_k - L_k)^2 / v_k + sum (l_k+1 - l_k - mu)^2 / s^2``. A level
    seen for half a second between two visits is worth less than the weight of a unit that was taken from here before.
    """
    if len(steps) < 2:
        return [float(step.edge.z[0]) for step in steps]
    n = len(steps) + 1
    nodes = [steps[0].edge.i] + [step.edge.j for step in steps]
    var = np.array([chain[node].sum_var + 0.05 for node in nodes])
    measured = np.concatenate([[0.0], np.cumsum([step.edge.z[0] for step in steps])])
    matrix, right = np.diag(1.0 / var), measured / var
    for k, step in enumerate(steps):
        mean, spread = _expected(moves, step)
        weight = 1.0 / (spread + 1.0)
        matrix[k : k + 2, k : k + 2] += weight * np.array([[1.0, -1.0], [-1.0, 1.0]])
        right[k : k + 2] += weight * mean * np.array([-1.0, 1.0])
    return [float(change) for change in np.diff(np.linalg.solve(matrix, right))][: n - 1]


def _of_step(
    model: BoardModel, chain: Sequence[Plateau], moves: Moves, step: Step, grams: float, between: BatchesBetween
) -> list[Movement]:
    before, after = chain[step.edge.i], chain[step.edge.j]
    z, times_ns, _ = between(before.end_ns, after.begin_ns)
    every = model.statics.transforms[-1]
    z = (z - every @ np.nan_to_num(before.level_g)) / _SCALE
    if len(step.rows) == 2:
        return _pair(model, moves, step, grams, z, times_ns)
    split = split_once(z, np.zeros(3), step.edge.z / _SCALE, _edges(model), abs(float(step.edge.z[0])) + 1.0)
    time_ns = int(times_ns[split])
    x, y = _place(model, step.edge.z) if len(step.moves) == 1 else (None, None)
    shares = _shares(moves, step)
    var = float(step.edge.var[0])
    return [Movement(m, grams * share, var, x, y, time_ns, step) for m, share in zip(step.moves, shares, strict=True)]


def _shares(moves: Moves, step: Step) -> list[float]:
    """How the change of a step is shared by its moves, where they can't be told apart in time."""
    if len(step.moves) == 1 or step.undoes is None:
        return [1.0 / len(step.moves)] * len(step.moves)
    weights = [float(moves.weight_g[row]) for row in reversed(step.undoes.rows)]
    total = sum(weights)
    return [weight / total for weight in weights] if abs(total) > 1.0 else [1.0 / len(weights)] * len(weights)


def _edges(model: BoardModel) -> Floats:
    """The board's edges with a margin, as places of loads whose moments are divided by the scale. Unseen: no limit."""
    margin = np.array([-_MARGIN_MM, _MARGIN_MM, -_MARGIN_MM, _MARGIN_MM])
    limits = np.where(np.repeat(model.sees[1:], 2), model.edges_mm + margin, np.array([-1e9, 1e9, -1e9, 1e9]))
    return np.asarray(limits / _SCALE[1], np.float64)


def _pair(
    model: BoardModel, moves: Moves, step: Step, grams: float, z: Floats, times_ns: npt.NDArray[np.int64]
) -> list[Movement]:
    """Two movements in one activity: the rest of the weight is shared by variance, the order is the one that fits."""
    a, b = step.rows
    rest = grams - float(moves.weight_g[a] + moves.weight_g[b])
    share = float(moves.weight_var[a] / (moves.weight_var[a] + moves.weight_var[b]))
    weights = {a: float(moves.weight_g[a]) + share * rest, b: float(moves.weight_g[b]) + (1.0 - share) * rest}
    middles = {row: np.array([1.0, *moves.box_mm[row].reshape(2, 2).mean(axis=1)]) for row in (a, b)}
    seen = np.array([True, model.statics.sees_x, model.statics.sees_y])
    reach = max(abs(weight) for weight in weights.values())
    axes = _axes_that_tell(model, moves, step)
    fits = []
    for first, second in ((a, b), (b, a)):
        between = np.where(seen, weights[first] * middles[first], 0.0) / _SCALE
        at, then, cost = split_twice(
            z[:, :axes], np.zeros(axes), between[:axes], step.edge.z[:axes] / _SCALE[:axes], _edges(model), reach
        )
        fits.append((cost, {first: int(times_ns[at]), second: int(times_ns[then])}))
    (cost, times), (other_cost, other_times) = sorted(fits, key=lambda fit: fit[0])
    apart_ns = max(abs(times[row] - other_times[row]) for row in (a, b))
    _, _, at_once_cost = split_twice(
        z[:, :axes], np.zeros(axes), step.edge.z[:axes] / _SCALE[:axes], step.edge.z[:axes] / _SCALE[:axes],
        _edges(model), reach,
    )  # fmt: skip
    dated = cost < SURE_COST_SHARE * other_cost or apart_ns < DOUBTED_APART_NS
    dated = dated and cost < TWO_COST_SHARE * at_once_cost
    found = []
    for row in sorted((a, b), key=lambda row: times[row]):
        x = float(middles[row][1] + model.statics.x0_mm) if model.statics.sees_x else None
        y = float(middles[row][2] + model.statics.y0_mm) if model.statics.sees_y else None
        var = float(moves.weight_var[row])
        found.append(Movement(move_of(moves, row), weights[row], var, x, y, times[row], step, dated))
    return found


def _axes_that_tell(model: BoardModel, moves: Moves, step: Step) -> int:
    """How many components (weight, x, y) can tell which of two went first: a place in a wide slot isn't known."""
    extents = moves.box_mm[list(step.rows)]
    narrow = [float((extents[:, 2 * axis + 1] - extents[:, 2 * axis]).max()) < NARROW_MM for axis in (0, 1)]
    if not (model.statics.sees_x and narrow[0]):
        return 1
    return 3 if model.statics.sees_y and narrow[1] else 2


def _place(model: BoardModel, z: Floats) -> tuple[float | None, float | None]:
    statics = model.statics
    if abs(z[0]) < 1.0:
        return None, None
    x = float(min(max(z[1] / z[0] + statics.x0_mm, 0.0), model.width_mm)) if statics.sees_x else None
    y = float(min(max(z[2] / z[0] + statics.y0_mm, 0.0), model.depth_mm)) if statics.sees_y else None
    return x, y
