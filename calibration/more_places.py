"""Which places to weigh once more, where the first ones leave it unsure how well the board will tell places.

Sums alone tell every gain where a plate is soft: each cell answers differently at each place. A plate that is stiff
against its cells shares any load in three ways only, whatever the number of cells; what sums then leave open, the
places themselves tell, as well as a person puts a weight there (8 mm along each axis): ``sd ~ 8 mm / sqrt(n)`` after n
placements. So it takes about ten more with four cells and twenty with eight; they are asked for where they tell most.
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from calibration.fit import BoardFit, PlaceFit
from calibration.solve import MODEL_SHARE

Floats = npt.NDArray[np.float64]

ENOUGH_MM = 1.25  # along each axis, over the board: hypot has its 95 % at 2.45 of them, 3 mm


def places_sd_mm(fit: BoardFit) -> float:
    """Lasting doubt of places along one axis, rms over the run's places; 0 where the cells can't tell places."""
    if fit.own_lanes or len(fit.cells) == 1:
        return 0.0
    levers, shares = _looked_at(fit)
    return _doubt_mm(fit.gain_cov, levers, shares, fit.grams_per_count)


def places_to_weigh(fit: BoardFit, most: int, place_sd_mm: float) -> list[PlaceFit]:
    """Up to ``most`` of the run's places, each as often as it pays, until places should be sure enough.

    Args:
        place_sd_mm: how far from its place a weight lies, along each axis (one standard deviation).
    """
    if fit.own_lanes or len(fit.cells) == 1:
        return []
    levers, shares = _looked_at(fit)
    a, cov = fit.grams_per_count, fit.gain_cov
    chosen: list[PlaceFit] = []
    while len(chosen) < most and _doubt_mm(cov, levers, shares, a) > ENOUGH_MM:
        after = []
        for share in shares:
            rows = np.vstack([share / (MODEL_SHARE * fit.misfit), share * levers / place_sd_mm])
            gained = cov @ rows.T
            after.append(cov - gained @ np.linalg.solve(np.eye(len(rows)) + rows @ gained, gained.T))
        best = int(np.argmin([_doubt_mm(each, levers, shares, a) for each in after]))
        cov = after[best]
        chosen.append(fit.places[best])
    return chosen


def why_more(fit: BoardFit, count: int, seconds: float) -> str:
    """What to tell the person who thought to be done; short, since it is read off a screen."""
    minutes = max(round(seconds / 60), 1)
    why = "channels look alike" if fit.wiring_doubtful else "this plate is stiff"
    return f"{why}: {count} more placement{'s' if count > 1 else ''}, about {minutes} min"


def _looked_at(fit: BoardFit) -> tuple[Floats, Floats]:
    """Arms of the channels along the axes that the cells are spread over, in mm: float64[axes, channels]; and the
    counts per gram at each placement: float64[placements, channels]."""
    sites = fit.site.xy_mm[list(fit.cell_of)]
    levers = (sites - sites.mean(axis=0)).T
    shares = np.array([place.placement.change / place.placement.weight_g for place in fit.places])
    return levers[np.ptp(levers, axis=1) > 40.0], shares


def _doubt_mm(cov: Floats, levers: Floats, shares: Floats, a: Floats) -> float:
    """``x = Σ r_k x_k / Σ r_k``, so ``dx/da_k = d_k (x_k - x) / W``; rms over places and axes."""
    if not len(levers):
        return 0.0
    forces = shares * a
    total = 0.0
    for lever in levers:
        at = forces @ lever / forces.sum(axis=1)
        arm = (lever[None] - at[:, None]) * shares
        total += float(np.einsum("pk,kl,pl->p", arm, cov, arm).mean())
    return float(np.sqrt(max(total, 0.0) / len(levers)))
