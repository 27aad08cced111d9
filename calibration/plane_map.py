"""Places on a plane and the pixels of a camera that sees it, both ways, with what isn't known of the map.

A place goes by a homography to the pixel of a lens without distortion, and by one coefficient of the division model to
the pixel where this lens shows it (`calibration.camera_record` has the formula and where pixels count from).
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

Floats = npt.NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class PlaneMap:
    """A camera's view of a plane.

    Attributes:
        size: width and height of the picture, pixels.
        to_pixels: float64[3, 3] from places less ``origin_mm``; its last element is 1.
        origin_mm: float64[2], a place that the camera sees. (The store's own origin may lie behind it.)
        radial: of the lens.
        covariance: float64[9, 9] of eight elements, row by row, and ``radial``.
    """

    size: tuple[int, int]
    to_pixels: Floats
    origin_mm: Floats
    radial: float
    covariance: Floats

    def pixels(self, places_mm: Floats) -> Floats:
        """Where places float64[n, 2] are seen, float64[n, 2]; nan where they aren't in front of the camera."""
        raw = np.c_[places_mm - self.origin_mm, np.ones(len(places_mm))] @ self.to_pixels.T
        raw[~(raw[:, 2] > 0.0)] = np.nan
        return denormal(bent(normal(raw[:, :2] / raw[:, 2:], self.size), self.radial), self.size)

    def straight(self, pixels: Floats) -> Floats:
        """Where a lens without distortion would show what pixels float64[n, 2] show."""
        seen = normal(pixels, self.size)
        return denormal(seen / (1.0 + self.radial * (seen * seen).sum(axis=1, keepdims=True)), self.size)

    def places(self, pixels: Floats, pixel_covariance: Floats | None = None) -> tuple[Floats, Floats]:
        """Places float64[n, 2] mm that pixels float64[n, 2] show, and covariances float64[n, 2, 2] mm², of the map and,
        where that is given (float64[2, 2]), of the pixels; nan at and above the horizon."""
        seen = normal(pixels, self.size)
        r2 = (seen * seen).sum(axis=1)
        straight = self.straight(pixels)
        raw = np.c_[straight, np.ones(len(straight))] @ np.linalg.inv(self.to_pixels).T
        with np.errstate(divide="ignore", invalid="ignore"):
            local = raw[:, :2] / raw[:, 2:]
        below = np.c_[local, np.ones(len(local))] @ self.to_pixels[2]
        hidden = ~(below > 0.0)
        local[hidden], below[hidden] = 0.0, 1.0
        by_place = (self.to_pixels[None, :2, :2] - straight[:, :, None] * self.to_pixels[2, :2]) / below[:, None, None]
        inverse = np.linalg.inv(by_place)
        by_map = self._by_map(local, below, straight, r2)
        spread = by_map @ self.covariance @ by_map.transpose(0, 2, 1)
        if pixel_covariance is not None:
            middle = 0.5 * np.array(self.size)
            under = 1.0 + self.radial * r2  # straight = middle + (pixel - middle) / under
            outward = (straight - middle) / (0.5 * np.hypot(*self.size))
            by_pixel = np.eye(2) / under[:, None, None]
            by_pixel = by_pixel - 2.0 * self.radial * outward[:, :, None] * outward[:, None, :]
            spread = spread + by_pixel @ pixel_covariance @ by_pixel.transpose(0, 2, 1)
        covariance = inverse @ spread @ inverse.transpose(0, 2, 1)
        local[hidden], covariance[hidden] = np.nan, np.nan
        return local + self.origin_mm, covariance

    def _by_map(self, local: Floats, below: Floats, straight: Floats, r2: Floats) -> Floats:
        """Slopes of what the map is off by at a straight pixel, [n, 2, 9]: the place's less the pixel's."""
        by_map = np.zeros((len(local), 2, 9))
        terms = np.c_[local, np.ones(len(local))] / below[:, None]
        by_map[:, 0, 0:3] = by_map[:, 1, 3:6] = terms
        by_map[:, :, 6:8] = -straight[:, :, None] * terms[:, None, :2]
        by_map[:, :, 8] = (straight - 0.5 * np.array(self.size)) * (r2 / (1.0 + self.radial * r2))[:, None]
        return by_map

    def scaled(self, width: int, height: int) -> PlaneMap:
        """The same for a picture of the same view in another size."""
        by = np.array([width / self.size[0], height / self.size[1], 1.0])
        elements = np.append(np.repeat(by, 3)[:8], 1.0)
        return PlaneMap(
            (width, height), self.to_pixels * by[:, None], self.origin_mm, self.radial,
            self.covariance * np.outer(elements, elements),
        )  # fmt: skip


def half_diagonal(size: tuple[int, int]) -> float:
    """From a picture's middle to its corners, pixels."""
    return 0.5 * float(np.hypot(*size))


def normal(pixels: Floats, size: tuple[int, int]) -> Floats:
    """Pixels float64[n, 2] from the picture's middle, in half diagonals."""
    found: Floats = (np.asarray(pixels, np.float64) - 0.5 * np.array(size)) / half_diagonal(size)
    return found


def denormal(normal_pixels: Floats, size: tuple[int, int]) -> Floats:
    """Back from `normal`."""
    pixels: Floats = normal_pixels * half_diagonal(size) + 0.5 * np.array(size)
    return pixels


def bent(straight: Floats, radial: float) -> Floats:
    """Where the lens shows normal straight pixels float64[n, 2]; nan beyond what it can show.

    The inverse of s = b / (1 + radial |b|²).
    """
    under = 1.0 - 4.0 * radial * (straight * straight).sum(axis=1, keepdims=True)
    found: Floats = 2.0 * straight / (1.0 + np.sqrt(np.where(under >= 0.0, under, np.nan)))
    return found
