"""Printed tag sheets on a floor as a camera sees them: perspective, a lens that bends, blur, noise, with truth."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from calibration.plane_map import bent, denormal, normal
from calibration.tag_sheet import paper_of
from calibration.tags import tag_cells
from drivers.camera.scenes.ceiling import PinholeCamera, Shop

Floats = npt.NDArray[np.float64]

FINE = 3  # looks a pixel and axis
PAPER, INK = 235.0, 25.0


@dataclass(frozen=True, slots=True)
class LaidSheet:
    """A sheet where it really lies. ``grown``: what the printer made of its lengths."""

    sheet: int
    x_mm: float
    y_mm: float
    direction_rad: float
    grown: float = 1.0


@dataclass(frozen=True, slots=True)
class TruePlane:
    """What a camera over a floor really does.

    Attributes:
        shop: size of the picture, height, tilt and angle of view of the camera.
        under_mm: the place under the camera, store coordinates.
        heading_rad: how far the camera is turned, counter-clockwise; at 0 the picture's upper edge is towards +y.
        radial: of its lens, as in `calibration.camera_record`.
    """

    shop: Shop
    under_mm: tuple[float, float] = (0.0, 0.0)
    heading_rad: float = 0.0
    radial: float = 0.0

    @property
    def size(self) -> tuple[int, int]:
        """Of the picture."""
        return self.shop.width, self.shop.height

    def pixels(self, places_mm: Floats) -> Floats:
        """Where places on the floor, float64[n, 2], are seen."""
        camera = PinholeCamera(self.shop)
        local = (places_mm - self.under_mm) @ self._turn / 1000.0
        straight = np.array([camera.see(x, y, 0.0)[:2] for x, y in local.tolist()]).reshape(-1, 2)
        return denormal(bent(normal(straight, self.size), self.radial), self.size)

    def places(self, pixels: Floats) -> Floats:
        """What places on the floor pixels float64[n, 2] show; nan above the horizon. As `PinholeCamera.floor_of`."""
        seen = normal(pixels, self.size)
        straight = denormal(seen / (1.0 + self.radial * (seen * seen).sum(axis=1, keepdims=True)), self.size)
        shop = self.shop
        focal = 0.5 * shop.width / math.tan(math.radians(0.5 * shop.view_deg))
        sin, cos = math.sin(math.radians(shop.tilt_deg)), math.cos(math.radians(shop.tilt_deg))
        right = (straight[:, 0] - 0.5 * shop.width) / focal
        up = (0.5 * shop.height - straight[:, 1]) / focal
        down = cos - up * sin
        reach = 1000.0 * shop.height_m / np.where(down > 1e-3, down, np.nan)
        found: Floats = np.stack([right * reach, (sin + up * cos) * reach], axis=1) @ self._turn.T + self.under_mm
        return found

    @property
    def _turn(self) -> Floats:
        cos, sin = math.cos(self.heading_rad), math.sin(self.heading_rad)
        return np.array([[cos, -sin], [sin, cos]])


def picture_of(
    true: TruePlane, sheets: Sequence[LaidSheet], rng: np.random.Generator, blur_px: float = 0.7, noise: float = 3.0
) -> npt.NDArray[np.uint8]:
    """A grey picture, uint8[H, W], of the sheets on a floor of one colour."""
    width, height = true.size
    picture = np.full((height, width), rng.uniform(100.0, 190.0))
    for laid in sheets:
        _draw(picture, true, laid)
    if blur_px > 0.0:
        reach = math.ceil(3.0 * blur_px)
        kernel = np.exp(-0.5 * (np.arange(-reach, reach + 1) / blur_px) ** 2)
        kernel /= kernel.sum()
        for axis in (0, 1):
            wide = np.pad(picture, [(reach, reach) if k == axis else (0, 0) for k in (0, 1)], mode="edge")
            parts = (np.take(wide, range(k, k + picture.shape[axis]), axis) * part for k, part in enumerate(kernel))
            picture = sum(parts, np.zeros_like(picture))
    noisy: npt.NDArray[np.uint8] = np.clip(picture + rng.normal(0.0, noise, picture.shape), 0, 255).astype(np.uint8)
    return noisy


def _draw(picture: Floats, true: TruePlane, laid: LaidSheet) -> None:
    paper = paper_of(laid.sheet)
    assert paper is not None
    cos, sin = math.cos(laid.direction_rad), math.sin(laid.direction_rad)
    turn = np.array([[cos, -sin], [sin, cos]])
    edge = np.array([[0, 0], [paper.width_mm, 0], [paper.width_mm, paper.height_mm], [0, paper.height_mm]])
    outline = true.pixels((edge - paper.bar_at_mm) * laid.grown @ turn.T + (laid.x_mm, laid.y_mm))
    if not np.isfinite(outline).all():
        return
    height, width = picture.shape
    left, top = np.clip(np.floor(outline.min(axis=0)).astype(int) - 2, 0, (width, height))
    right, bottom = np.clip(np.ceil(outline.max(axis=0)).astype(int) + 2, 0, (width, height))
    if right <= left or bottom <= top:
        return
    xs = left + (np.arange((right - left) * FINE) + 0.5) / FINE
    ys = top + (np.arange((bottom - top) * FINE) + 0.5) / FINE
    places = true.places(np.stack(np.meshgrid(xs, ys), axis=-1).reshape(-1, 2))
    at = (places - (laid.x_mm, laid.y_mm)) @ turn / laid.grown + paper.bar_at_mm
    inside = (at >= 0.0).all(axis=1) & (at[:, 0] < paper.width_mm) & (at[:, 1] < paper.height_mm)
    ink = np.zeros(len(at), bool)
    for place, (x, y) in enumerate(paper.tags_at_mm):
        cells = tag_cells(paper.tag(laid.sheet, place))
        column, row = ((at - (x, y)) / paper.tag_mm * len(cells)).T
        on = (column >= 0) & (column < len(cells)) & (row >= 0) & (row < len(cells))
        ink[on] |= cells[len(cells) - 1 - row[on].astype(int), column[on].astype(int)]
    part = picture[top:bottom, left:right]
    fine = np.where(ink, INK, PAPER) * inside + part.repeat(FINE, 0).repeat(FINE, 1).reshape(-1) * ~inside
    part[:] = fine.reshape(bottom - top, FINE, right - left, FINE).mean(axis=(1, 3))
