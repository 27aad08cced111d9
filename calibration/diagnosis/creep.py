"""Creep: a cell that goes on moving after a load change, and back after the load has gone (section 5 row 15).

Sound cells follow within 0.05 % of their capacity in half an hour (facts/loadcell.md 6), and settle to 0.1 % of a
load within seconds (facts/field.md 4.1.9). A cell that creeps goes on in the direction of each change, by a share of
it, ever slower; a drift doesn't care for changes.
"""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from calibration.diagnosis.faults import Fault
from calibration.diagnosis.noise import CellNoise
from calibration.diagnosis.samples import CellSamples, Floats
from calibration.diagnosis.verdicts import Finding, Verdict, finding

LEAST_REST_S, _LONGEST_REST_S = 10.0, 40.0
CREEP_SHARE = 0.002  # of a load change, from some seconds after it on: twice what sound ones did
# (2.3 kg on hobby cells: 0 to 3 g in the minute after, some of it the rig's; facts/field.md 4.1.9)
FAIL_SHARE = 0.02
CREEP_UNSEEN = "creep: needs load changes with 10 s of rest after each; put something heavy down, wait, take it away"
_MEAN_S, _STEP_S, _HANDS_S = (
    0.5,
    4.0,
    2.0,
)  # of the means; what a load change takes at most; a hand lingers, and is there before
_LEAST_STEP_G, _LEAST_STEP_COUNTS, _LEAST_STEP_SIGMAS = 200.0, 20_000.0, 60.0
_FLOOR_G, _SIGMAS, _LEFT_SHARE = 0.5, 6.0, 0.25
_LATER_S = (0.0, 3.0, 6.0)
_TAUS_S = (2.0, 4.0, 8.0, 16.0, 32.0, 64.0)


def rests(cell: CellSamples, noise: CellNoise, rate_hz: float) -> list[tuple[float, Floats, Floats]]:
    """Of each large load change with a long rest after it: its counts, and times in s and counts while it rests.

    Times are from the load change's middle on.
    """
    if not len(cell) or rate_hz <= 0:
        return []
    time_s, counts = cell.time_s[cell.usable], cell.counts[cell.usable]
    number = np.floor(time_s / _MEAN_S).astype(np.int64)
    many = np.bincount(number) if number.size else np.zeros(0, np.int64)
    full = many >= 2
    at, means = np.bincount(number, time_s)[full] / many[full], np.bincount(number, counts)[full] / many[full]
    lag = round(_STEP_S / _MEAN_S)
    if means.size < 3 * lag:
        return []
    moved = means[lag:] - means[:-lag]
    least = _LEAST_STEP_G * abs(cell.counts_per_gram) if cell.counts_per_gram else _LEAST_STEP_COUNTS
    least = max(least, _LEAST_STEP_SIGMAS * noise.counts)
    steps: list[int] = []
    left = np.abs(moved)
    while left.max() > least:
        top = int(left.argmax())
        steps.append(top)
        left[max(0, top - 2 * lag) : top + 2 * lag] = 0.0
    steps.sort()
    found = []
    for k, step in enumerate(steps):
        begin_s = at[step + lag] + _HANDS_S
        end_s = at[steps[k + 1]] - _HANDS_S if k + 1 < len(steps) else float(at[-1])
        end_s = min(end_s, begin_s + _LONGEST_REST_S)
        if end_s - begin_s >= LEAST_REST_S:
            inside = (at >= begin_s) & (at <= end_s)
            found.append((float(moved[step]), at[inside] - 0.5 * (at[step] + at[step + lag]), means[inside]))
    return found


def creep_finding(cell: CellSamples, noise: CellNoise, rate_hz: float) -> Iterator[Finding]:
    """Creep, where it follows the load both up and down."""
    sd = noise.counts * float(np.sqrt(2.0 / max(_MEAN_S * rate_hz, 1.0)))
    floor = _FLOOR_G * abs(cell.counts_per_gram or 0.0)
    there = rests(cell, noise, rate_hz)
    shares: list[float] = []
    signs: set[bool] = set()
    against = 0
    for step, since_s, counts in there:
        for late_s in _LATER_S:  # heavy things take their time to come to rest
            rest = since_s >= since_s[0] + late_s
            moved, left = _exponential(since_s[rest], counts[rest])
            clear = abs(moved) > max(_SIGMAS * sd, floor) and left < max(_LEFT_SHARE * abs(moved), 1.5 * sd)
            if clear or float(np.ptp(since_s[rest])) < LEAST_REST_S:
                break
        if clear and moved / step > CREEP_SHARE:
            shares.append(moved / step)
            signs.add(step > 0)
        against += clear and moved / step < -0.5 * CREEP_SHARE
    if len(signs) < 2 or len(shares) < 0.6 * len(there) or against:  # a drift doesn't turn with the load
        return
    share = float(np.median(shares))
    evidence = (
        f"goes on by {100 * share:.2g} % of each load change while it rests, ever slower, and back when the load has "
        f"gone ({len(shares)} of {len(there)} changes); sound cells stay below 0.1 %"
    )
    yield finding(Fault.CREEP, Verdict.FAIL if share > FAIL_SHARE else Verdict.WARN, evidence, share=share)


def _exponential(since_s: Floats, counts: Floats) -> tuple[float, float]:
    """By how much ``a + b exp(-t / tau)`` moves over the rest, and the rms that it leaves; 0 for what speeds up."""
    best, moved = np.inf, 0.0
    for tau_s in _TAUS_S:
        shape = np.exp(-since_s / tau_s)
        design = np.column_stack([np.ones(since_s.size), shape])
        fit = np.linalg.lstsq(design, counts, rcond=None)[0]
        left = float(np.sqrt(((counts - design @ fit) ** 2).mean()))
        if left < best:
            best, moved = left, float(fit[1] * (shape[-1] - shape[0]))
    return moved, best
