"""The first homography from points: the normalised direct linear transform (Hartley and Zisserman, Multiple View
Geometry, 2nd ed., algorithm 4.2), and which points make none.
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from calibration.record import CalibrationError

Floats = npt.NDArray[np.float64]

LEAST_SPREAD = 0.02  # smallest by largest singular value of the points about their mean: less is nearly a line
LEAST_RANK = 1e-4  # of the equations: eighth by first singular value


def direct(places: Floats, pixels: Floats, what: str = "floor") -> Floats:
    """Eight elements, float64[8], row by row, of the homography from places float64[n, 2] to pixels float64[n, 2]; the
    ninth is 1. ``what``: the plane's name in error texts.

    Raises CalibrationError where there are fewer than four points, they lie in a line, or aren't numbers.
    """
    if len(places) < 4:
        raise CalibrationError(f"a {what} map needs at least 4 points, not {len(places)}; measure more of them")
    if not (np.isfinite(places).all() and np.isfinite(pixels).all()):
        raise CalibrationError(f"a {what} point isn't a number; expected pixels and mm")
    for points, where in ((pixels, "in the picture"), (places, f"on the {what}")):
        sizes = np.linalg.svd(points - points.mean(axis=0), compute_uv=False)
        if sizes[1] <= LEAST_SPREAD * sizes[0]:
            raise CalibrationError(f"the points lie (nearly) in a line {where}; spread them over the {what}")
    from_unit, to_unit = _normaliser(places), _normaliser(pixels)
    a = (np.c_[places, np.ones(len(places))] @ from_unit.T)[:, :2]
    b = (np.c_[pixels, np.ones(len(pixels))] @ to_unit.T)[:, :2]
    rows = []
    for (x, y), (u, v) in zip(a, b, strict=True):
        rows += [[x, y, 1, 0, 0, 0, -u * x, -u * y, -u], [0, 0, 0, x, y, 1, -v * x, -v * y, -v]]
    _, values, vectors = np.linalg.svd(np.array(rows))
    if values[7] < LEAST_RANK * values[0]:
        raise CalibrationError("three of the four points lie in a line; move one of them, or add more points")
    matrix = np.linalg.inv(to_unit) @ vectors[-1].reshape(3, 3) @ from_unit
    if abs(matrix[2, 2]) < 1e-12 * np.abs(matrix).max():
        raise CalibrationError(f"the {what}'s origin lies on the horizon; choose an origin that the camera sees")
    elements: Floats = (matrix / matrix[2, 2]).reshape(-1)[:8]
    return elements


def _normaliser(points: Floats) -> Floats:
    middle = points.mean(axis=0)
    scale = np.sqrt(2.0) / np.sqrt(((points - middle) ** 2).sum(axis=1)).mean()
    return np.array([[scale, 0.0, -scale * middle[0]], [0.0, scale, -scale * middle[1]], [0.0, 0.0, 1.0]])
