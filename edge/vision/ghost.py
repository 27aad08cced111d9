"""Is it somebody, or where somebody was? Where the background is wrong is foreground too, a ghost; its rim tells.

Along the rim of the foreground in a track's box, somebody who is there makes edges in the picture that the background
hasn't; where somebody was who is gone, the edges are in the background (Cucchiara et al. 2003 tell them by motion;
edges tell those who stand still, too). Of a ghost the place is learned anew at once.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numba import njit

from edge.vision.background import FOREGROUND, U8, Background
from edge.vision.fit import HEIGHT, WIDTH
from edge.vision.motion import POSITION
from edge.vision.table import Table

ACROSS = 2  # pixels from the rim to either side; the foreground is smoothed over 3
LEAST_RIM = 6  # pixels
LEAST_EDGE = 6  # grey levels: the mean edge of a ghost in the background
MORE = 2  # and by how much stronger it is there than in the picture
MARGIN = 0.25  # of the box's width


@njit(cache=True)
def is_ghost(model: Background, y: U8, table: Table, k: int) -> bool:
    """Whether the background has the edges of what is in track k's box, and the picture hasn't."""
    height, width = y.shape
    across, down = table.size[k, WIDTH], table.size[k, HEIGHT]
    grow = MARGIN * across
    left, right = table.x[k, POSITION] - 0.5 * across - grow, table.x[k, POSITION] + 0.5 * across + grow
    top, bottom = table.y[k, POSITION] - 0.5 * down - grow, table.y[k, POSITION] + 0.5 * down + grow
    begin, end = int(max(left, ACROSS * 1.0)), int(min(right, width - 1.0 - ACROSS))
    rim: Any = 0
    here: Any = 0
    before: Any = 0
    for i in range(int(max(top, ACROSS * 1.0)), int(min(bottom, height - 1.0 - ACROSS))):
        for j in range(begin, end):
            inside = model.smooth[i, j] >= FOREGROUND
            if inside != (model.smooth[i, j + 1] >= FOREGROUND):
                rim += 1
                here += abs(np.int64(y[i, j + ACROSS]) - np.int64(y[i, j + 1 - ACROSS]))
                before += abs(np.int64(model.level[i, j + ACROSS]) - np.int64(model.level[i, j + 1 - ACROSS])) >> 7
            if inside != (model.smooth[i + 1, j] >= FOREGROUND):
                rim += 1
                here += abs(np.int64(y[i + ACROSS, j]) - np.int64(y[i + 1 - ACROSS, j]))
                before += abs(np.int64(model.level[i + ACROSS, j]) - np.int64(model.level[i + 1 - ACROSS, j])) >> 7
    return bool(rim >= LEAST_RIM and before > LEAST_EDGE * rim and before > MORE * here)


@njit(cache=True)
def lay_ghost(model: Background, y: U8, u: U8, v: U8, table: Table, k: int) -> None:
    """Take what is seen in track k's box for the background."""
    height, width = y.shape
    shift = 1 if model.u.shape[1] < width else 0
    across, down = table.size[k, WIDTH], table.size[k, HEIGHT]
    grow = MARGIN * across
    left, right = table.x[k, POSITION] - 0.5 * across - grow, table.x[k, POSITION] + 0.5 * across + grow
    top, bottom = table.y[k, POSITION] - 0.5 * down - grow, table.y[k, POSITION] + 0.5 * down + grow
    for i in range(int(max(top, 0.0)), int(min(bottom, height - 1.0)) + 1):
        for j in range(int(max(left, 0.0)), int(min(right, width - 1.0)) + 1):
            if model.smooth[i, j] >= FOREGROUND // 4:
                model.level[i, j] = np.int64(y[i, j]) << 7
                model.support[i, j] = 0
                model.candidate_age[i, j] = 0
                model.u[i >> shift, j >> shift] = np.int64(u[i >> shift, j >> shift]) << 7
                model.v[i >> shift, j >> shift] = np.int64(v[i >> shift, j >> shift]) << 7
