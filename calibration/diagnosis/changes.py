"""Load changes on a board: what each cell says before and after, where the board lay still on both sides."""

from __future__ import annotations

import itertools
import math
from dataclasses import dataclass

import numpy as np

from calibration.diagnosis.samples import CellSamples, Floats

_SMOOTHED_FROM_HZ = 40.0
_BIN_S, _SLOW_BIN_S = 0.05, 0.1
_SMOOTH_BINS = 11
"""A Hann window of 0.55 s takes what a plate rings at (10 Hz and above, facts/field.md 4.1.2) down by 50 dB; chips that
give 10 samples a second can't tell ringing from anything else.
"""
_STILL_BINS, _STILL_S, _SLOW_STILL_S = 4, 0.4, 0.6
_LOOK_S = 1.0
_STILL_SIGMAS, _STILL_G = 5.0, 0.5
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
    fast = rate_hz >= _SMOOTHED_FROM_HZ
    width_s = _BIN_S if fast else max(_SLOW_BIN_S, 2.0 / rate_hz)
    end_s = max((float(cell.time_s[-1]) for cell in cells if len(cell)), default=0.0)
    bins = int(end_s / width_s)
    least = max(_STILL_BINS, math.ceil((_STILL_S if fast else _SLOW_STILL_S) / width_s))
    if bins < 2 * (least + _SMOOTH_BINS):
        return []
    kernel = np.hanning(_SMOOTH_BINS + 2)[1:-1] if fast else np.ones(1)
    kernel = kernel / kernel.sum()
    means = np.full((len(cells), bins), np.nan)
    for k, cell in enumerate(cells):
        if math.isfinite(noise[k]):
            means[k] = np.convolve(_binned(cell, width_s, bins), kernel, mode="same")
    usual = np.array(noise) * math.sqrt(2.0 / max(width_s * rate_hz, 1.0))  # correlated: n/2 count
    smooth = usual * math.sqrt(float((kernel**2).sum()))
    slack = np.array([_STILL_G * abs(cell.counts_per_gram or 0.0) if fast else 0.0 for cell in cells])
    stills = _stills(means, np.maximum(np.maximum(_STILL_SIGMAS * smooth, _STILL_SIGMAS), slack), least)
    look, found = max(_STILL_BINS, round(_LOOK_S / width_s)), []
    for before, after in itertools.pairwise(stills):
        old = means[:, max(before.first, before.last - look) : before.last]
        new = means[:, after.first : min(after.last, after.first + look)]
        counts = _mean(new) - _mean(old)
        sd = usual * np.sqrt(1.0 / old.shape[1] + 1.0 / new.shape[1])
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


def _stills(means: Floats, limits: Floats, least: int) -> list[Still]:
    """Longest runs of at least so many bins that stay within ``limits`` of their beginning in all cells."""
    bins = means.shape[1]
    usable = np.flatnonzero(np.isfinite(limits) & ~np.isnan(means).all(axis=1))
    if not usable.size:
        return []
    values, limit = means[usable], limits[usable]
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
