"""Pixels to places on the floor: the homography of a plane, from four or more points that were measured on it.

x_floor ~ H x_pixel. A first solution by the normalised direct linear transform (Hartley and Zisserman, Multiple View
Geometry, 2nd ed., algorithm 4.2), then Gauss-Newton on the pixel distances; the covariance of the eight free elements
is (J^T J)^-1 s^2 (the same, 5.2), with the points' pixel noise s as given or, with more than four points, as found.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from edge.vision.errors import FloorPointsError

Floats = npt.NDArray[np.float64]

POINT_SD_PX = 1.0  # how well a point is clicked
LEAST_SPREAD = 0.02  # smallest by largest singular value of the points about their mean: less is nearly a line
LEAST_RANK = 1e-4  # of the equations: eighth by first singular value
ROUNDS = 20


@dataclass(frozen=True, slots=True)
class FloorMap:
    """A camera's view of the floor.

    Attributes:
        to_pixels: float64[3, 3], floor millimetres (x, y, 1) to pixels; the last element is 1.
        covariance: float64[8, 8] of its other elements, row by row.
        errors_mm: float64[n], how far each point that was given lies from where it is now seen.
        sd_mm: float64[n], standard deviation of the map at each point.
        pixel_sd: standard deviation of a point, pixels.
    """

    to_pixels: Floats
    covariance: Floats
    errors_mm: Floats
    sd_mm: Floats
    pixel_sd: float

    def place(self, x_px: float, y_px: float, pixel_covariance: Floats | None = None) -> tuple[Floats, Floats]:
        """Place on the floor, float64[2] mm, and its covariance float64[2, 2] mm², from the map's and the pixel's own.

        Raises FloorPointsError for a pixel at or above the horizon.
        """
        place = _floor_of(self.to_pixels, x_px, y_px)
        by_place, by_map = _derivatives(self.to_pixels, place)
        try:
            inverse = np.linalg.inv(by_place)
        except np.linalg.LinAlgError:
            raise FloorPointsError(f"pixel {x_px:.0f}, {y_px:.0f} doesn't show the floor") from None
        spread = by_map @ self.covariance @ by_map.T
        if pixel_covariance is not None:
            spread = spread + pixel_covariance
        return place, inverse @ spread @ inverse.T


def fit_floor(pixels: Floats, floor_mm: Floats, point_sd_px: float | None = None) -> FloorMap:
    """The map from points float64[n, 2] in the picture and the same points on the floor.

    ``point_sd_px`` None: found from the points where there are more than five, else `POINT_SD_PX`.
    Raises FloorPointsError if there are fewer than four, or three of four lie in a line.
    """
    pixels, floor_mm = np.asarray(pixels, np.float64), np.asarray(floor_mm, np.float64)
    if pixels.ndim != 2 or pixels.shape[1:] != (2,) or pixels.shape != floor_mm.shape:
        raise FloorPointsError("each floor point needs x and y in the picture and x and y on the floor in mm")
    if len(pixels) < 4:
        raise FloorPointsError(f"a floor map needs at least 4 points, not {len(pixels)}; measure more of them")
    if not (np.isfinite(pixels).all() and np.isfinite(floor_mm).all()):
        raise FloorPointsError("a floor point isn't a number; expected pixels and mm")
    for points, where in ((pixels, "in the picture"), (floor_mm, "on the floor")):
        sizes = np.linalg.svd(points - points.mean(axis=0), compute_uv=False)
        if sizes[1] <= LEAST_SPREAD * sizes[0]:
            raise FloorPointsError(f"the points lie (nearly) in a line {where}; spread them over the floor")
    elements = _refine(_direct(floor_mm, pixels), floor_mm, pixels)
    residual, jacobian = _residuals(elements, floor_mm, pixels)
    free = residual.size - 8
    if point_sd_px is None:
        point_sd_px = float(np.sqrt(residual @ residual / free)) if free > 2 else POINT_SD_PX
    scale = np.sqrt((jacobian * jacobian).sum(axis=0))
    scaled = jacobian / scale
    covariance = np.linalg.inv(scaled.T @ scaled) / np.outer(scale, scale) * point_sd_px**2
    matrix = np.append(elements, 1.0).reshape(3, 3)
    plain = FloorMap(matrix, covariance, np.empty(0), np.empty(0), point_sd_px)
    places = [plain.place(*pixel) for pixel in pixels.tolist()]
    errors = np.array([float(np.hypot(*(place - given))) for (place, _), given in zip(places, floor_mm, strict=True)])
    sds = np.array([float(np.sqrt(np.trace(spread))) for _, spread in places])
    return FloorMap(matrix, covariance, errors, sds, point_sd_px)


def _direct(source: Floats, target: Floats) -> Floats:
    from_unit, to_unit = _normaliser(source), _normaliser(target)
    a = (np.c_[source, np.ones(len(source))] @ from_unit.T)[:, :2]
    b = (np.c_[target, np.ones(len(target))] @ to_unit.T)[:, :2]
    rows = []
    for (x, y), (u, v) in zip(a, b, strict=True):
        rows += [[x, y, 1, 0, 0, 0, -u * x, -u * y, -u], [0, 0, 0, x, y, 1, -v * x, -v * y, -v]]
    _, values, vectors = np.linalg.svd(np.array(rows))
    if values[7] < LEAST_RANK * values[0]:
        raise FloorPointsError("three of the four points lie in a line; move one of them, or add more points")
    matrix = np.linalg.inv(to_unit) @ vectors[-1].reshape(3, 3) @ from_unit
    if abs(matrix[2, 2]) < 1e-12 * np.abs(matrix).max():
        raise FloorPointsError("the floor's origin lies on the horizon; choose an origin that the camera sees")
    elements: Floats = (matrix / matrix[2, 2]).reshape(-1)[:8]
    return elements


def _normaliser(points: Floats) -> Floats:
    middle = points.mean(axis=0)
    scale = np.sqrt(2.0) / np.sqrt(((points - middle) ** 2).sum(axis=1)).mean()
    return np.array([[scale, 0.0, -scale * middle[0]], [0.0, scale, -scale * middle[1]], [0.0, 0.0, 1.0]])


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


def _floor_of(matrix: Floats, x_px: float, y_px: float) -> Floats:
    x, y, w = np.linalg.inv(matrix) @ np.array([x_px, y_px, 1.0])
    if w == 0.0 or (matrix[2] @ np.array([x / w, y / w, 1.0])) <= 0.0:
        raise FloorPointsError(f"pixel {x_px:.0f}, {y_px:.0f} lies above the horizon and doesn't show the floor")
    return np.array([x / w, y / w])


def _derivatives(matrix: Floats, place: Floats) -> tuple[Floats, Floats]:
    """Of the pixel by the place [2, 2] and by the map's elements [2, 8]."""
    x, y = place
    u, v, w = matrix @ np.array([x, y, 1.0])
    u, v = u / w, v / w
    by_place = (matrix[:2, :2] - np.outer([u, v], matrix[2, :2])) / w
    by_map = np.array([[x, y, 1, 0, 0, 0, -u * x, -u * y], [0, 0, 0, x, y, 1, -v * x, -v * y]]) / w
    return by_place, by_map
