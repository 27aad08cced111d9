"""Marks as an installer lays them under a simulated camera: placed and seen with errors of a known size."""

from __future__ import annotations

import math

import numpy as np
import numpy.typing as npt

from calibration.camera_fit import Mark
from calibration.tag_sheet import PAPERS
from drivers.camera.scenes.ceiling import Shop
from hil.tag_scene import TruePlane

Floats = npt.NDArray[np.float64]

SIZE = (1640, 1232)
UNDER_MM = (7000.0, 9000.0)  # the camera hangs far from the store's corner, which lies behind it
SPOTS = ((0.2, 0.8), (0.8, 0.8), (0.8, 0.25), (0.2, 0.25), (0.5, 0.5), (0.5, 0.85), (0.15, 0.5), (0.85, 0.5))


def true_plane(radial: float = 0.0, tilt_deg: float = 25.0, heading_rad: float = 0.4) -> TruePlane:
    """A camera 3 m over the floor."""
    return TruePlane(Shop(*SIZE, height_m=3.0, tilt_deg=tilt_deg), UNDER_MM, heading_rad, radial)


def spot_places(true: TruePlane, count: int, rng: np.random.Generator) -> Floats:
    """Where marks lie, float64[count, 2]: spread over the picture, not at the very same spots each time."""
    return true.places((np.array(SPOTS[:count]) + rng.normal(0.0, 0.02, (count, 2))) * true.size)


def laid_points(
    true: TruePlane, count: int, rng: np.random.Generator, tape_mm: float = 10.0, click_px: float = 1.5
) -> list[Mark]:
    """Tape marks."""
    places = spot_places(true, count, rng)
    pixels = true.pixels(places) + rng.normal(0.0, click_px, places.shape)
    said = places + rng.normal(0.0, tape_mm, places.shape)
    return [
        Mark(f"point {k + 1}", (float(x), float(y)), 0.0, tape_mm, 0.0, np.zeros((1, 2)), pixels[k : k + 1], click_px)
        for k, (x, y) in enumerate(said)
    ]


def laid_sheets(
    true: TruePlane, count: int, rng: np.random.Generator, tape_mm: float = 10.0, turn_rad: float = math.radians(1.5),
    tag_px: float = 0.25, grown: float = 1.0,
) -> list[Mark]:  # fmt: skip
    """Printed A4 sheets, whose lengths the printer has made ``grown`` times as long."""
    marks = []
    for k, place in enumerate(spot_places(true, count, rng)):
        direction = rng.uniform(-math.pi, math.pi)
        cos, sin = math.cos(direction), math.sin(direction)
        local = PAPERS[0].corners_mm(0)
        corners = grown * local @ np.array([[cos, sin], [-sin, cos]]) + place
        pixels = true.pixels(corners) + rng.normal(0.0, tag_px, corners.shape)
        x, y = (place + rng.normal(0.0, tape_mm, 2)).tolist()
        said = direction + rng.normal(0.0, turn_rad)
        marks.append(Mark(f"sheet {k + 1}", (x, y), said, tape_mm, turn_rad, local, pixels, tag_px))
    return marks


def grid_pixels() -> Floats:
    """Pixels all over the picture, float64[48, 2]."""
    x, y = np.meshgrid(np.linspace(0.06, 0.94, 8), np.linspace(0.1, 0.94, 6))
    return np.stack([x.ravel(), y.ravel()], axis=1) * SIZE
