"""The change from one plateau to another, and how far it can be trusted."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from edge.fusion.model import BoardModel
from edge.fusion.plateau import Plateau

Floats = npt.NDArray[np.float64]

LEVEL_SD_G = 0.15  # what a level is worth at best: creep, and the plate's own hysteresis ...
LEVEL_RELATIVE_SD = 0.0015  # ... in proportion to the change
PLACE_SD_MM = 2.0  # positions of cells as mounted
MISSING_CELL_RELATIVE_SD = 0.10  # filling in a dead cell as a stiff plate would share it


def change_between(model: BoardModel, a: Plateau, b: Plateau) -> tuple[Floats, Floats, float] | None:
    """``z`` [3], its variances [3], and the variance of the weight by doubtful gains.

    A unit that was weighed on this board before doesn't suffer from doubtful gains, so they are kept apart. None where
    the cells that worked in both plateaus can't tell the weight.
    """
    statics = model.statics
    mask = a.mask & b.mask
    if not statics.solvable[mask]:
        return None
    working = np.array([mask >> cell & 1 for cell in range(len(model.cell_ids))], np.bool_)
    delta = np.where(working, b.level_g - a.level_g, 0.0)
    z = statics.transforms[mask] @ delta
    level_var = np.where(working, a.level_var + b.level_var, 0.0)
    gain_var = (model.gain_sd * delta) ** 2
    weight = float(z[0])
    var = np.empty(3)
    var[0] = a.sum_var + b.sum_var + LEVEL_SD_G**2 + (LEVEL_RELATIVE_SD * weight) ** 2
    arms = (model.cell_x_mm - statics.x0_mm, model.cell_y_mm - statics.y0_mm)
    for axis, arm in enumerate(arms, start=1):
        var[axis] = float((arm**2 * (level_var + gain_var)).sum()) + (PLACE_SD_MM * weight) ** 2 + 1.0
        var[axis] += (LEVEL_SD_G**2 + (LEVEL_RELATIVE_SD * weight) ** 2) * float((arm**2).max())
    if mask != (1 << len(model.cell_ids)) - 1:
        doubt = (MISSING_CELL_RELATIVE_SD * float(np.abs(delta).sum())) ** 2
        var += doubt * np.array([1.0, float((arms[0] ** 2).max()), float((arms[1] ** 2).max())])
    return z, var, float(gain_var.sum()) + (model.gain_common_sd * weight) ** 2
