"""A chip's own clock as evidence: when its conversions may be ready, learned from when they were.

No two HX711s run at the same rate (-3..+17 % was measured), but each keeps its own to 0.01 %. So a ready edge lies a
whole number of periods after the one before: one, or more where conversions were lost. A chip that was reset starts
afresh and says nothing for 4 conversions and a start-up time: 4.45 periods from edge to edge (0.42 s at 10.5 SPS) in
each of 141 resets in recordings of a Raspberry Pi. Everything else isn't the chip's doing.

Times are followed by a loop of second order (a phase-locked loop: Gardner, Phaselock Techniques, ch. 2), so that
neither a stamp that is late by itself nor a slow drift moves it far. How far stamps scatter is learned too: 57 ppm
where an MCU sees the edge, milliseconds where a busy host does. Where they scatter by more than a fortieth of a period
on average, single stamps and whole periods can't be told from others, and then nobody is blamed for them.
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
from numba import njit

Floats = npt.NDArray[np.float64]
Ints = npt.NDArray[np.int64]

FIRST, REGULAR, LOST, RESTART, OFF = range(5)  # verdicts
LEARNING = 8  # intervals from which a period is first learned
RESTART_FROM, RESTART_TO = 3.7, 6.5  # periods; for what isn't known well enough to tell a whole number from another
NOMINAL_RESTART_FROM = 3.2  # the same in nominal periods, of which a chip's own may be 0.85
SILENT_FROM = 2.5  # periods without an edge: an MCU says so too
_SHARPEST, _FINE = 0.04, 0.2  # of a period: closest tolerance, and the widest that still tells anything
_LEAST_OFF = 0.15  # of a period: a stamp rounded to 10 ms is off by less
_SCATTERS = 8.0  # tolerance in mean deviations; 6.4 sigma
_DRIFT = 1e-4  # a clock's own, relative
_PERIOD_UNSURE = 0.1  # how far the learned period is off, in mean deviations of a stamp
_PHASE_GAIN, _PERIOD_GAIN, _SCATTER_GAIN = 0.25, 0.02, 0.05
_RELEARN_AFTER = 3  # intervals in a row that don't fit: it is the period that is wrong

# Columns of the state of a cell's clock.
LAST_NS, HAS_LAST, GRID_NS, LEARNED, OFF_RUN = range(5)
CLOCK_INTS = 5
PERIOD_NS, SCATTER_NS, FIRST_GAP = 0, 1, 2
CLOCK_FLOATS = FIRST_GAP + LEARNING


@njit(cache=True, error_model="numpy")
def known_period_ns(ints: Ints, floats: Floats, c: int) -> float:
    """The period of cell ``c`` as far as it is known: 0 before three intervals, a median until eight."""
    learned = int(ints[c, LEARNED])
    if learned >= LEARNING:
        return float(floats[c, PERIOD_NS])
    return float(np.median(floats[c, FIRST_GAP : FIRST_GAP + learned])) if learned >= 3 else 0.0


@njit(cache=True, error_model="numpy")
def _learn(ints: Ints, floats: Floats, c: int, gap_ns: float) -> None:
    """One of the first intervals. With the last of them the period is known."""
    learned = int(ints[c, LEARNED])
    floats[c, FIRST_GAP + learned] = gap_ns
    ints[c, LEARNED] = learned + 1
    if learned + 1 < LEARNING:
        return
    median = np.median(floats[c, FIRST_GAP : FIRST_GAP + LEARNING])
    n, total, scatter = 0, 0.0, 0.0
    for k in range(LEARNING):
        gap = floats[c, FIRST_GAP + k]
        if abs(gap - median) < 0.3 * median:  # the others are losses and restarts
            n += 1
            total += gap
            scatter += abs(gap - median)
    regular = 2 * n > LEARNING
    floats[c, PERIOD_NS] = total / n if regular else median
    floats[c, SCATTER_NS] = scatter / n if regular else 0.5 * median


@njit(cache=True, error_model="numpy")
def judge_interval(
    ints: Ints, floats: Floats, c: int, time_ns: int, missed: int, restarted: bool, nominal_ns: float
) -> tuple[int, int]:
    """The next ready edge of cell ``c``: verdict, and conversions lost before it of which nobody said so.

    Args:
        missed: conversions before it that are known to be lost on the way. restarted: its reader saw the chip restart.
        nominal_ns: the period that the config says; counts only while nothing better is known.
    """
    if ints[c, HAS_LAST] == 0:
        ints[c, HAS_LAST], ints[c, LAST_NS], ints[c, GRID_NS] = 1, time_ns, time_ns
        return RESTART if restarted else FIRST, 0
    gap_ns = float(time_ns - ints[c, LAST_NS])
    period = known_period_ns(ints, floats, c)
    ints[c, LAST_NS] = time_ns
    if restarted:
        ints[c, GRID_NS] = time_ns
        return RESTART, 0
    if ints[c, LEARNED] < LEARNING:
        verdict, lost = _judge_unknown(gap_ns, missed, period, nominal_ns)
        if gap_ns > 0.0:
            _learn(ints, floats, c, gap_ns / (1 + missed))
        ints[c, GRID_NS] = time_ns
        return verdict, lost
    lost = max(0, int(np.rint(gap_ns / period)) - 1 - missed)
    return _judge_known(ints, floats, c, time_ns, gap_ns / period - missed, period, lost)


@njit(cache=True, error_model="numpy")
def _judge_unknown(gap_ns: float, missed: int, period: float, nominal_ns: float) -> tuple[int, int]:
    """One of the first intervals, by the median of those before, or else by the nominal period."""
    if period == 0.0:
        periods = gap_ns / nominal_ns - missed
        return RESTART if NOMINAL_RESTART_FROM <= periods <= RESTART_TO else REGULAR, 0
    periods = gap_ns / period - missed
    if RESTART_FROM <= periods <= RESTART_TO and abs(periods - np.rint(periods)) > 0.1:
        return RESTART, 0
    lost = max(0, int(np.rint(periods)) - 1)
    return LOST if lost > 0 else REGULAR, lost


@njit(cache=True, error_model="numpy")
def _count_misfit(ints: Ints, c: int) -> None:
    """An interval that the known period doesn't explain; after some in a row it is learned anew."""
    ints[c, OFF_RUN] += 1
    if ints[c, OFF_RUN] >= _RELEARN_AFTER:
        ints[c, LEARNED], ints[c, OFF_RUN] = 0, 0


@njit(cache=True, error_model="numpy")
def _judge_known(
    ints: Ints, floats: Floats, c: int, time_ns: int, periods: float, period: float, lost: int
) -> tuple[int, int]:
    """The same once the period is known. ``periods``: since the last edge, without those known to be lost."""
    since_grid = (time_ns - ints[c, GRID_NS]) / period
    whole = max(1.0, np.rint(since_grid))
    off = since_grid - whole
    scatter = floats[c, SCATTER_NS] / period
    tolerance = max(_SHARPEST, _SCATTERS * scatter) + whole * (_DRIFT + _PERIOD_UNSURE * scatter)
    fine = tolerance <= _FINE
    if not fine and periods < SILENT_FROM:
        lost = 0
    if periods > SILENT_FROM and (abs(off) > tolerance if fine else RESTART_FROM <= periods <= RESTART_TO):
        ints[c, GRID_NS] = time_ns
        _count_misfit(ints, c)  # a chip doesn't restart after every conversion: it is the period that is wrong
        return RESTART, 0
    fits = abs(off) <= max(tolerance, _LEAST_OFF) if fine else whole == 1.0
    floats[c, SCATTER_NS] += _SCATTER_GAIN * (min(abs(off), 0.5) * period - floats[c, SCATTER_NS])
    if fits:
        off = min(max(off, -0.5), 0.5)
        expected_ns = ints[c, GRID_NS] + int(whole * period)
        ints[c, GRID_NS] = expected_ns + int(_PHASE_GAIN * off * period)
        floats[c, PERIOD_NS] += _PERIOD_GAIN * off * period / whole
        ints[c, OFF_RUN] = 0
        return LOST if lost > 0 else REGULAR, lost
    if not fine:
        ints[c, GRID_NS] = time_ns
        return LOST if lost > 0 else REGULAR, lost
    _count_misfit(ints, c)
    return OFF, 0
