"""What a body looks like where: the box cut into strips, each as wide as the body is there.

Seen from a ceiling, a person lies across the box from corner to corner, and half of the box is floor, or somebody else.
With a floor map the outline of a body that stands at a place is known (`edge.vision.feet.BODY`); here it is kept as
`STRIPS` rectangles for each square of the picture, so that an integral image still gives a sum over it in a few steps.
Without a floor map a body is its box.
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
from numba import njit

from edge.vision.feet import BODY, Upright, stand
from edge.vision.sizes import CELL, Sizes

Floats = npt.NDArray[np.float64]
Ints = npt.NDArray[np.int64]

STRIPS = 6
LAYERS = 24  # discs of a body


def body_shapes(upright: Upright, width: int, height: int, scale: int, cell: int) -> tuple[Floats, Floats]:
    """Strips float64[rows, columns, STRIPS, 4], and how near people are float64[rows, columns].

    Strips: left, top, right, bottom as shares of the box, for boxes with their middle in each square of ``cell`` pixels
    of a picture ``width`` x ``height`` that is ``scale`` times smaller than the map's. How near: minus the distance
    from the lens in mm. Both 0 where nobody stands.
    """
    rows, columns = (height + cell - 1) // cell, (width + cell - 1) // cell
    strips, nearness = np.zeros((rows, columns, STRIPS, 4)), np.zeros((rows, columns))
    lens = -np.linalg.inv(upright.camera[:, :3]) @ upright.camera[:, 3]
    up = np.linspace(BODY[0, 0], BODY[-1, 0], LAYERS)
    radii = np.interp(up, BODY[:, 0], BODY[:, 1])
    place = np.empty(7)
    for row, column in np.ndindex(rows, columns):
        if not stand(upright, (column + 0.5) * cell * scale, (row + 0.5) * cell * scale, 0.0, 0.0, place):
            continue
        x, y = place[:2] - upright.origin
        points = np.stack([np.full(LAYERS, x), np.full(LAYERS, y), up, np.ones(LAYERS)])
        u, v, depth = upright.camera @ points
        strips[row, column] = _cut(u / depth, v / depth, upright.focal * radii / depth)
        nearness[row, column] = -float(np.linalg.norm(lens - (x, y, 0.5 * up[-1])))
    return strips, nearness


def _cut(u: Floats, v: Floats, radius: Floats) -> Floats:
    """Strips across the longer side of discs' common box, each from the first to the last of the discs."""
    along, across = (v, u) if np.ptp(v) >= np.ptp(u) else (u, v)
    low, top = float((along - radius).min()), float((along + radius).max())
    left, right = float((across - radius).min()), float((across + radius).max())
    edges = np.linspace(low, top, STRIPS + 1)
    out = np.empty((STRIPS, 4))
    for k in range(STRIPS):
        away = np.clip(0.5 * (edges[k] + edges[k + 1]) - along, -radius, radius)
        half = np.sqrt(radius**2 - away**2)
        there = half > 0.0
        if not there.any():
            there[np.abs(0.5 * (edges[k] + edges[k + 1]) - along).argmin()] = True
        first, last = float((across - half)[there].min()), float((across + half)[there].max())
        begin, end = (first - left) / (right - left), (last - left) / (right - left)
        out[k] = (begin, k / STRIPS, end, (k + 1) / STRIPS)
    return out if along is v else out[:, (1, 0, 3, 2)]


@njit(cache=True)
def body_strips(sizes: Sizes, x: float, y: float, wide: float, high: float, out: Ints) -> int:
    """Into ``out`` int64[STRIPS, 4] the strips of a body with its middle at x, y, in pixels of its box; how many."""
    w, h = max(int(wide + 0.5), 2), max(int(high + 0.5), 2)
    rows, columns = sizes.nearness.shape
    row, column = min(max(int(y / CELL), 0), rows - 1), min(max(int(x / CELL), 0), columns - 1)
    if rows == 0 or sizes.nearness[row, column] == 0.0:
        out[0, 0], out[0, 1], out[0, 2], out[0, 3] = 0, 0, w, h
        return 1
    strips = sizes.strips[row, column]
    for k in range(STRIPS):
        for side in range(4):
            out[k, side] = int(strips[k, side] * (w if side in (0, 2) else h) + 0.5)
    return STRIPS


@njit(cache=True)
def how_near(sizes: Sizes, x: float, foot: float, y: float) -> float:
    """Of two people the one with the larger value hides the other: whose lower edge is lower, or who is nearer."""
    rows, columns = sizes.nearness.shape
    if rows == 0:
        return foot
    return float(sizes.nearness[min(max(int(y / CELL), 0), rows - 1), min(max(int(x / CELL), 0), columns - 1)])
