"""Creep of a load cell under a standing load, and its recovery after that.

Creep goes about with the logarithm of time, but no cell keeps to it: what is fitted is a sum of exponentials, two for
each decade of time constants, none of them likely to be large, ``c(t) = sum a (1 - exp(-t / tau))``; and once the load
is off again ``c(t) - c(t - off)``. Beside it the zero may drift steadily and wander, which is told from creep by its
form, and by the recovery where there is one (`calibration.wander`). Figures are a share of the load, from 10 s to
30 min after it came to rest (OIML R60).

A class C3 cell may creep by 0.0245 % of the load in 30 min, and by 0.00525 % of it between minute 20 and 30 (OIML R60:
0.7 and 0.15 of its maximum permissible error, facts/loadcell.md 6); a hobby cell by about 0.05 % in 30 min. The second
limit is asked of runs that lasted that long: what nobody looked at isn't judged.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from calibration.placements import CalibrationInputError
from calibration.wander import Wander, WanderFit

Floats = npt.NDArray[np.float64]

C3_SHARE_30_MIN = 0.000245
C3_LATE_SHARE = 0.0000525
HOBBY_SHARE_30_MIN = 0.0005
CREEP_RUN_S = 1200.0
LEAST_RUN_S = 120.0
FIRST_S = 10.0  # what comes before is landing and ringing
LATE_S, LAST_S = 1200.0, 1800.0
DECADES = math.log10(LAST_S / FIRST_S)
TIME_CONSTANTS_S = (3.0, 10.0, 30.0, 100.0, 300.0, 1000.0, 3000.0)
PART_SD = HOBBY_SHARE_30_MIN
"""What creeps with one of these: with equal parts of it, a cell creeps by four times what a hobby cell may."""
DRIFT_SHARE_PER_H = 0.000075
"""Of a cell's capacity: 0.05 % per 10 °C (facts/loadcell.md 6), and a room that warms by 1.5 °C in an hour."""
_BIN_SHARE = 0.05  # a value every twentieth of the time since the load changed, but
_LEAST_BIN_S, _MOST_BIN_S = 1.0, 20.0


@dataclass(frozen=True, slots=True)
class CreepSeries:
    """What was weighed: one value per second, about.

    Attributes:
        time_s: float64[n], since the load came to rest; before it negative, where the board was empty.
        grams: float64[n, cells], each cell's change against the empty board; nan where it wasn't known.
        off_s: when the load was taken off again; None where it never was.
    """

    time_s: Floats
    grams: Floats
    off_s: float | None = None


@dataclass(frozen=True, slots=True)
class CreepFit:
    """Creep of one load, by the sum of the cells or by one of them.

    Attributes:
        load_g: what lay on it.
        share_30_min, share_30_min_sd: of the load, from 10 s to 30 min; extrapolated if the run was shorter.
        drift_g_per_h, drift_sd: the zero's own steady drift.
        recovered: share of what crept from 10 s on that was gone when the recovery ended; nan without one.
        wander_g: what the zero's own wander comes to in 30 min, rms.
        minutes: how long it was looked at under load.
        late_share, late_share_sd: of the load, from minute 20 to 30; nan for a run that was shorter.
    """

    load_g: float
    share_30_min: float
    share_30_min_sd: float
    drift_g_per_h: float
    drift_sd: float
    recovered: float
    wander_g: float
    minutes: float
    late_share: float = math.nan
    late_share_sd: float = math.nan

    @property
    def share_per_decade(self) -> float:
        """Of the load, per factor of ten in time."""
        return self.share_30_min / DECADES

    @property
    def share_per_decade_sd(self) -> float:
        """Of `share_per_decade`."""
        return self.share_30_min_sd / DECADES

    @property
    def grams_30_min(self) -> float:
        """Of this load."""
        return self.share_30_min * self.load_g

    @property
    def tells(self) -> bool:
        """It is known well enough to tell a hobby cell's creep from none."""
        return 2.0 * self.share_30_min_sd <= HOBBY_SHARE_30_MIN

    @property
    def grade(self) -> str:
        """As good as which class of cells, in words; 'probably' where two standard deviations reach into another."""
        c3 = [_within_limit(self.share_30_min, self.share_30_min_sd, C3_SHARE_30_MIN)]
        if not math.isnan(self.late_share):
            c3.append(_within_limit(self.late_share, self.late_share_sd, C3_LATE_SHARE))
        hobby = _within_limit(self.share_30_min, self.share_30_min_sd, HOBBY_SHARE_30_MIN)
        if all(is_within for is_within, _ in c3):
            return _graded("within class C3", all(is_sure for _, is_sure in c3))
        is_out = any(is_sure for is_within, is_sure in c3 if not is_within)
        if hobby[0]:
            return _graded("as a hobby cell may", is_out and hobby[1])
        return _graded("more than a hobby cell may", hobby[1])


def _within_limit(share: float, sd: float, most: float) -> tuple[bool, bool]:
    """Whether it is, and whether two standard deviations don't reach over the limit."""
    return abs(share) <= most, abs(abs(share) - most) >= 2.0 * sd


def _graded(words: str, is_sure: bool) -> str:
    return words if is_sure else f"probably {words}"


@dataclass(frozen=True, slots=True)
class CreepFits:
    """Attributes:
    board: of all cells together.
    cells: of each by its index; those that carry too little of the load to tell are None.
    """

    board: CreepFit
    cells: tuple[CreepFit | None, ...]


def fit_creep(series: CreepSeries, load_g: float, capacity_g: float = 10_000.0) -> CreepFits:
    """Fit the board's creep and each cell's.

    Args:
        load_g: the weight that stood there. capacity_g: of a cell, for what a zero may drift.
    Raises:
        CalibrationInputError: less than two minutes, or no load.
    """
    on = series.time_s[series.time_s >= 0] if series.off_s is None else _within(series.time_s, 0.0, series.off_s)
    if not load_g > 0 or on.size < 20 or float(on.max(initial=0.0)) < LEAST_RUN_S - 5.0:
        raise CalibrationInputError("creep needs a load that has stood for two minutes at least, twenty for a verdict")
    binned = _binned(series)
    wander = Wander(binned.time_s, binned.seconds)
    many = series.grams.shape[1]
    board = _fit(wander, binned, np.nansum(binned.grams, axis=1), load_g, capacity_g * math.sqrt(many))
    cells = []
    for k in range(many):
        share_g = float(np.nanmedian(binned.grams[binned.on, k]))
        its = None
        if share_g > 0.05 * load_g and not np.isnan(binned.grams[:, k]).any():
            its = _fit(wander, binned, binned.grams[:, k], share_g, capacity_g)
        cells.append(its if its is not None and its.tells else None)
    return CreepFits(board, tuple(cells))


@dataclass(frozen=True, slots=True)
class _Binned:
    time_s: Floats
    grams: Floats
    seconds: Floats
    on: npt.NDArray[np.bool_]
    off_s: float | None


def _within(time_s: Floats, begin_s: float, end_s: float) -> Floats:
    return time_s[(time_s >= begin_s) & (time_s < end_s)]


def _binned(series: CreepSeries) -> _Binned:
    """Means over stretches that grow with the time since the load changed; landing and leaving are left out."""
    off_s = math.inf if series.off_s is None else series.off_s
    times, grams, seconds, on = [], [], [], []
    at = 0
    while at < series.time_s.size:
        begin_s = float(series.time_s[at])
        phase = 0 if begin_s < 0 else 1 if begin_s < off_s else 2
        since_s = begin_s - (0.0, 0.0, off_s)[phase]
        edge_s = (0.0, off_s, math.inf)[phase]
        length_s = _MOST_BIN_S / 2 if phase == 0 else min(max(_BIN_SHARE * since_s, _LEAST_BIN_S), _MOST_BIN_S)
        end = int(np.searchsorted(series.time_s, min(begin_s + length_s - 1e-6, edge_s)))
        end = max(end, at + 1)
        if phase == 0 or since_s >= FIRST_S - 0.5:
            times.append(float(series.time_s[at:end].mean()))
            grams.append(series.grams[at:end].mean(axis=0))
            seconds.append(float(end - at))
            on.append(phase == 1)
        at = end
    return _Binned(np.array(times), np.array(grams), np.array(seconds), np.array(on), series.off_s)


def _fit(wander: Wander, binned: _Binned, grams: Floats, load_g: float, drift_capacity_g: float) -> CreepFit:
    parts = _parts(binned.time_s, binned.off_s)
    many = parts.shape[1]
    design = np.column_stack(
        [np.ones_like(grams), binned.on.astype(np.float64), binned.time_s / 3600.0, parts * load_g]
    )
    drift_sd = DRIFT_SHARE_PER_H * drift_capacity_g
    prior = np.array([np.inf, np.inf, drift_sd, *[PART_SD] * many])
    if not (binned.time_s < 0).any() and binned.off_s is None:
        design, prior = np.delete(design, 1, axis=1), np.delete(prior, 1)
    found: WanderFit = wander.fit(design, grams, prior)
    before = prior.size - many
    share, sd = found.of(np.concatenate([np.zeros(before), _grown(LAST_S) - _grown(FIRST_S)]))
    drift_g, drift_sd = found.of(np.eye(prior.size)[before - 1])
    last_on_s = float(binned.time_s[binned.on].max())
    amounts = found.values[before:]
    recovered = math.nan
    if binned.off_s is not None and not binned.on[-1]:
        crept = float((_grown(binned.off_s) - _grown(FIRST_S)) @ amounts)
        recovered = 1.0 - float(parts[-1] @ amounts) / crept if crept else math.nan
    minutes = (last_on_s if binned.off_s is None else min(binned.off_s, last_on_s + _MOST_BIN_S)) / 60.0
    late, late_sd = math.nan, math.nan
    if minutes >= LAST_S / 60.0 - 0.5:
        late, late_sd = found.of(np.concatenate([np.zeros(before), _grown(LAST_S) - _grown(LATE_S)]))
    wander_g = found.walk * math.sqrt(LAST_S)
    return CreepFit(load_g, share, sd, drift_g, drift_sd, recovered, wander_g, round(minutes, 1), late, late_sd)


def _grown(since_s: float | Floats) -> Floats:
    """``1 - exp(-t / tau)`` for each time constant, float64[..., parts]; 0 before the load."""
    since = np.maximum(np.asarray(since_s, np.float64), 0.0)[..., None]
    grown: Floats = -np.expm1(-since / np.array(TIME_CONSTANTS_S))
    return grown


def _parts(time_s: Floats, off_s: float | None) -> Floats:
    """Float64[n, parts]: what each time constant has grown to, and gone down again."""
    grown = _grown(time_s)
    return grown if off_s is None else grown - _grown(time_s - off_s)
