"""Grey clothes or a shadow: what is darker than the floor, in the floor's colour, where somebody is.

A shadow keeps the floor's texture, clothes hide it. A single pixel can't tell; a band of somebody's box can: in a
shadow the brightness by the floor's varies less than the brightness itself, on clothes it varies more.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numba import njit

from edge.vision.background import FULL, NEUTRAL, U8, Background
from edge.vision.fit import HEIGHT, WIDTH
from edge.vision.motion import POSITION
from edge.vision.table import NEW, SEEN, Table

BANDS = 6
LEAST_PIXELS = 12
STEADIER = 0.6  # clothes: the variance of the brightness is at most so much of that of its ratio to the floor's
MARGIN_X, MARGIN_Y = 0.1, 0.15  # of the box


@njit(cache=True)
def tell_clothes(model: Background, y: U8, table: Table) -> None:
    """Make foreground in ``model.smooth`` of what was taken for shadow, where it is somebody's clothes."""
    height, width = y.shape
    for k in range(len(table.state)):
        if table.state[k] < NEW or table.state[k] > SEEN:
            continue
        half_x, half_y = table.size[k, WIDTH] * (0.5 + MARGIN_X), table.size[k, HEIGHT] * (0.5 + MARGIN_Y)
        left, right = int(max(table.x[k, POSITION] - half_x, 1.0)), int(min(table.x[k, POSITION] + half_x, width - 1.0))
        for band in range(BANDS):
            first = table.y[k, POSITION] + half_y * (2.0 * band / BANDS - 1.0)
            top, bottom = int(max(first, 1.0)), int(min(first + half_y * 2.0 / BANDS, height - 1.0))
            count: Any = 0
            light: Any = 0
            light_square: Any = 0
            share: Any = 0
            share_square: Any = 0
            for i in range(top, bottom):
                for j in range(left, right):
                    if NEUTRAL - 1 <= model.raw[i, j] <= NEUTRAL:
                        value = np.int64(y[i, j])
                        ratio = (value << 15) // max(int(model.level[i, j]), 1)
                        count += 1
                        light += value
                        light_square += value * value
                        share += ratio
                        share_square += ratio * ratio
            if count < LEAST_PIXELS:
                continue
            of_light = (count * light_square - light * light) / (1.0 * light * light + 1.0)
            of_share = (count * share_square - share * share) / (1.0 * share * share + 1.0)
            if of_light > STEADIER * of_share:
                continue
            for i in range(top, bottom):
                for j in range(left, right):
                    if NEUTRAL - 1 <= model.raw[i, j] <= NEUTRAL:
                        model.smooth[i, j] = FULL
