"""Statics of a board: from forces on cells to the weight, and where it lies.

The forces of a load ``w`` at ``(x, y)`` always satisfy three equations, whatever the stiffness of the plate:
``sum F = w``, ``sum F x = w x``, ``sum F y = w y``. With the matrix ``S`` of rows ``[1, x_i - x_0, y_i - y_0]`` they
read ``S^T F = z`` with ``z = (w, w (x - x_0), w (y - y_0))``. What four cells say beyond these three numbers (the twist
of the plate) depends on its stiffness, which nobody measures, so it isn't used as weight.

A board with one cell knows ``w`` only; cells in one row know ``w`` and the place along that row.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

Floats = npt.NDArray[np.float64]

_DEGENERATE_MM = 5.0  # cells closer than this in one direction say nothing about the place along it

_RECTANGLE_SHARE = 0.05  # how far corners may be off a rectangle, of its sides


@dataclass(frozen=True, slots=True)
class Statics:
    """How one board's cells are turned into ``z``.

    Attributes:
        transforms: float64[2**cells, 3, cells]; ``z = transforms[mask] @ F`` for the set of working cells ``mask``.
        solvable: bool[2**cells]; False where the working cells can't tell the weight.
        sees_x, sees_y: whether the place along that axis can be told with all cells.
        x0_mm, y0_mm: the point that moments are taken about (the middle of the cells).
    """

    transforms: Floats
    solvable: npt.NDArray[np.bool_]
    sees_x: bool
    sees_y: bool
    x0_mm: float
    y0_mm: float


def statics_of(x_mm: Floats, y_mm: Floats) -> Statics:
    """Transforms for every set of working cells of a board with cells at ``x_mm``, ``y_mm`` (float64[cells]).

    With all cells this is pure statics. With a cell missing, the missing force is filled in as a stiff plate on equal
    springs would share it, ``F = S (S^T S)^-1 z`` (minimum-norm solution of the three equations).
    """
    cells = x_mm.size
    x0, y0 = float(x_mm.mean()), float(y_mm.mean())
    rows = np.stack([np.ones(cells), x_mm - x0, y_mm - y0], axis=1)
    sees_x, sees_y = bool(np.ptp(x_mm) > _DEGENERATE_MM), bool(np.ptp(y_mm) > _DEGENERATE_MM)
    rows[:, 1] *= sees_x
    rows[:, 2] *= sees_y
    if sees_x and sees_y and np.linalg.matrix_rank(rows / np.abs(rows).max(axis=0)) < 3:
        # Cells on a slanted line: places along it are known, across it they aren't. Keep the longer axis.
        if np.ptp(x_mm) >= np.ptp(y_mm):
            sees_y, rows[:, 2] = False, 0.0
        else:
            sees_x, rows[:, 1] = False, 0.0
    sharing = rows @ np.linalg.pinv(rows.T @ rows)  # F = sharing @ z
    rank = np.linalg.matrix_rank(sharing)
    transforms = np.zeros((2**cells, 3, cells))
    solvable = np.zeros(2**cells, np.bool_)
    for mask in range(1, 2**cells):
        working = [cell for cell in range(cells) if mask >> cell & 1]
        if len(working) == cells:
            transforms[mask] = rows.T
            solvable[mask] = True
        elif np.linalg.matrix_rank(sharing[working]) == rank:
            transforms[mask][:, working] = np.linalg.pinv(sharing[working])
            solvable[mask] = True
    return Statics(transforms, solvable, sees_x, sees_y, x0, y0)


def corners_of(x_mm: Floats, y_mm: Floats) -> tuple[int, int, int, int] | None:
    """Which of four cells stand front left, front right, back left and back right; None unless in a rectangle."""
    if x_mm.size != 4:
        return None
    width, depth = float(np.ptp(x_mm)), float(np.ptp(y_mm))
    found = []
    for at_x in (x_mm.min(), x_mm.max()):
        for at_y in (y_mm.min(), y_mm.max()):
            off = np.maximum(np.abs(x_mm - at_x) / max(width, 1.0), np.abs(y_mm - at_y) / max(depth, 1.0))
            found.append(int(np.argmin(off)))
            if off.min() > _RECTANGLE_SHARE:
                return None
    left_front, left_back, right_front, right_back = found
    return (left_front, right_front, left_back, right_back) if len(set(found)) == 4 else None
