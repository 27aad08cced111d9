"""Whether a creep run can be trusted, and what its figures mean for a shelf: sentences for an installer."""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np
import numpy.typing as npt

from calibration.creep import HOBBY_SHARE_30_MIN, CreepFit, CreepFits, CreepSeries
from calibration.findings import Finding, Reason

Floats = npt.NDArray[np.float64]

WARMED_C = 1.0  # within a run; a hobby cell's zero goes by 0.5 g then (facts/loadcell.md 6)
BUMP_SIGMAS = 6.0
_SIDE_S = 10.0
_BUMP_SHARE = 0.1 * HOBBY_SHARE_30_MIN  # of the load; a smaller step changes no verdict


def bumps(series: CreepSeries, load_g: float, names: Sequence[str]) -> list[Finding]:
    """The largest step of the board, or of a cell, while the load stood there, if it is one.

    Ten seconds before and after each moment are compared; creep itself may make some of the difference, most of it
    early, and the zero's wander too, which is in the scatter of all those differences.
    """
    off_s = math.inf if series.off_s is None else series.off_s - 5.0
    on = (series.time_s >= 20.0) & (series.time_s < off_s)
    time_s, grams = series.time_s[on], series.grams[on]
    side = round(_SIDE_S)
    if time_s.size < 6 * side:
        return []
    sums = np.column_stack([np.nansum(grams, axis=1), np.nan_to_num(grams)])
    total = np.concatenate([np.zeros((1, sums.shape[1])), np.cumsum(sums, axis=0)])
    middle = np.arange(side + 1, time_s.size - side - 1)
    after = (total[middle + side + 1] - total[middle + 1]) / side
    before = (total[middle - 1] - total[middle - 1 - side]) / side
    steps = after - before
    grows = 2.0 * np.log10((time_s[middle] + _SIDE_S) / (time_s[middle] - _SIDE_S)) / 2.25
    allowed = HOBBY_SHARE_30_MIN * load_g * grows[:, None] + _BUMP_SHARE * load_g
    sigma = np.maximum(1.4826 * np.median(np.abs(steps - np.median(steps, axis=0)), axis=0), 1e-6)
    over = np.abs(steps) / (BUMP_SIGMAS * sigma + allowed)
    row, column = (int(each) for each in np.unravel_index(int(np.argmax(over)), over.shape))
    if over[row, column] < 1.0:
        return []
    subject = "" if column == 0 else names[column - 1]
    step_g = float(steps[row, column])
    what = "the board's reading" if column == 0 else "its reading"
    evidence = f"{what} jumped by {step_g:+.2f} g after {time_s[middle[row]] / 60:.0f} min"
    remedy = "nobody may touch the board or the rack meanwhile, nothing may lean against it; begin again"
    return [Finding(Reason.BUMPED, subject, evidence, remedy)]


def judge_creep(
    fits: CreepFits,
    weight_g: float,
    lasts_s: float,
    celsius: tuple[float, float] | None,
    grams_per_degree: float | None,
) -> list[Finding]:
    """What speaks against the figures; empty where nothing does.

    Args:
        celsius: at the beginning and the end. grams_per_degree: of the board's zero; None where nobody knows.
    """
    board = fits.board
    found = []
    hobby_g = HOBBY_SHARE_30_MIN * weight_g
    if celsius is not None:
        warmed = celsius[1] - celsius[0]
        by_g = None if grams_per_degree is None else abs(warmed * grams_per_degree)
        if (by_g is None and abs(warmed) > WARMED_C) or (by_g is not None and by_g > 0.5 * hobby_g):
            evidence = f"it went from {celsius[0]:z.1f} to {celsius[1]:z.1f} °C meanwhile"
            evidence += "" if by_g is None else f", which moves this zero by {by_g:.1f} g"
            remedy = "repeat it while the room's temperature stands still: no sun, no heating, no open door"
            found.append(Finding(Reason.DRIFTING, "", evidence, remedy))
    drifted_g = max(abs(board.drift_g_per_h) - 2.0 * board.drift_sd, 0.0) * lasts_s / 3600.0
    if drifted_g > hobby_g:
        evidence = f"the zero itself drifts by {board.drift_g_per_h:+z.1f} ± {2 * board.drift_sd:.1f} g/h"
        remedy = "let it warm up for a quarter of an hour, keep sun and draught away, then begin again"
        found.append(Finding(Reason.DRIFTING, "", evidence, remedy))
    if not board.tells:
        needed_g = weight_g * 2.0 * board.share_30_min_sd / HOBBY_SHARE_30_MIN
        evidence = (
            f"the creep of {weight_g:g} g is known to ± {2e6 * board.share_30_min_sd:.0f} ppm only, since the zero "
            f"wanders by {board.wander_g:.1f} g in half an hour; a hobby cell may creep by "
            f"{1e6 * HOBBY_SHARE_30_MIN:.0f} ppm"
        )
        remedy = (
            f"use a heavier weight, {_rounded(needed_g)} at least, or let it stand longer than {board.minutes:.0f} min"
        )
        found.append(Finding(Reason.TOO_SHORT, "", evidence, remedy))
    return found


def meaning(fit: CreepFit, full_g: float | None) -> str:
    """What it means for what is weighed on this shelf, in a sentence. ``full_g``: what it carries; None: this load."""
    load_g = fit.load_g if full_g is None else full_g
    grows_g = fit.share_30_min * load_g
    doubt_g = 2.0 * fit.share_30_min_sd * load_g
    return (
        f"{load_g / 1000:g} kg put on this shelf read {abs(grows_g):.1f} ± {doubt_g:.1f} g "
        f"{'more' if grows_g >= 0 else 'less'} half an hour later; what is taken or put is weighed by its step within "
        "seconds, which creep hardly touches"
    )


def figures(fit: CreepFit) -> str:
    """``12 ± 3 ppm/decade, 0.4 g in 30 min``."""
    return (
        f"{1e6 * fit.share_per_decade:z.0f} ± {2e6 * fit.share_per_decade_sd:.0f} ppm of the load per decade of time, "
        f"{fit.grams_30_min:+z.2f} ± {2 * fit.share_30_min_sd * fit.load_g:.2f} g in 30 min"
    )


def _rounded(grams: float) -> str:
    size = 10.0 ** math.floor(math.log10(max(grams, 1.0)))
    kilograms = math.ceil(grams / size) * size / 1000.0
    return f"{kilograms:g} kg"
