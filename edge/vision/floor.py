"""Pixels to places on the floor: a camera's plane map, and the one of four or more points that were measured.

x_floor ~ H x_pixel. A first solution by `calibration.homography`, then Gauss-Newton on the pixel distances; the
covariance of the eight free elements is (J^T J)^-1 s^2 (Hartley and Zisserman, Multiple View Geometry, 2nd ed., 5.2),
with the points' pixel noise s as given or, with more than four points, as found. The points are taken to be exact and
the lens to be without distortion; `calibration.camera_fit` is for those that people measure.
"""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np
import numpy.typing as npt

from calibration.homography import direct
from calibration.plane_map import PlaneMap
from calibration.record import CalibrationError
from edge.vision.errors import FloorPointsError

Floats = npt.NDArray[np.float64]

POINT_SD_PX = 1.0  # how well a point is clicked
ROUNDS = 20
EXACT_SIZE = (2, 2)  # of a picture whose lens has no distortion: its middle means nothing


@dataclass(frozen=True, slots=True)
class FloorMap:
    """A camera's view of the floor, or of a board.

    Attributes:
        plane: the map, in the pixels of the frames it is for.
        errors_mm: float64[n], how far each point that was given lies from where it is now seen.
        sd_mm: float64[n], standard deviation of the map at each point.
        pixel_sd: standard deviation of a point, pixels.
    """

    plane: PlaneMap
    errors_mm: Floats = field(default_factory=lambda: np.empty(0))
    sd_mm: Floats = field(default_factory=lambda: np.empty(0))
    pixel_sd: float = 0.0

    def place(self, x_px: float, y_px: float, pixel_covariance: Floats | None = None) -> tuple[Floats, Floats]:
        """Place on the floor, float64[2] mm, and its covariance float64[2, 2] mm², from the map's and the pixel's own.

        Raises FloorPointsError for a pixel at or above the horizon.
        """
        places, covariances = self.plane.places(np.array([[x_px, y_px]]), pixel_covariance)
        if not np.isfinite(places).all():
            raise FloorPointsError(f"pixel {x_px:.0f}, {y_px:.0f} lies above the horizon and doesn't show the floor")
        return places[0], covariances[0]

    def pixels(self, places_mm: Floats) -> Floats:
        """Where places float64[n, 2] are seen, float64[n, 2]; nan where they aren't in front of the camera."""
        return self.plane.pixels(places_mm)


def fit_floor(pixels: Floats, floor_mm: Floats, point_sd_px: float | None = None) -> FloorMap:
    """The map from points float64[n, 2] in the picture and the same points on the floor.

    ``point_sd_px`` None: found from the points where there are more than five, else `POINT_SD_PX`.
    Raises FloorPointsError if there are fewer than four, or three of four lie in a line.
    """
    pixels, floor_mm = np.asarray(pixels, np.float64), np.asarray(floor_mm, np.float64)
    if pixels.ndim != 2 or pixels.shape[1:] != (2,) or pixels.shape != floor_mm.shape:
        raise FloorPointsError("each floor point needs x and y in the picture and x and y on the floor in mm")
    middle = floor_mm.mean(axis=0) if len(floor_mm) else np.zeros(2)
    local = floor_mm - middle
    try:
        elements = _refine(direct(local, pixels), local, pixels)
    except CalibrationError as error:
        raise FloorPointsError(str(error)) from None
    residual, jacobian = _residuals(elements, local, pixels)
    free = residual.size - 8
    if point_sd_px is None:
        point_sd_px = float(np.sqrt(residual @ residual / free)) if free > 2 else POINT_SD_PX
    scale = np.sqrt((jacobian * jacobian).sum(axis=0))
    scaled = jacobian / scale
    covariance = np.zeros((9, 9))
    covariance[:8, :8] = np.linalg.inv(scaled.T @ scaled) / np.outer(scale, scale) * point_sd_px**2
    plane = PlaneMap(EXACT_SIZE, np.append(elements, 1.0).reshape(3, 3), middle, 0.0, covariance)
    places, spreads = plane.places(pixels)
    sds = np.sqrt(np.trace(spreads, axis1=1, axis2=2))
    return FloorMap(plane, np.hypot(*(places - floor_mm).T), sds, point_sd_px)


def _residuals(elements: Floats, floor_mm: Floats, pixels: Floats) -> tuple[Floats, Floats]:
    x, y = floor_mm.T
    below = elements[6] * x + elements[7] * y + 1.0
    u = (elements[0] * x + elements[1] * y + elements[2]) / below
    v = (elements[3] * x + elements[4] * y + elements[5]) / below
    one, none = np.ones_like(x), np.zeros_like(x)
    by_u = np.stack([x, y, one, none, none, none, -u * x, -u * y], axis=1) / below[:, None]
    by_v = np.stack([none, none, none, x, y, one, -v * x, -v * y], axis=1) / below[:, None]
    return np.concatenate([u - pixels[:, 0], v - pixels[:, 1]]), np.concatenate([by_u, by_v])


def _refine(elements: Floats, floor_mm: Floats, pixels: Floats) -> Floats:
    for _ in range(ROUNDS):
        residual, jacobian = _residuals(elements, floor_mm, pixels)
        scale = np.sqrt((jacobian * jacobian).sum(axis=0))
        step = np.linalg.lstsq(jacobian / scale, residual, rcond=None)[0] / scale
        elements = elements - step
        if np.abs(step * scale).max() < 1e-9:
            break
    return elements
