"""Two pictures of a shelf, cell by cell: what is different beyond noise, light, shadows and things that slid a little.

Light changes by a factor that varies slowly over the picture (exposure, a lamp, a body's shadow): the median ratio of
each of some tiles, blended between them. What is left is measured in standard deviations of the picture's own noise,
which is learned from one frame to the next, and of what such a factor leaves. A difference counts where most of its
neighbours differ too: the edge of a thing that slid by a pixel is thin.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
import numpy.typing as npt

Planes = npt.NDArray[np.float32]  # [3, rows, columns]: y, u - 128, v - 128, mean of each cell
Bools = npt.NDArray[np.bool_]
U8 = npt.NDArray[np.uint8]

TILES = (3, 4)  # rows, columns
DIMMEST = 12.0  # grey levels: darker cells have no ratio
LIGHT_BETWEEN = (0.3, 3.0)
FACTOR_SD = 0.05  # of a level: what a smooth factor leaves of a real light's change
LEAST_SD = 0.7  # grey levels
SIGMAS = 5.0
MOST_OF_NINE = 5  # cells of 3 x 3
MOVING_OF_NINE = 3  # a line is enough for what moves: nothing slides by itself


class Noise(NamedTuple):
    """Standard deviations of a cell: brightness and colour, grey levels."""

    y: float
    colour: float


def cells_of(y: U8, u: U8 | None, v: U8 | None, cell_px: int, rows: int, columns: int) -> Planes:
    """Mean of each cell; a grey picture has no colour."""
    planes = np.zeros((3, rows, columns), np.float32)
    planes[0] = _means(y, cell_px, rows, columns)
    if u is not None and v is not None:
        half = cell_px // 2
        planes[1] = _means(u, half, rows, columns) - 128.0
        planes[2] = _means(v, half, rows, columns) - 128.0
    return planes


def _means(plane: U8, side: int, rows: int, columns: int) -> npt.NDArray[np.float32]:
    whole = plane[: rows * side, : columns * side]
    if side == 1:
        return whole.astype(np.float32)
    total = np.zeros((rows, columns), np.uint32)
    for i in range(side):
        for j in range(side):
            total += whole[i::side, j::side]
    return (total / np.float32(side * side)).astype(np.float32)


def light_of(now: Planes, before: Planes, known: Bools) -> npt.NDArray[np.float32]:
    """The factor of light in each cell, float32[rows, columns], from cells that are ``known`` to show the same."""
    rows, columns = known.shape
    usable = known & (before[0] > DIMMEST) & (now[0] < 250.0)
    ratio = now[0] / np.maximum(before[0], DIMMEST)
    all_of_it = float(np.median(ratio[usable])) if usable.any() else 1.0
    tiles = np.full(TILES, all_of_it, np.float32)
    for i in range(TILES[0]):
        part_rows = slice(i * rows // TILES[0], (i + 1) * rows // TILES[0])
        for j in range(TILES[1]):
            part = part_rows, slice(j * columns // TILES[1], (j + 1) * columns // TILES[1])
            values = ratio[part][usable[part]]
            if values.size >= 20:
                tiles[i, j] = np.median(values)
    down = _blend(rows, TILES[0])
    across = _blend(columns, TILES[1])
    return np.clip(down @ tiles @ across.T, *LIGHT_BETWEEN).astype(np.float32)


def _blend(size: int, tiles: int) -> npt.NDArray[np.float32]:
    """Linear weights of the tiles' middles at each place, float32[size, tiles]."""
    at = np.clip((np.arange(size) + 0.5) * tiles / size - 0.5, 0.0, tiles - 1.0)
    weights: npt.NDArray[np.float32] = np.maximum(1.0 - np.abs(at[:, None] - np.arange(tiles)), 0.0).astype(np.float32)
    return weights


def different(
    now: Planes, before: Planes, light: npt.NDArray[np.float32], noise: Noise, of_nine: int = MOST_OF_NINE
) -> Bools:
    """Cells that show something else, as do so many of their 3 x 3 neighbours, themselves counted in."""
    expected = before * light
    off = now - expected
    level_var = (FACTOR_SD * expected[0]) ** 2
    squared = off[0] ** 2 / (level_var + np.float32(2.0 * max(noise.y, LEAST_SD) ** 2))
    colour_var = np.float32(2.0 * max(noise.colour, LEAST_SD) ** 2) + FACTOR_SD**2 * (
        expected[1] ** 2 + expected[2] ** 2
    )
    squared += (off[1] ** 2 + off[2] ** 2) / colour_var
    return _among(squared > SIGMAS**2, of_nine)


def _among(cells: Bools, of_nine: int) -> Bools:
    padded = np.pad(cells, 1).astype(np.uint8)
    lines = padded[:-2] + padded[1:-1] + padded[2:]
    among: Bools = (lines[:, :-2] + lines[:, 1:-1] + lines[:, 2:]) >= of_nine
    return among


def noise_between(now: Planes, before: Planes, still: Bools) -> Noise | None:
    """Noise of a cell by the differences of two frames where nothing moved; None if too little of them is so."""
    if int(still.sum()) < 50:
        return None
    sds = [1.4826 / np.sqrt(2.0) * float(np.median(np.abs(now[k] - before[k])[still])) for k in range(3)]
    return Noise(sds[0], 0.5 * (sds[1] + sds[2]))


def spread(seed: Bools, within: Bools) -> Bools:
    """Cells of ``within`` that hang together with ``seed``."""
    reached = seed & within
    while True:
        padded = np.pad(reached, 1)
        lines = padded[:-2] | padded[1:-1] | padded[2:]
        grown = (lines[:, :-2] | lines[:, 1:-1] | lines[:, 2:]) & within
        if int(grown.sum()) == int(reached.sum()):
            return reached
        reached = grown


def blobs_of(cells: Bools) -> list[Bools]:
    """Connected parts, the first by its first cell."""
    left, found = cells.copy(), []
    while left.any():
        seed = np.zeros_like(left)
        seed.flat[int(left.argmax())] = True
        blob = spread(seed, left)
        found.append(blob)
        left &= ~blob
    return found
