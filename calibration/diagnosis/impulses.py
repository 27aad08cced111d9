"""Short bursts that one cell alone feels: relays, radios, a dry joint. What knocks the board, all its cells feel."""

from __future__ import annotations

import math

import numpy as np

from calibration.diagnosis.samples import CellSamples, Floats

_SIGMAS = 9.0
_OTHERS_SHARE = 0.08
_LASTS_PERIODS, _NEAR_PERIODS = 5.0, 6.0


def lone_impulses(
    cells: list[CellSamples], noise: list[float | None], index: int, rate_hz: float
) -> list[float] | None:
    """Times in s at which this cell jumps for a few conversions and comes back, and no other cell moves then.

    None where no other cell could tell. A load change comes back nowhere, and a knock rings in all cells: a plate's
    force at one place lies in the others' shares too, if less.
    """
    others = [k for k in range(len(cells)) if k != index and noise[k] is not None and len(cells[k]) > 24]
    own = noise[index]
    if not others or own is None or rate_hz <= 0:
        return None
    time_s, off = _beside(cells[index], rate_hz)
    limit = _SIGMAS * max(own, 1.0)
    wild = time_s[np.abs(off) > limit]
    if not wild.size:
        return []
    apart = np.flatnonzero(np.diff(wild) > _LASTS_PERIODS / rate_hz)
    begins = wild[np.concatenate([[0], apart + 1])]
    ends = wild[np.concatenate([apart, [wild.size - 1]])]
    short = begins[ends - begins <= _LASTS_PERIODS / rate_hz]
    quiet = [_beside(cells[k], rate_hz) for k in others]
    found, near_s = [], _NEAR_PERIODS / rate_hz
    for at_s in short.tolist():
        mine = float(np.abs(off[np.abs(time_s - at_s) < near_s]).max())
        apart_s = np.abs(time_s - at_s)
        beside = np.abs(off[(apart_s > near_s) & (apart_s < 3.0 * near_s)])
        calm = (
            not beside.size or float(np.quantile(beside, 0.75)) < 0.6 * limit
        )  # a knock rings on, and a hand trembles
        for k, (their_s, their_off) in zip(others, quiet, strict=True):
            near = np.abs(their_off[np.abs(their_s - at_s) < near_s])
            if not near.size or float(near.max()) > max(4.5 * (noise[k] or 1.0), _OTHERS_SHARE * mine):
                calm = False
        if calm:
            found.append(at_s)
    return found


def _beside(cell: CellSamples, rate_hz: float) -> tuple[Floats, Floats]:
    """Each usable sample less the median of those around it, which steps pass and short bursts don't."""
    time_s, counts = cell.time_s[cell.usable], cell.counts[cell.usable]
    half = max(6, math.ceil(0.15 * rate_hz))
    if counts.size < 2 * half + 1:
        return time_s, np.zeros(counts.size)
    padded = np.pad(counts, half, mode="edge")
    around = np.median(np.lib.stride_tricks.sliding_window_view(padded, 2 * half + 1), axis=1)
    return time_s, counts - around
