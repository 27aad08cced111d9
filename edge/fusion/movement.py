"""From the steps of a story to single movements with their time, grams and place."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from edge.fusion.activity import Activity, movements_as_loads
from edge.fusion.lattice import Step
from edge.fusion.likelihood import FOREIGN_PUT
from edge.fusion.links import Move, move_of
from edge.fusion.model import BoardModel
from edge.fusion.moves import Moves
from edge.fusion.plateau import Plateau

Floats = npt.NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class Movement:
    """One movement of a story. Place in board coordinates; None where the board can't tell."""

    move: Move
    grams: float
    grams_var: float
    x_mm: float | None
    y_mm: float | None
    time_ns: int
    step: Step


def movements_of(
    model: BoardModel, chain: Sequence[Plateau], moves: Moves, steps: Sequence[Step], activity: Activity
) -> list[Movement]:
    """The movements of a story in order of time."""
    levels = _smoothed_changes(chain, moves, steps)
    found: list[Movement] = []
    for step, grams in zip(steps, levels, strict=True):
        if step.moves:
            found += _of_step(model, moves, step, grams, activity)
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


def _of_step(model: BoardModel, moves: Moves, step: Step, grams: float, activity: Activity) -> list[Movement]:
    edge = step.edge
    plane = activity.stretch(edge.i, edge.j).plane
    moved, place_sd = movements_as_loads(step.rows, moves, edge.z, edge.var, plane)
    times_ns = activity.path(edge.i, edge.j, moved, place_sd)[1]
    if len(step.rows) > 1:
        return _several(model, moves, step, grams, moved, times_ns)
    time_ns = int(times_ns[0])
    x, y = _place(model, edge.z) if len(step.moves) == 1 else (None, None)
    shares = _shares(moves, step)
    var = float(edge.var[0])
    return [Movement(m, grams * share, var, x, y, time_ns, step) for m, share in zip(step.moves, shares, strict=True)]


def _shares(moves: Moves, step: Step) -> list[float]:
    """How the change of a step is shared by its moves, where they can't be told apart in time."""
    if len(step.moves) == 1 or step.undoes is None:
        return [1.0 / len(step.moves)] * len(step.moves)
    weights = [float(moves.weight_g[row]) for row in reversed(step.undoes.rows)]
    total = sum(weights)
    return [weight / total for weight in weights] if abs(total) > 1.0 else [1.0 / len(weights)] * len(weights)


def _several(
    model: BoardModel, moves: Moves, step: Step, grams: float, moved: Floats, times_ns: npt.NDArray[np.int64]
) -> list[Movement]:
    """Movements in one activity, in order of time; what the levels around say of the sum is shared out alike."""
    rest = (grams - float(step.edge.z[0])) / len(step.rows)
    found = [
        Movement(move_of(moves, row), float(load[0]) + rest, float(moves.weight_var[row]), *_place(model, load),
                 int(time_ns), step)
        for row, load, time_ns in zip(step.rows, moved, times_ns, strict=True)
    ]  # fmt: skip
    return sorted(found, key=lambda movement: (movement.time_ns, movement.move))


def _place(model: BoardModel, z: Floats) -> tuple[float | None, float | None]:
    statics = model.statics
    if abs(z[0]) < 1.0:
        return None, None
    x = float(min(max(z[1] / z[0] + statics.x0_mm, 0.0), model.width_mm)) if statics.sees_x else None
    y = float(min(max(z[2] / z[0] + statics.y0_mm, 0.0), model.depth_mm)) if statics.sees_y else None
    return x, y
