"""The zero against temperature: how far each cell's zero goes per degree, and how late.

A cell follows the thermometer late, ``y = a + k lag(T) + white + walk``: through one first-order lag, or two of them
(its body, and what is around that). Lags from 0 to two hours in all are tried, each alone and split, and closer
together where a calm log tells them better than that; the doubt of k has the doubt of the lag in it (weights by
likelihood). How far the cell was behind when the log began nobody knows:
``b exp(-t / tau)`` is part of the fit. Where something was moved, or the log began anew, ``a`` is another. The zero's
own wander is told from temperature as in `calibration.wander`.

Limits (facts/loadcell.md 1 and 6): the converter's own zero may go by 6 nV per degree, a good cell's by 0.014 % of
capacity per 10 degrees, a hobby cell's by 0.05 %.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from calibration.placements import MV_PER_V_PER_COUNT, NV_PER_COUNT, CalibrationInputError, CellSite
from calibration.wander import Wander

Floats = npt.NDArray[np.float64]

LEAST_CHANGE_C = 2.0
LEAST_ROWS = 30
LEAST_R2 = 0.3
CHIP_NV_PER_DEGREE = 6.0
GOOD_SHARE_PER_DEGREE = 0.00014 / 10.0
HOBBY_SHARE_PER_DEGREE = 0.0005 / 10.0
LAGS_MIN = (0.0, *(1.0 * 1.2**step for step in range(27)))  # to two hours, each a fifth longer
SPLITS = (0.0, 0.1, 0.2, 0.35, 0.5)  # share of the lag that is the second one's
_CLOSER = 12  # lags tried between the best one's neighbours, where fewer than
_LEAST_LIKELY = 4.0  # of them share the likelihood; and so often:
_ROUNDS = 3
MOST_ROWS = 200  # of the fit; more are averaged
_LONG_GAP_S = 1800.0  # over which the thermometer isn't bridged
_STEP_SIGMAS = 8.0
_SHORTEST_PART = 5
_FORM = 1.2  # what nights with unknown truth strayed more than the fit said: nobody knows the lag's true form


@dataclass(frozen=True, slots=True)
class TemperatureSeries:
    """A log: one row per minute, about.

    Attributes:
        time_s: float64[n], ascending. celsius: float64[n], nan where the thermometer said nothing.
        counts: float64[n, cells], nan where a cell had no good samples.
        begins: bool[n], the log was begun or gone on with here, so that zeros may be others.
    """

    time_s: Floats
    celsius: Floats
    counts: Floats
    begins: npt.NDArray[np.bool_]


@dataclass(frozen=True, slots=True)
class CellFit:
    """One cell's zero.

    Attributes:
        counts_per_degree, counts_per_degree_sd: as it reads, sign included.
        lag_min, lag_sd_min: so much later than the thermometer.
        r2: share of the zero's variance that the temperature explains.
        grams_per_degree: None without a calibration. share_per_degree: of its capacity.
    """

    name: str
    counts_per_degree: float
    counts_per_degree_sd: float
    lag_min: float
    lag_sd_min: float
    r2: float
    grams_per_degree: float | None
    share_per_degree: float

    @property
    def nv_per_degree(self) -> float:
        """At the converter's input, if it is fed with 5 V."""
        return self.counts_per_degree * NV_PER_COUNT

    @property
    def grams_per_degree_sd(self) -> float | None:
        """Of `grams_per_degree`."""
        if self.grams_per_degree is None:
            return None
        if not self.counts_per_degree:
            return 0.0
        return abs(self.grams_per_degree / self.counts_per_degree) * self.counts_per_degree_sd

    @property
    def tells(self) -> bool:
        """The temperature explains something, or it is known that there is little to explain."""
        if self.r2 >= LEAST_R2 and abs(self.counts_per_degree) > 2.0 * self.counts_per_degree_sd:
            return True
        per_count = abs(self.share_per_degree / self.counts_per_degree) if self.counts_per_degree else 0.0
        most = abs(self.share_per_degree) + 2.0 * per_count * self.counts_per_degree_sd
        return most <= HOBBY_SHARE_PER_DEGREE and self.counts_per_degree_sd > 0

    @property
    def grade(self) -> str:
        """As good as what, in words."""
        if abs(self.nv_per_degree) <= CHIP_NV_PER_DEGREE:
            return "no more than the converter itself may"
        if abs(self.share_per_degree) <= GOOD_SHARE_PER_DEGREE:
            return "as a good cell"
        if abs(self.share_per_degree) <= HOBBY_SHARE_PER_DEGREE:
            return "as a hobby cell may"
        return "more than a hobby cell may"


@dataclass(frozen=True, slots=True)
class TemperatureFits:
    """Attributes:
    cells: of each cell, in the board's order; None for one that was silent.
    from_c, to_c: between which temperatures. hours: how long, gaps left out. rows: how many were used.
    moved: how often something was moved on the board.
    """

    cells: tuple[CellFit | None, ...]
    from_c: float
    to_c: float
    hours: float
    rows: int
    moved: int

    @property
    def grams_per_degree(self) -> float | None:
        """Of the board, all cells together; None unless all are known in grams."""
        grams = [None if cell is None else cell.grams_per_degree for cell in self.cells]
        return None if None in grams else float(sum(each for each in grams if each is not None))

    @property
    def grams_per_degree_sd(self) -> float | None:
        """Of `grams_per_degree`, the cells independent of each other."""
        sds = [None if cell is None else cell.grams_per_degree_sd for cell in self.cells]
        return None if None in sds else math.sqrt(sum(each**2 for each in sds if each is not None))


def fit_temperature(
    series: TemperatureSeries,
    cells: tuple[CellSite, ...],
    counts_per_gram: Floats | None = None,
    scale_sd: float = 0.0,
) -> TemperatureFits:
    """Fit each cell.

    Args:
        cells: the board's. counts_per_gram: float64[cells] of its calibration; None without one.
        scale_sd: how far the thermometer's degrees may be off, relative (a TMP36 measured against a supply that is only
            known to 10 %).
    Raises:
        CalibrationInputError: too few rows, or the temperature hardly changed.
    """
    known = np.isfinite(series.celsius) & np.isfinite(series.counts).any(axis=1)
    if int(known.sum()) < LEAST_ROWS:
        raise CalibrationInputError(
            f"there are {int(known.sum())} rows with a temperature and a level; expected {LEAST_ROWS} at least "
            f"(half an hour), better a day"
        )
    low, high = (float(each) for each in np.percentile(series.celsius[known], (1.0, 99.0)))
    if high - low < LEAST_CHANGE_C:
        raise CalibrationInputError(
            f"the temperature went from {low:.1f} to {high:.1f} °C only; expected a change of {LEAST_CHANGE_C:g} °C at "
            "least: log over a night, or have the heating or the cooling changed meanwhile"
        )
    parts = parts_of(series, known)
    table = _averaged(series, known, parts)
    fits = [_fit_cell(table, k, cells[k], counts_per_gram, scale_sd) for k in range(len(cells))]
    steps = np.diff(series.time_s[known])
    hours = float(steps[steps < _LONG_GAP_S].sum()) / 3600.0
    moved = int(parts.max()) - int(series.begins[known][1:].sum())
    return TemperatureFits(tuple(fits), low, high, round(hours, 2), int(known.sum()), max(moved, 0))


def parts_of(series: TemperatureSeries, known: npt.NDArray[np.bool_]) -> npt.NDArray[np.int64]:
    """Number of the part that each known row belongs to: a part ends where something was moved or the log ended.

    A step is far more than what rows usually differ by, on any cell.
    """
    counts = series.counts[known]
    differences = np.abs(np.diff(counts, axis=0))
    usual = np.nanmedian(differences, axis=0) * 1.4826
    moved = (differences > _STEP_SIGMAS * np.maximum(usual, 1.0) * _gap_growth(series.time_s[known])).any(axis=1)
    begins = series.begins[known][1:] | _begun_between(series, known)
    return np.concatenate([[0], np.cumsum(moved | begins)])


def _gap_growth(time_s: Floats) -> Floats:
    """After a gap a wandering zero is farther away, by the root of the time."""
    steps = np.diff(time_s)
    growth: Floats = np.sqrt(np.maximum(steps / max(float(np.median(steps)), 1e-9), 1.0))[:, None]
    return growth


def _begun_between(series: TemperatureSeries, known: npt.NDArray[np.bool_]) -> npt.NDArray[np.bool_]:
    """The log was begun anew at a row that isn't known, so at the next one that is."""
    total = np.cumsum(series.begins)[known]
    between: npt.NDArray[np.bool_] = np.diff(total) > 0
    return between


@dataclass(frozen=True, slots=True)
class _Table:
    time_s: Floats
    counts: Floats
    weight: Floats
    part: npt.NDArray[np.int64]
    begin_s: Floats
    at_s: Floats
    celsius: Floats
    number: npt.NDArray[np.int64]
    known_s: Floats

    def lagged(self, lags_min: Floats, split: float) -> Floats:
        """The temperature through these lags, float64[rows, lags]."""
        lags_s = 60.0 * lags_min
        first = lags_of(self.at_s, np.repeat(self.celsius[:, None], lags_s.size, axis=1), lags_s * (1.0 - split))
        both = lags_of(self.at_s, first, lags_s * split)
        columns = [_mean(self.number, np.interp(self.known_s, self.at_s, column)) for column in both.T]
        return np.column_stack(columns)


def _averaged(series: TemperatureSeries, known: npt.NDArray[np.bool_], parts: npt.NDArray[np.int64]) -> _Table:
    """Rows averaged to `MOST_ROWS` at most, within parts; the lag is taken of the whole series before."""
    time_s, counts = series.time_s[known], series.counts[known]
    at = np.isfinite(series.celsius)
    at_s, celsius = series.time_s[at], series.celsius[at]
    each = max(1, math.ceil(time_s.size / MOST_ROWS))
    number = np.zeros(time_s.size, np.int64)
    at_row, last = -1, -1
    filled = each
    for k, part in enumerate(parts):
        if part != last or filled == each:
            at_row, last, filled = at_row + 1, int(part), 0
        number[k] = at_row
        filled += 1
    return _Table(
        _mean(number, time_s),
        np.column_stack([_mean(number, counts[:, k]) for k in range(counts.shape[1])]),
        np.bincount(number).astype(np.float64),
        parts[np.searchsorted(number, np.arange(at_row + 1))],
        np.unique(_begins_s(at_s)),
        at_s,
        celsius,
        number,
        time_s,
    )


def _mean(number: npt.NDArray[np.int64], column: Floats) -> Floats:
    found: Floats = np.bincount(number, column) / np.bincount(number)
    return found


def _begins_s(time_s: Floats) -> Floats:
    """When the thermometer began, and began again after a gap: what a cell was like before that isn't known."""
    begins: Floats = time_s[np.concatenate([[True], np.diff(time_s) > _LONG_GAP_S])]
    return begins


def _fit_cell(table: _Table, k: int, site: CellSite, counts_per_gram: Floats | None, scale_sd: float) -> CellFit | None:
    good = np.isfinite(table.counts[:, k])
    names, sizes = np.unique(table.part[good], return_counts=True)
    good &= np.isin(table.part, names[sizes >= min(_SHORTEST_PART, int(sizes.max(initial=0)))])
    if int(good.sum()) < _SHORTEST_PART + 3:
        return None
    y, part = table.counts[good, k], table.part[good]
    offsets = (part[:, None] == np.unique(part)[None, :]).astype(np.float64)
    wander = Wander(table.time_s[good], table.weight[good])

    def tried(split: float, lags: Floats) -> list[_Tried]:
        """Each of these lags that the temperature changes by something through."""
        found = []
        for lag, apart, column in zip(lags, np.gradient(lags), table.lagged(lags, split).T, strict=True):
            lagged = column[good]
            if float(np.ptp(lagged - offsets @ (offsets.T @ lagged / offsets.sum(axis=0)))) < 0.1:
                continue
            columns = [offsets, *_behind(table.time_s[good], table.begin_s, 60.0 * lag), lagged - lagged.mean()]
            fit = wander.fit(np.column_stack(columns), y - y.mean())
            found.append(_Tried(lag, apart, fit.likelihood, float(fit.values[-1]), float(fit.cov[-1, -1]), lagged))
        return found

    found = _searched(tried)
    if not found:
        return None
    weights = _weights(found)
    lags, slopes = np.array([each.lag_min for each in found]), np.array([each.slope for each in found])
    slope, lag = float(weights @ slopes), float(weights @ lags)
    variance = float(weights @ (np.array([each.variance for each in found]) + (slopes - slope) ** 2))
    apart = float(weights @ np.array([each.apart_min for each in found]))
    lag_sd = math.sqrt(float(weights @ (lags - lag) ** 2) + apart**2 / 12.0)
    best = max(found, key=lambda each: each.likelihood).lagged
    sd = math.hypot(_FORM * math.sqrt(variance), scale_sd * abs(slope))
    gain = None if counts_per_gram is None else float(counts_per_gram[k])
    grams = None if gain is None else slope / gain
    share = slope / _full_counts(site, gain)
    return CellFit(site.name, slope, sd, lag, lag_sd, _r2(y, offsets, best, slope), grams, share)


@dataclass(frozen=True, slots=True)
class _Tried:
    """A lag, how far the next ones are, and what the fit through it comes to; ``lagged``: float64[rows]."""

    lag_min: float
    apart_min: float
    likelihood: float
    slope: float
    variance: float
    lagged: Floats


def _weights(found: list[_Tried]) -> Floats:
    """Shares of the likelihood, float64[found], as if all lags were tried equally close together."""
    logs = np.array([each.likelihood for each in found])
    weights: Floats = np.exp(logs - logs.max()) * np.array([each.apart_min for each in found])
    weights /= weights.sum()
    return weights


def _searched(tried: Callable[[float, Floats], list[_Tried]]) -> list[_Tried]:
    """All splits and lags; between the neighbours of each split's best lag once more, while one lag alone is likely."""
    lags = {split: np.array(LAGS_MIN[0 if split == 0.0 else 1 :]) for split in SPLITS}
    for _ in range(_ROUNDS):
        by_split = {split: tried(split, its) for split, its in lags.items()}
        found = [each for its in by_split.values() for each in its]
        if not found or 1.0 / float((_weights(found) ** 2).sum()) >= _LEAST_LIKELY:
            break
        for split, its in by_split.items():
            if its:
                best = max(its, key=lambda each: each.likelihood)
                at = int(np.searchsorted(lags[split], best.lag_min))
                low, high = lags[split][max(at - 1, 0)], lags[split][min(at + 1, lags[split].size - 1)]
                lags[split] = np.linspace(low, high, _CLOSER + 1)
    return found


def _behind(time_s: Floats, begin_s: Floats, lag_s: float) -> list[Floats]:
    """For each beginning, how what the cell was behind by then dies away, float64[n]; none that no row can tell."""
    columns = []
    for k, at_s in enumerate(begin_s):
        until_s = begin_s[k + 1] if k + 1 < begin_s.size else math.inf
        since = np.where((time_s >= at_s) & (time_s < until_s), time_s - at_s, math.inf)
        column = np.exp(-since / lag_s) if lag_s > 0 else np.zeros_like(time_s)
        if (column > 0.05).sum() > 1:
            columns.append(column)
    return columns


def _r2(y: Floats, offsets: Floats, lagged: Floats, slope: float) -> float:
    """Share of the variance within parts that the temperature takes away; never below 0."""

    def within(values: Floats) -> Floats:
        means: Floats = offsets.T @ values / offsets.sum(axis=0)
        return values - offsets @ means

    away = within(y)
    left = away - slope * within(lagged)
    return max(0.0, 1.0 - float(left @ left) / max(float(away @ away), 1e-12))


def _full_counts(site: CellSite, counts_per_gram: float | None) -> float:
    """Counts at rated load, sign as the gain's: by calibration; else by the label, 1 mV/V where that isn't known."""
    if counts_per_gram is not None and site.capacity_g:
        return counts_per_gram * site.capacity_g
    return (site.rated_mv_per_v or 1.0) / MV_PER_V_PER_COUNT


def lags_of(time_s: Floats, celsius: Floats, lags_s: Floats) -> Floats:
    """First-order lags of irregular samples, each column through its own: ``y += (x - y) (1 - exp(-dt / lag))``; it
    begins settled, and again after a gap of half an hour.

    ``celsius``: float64[n, m]; ``lags_s``: float64[m], 0 for none.
    """
    late = lags_s > 0
    steps = np.diff(time_s)
    shares = -np.expm1(-steps[:, None] / np.where(late, lags_s, 1.0))
    shares[steps > _LONG_GAP_S] = 1.0
    middle = (celsius[1:] + celsius[:-1]) / 2.0
    middle[steps > _LONG_GAP_S] = celsius[1:][steps > _LONG_GAP_S]
    out = celsius.copy()
    for k in range(steps.size):
        out[k + 1] = out[k] + (middle[k] - out[k]) * shares[k]
    return np.where(late, out, celsius)
