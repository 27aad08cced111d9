"""Which part of a picture shows which slot of a board: the slot's box, as high as items are, seen by the camera.

The board's map gives places on the board itself; heights come from the whole camera (`edge.vision.feet`).
The picture is looked at in cells of two by two pixels, which is where its colour is, or of more in large pictures.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from edge.vision.errors import FloorPointsError
from edge.vision.feet import upright_camera
from edge.vision.floor import FloorMap

Floats = npt.NDArray[np.float64]
Bools = npt.NDArray[np.bool_]

ITEM_HIGH_MM = 160.0  # most of what stands on shelves is lower, or its upper part tells nothing more
CORE_HIGH_MM = 60.0
HIGHEST = 1.25  # times that: higher there is no item, only an arm
MOST_CELLS = 12_000  # 128 x 94
MARGIN_CELLS = 2  # around where items can be: differences are smoothed, and maps aren't perfect
MIDDLES_MM = (30.0, 60.0, 90.0, 120.0)  # above the board, of what is seen of an item
WHOLE_LOGS = (0.0, 0.0, -1.5, -4.0)  # of each, if the item is seen as a whole
WHOLE_SHARE, USUAL_HIGH_MM = 0.9, 110.0  # ... so tall a share of a usual item
PLACE_SD_MM, PLACE_SD_SHARE, DEPTH_SD_MM = 8.0, 0.12, 50.0  # of that middle; the share is of how wide it is


@dataclass(frozen=True, slots=True)
class SlotBox:
    """A slot's extent on its board, mm, and what belongs there; "" if that isn't known."""

    x_mm: tuple[float, float]
    y_mm: tuple[float, float]
    sku: str = ""


@dataclass(frozen=True, slots=True)
class Regions:
    """A picture in cells.

    Attributes:
        cell_px: side of a cell, an even number of pixels.
        slots: by slot, bool[rows, columns], cells that show it; all False where the camera doesn't see it.
        cores: the same of lower items, so that neighbours' hardly overlap.
        free: cells in which no item can be.
        camera: float64[3, 4], mm from ``origin_mm`` (x, y, up, 1) to pixels of a lens without distortion.
    """

    cell_px: int
    slots: tuple[Bools, ...]
    cores: tuple[Bools, ...]
    free: Bools
    camera: Floats
    origin_mm: Floats
    boxes: tuple[SlotBox, ...]

    def apart(self, cells: Bools) -> list[float]:
        """How well a difference in these cells goes with one item in each slot, as log likelihoods: 0 is well.

        The middle of the cells is that of an item somewhere at half its height, or of its upper half where the lower
        one is hidden; so it is looked for at some heights above the board.
        """
        rows, columns = np.nonzero(cells)
        x_px, y_px = (float(at.mean() + 0.5) * self.cell_px for at in (columns, rows))
        wide_px = float(columns.max() - columns.min() + 1) * self.cell_px
        best = [-math.inf] * len(self.boxes)
        whole = float(rows.max() - rows.min() + 1) * self.cell_px > WHOLE_SHARE * self._tall_px(x_px, y_px)
        for up_mm, unlikely in zip(MIDDLES_MM, WHOLE_LOGS if whole else (0.0,) * len(MIDDLES_MM), strict=True):
            up = self.camera[:, 2] * up_mm + self.camera[:, 3]
            plane = np.linalg.inv(np.column_stack([self.camera[:, 0], self.camera[:, 1], up]))
            found = plane @ np.array([[x_px, x_px + wide_px], [y_px, y_px], [1.0, 1.0]])
            (x, beside), (y, _) = found[0] / found[2] + self.origin_mm[0], found[1] / found[2] + self.origin_mm[1]
            sd_mm = math.hypot(PLACE_SD_MM, PLACE_SD_SHARE * (beside - x))
            for slot, box in enumerate(self.boxes):
                off_x = max(box.x_mm[0] - x, x - box.x_mm[1], 0.0) / sd_mm
                off_y = max(box.y_mm[0] - y, y - box.y_mm[1], 0.0) / DEPTH_SD_MM
                best[slot] = max(best[slot], unlikely - 0.5 * (off_x * off_x + off_y * off_y))
        return [float(log) for log in best]

    def _tall_px(self, x_px: float, y_px: float) -> float:
        """How tall an item is in the picture that stands on the board where this pixel shows it."""
        x, y, w = np.linalg.inv(self.camera[:, [0, 1, 3]]) @ np.array([x_px, y_px, 1.0])
        top = self.camera @ np.array([x / w, y / w, USUAL_HIGH_MM, 1.0])
        return abs(y_px - float(top[1] / top[2]))


def regions_of(
    board: FloorMap, width: int, height: int, slots: Mapping[str, SlotBox], item_high_mm: float = ITEM_HIGH_MM
) -> Regions:
    """Cells of a picture of that size; ``board`` maps board mm to its pixels.

    Raises FloorPointsError where no slot is in the picture: the map is another camera's, or the camera was turned.
    """
    cell = 2
    while (height // cell) * (width // cell) > MOST_CELLS:
        cell += 2
    rows, columns = height // cell, width // cell
    camera = upright_camera(board, width, height).camera
    origin = board.plane.origin_mm
    middles = (np.stack(np.meshgrid(np.arange(columns), np.arange(rows)), axis=-1) + 0.5) * cell
    middles = board.plane.straight(np.asarray(middles.reshape(-1, 2), np.float64)).reshape(rows, columns, 2)
    shown = [_inside(_outline(camera, origin, box, item_high_mm), middles) for box in slots.values()]
    taken = np.zeros((rows, columns), np.bool_)
    for box in slots.values():
        taken |= _inside(_outline(camera, origin, box, HIGHEST * item_high_mm), middles)
    if not any(mask.any() for mask in shown):
        raise FloorPointsError(
            "none of the board's slots is in the picture; expected the map of this camera on this board: "
            "calibrate the camera anew"
        )
    cores = tuple(_inside(_outline(camera, origin, box, CORE_HIGH_MM), middles) for box in slots.values())
    return Regions(cell, tuple(shown), cores, ~_wider(taken, MARGIN_CELLS), camera, origin, tuple(slots.values()))


def _wider(cells: Bools, by: int) -> Bools:
    rows, columns = cells.shape
    padded = np.pad(cells, by)
    wider = np.zeros_like(cells)
    for i in range(2 * by + 1):
        for j in range(2 * by + 1):
            wider |= padded[i : i + rows, j : j + columns]
    return wider


def _outline(camera: Floats, origin: Floats, box: SlotBox, high_mm: float) -> Floats:
    """Corners of the box as a lens without distortion shows them, float64[n, 2]; none if one is behind the lens."""
    corners = np.array([(x, y, up, 1.0) for x in box.x_mm for y in box.y_mm for up in (0.0, high_mm)])
    corners[:, :2] -= origin
    seen = corners @ camera.T
    if (seen[:, 2] <= 1.0).any():
        return np.empty((0, 2))
    flat: Floats = seen[:, :2] / seen[:, 2:]
    return flat


def _inside(points: Floats, places: Floats) -> Bools:
    """Which places [rows, columns, 2] lie in the points' convex hull."""
    if len(points) < 3:
        return np.zeros(places.shape[:2], np.bool_)
    hull = _hull(points)
    inside = np.ones(places.shape[:2], np.bool_)
    for a, b in zip(hull, np.roll(hull, -1, axis=0), strict=True):
        way = b - a
        inside &= way[0] * (places[..., 1] - a[1]) - way[1] * (places[..., 0] - a[0]) >= 0.0
    return inside


def _hull(points: Floats) -> Floats:
    """Corners of the convex hull, in turn (Andrew 1979)."""
    ordered = sorted(map(tuple, points.tolist()))
    chains = []
    for sequence in (ordered, ordered[::-1]):
        chain: list[tuple[float, ...]] = []
        for point in sequence:
            while len(chain) > 1:
                (ax, ay), (bx, by) = chain[-2], chain[-1]
                if (bx - ax) * (point[1] - ay) - (by - ay) * (point[0] - ax) > 0.0:
                    break
                chain.pop()
            chain.append(point)
        chains += chain[:-1]
    return np.array(chains)
