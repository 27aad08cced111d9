"""Whether the cells of a board share a change as a plate would: the check that needs no reference weight.

Four cells under the corners of a plate say one number more than statics needs, the twist
``t = (fl - fr - bl + br) / 4``. A stiff plate on equal springs leaves it 0; a plate as soft as it can be shares
bilinearly, which gives ``W u v / 4`` for a load at ``(u, v)``, each from -1 at one row of cells to 1 at the other.
Anything between is a plate. Far outside, a cell has lost its load, jumped, or two are swapped: what was computed from
them may be the wrong weight in the wrong place.
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from edge.fusion.model import BoardModel
from edge.fusion.plateau import Plateau

Floats = npt.NDArray[np.float64]

ALONE_SHARE = 0.01  # of a change that the other cells may show without having taken part
TWIST_SHARE = 0.05  # of the weight: unequal springs and mounts, gains, cells not quite under the corners
SIGMAS = 3.0


def complaint(model: BoardModel, before: Plateau, after: Plateau, loads: int) -> str | None:
    """What is wrong with the way a change is shared, or None. ``loads``: how many things moved in it."""
    cells = len(model.cell_ids)
    change = after.level_g - before.level_g
    if cells < 3 or bool(np.isnan(change).any()):
        return None
    sd = np.sqrt(before.level_var + after.level_var)
    alone = _changed_alone(change, sd)
    if alone is not None:
        return f"cell {model.cell_ids[alone]}: changed alone"
    if loads == 1 and _twisted(model, change, sd):
        return "the cells don't share the load as a plate does"
    return None


def _changed_alone(change: Floats, sd: Floats) -> int | None:
    """The only cell that says anything changed, if there is one."""
    largest = int(np.argmax(np.abs(change)))
    others = np.arange(change.size) != largest
    still = np.abs(change[others]) < SIGMAS * sd[others] + ALONE_SHARE * abs(change[largest])
    return largest if bool(np.all(still)) else None


def _twisted(model: BoardModel, change: Floats, sd: Floats) -> bool:
    """Whether four corner cells show a twist that no plate has."""
    corners = model.corners
    if corners is None:
        return False
    fl, fr, bl, br = change[list(corners)]
    weight = float(fl + fr + bl + br)
    if abs(weight) < 1.0:
        return False
    u, v = (fr + br - fl - bl) / weight, (bl + br - fl - fr) / weight
    soft = weight * u * v / 4.0
    twist = (fl - fr - bl + br) / 4.0
    slack = SIGMAS * float(np.sqrt((sd**2).sum())) / 4.0 + TWIST_SHARE * abs(weight)
    return bool(not min(0.0, soft) - slack <= twist <= max(0.0, soft) + slack)
