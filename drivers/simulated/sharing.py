"""How a load at a place is shared by the cells under a plate."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

Floats = npt.NDArray[np.float64]
MODES = 4  # weight, moment to the right, moment to the back, twist
_TOO_SHORT_MM = 1.0  # cells spread by less than this along a line can't take a moment along it


def place_vector(x_mm: float, y_mm: float, middle_mm: tuple[float, float]) -> Floats:
    """What one gram at a place does to the four modes: ``[1, x, y, x·y]`` from the cells' middle, float64[4]."""
    x, y = x_mm - middle_mm[0], y_mm - middle_mm[1]
    return np.array([1.0, x, y, x * y])


def sharing_matrix(x_mm: Floats, y_mm: Floats, flexibility: float) -> Floats:
    """Cell forces from mode loads: float64[cells, 4], to be multiplied with a sum of ``grams * place_vector``.

    A rigid plate on equal springs gives ``F = w · S (SᵀS)⁻¹ [1, x, y]`` with ``S = [1, xᵢ, yᵢ]``: the force is
    balanced always, the moments as far as the cells' places allow (not along a single cell or across a line of them,
    where the mounting takes the moment). A soft plate shares bilinearly: the same formula with ``xᵢ·yᵢ`` as fourth
    column of S. `flexibility` mixes the two.
    """
    x, y = x_mm - x_mm.mean(), y_mm - y_mm.mean()
    places = np.column_stack([x, y])
    moments = places @ _inverse(places.T @ places, _TOO_SHORT_MM**2)
    rigid = np.column_stack([np.full(x.size, 1.0 / x.size), moments, np.zeros(x.size)])
    if x.size < 4 or flexibility == 0.0:
        return rigid
    s = np.column_stack([np.ones(x.size), x, y])
    twist = x * y - s @ np.linalg.lstsq(s, x * y, rcond=None)[0]  # the pattern that no rigid plate can take
    norm = float(twist @ twist)
    if norm < _TOO_SHORT_MM**4:
        return rigid
    rest = np.array([0.0, 0.0, 0.0, 1.0]) - (x * y) @ rigid  # what of x·y is left at a place after the rigid share
    return rigid + flexibility * np.outer(twist / norm, rest)


def _inverse(matrix: Floats, smallest: float) -> Floats:
    """Inverse of a symmetric matrix on the directions that are large enough to count; 0 on the others."""
    values, vectors = np.linalg.eigh(matrix)
    inverse = np.where(values > smallest, 1.0 / np.maximum(values, smallest), 0.0)
    result: Floats = (vectors * inverse) @ vectors.T
    return result
