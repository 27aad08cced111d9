"""Codes that a reader gets wrong in a way of its own: too early after a restart, or with a bit that sticks."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from calibration.diagnosis.clockwork import ChipClock
from calibration.diagnosis.faults import Fault
from calibration.diagnosis.samples import CellSamples, Floats
from calibration.diagnosis.verdicts import Finding, Verdict, finding

SETTLING = 4  # conversions (facts/loadcell.md 1)
_AFTER, _BEFORE = 8, 6
_SIGMAS, _LEAST_COUNTS = 6.0, 150.0
"""Conversions that aren't settled were 480 to 980 counts off (facts/field.md 4.1.10)."""
BAND = (0x20000, 0x30000)  # section 5 row 18: a pull-up lifts a weak bit, and its codes never come
_LEAST_JUMPS, _MANY_JUMPS, _EDGE_SHARE = 2, 12, 0.08


def misread_findings(cell: CellSamples, clock: ChipClock) -> Iterator[Finding]:
    """Samples that weren't settled, and codes that never come."""
    if len(cell) < 3 * _AFTER:
        return
    noise = max(float(np.median(np.abs(np.diff(cell.counts)))), 4.0)
    off, times = _unsettled(cell, clock, noise)
    if off:
        evidence = (
            f"after {times} restarts the first {SETTLING} conversions come as they are, the first {off:+.0f} counts off"
        )
        bad = Verdict.WARN if times >= 2 else Verdict.PASS
        yield finding(Fault.NOT_SETTLED, bad, evidence, restarts=float(times), off_counts=off)
    if cell.kind_is_raw:
        yield from _dead_band(cell.counts, noise)


def _unsettled(cell: CellSamples, clock: ChipClock, noise: float) -> tuple[float, int]:
    """How far the first conversion after restarts is off, the middle of all, where the next ones die away from there.

    0 where they don't. Restarts at which the load changed are left out; 0.9 noises are the sd of a single difference.
    """
    found = []
    for at_s in clock.restarts_s:
        first = int(np.searchsorted(cell.time_s, at_s - 1e-6))
        if first < _BEFORE or first + SETTLING + _AFTER > len(cell):
            continue
        before = float(np.median(cell.counts[first - _BEFORE : first]))
        after = float(np.median(cell.counts[first + SETTLING : first + SETTLING + _AFTER]))
        off = cell.counts[first : first + SETTLING] - after
        if abs(after - before) < max(0.5 * float(np.abs(off[0])), 2.0 * noise):
            found.append(off)
    if not found:
        return 0.0, 0
    middle = np.median(np.array(found), axis=0)
    size = np.abs(middle)
    clear = size[0] > max(_SIGMAS * noise / np.sqrt(len(found)), _LEAST_COUNTS)
    slack = 1.5 * noise / np.sqrt(len(found))
    dies = size[1] < 0.9 * size[0] + slack and size[2] < 0.6 * size[0] + slack and size[3] < 0.4 * size[0] + slack
    return (float(middle[0]), len(found)) if clear and dies else (0.0, 0)


def _dead_band(codes: Floats, noise: float) -> Iterator[Finding]:
    """Whether codes come on both sides of `BAND`, hard by its edges, and jump over it, but never lie in it.

    Loads, hands and ringing go through it like through any other codes. A code whose bit 16 reads 1 when it is 0 is
    exactly the band's width too high: from one sample to the next it jumps by that and little else; or, where loads
    move fast, it jumps over the band so often that some sample had to lie there.
    """
    low, high = BAND
    wide = high - low
    edge = _EDGE_SHARE * wide
    if np.count_nonzero((codes >= low) & (codes < high)) > 0.002 * codes.size:
        return
    below, over = (codes < low) & (codes >= low - wide), (codes >= high) & (codes < high + wide)
    if min(np.count_nonzero(below & (codes >= low - edge)), np.count_nonzero(over & (codes < high + edge))) < 2:
        return
    jumps = np.flatnonzero((below[1:] & over[:-1]) | (over[1:] & below[:-1]))
    mends = np.abs(np.abs(codes[jumps + 1] - codes[jumps]) - wide) < edge
    if np.count_nonzero(mends) >= _LEAST_JUMPS or jumps.size >= _MANY_JUMPS:
        evidence = (
            f"{jumps.size} jumps over codes 0x{low:X} to 0x{high:X}, {np.count_nonzero(mends)} of them by {wide} and "
            f"little else; none of {codes.size} codes lies there; noise moves it by {noise:.0f}"
        )
        yield finding(Fault.DEAD_BAND, Verdict.FAIL, evidence, jumps=float(jumps.size))
