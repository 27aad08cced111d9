"""Load changes on a board: what each cell says before and after, where the board lay still on both sides."""

from __future__ import annotations

import itertools
import math
from dataclasses import dataclass

import numpy as np

from calibration.diagnosis.samples import CellSamples, Floats

_LEAST_BIN_S = 0.1
_STILL_BINS, _LEAST_STILL_S = 4, 0.6
_LOOK_BINS = 10
_STILL_SIGMAS = 5.0
_CLEAR_SIGMAS = 8.0
_LEAST_G, _LEAST_COUNTS = 5.0, 300.0


@dataclass(frozen=True, slots=True)
class Change:
    """A load change between two stretches at rest.

    Attributes:
        begin_s, end_s: the last moment of rest before it, the first after it.
        counts, sd: float64[cells], what it changed and how well that is known; NaN for a cell without samples.
    """

    begin_s: float
    end_s: float
    counts: Floats
    sd: Floats


@dataclass(frozen=True, slots=True)
class Still:
    """A stretch at rest: bins ``first`` to ``last`` (without)."""

    first: int
    last: int


def changes_of(cells: list[CellSamples], noise: list[float], rate_hz: float) -> list[Change]:
    """In order of time. ``noise``: counts rms of each cell; inf for one that isn't to be looked at."""
    width_s = max(_LEAST_BIN_S, 2.0 / rate_hz)
    end_s = max((float(cell.time_s[-1]) for cell in cells if len(cell)), default=0.0)
    bins = int(end_s / width_s)
    still = max(_STILL_BINS, math.ceil(_LEAST_STILL_S / width_s))
    if bins < 2 * still:
        return []
    means = np.full((len(cells), bins), np.nan)
    for k, cell in enumerate(cells):
        if math.isfinite(noise[k]):
            means[k] = _binned(cell, width_s, bins)
    bin_sd = np.array([sd * math.sqrt(2.0 / max(width_s * rate_hz, 1.0)) for sd in noise])  # correlated: n/2 count
    stills = _stills(means, bin_sd, still)
    found = []
    for before, after in itertools.pairwise(stills):
        old = means[:, max(before.first, before.last - _LOOK_BINS) : before.last]
        new = means[:, after.first : min(after.last, after.first + _LOOK_BINS)]
        counts = _mean(new) - _mean(old)
        sd = bin_sd * np.sqrt(1.0 / old.shape[1] + 1.0 / new.shape[1])
        if _is_clear(cells, counts, sd):
            found.append(Change(before.last * width_s, after.first * width_s, counts, sd))
    return found


def _mean(bins: Floats) -> Floats:
    known = ~np.isnan(bins)
    number = known.sum(axis=1)
    total = np.where(known, bins, 0.0).sum(axis=1)
    mean: Floats = np.where(number > 0, total / np.maximum(number, 1), np.nan)
    return mean


def _binned(cell: CellSamples, width_s: float, bins: int) -> Floats:
    time_s, counts = cell.time_s[cell.usable], cell.counts[cell.usable]
    at = np.floor(time_s / width_s).astype(np.int64)
    inside = at < bins
    number = np.bincount(at[inside], minlength=bins)
    total = np.bincount(at[inside], counts[inside], minlength=bins)
    means: Floats = np.where(number > 0, total / np.maximum(number, 1), np.nan)
    return means


def _stills(means: Floats, bin_sd: Floats, least: int) -> list[Still]:
    """Longest runs of at least so many bins that stay near their beginning in all cells."""
    bins = means.shape[1]
    usable = np.flatnonzero(np.isfinite(bin_sd) & ~np.isnan(means).all(axis=1))
    if not usable.size:
        return []
    values, limit = means[usable], _STILL_SIGMAS * np.maximum(bin_sd[usable], 1.0)
    found, at = [], 0
    while at + least <= bins:
        piece = values[:, at : at + least]
        if np.isnan(piece).any() or bool((np.ptp(piece, axis=1) > limit).any()):
            at += 1
            continue
        last, middle = at + least, piece.mean(axis=1)
        while last < bins and not bool((np.abs(values[:, last] - middle) > limit).any()):
            middle = 0.8 * middle + 0.2 * np.where(np.isnan(values[:, last]), middle, values[:, last])
            last += 1
        found.append(Still(at, last))
        at = last
    return found


def _is_clear(cells: list[CellSamples], counts: Floats, sd: Floats) -> bool:
    for k, cell in enumerate(cells):
        least = _LEAST_G * abs(cell.counts_per_gram) if cell.counts_per_gram else _LEAST_COUNTS
        if not math.isnan(counts[k]) and abs(counts[k]) > max(_CLEAR_SIGMAS * sd[k], least):
            return True
    return False
