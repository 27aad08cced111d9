"""What kind of drift it is: of one cell, or of all of them; dying away (warming up), or going on (temperature).

One cell that drifts alone has a fault of its own. All of a board's cells drift together when they are warming up after
being switched on: an exponential of 5 to 15 min (facts/loadcell.md 5 row 13); or when the air's temperature goes, each
by its own coefficient and for as long as that goes on (row 14). The two differ in the curve only, and it takes minutes
to see a curve of minutes.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Iterator, Sequence

import numpy as np

from calibration.diagnosis.cell import CellLook
from calibration.diagnosis.faults import Fault
from calibration.diagnosis.samples import CellSamples, Floats
from calibration.diagnosis.slopes import TOLD_FROM_S
from calibration.diagnosis.thermal import thermal_drift
from calibration.diagnosis.verdicts import Finding, Verdict, finding
from calibration.record import BoardCalibration

MOST_COUNTS_PER_MIN, ALSO_COUNTS_PER_MIN = 500.0, 120.0
"""Of the fastest, and of the others: sound cells have 253 to 410 in their worst minute (facts/field.md 4.1.8), but not
all of a board at once, and not for minutes.
"""
MOST_CELLS = 0.7
MEAN_S, CURVED = 2.0, 0.5
LEAST_MEANS, STEP_SIGMAS, LEAST_ALIKE = 20, 6.0, 0.4
TAUS_S = tuple(float(tau) for tau in np.exp(np.linspace(np.log(60.0), np.log(1000.0), 12)))


def by_temperature(found: Finding, record: BoardCalibration | None, cell: str, counts_per_min: float) -> Finding:
    """A drift with what the temperature run in the board's record says of it; as it is where there was none."""
    why = thermal_drift(record, cell, 60.0 * counts_per_min)
    if why is None:
        return found
    numbers = {**found.numbers, "celsius_per_h": why.celsius_per_h}
    return dataclasses.replace(found, evidence=f"{found.evidence}; {why.sentence}", numbers=numbers)


def drift_of_all(
    looks: Sequence[CellLook], names: Sequence[str], record: BoardCalibration | None = None
) -> Iterator[Finding]:
    """The drift that a board's cells have in common; none where only one drifts, or it is too short to tell.

    ``record``: its temperature run, if there was one, tells what temperature would have to do.
    """
    if not looks or min(_seconds(look) for look in looks) < TOLD_FROM_S:
        return
    levels = [_level(look.samples) for look in looks]
    rates = [_rate(*level) for level in levels]
    drifting = [k for k, rate in enumerate(rates) if abs(rate) > ALSO_COUNTS_PER_MIN]
    if len(drifting) < MOST_CELLS * len(looks) or max(map(abs, rates)) < MOST_COUNTS_PER_MIN:
        return
    listed = ", ".join(f"{name} {rate:+.0f}" for name, rate in zip(names, rates, strict=True))
    tau_s = _common_curve([levels[k] for k in drifting])
    if tau_s is not None:
        evidence = f"dies away with a time constant of about {tau_s:.0f} s in all cells; counts a minute: {listed}"
        yield finding(Fault.WARM_UP, Verdict.WARN, evidence, time_constant_s=tau_s)
    elif len(looks) > 1:
        evidence = f"all cells drift, each at its own rate, and it doesn't die away; counts a minute: {listed}"
        most = max(rates, key=abs)
        told = finding(Fault.TEMPERATURE, Verdict.WARN, evidence, most_counts_per_min=abs(most))
        yield by_temperature(told, record, names[rates.index(most)], most)


def _level(cell: CellSamples) -> tuple[Floats, Floats]:
    """Times in s and counts of a cell's level, without steps: what changes by far more than changes usually do."""
    time_s, counts = cell.time_s[cell.usable], cell.counts[cell.usable]
    number = np.floor(time_s / MEAN_S).astype(np.int64)
    many = np.bincount(number) if number.size else np.zeros(0, np.int64)
    full = many >= 3
    at, means = np.bincount(number, time_s)[full] / many[full], np.bincount(number, counts)[full] / many[full]
    if at.size < LEAST_MEANS:
        return np.zeros(0), np.zeros(0)
    changes = np.diff(means)
    off = np.abs(changes - np.median(changes))
    steps = off > STEP_SIGMAS * 1.48 * float(np.median(off))
    return at, np.concatenate([[0.0], np.cumsum(np.where(steps, np.median(changes[~steps]), changes))])


def _rate(at: Floats, level: Floats) -> float:
    """Counts a minute from the first tenth to the last; 0 where most changes don't go that way: then it is people."""
    if at.size < LEAST_MEANS:
        return 0.0
    tenth = max(2, at.size // 10)
    rate = 60.0 * float(level[-tenth:].mean() - level[:tenth].mean()) / float(at[-tenth:].mean() - at[:tenth].mean())
    usual = 60.0 * float(np.median(np.diff(level) / np.diff(at)))
    return rate if usual * rate > 0 and abs(usual) > LEAST_ALIKE * abs(rate) else 0.0


def _common_curve(levels: Sequence[tuple[Floats, Floats]]) -> float | None:
    """The time constant of ``a + b exp(-t / tau)`` that all cells have in common; None where lines do as well."""

    def left(shape: Callable[[Floats], Floats]) -> float:
        total = 0.0
        for at, level in levels:
            design = np.column_stack([np.ones(at.size), shape(at)])
            fit = np.linalg.lstsq(design, level, rcond=None)[0]
            total += float(((level - design @ fit) ** 2).sum()) / max(float(np.ptp(level)), 1.0) ** 2
        return total

    straight = left(lambda at: at)
    best = min(TAUS_S, key=lambda tau: left(lambda at: np.exp(-at / tau)))
    return best if left(lambda at: np.exp(-at / best)) < CURVED * straight else None


def _seconds(look: CellLook) -> float:
    time_s = look.samples.time_s
    return float(time_s[-1] - time_s[0]) if len(look.samples) else 0.0
