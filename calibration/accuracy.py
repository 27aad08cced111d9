"""What a calibrated board can tell: the smallest weight, and where a weight lies, in plain figures."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from calibration.fit import BoardFit

Floats = npt.NDArray[np.float64]

LOOK_S = 0.5  # how long the board is looked at before and after a movement
SURE_SIGMAS = 4.0


@dataclass(frozen=True, slots=True)
class PlaceAccuracy:
    """Standard deviation of where a weight is seen to lie, in mm (along the worse axis).

    Attributes:
        noise_mm: of one look, by noise. gains_mm: lasting, by what the run left open about the gains.
    """

    place: str
    noise_mm: float
    gains_mm: float

    @property
    def mm(self) -> float:
        return math.hypot(self.noise_mm, self.gains_mm)


def smallest_weight_g(fit: BoardFit, look_s: float = LOOK_S) -> float:
    """A weight that stands out of the sum's noise by four standard deviations, `look_s` before against after.

    ``4 * sqrt(2 * a' C a * window / look)`` with C the covariance of one window's means.
    """
    a = fit.grams_per_count
    var = float(a @ fit.noise.window_cov @ a) * fit.noise.window_s / look_s
    return SURE_SIGMAS * math.sqrt(max(2.0 * var, 0.0))


def place_accuracy(fit: BoardFit, weight_g: float, look_s: float = LOOK_S) -> list[PlaceAccuracy]:
    """At each of the run's places (the middle, the corners), for one weight; empty where the cells can't tell places.

    ``x = Σ r_k x_k / Σ r_k``, so ``dx/dr_k = (x_k - x) / W``, and ``dx/da_k = d_k (x_k - x) / W``.
    """
    if fit.own_lanes or len(fit.cells) == 1:
        return []
    sites = fit.site.xy_mm[list(fit.cell_of)]
    a = fit.grams_per_count
    noise = 2.0 * fit.noise.window_cov * fit.noise.window_s / look_s
    axes = [axis for axis in (0, 1) if float(np.ptp(sites[:, axis])) > 40.0]
    found: dict[str, PlaceAccuracy] = {}
    for place in fit.places:
        d = place.placement.change * (weight_g / place.placement.weight_g)
        forces = a * d
        at = forces @ sites / forces.sum()
        by_noise = by_gains = 0.0
        for axis in axes:
            arm = (sites[:, axis] - at[axis]) / weight_g
            by_noise = max(by_noise, float((arm * a) @ noise @ (arm * a)))
            by_gains = max(by_gains, float((arm * d) @ fit.gain_cov @ (arm * d)))
        found[place.placement.place] = PlaceAccuracy(place.placement.place, math.sqrt(by_noise), math.sqrt(by_gains))
    return list(found.values())
