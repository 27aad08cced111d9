"""A camera's map from marks that lie at known places: homography, lens, and where the marks really lie.

Adjusted together by least squares (Gauss-Newton): the homography's eight elements; the lens's one coefficient (see
`calibration.camera_record`), which is 0 ± `RADIAL_SD` before anything is seen; where each mark really lies, which is
where it is said to lie ± what a tape measure is worth; and the scale that sheets were printed at, 1 ± `PRINT_SD`. So
the covariance of the map has in it what isn't known of places, prints and lenses, also where the points can't tell.

How well marks were seen and placed is taken as given, or as found where they agree worse than that: one variance factor
each for pixels and places (Förstner 1979), never below 1.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
import numpy.typing as npt

from calibration.homography import direct
from calibration.plane_map import PlaneMap, half_diagonal, normal
from calibration.record import CalibrationError

Floats = npt.NDArray[np.float64]

RADIAL_SD = 0.05  # of lenses that people put before cameras; 0.1 is a very wide one, whose marks will tell
PRINT_SD = 0.01  # of who prints "fit to page" and measures no bar; several sheets tell it by their places
ROUNDS, CLOSE = 40, 1e-9
FACTOR_ROUNDS = 4
LEAST_REDUNDANCY = 0.5  # a factor isn't found from less


@dataclass(frozen=True, slots=True)
class Mark:
    """Something rigid on the plane with one or more points: a tape mark has one, a printed sheet its tags' corners.

    Attributes:
        name: for people: "point 3", "sheet 2".
        at_mm: where its origin is said to lie. direction_rad: where its x axis is said to point.
        place_sd_mm, direction_sd_rad: what that is worth. 0 as direction's: it has none.
        local_mm: float64[n, 2], the points from its origin along its axes.
        pixels: float64[n, 2], where they are seen.
        pixel_sd: what that is worth.
    """

    name: str
    at_mm: tuple[float, float]
    direction_rad: float
    place_sd_mm: float
    direction_sd_rad: float
    local_mm: Floats
    pixels: Floats
    pixel_sd: float

    @property
    def places_mm(self) -> Floats:
        """Where its points are said to lie, float64[n, 2]."""
        return self.local_mm @ _turn(self.direction_rad).T + self.at_mm


@dataclass(frozen=True, slots=True)
class CameraFit:
    """What was found.

    Attributes:
        pixel_factor, place_factor: how many times worse than said points agree with pixels, and marks with places.
        print_scale: of sheets; 1 where there are none.
        chi2, redundancy: of the misfit with what was said of pixels and places, and its expectation.
    """

    plane: PlaneMap
    pixel_factor: float
    place_factor: float
    print_scale: float
    chi2: float
    redundancy: float

    @property
    def fits(self) -> bool:
        """The marks agree with each other as well as was said of them (one in a thousand that do is called not to)."""
        if self.redundancy < LEAST_REDUNDANCY:
            return True
        n = self.redundancy  # Wilson and Hilferty's approximation of chi square's 99.9 %
        return self.chi2 <= n * max(1.0 - 2.0 / (9.0 * n) + 3.09 * math.sqrt(2.0 / (9.0 * n)), 0.1) ** 3


def fit_camera(marks: Sequence[Mark], size: tuple[int, int]) -> CameraFit:
    """The camera's map. Raises CalibrationError where these marks make none: too few points, or in a line."""
    places = np.concatenate([mark.places_mm for mark in marks]) if marks else np.empty((0, 2))
    pixels = np.concatenate([mark.pixels for mark in marks]) if marks else np.empty((0, 2))
    origin = places.mean(axis=0) if len(places) else np.zeros(2)
    problem = _Problem(marks, size, origin, float(np.abs(places - origin).max(initial=1.0)))
    start = direct((places - origin) / problem.unit_mm, normal(pixels, size))
    factors = np.ones(2)
    state = problem.start(start)
    said: tuple[float, float] | None = None
    for _ in range(FACTOR_ROUNDS):
        state = problem.solve(state, factors)
        squares, redundancy, covariance = problem.judge(state, factors)
        if said is None:
            said = float(squares.sum()), float(redundancy.sum())
        better = factors * np.where(redundancy > LEAST_REDUNDANCY, np.sqrt(squares / np.maximum(redundancy, 1e-9)), 1.0)
        better = np.maximum(better, 1.0)
        if np.abs(better / factors - 1.0).max() < 0.02:
            break
        factors = better
    state = problem.solve(state, factors)
    covariance = problem.judge(state, factors)[2]
    matrix, spread = _plain(state[:8], covariance[:9, :9], size, problem.unit_mm)
    if not np.isfinite(matrix).all() or not np.isfinite(spread).all():
        raise CalibrationError("these marks don't make a map; check their places and their pixels")
    assert said is not None
    plane = PlaneMap(size, matrix, origin, float(state[8]), spread)
    print_scale = 1.0 + float(state[9]) if problem.prints else 1.0
    return CameraFit(plane, float(factors[0]), float(factors[1]), print_scale, *said)


def without(marks: Sequence[Mark], left_out: int) -> list[Mark]:
    """All marks but one."""
    return [mark for k, mark in enumerate(marks) if k != left_out]


def seen_pose(plane: PlaneMap, mark: Mark) -> tuple[Floats, Floats, float]:
    """Where a mark's origin lies by the map: float64[2] mm, covariance float64[2, 2]; and how far it is turned from
    what was said, rad (0 for a single point). nan where it isn't on the plane."""
    places, covariances = plane.places(mark.pixels, np.eye(2) * mark.pixel_sd**2)
    if len(places) == 1:
        return places[0], covariances[0], 0.0
    middle, local_middle = places.mean(axis=0), mark.local_mm.mean(axis=0)
    a, b = mark.local_mm - local_middle, places - middle
    turn = float(np.arctan2((a[:, 0] * b[:, 1] - a[:, 1] * b[:, 0]).sum(), (a * b).sum()))
    return middle - _turn(turn) @ local_middle, covariances.mean(axis=0), _wrapped(turn - mark.direction_rad)


class _Problem:
    """Residuals and their slopes, in units of what each is worth. The state: eight elements of the homography from
    places (less the origin, in ``unit_mm``) to pixels (from the middle, in half diagonals), the lens, the print scale
    if there are sheets, then for each mark what its x, y (in ``unit_mm``) and direction are off by.
    """

    def __init__(self, marks: Sequence[Mark], size: tuple[int, int], origin: Floats, unit_mm: float) -> None:
        self.marks = [
            replace(mark, pixels=normal(mark.pixels, size), pixel_sd=mark.pixel_sd / half_diagonal(size))
            for mark in marks
        ]
        self.origin, self.unit_mm = origin, unit_mm
        self.prints = any(len(mark.local_mm) > 1 for mark in marks)
        self.first = 10 if self.prints else 9
        self.length = self.first + 3 * len(marks)
        self.points = sum(len(mark.local_mm) for mark in marks)

    def start(self, elements: Floats) -> Floats:
        return np.concatenate([elements, np.zeros(self.length - 8)])

    def solve(self, state: Floats, factors: Floats) -> Floats:
        """Gauss-Newton, in half steps where a whole one makes it worse."""
        residual, slopes = self.residuals(state, factors)
        for _ in range(ROUNDS):
            step = np.linalg.lstsq(slopes, residual, rcond=None)[0]
            share = 1.0
            for _ in range(12):
                tried = state - share * step
                new_residual, new_slopes = self.residuals(tried, factors)
                if np.isfinite(new_residual).all() and new_residual @ new_residual <= residual @ residual + 1e-12:
                    break
                share *= 0.5
            else:
                break
            state, residual, slopes = tried, new_residual, new_slopes
            if np.abs(share * step).max() < CLOSE:
                break
        return state

    def judge(self, state: Floats, factors: Floats) -> tuple[Floats, Floats, Floats]:
        """Squares and redundancy of pixels and of places, float64[2] each; the state's covariance."""
        residual, slopes = self.residuals(state, factors)
        scale = np.maximum(np.sqrt((slopes * slopes).sum(axis=0)), 1e-300)
        covariance = np.linalg.pinv((slopes / scale).T @ (slopes / scale), rcond=1e-14) / np.outer(scale, scale)
        kept = 1.0 - np.einsum("ij,jk,ik->i", slopes, covariance, slopes)
        split = 2 * self.points
        priors = slice(split + self.first - 8, None)
        squares = np.array([residual[:split] @ residual[:split], residual[priors] @ residual[priors]])
        return squares, np.array([kept[:split].sum(), kept[priors].sum()]), covariance

    def residuals(self, state: Floats, factors: Floats) -> tuple[Floats, Floats]:
        """float64[rows], float64[rows, length]: two a point, lens, print scale, three a mark."""
        rows = 2 * self.points + self.first - 8 + 3 * len(self.marks)
        residual, slopes = np.zeros(rows), np.zeros((rows, self.length))
        row = 0
        for k, mark in enumerate(self.marks):
            column = self.first + 3 * k
            rows_here = slice(row, row + 2 * len(mark.local_mm))
            residual[rows_here], slopes[rows_here] = self._points(state, mark, column, float(factors[0]))
            row = rows_here.stop
        residual[row], slopes[row, 8] = state[8] / RADIAL_SD, 1.0 / RADIAL_SD
        if self.prints:
            residual[row + 1], slopes[row + 1, 9] = state[9] / PRINT_SD, 1.0 / PRINT_SD
        row += self.first - 8
        for k, mark in enumerate(self.marks):
            place_sd = max(mark.place_sd_mm, 1e-3) * float(factors[1])
            turn_sd = (mark.direction_sd_rad or 1.0) * float(factors[1])
            for axis, sd in enumerate((place_sd / self.unit_mm, place_sd / self.unit_mm, turn_sd)):
                column = self.first + 3 * k + axis
                residual[row], slopes[row, column] = state[column] / sd, 1.0 / sd
                row += 1
        return residual, slopes

    def _points(self, state: Floats, mark: Mark, column: int, factor: float) -> tuple[Floats, Floats]:
        h, radial = np.append(state[:8], 1.0).reshape(3, 3), state[8]
        grown = 1.0 + (state[9] if self.prints else 0.0)
        turned = mark.local_mm @ _turn(mark.direction_rad + state[column + 2]).T / self.unit_mm
        places = grown * turned + (np.array(mark.at_mm) - self.origin) / self.unit_mm + state[column : column + 2]
        x, y = places.T
        one = np.ones_like(x)
        u, v, below = (np.stack([x, y, one], axis=1) @ h.T).T
        if (below <= 0.0).any():
            return np.full(2 * len(x), np.inf), np.zeros((2 * len(x), self.length))
        s = np.stack([u, v], axis=1) / below[:, None]
        by_h = np.zeros((len(x), 2, 8))
        terms = np.stack([x, y, one], axis=1) / below[:, None]
        by_h[:, 0, 0:3] = by_h[:, 1, 3:6] = terms
        by_h[:, :, 6:8] = -s[:, :, None] * terms[:, None, :2]
        by_place = (h[None, :2, :2] - s[:, :, None] * h[2, :2]) / below[:, None, None]
        bent, by_s, by_radial = _bending(s, radial)
        slopes = np.zeros((len(x), 2, self.length))
        slopes[:, :, :8] = by_s @ by_h
        slopes[:, :, 8] = by_radial
        by_place = by_s @ by_place
        if self.prints:
            slopes[:, :, 9] = np.einsum("nij,nj->ni", by_place, turned)
        slopes[:, :, column : column + 2] = by_place
        quarter = np.stack([-turned[:, 1], turned[:, 0]], axis=1) * grown
        slopes[:, :, column + 2] = np.einsum("nij,nj->ni", by_place, quarter)
        sd = mark.pixel_sd * factor
        residual = (bent - mark.pixels) / sd
        return residual.reshape(-1), slopes.reshape(-1, self.length) / sd


def _bending(s: Floats, radial: float) -> tuple[Floats, Floats, Floats]:
    """Pixels of straight ones, their slopes by those [n, 2, 2] and by the lens [n, 2]; inf beyond what it can show."""
    square = (s * s).sum(axis=1)
    under = 1.0 - 4.0 * radial * square
    root = np.sqrt(np.where(under > 0.0, under, np.nan))
    grown = 2.0 / (1.0 + root)
    by_square = 4.0 * radial / (root * (1.0 + root) ** 2)
    by_s = grown[:, None, None] * np.eye(2) + 2.0 * by_square[:, None, None] * s[:, :, None] * s[:, None, :]
    by_radial = (4.0 * square / (root * (1.0 + root) ** 2))[:, None] * s
    return np.nan_to_num(grown[:, None] * s, nan=np.inf), np.nan_to_num(by_s), np.nan_to_num(by_radial)


def _plain(state: Floats, covariance: Floats, size: tuple[int, int], unit_mm: float) -> tuple[Floats, Floats]:
    """Homography from mm to pixels, its last element 1, and the covariance of its eight elements and the lens."""
    scale = half_diagonal(size)
    to_pixels = np.array([[scale, 0.0, 0.5 * size[0]], [0.0, scale, 0.5 * size[1]], [0.0, 0.0, 1.0]])
    from_mm = np.diag([1.0 / unit_mm, 1.0 / unit_mm, 1.0])
    matrix = to_pixels @ np.append(state, 1.0).reshape(3, 3) @ from_mm
    by_state = np.kron(to_pixels, from_mm.T)[:, :8]
    slopes = np.zeros((9, 9))
    slopes[:8, :8] = by_state[:8]  # the last element is 1 before and after
    slopes[8, 8] = 1.0
    return matrix, slopes @ covariance @ slopes.T


def _turn(angle: float) -> Floats:
    return np.array([[np.cos(angle), -np.sin(angle)], [np.sin(angle), np.cos(angle)]])


def _wrapped(angle: float) -> float:
    return float((angle + np.pi) % (2.0 * np.pi) - np.pi)
