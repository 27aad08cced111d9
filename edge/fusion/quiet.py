"""Quiet and active: finds the plateaus, the stretches in which nothing moves on a board.

All cells are looked at together. The board is *agitated* while the mean over the last ~150 ms differs from the mean
over the ~150 ms before, in any cell or in the sum, by more than the tolerance: four standard deviations of that
difference under the running noise, but never less than `tolerance_g` (a fraction of the lightest item, so that ringing
that can't be mistaken for an item doesn't delay a decision). It is *quiet* when it hasn't been agitated for `QUIET_NS`.

A plateau gives *marks*: OPEN as soon as it is one, GROW when it has lasted longer (a longer mean knows better), END
when it is over. Each mark carries the level of every cell and how sure it is. The kernel decides nothing about items;
false plateaus (a hand resting on the board) are sorted out by the decoder.
"""

from __future__ import annotations

import math
from typing import NamedTuple

import numpy as np
import numpy.typing as npt
from numba import njit

from edge.fusion.plateau import END, GROW, OPEN

HISTORY = 128  # batches kept for levels
LEVEL_NS = 5_000_000_000  # a level is the mean over at most this long: drift and creep stay out of it
HALF_NS = 100_000_000
QUIET_NS = 200_000_000
GROW_S = (0.6, 1.0, 1.6, 2.5, 4.5, 8.0, 15.0, 30.0)  # looks at a growing plateau; undecided ones need the late ones
NOISE_SIGMAS = 4.0
NOISE_SHARE = 1.0 / 64.0
RESTLESS_NS = 5_000_000_000  # agitated for longer than a visit's busiest part: it is vibration, so the noise is raised
RESTLESS_GROWTH = 1.04  # per batch, of the variance
MAX_NOISE_G = 25.0  # batch to batch; beyond that nothing on a shelf is worth deciding
MIN_NOISE_G = 0.02
SWING_LEFT = 0.04  # of a plate's ringing, after the batches' windows
OVERLAP = 1.25  # variance of a difference of half windows, over that of independent batches: their windows overlap
NOISE_STEP = 4  # batches apart that have no frame in common
CORRELATION = 2.0  # neighbouring batches aren't independent (lag-1 autocorrelation 0.5 was measured on HX711s)


class Marks(NamedTuple):
    """Marks to fill, one row each."""

    kind: npt.NDArray[np.int64]  # [room] OPEN, GROW or END
    begin: npt.NDArray[np.int64]  # [room] batch number of the plateau's first batch
    end: npt.NDArray[np.int64]  # [room] batch number after its last batch
    ready_ns: npt.NDArray[np.int64]  # [room] time of the sample that made the mark
    made_by: npt.NDArray[np.int64]  # [room] which of the batches given made the mark
    mask: npt.NDArray[np.int64]  # [room] bit per working cell
    level_g: npt.NDArray[np.float64]  # [room, cells]
    level_var: npt.NDArray[np.float64]  # [room, cells] variance of the level, grams squared
    sum_var: npt.NDArray[np.float64]  # [room] variance of the sum (cells move together when a plate rings)
    batches: npt.NDArray[np.int64]  # [room] how many batches the level is the mean of
    unrest: npt.NDArray[np.float64]  # [room] batch noise of the sum inside this plateau, over the running noise


class PlateauState(NamedTuple):
    """What the kernel carries from batch to batch."""

    history: npt.NDArray[np.float64]  # [HISTORY, cells]
    swing: npt.NDArray[np.float64]  # [HISTORY] of the whole board, within a batch
    noise_var: npt.NDArray[np.float64]  # [cells + 1], of one batch; last is the sum's
    counters: npt.NDArray[np.int64]  # see the names below


_LAST_INDEX, _SEEN, _QUIET, _BEGIN, _CALM, _MASK, _GROWN, _RESTLESS, _STARTED = range(9)


def new_plateau_state(cells: int) -> PlateauState:
    """State before the first batch."""
    return PlateauState(np.zeros((HISTORY, cells)), np.zeros(HISTORY), np.full(cells + 1, 0.25), np.zeros(9, np.int64))


def new_marks(room: int, cells: int) -> Marks:
    """Room for marks."""
    i, f = np.zeros(room, np.int64), np.zeros(room)
    return Marks(
        i,
        i.copy(),
        i.copy(),
        i.copy(),
        i.copy(),
        i.copy(),
        np.zeros((room, cells)),
        np.zeros((room, cells)),
        f,
        i.copy(),
        f.copy(),
    )


@njit(cache=True)
def _winsorized(values: npt.NDArray[np.float64]) -> tuple[float, float]:
    """Mean and variance with values beyond 3 robust sigmas of the median pulled in: a bump doesn't shift a level."""
    ordered = np.sort(values)
    n = ordered.size
    median = 0.5 * (ordered[(n - 1) // 2] + ordered[n // 2])
    deviations = np.sort(np.abs(values - median))
    reach = 3.0 * 1.4826 * 0.5 * (deviations[(n - 1) // 2] + deviations[n // 2]) + 1e-9
    total = 0.0
    for value in values:
        total += min(max(value, median - reach), median + reach)
    mean = total / n
    square = 0.0
    for value in values:
        square += (min(max(value, median - reach), median + reach) - mean) ** 2
    return mean, square / max(n - 1, 1)


@njit(cache=True)
def _write_mark(
    marks: Marks, row: int, kind: int, begin: int, end: int, ready_ns: int, state: PlateauState, level_batches: int,
    batch_ns: int,
) -> None:  # fmt: skip
    """Level of the plateau [begin, end) from its last ``level_batches`` batches, and its uncertainty.

    The variance of a batch is the plateau's own, shrunk towards the running noise as 6 batches' worth of evidence. To
    that comes what the batches' windows leave of a swinging plate.
    """
    cells = state.history.shape[1]
    first = max(begin, end - level_batches)
    n = end - first
    total = np.zeros(n)
    values = np.zeros(n)
    swing_var = 0.0
    for i in range(n):
        swing_var += 2.0 * state.swing[(first + i) % HISTORY] ** 2 / n
    swing_var *= SWING_LEFT**2 / n
    mask = state.counters[_MASK]
    for cell in range(cells):
        if mask >> cell & 1 == 0:
            marks.level_g[row, cell] = np.nan
            marks.level_var[row, cell] = np.inf
            continue
        for i in range(n):
            values[i] = state.history[(first + i) % HISTORY, cell]
            total[i] += values[i]
        mean, spread_var = _winsorized(values)
        var = (6.0 * state.noise_var[cell] + (n - 1) * spread_var) / (5.0 + n)
        marks.level_g[row, cell] = mean
        marks.level_var[row, cell] = CORRELATION * var / n + swing_var / cells**2
    _, spread_var = _winsorized(total)
    marks.unrest[row] = math.sqrt(spread_var / state.noise_var[cells])
    sum_var = (6.0 * state.noise_var[cells] + (n - 1) * spread_var) / (5.0 + n)
    marks.sum_var[row] = CORRELATION * sum_var / n + swing_var
    marks.kind[row], marks.begin[row], marks.end[row], marks.ready_ns[row] = kind, begin, end, ready_ns
    marks.mask[row], marks.batches[row] = mask, n


@njit(cache=True)
def _agitation(state: PlateauState, index: int, half: int, tolerance_g: float) -> float:
    """Largest change between the two half windows that end with batch ``index``, over its tolerance."""
    cells = state.history.shape[1]
    worst = 0.0
    total = 0.0
    for cell in range(cells):
        if state.counters[_MASK] >> cell & 1 == 0:
            continue
        change = 0.0
        for i in range(half):
            change += state.history[(index - i) % HISTORY, cell] - state.history[(index - half - i) % HISTORY, cell]
        change /= half
        total += change
        limit = max(NOISE_SIGMAS * math.sqrt(OVERLAP * 2.0 / half * state.noise_var[cell]), tolerance_g)
        worst = max(worst, abs(change) / limit)
    limit = max(NOISE_SIGMAS * math.sqrt(OVERLAP * 2.0 / half * state.noise_var[cells]), tolerance_g)
    return max(worst, abs(total) / limit)


@njit(cache=True)
def _creeps_away(state: PlateauState, index: int, begin: int, half: int, tolerance_g: float) -> bool:
    """Whether the last 2 half windows have left the level of the second before: a lift too slow to agitate."""
    recent, older = 2 * half, 8 * half
    if index + 1 - begin < recent + older:
        return False
    now, before = 0.0, 0.0
    cells = state.history.shape[1]
    for cell in range(cells):
        if state.counters[_MASK] >> cell & 1 == 0:
            continue
        for i in range(recent):
            now += state.history[(index - i) % HISTORY, cell]
        for i in range(older):
            before += state.history[(index - recent - i) % HISTORY, cell]
    change = abs(now / recent - before / older)
    return change > max(NOISE_SIGMAS * math.sqrt(state.noise_var[cells] * 1.5 / recent * CORRELATION), tolerance_g)


@njit(cache=True)
def _follow_noise(state: PlateauState, index: int, growing: bool) -> None:
    """Update the running variance of a batch from neighbouring ones, single jumps limited to three sigma."""
    cells = state.history.shape[1]
    total = 0.0
    for cell in range(cells + 1):
        if cell < cells:
            if state.counters[_MASK] >> cell & 1 == 0:
                continue
            step = state.history[index % HISTORY, cell] - state.history[(index - NOISE_STEP) % HISTORY, cell]
            total += step
        else:
            step = total
        var = state.noise_var[cell]
        if growing:
            var *= RESTLESS_GROWTH
        else:
            var += NOISE_SHARE * (min(0.5 * step * step, 9.0 * var) - var)
        state.noise_var[cell] = min(max(var, MIN_NOISE_G**2), MAX_NOISE_G**2)


@njit(cache=True)
def find_plateaus(
    batch_index: npt.NDArray[np.int64],
    batch_ready_ns: npt.NDArray[np.int64],
    batch_g: npt.NDArray[np.float64],
    batch_swing_g: npt.NDArray[np.float64],
    batch_ns: int,
    tolerance_g: float,
    state: PlateauState,
    marks: Marks,
) -> tuple[int, int]:
    """Batches in, marks out.

    Args:
        batch_index, batch_ready_ns, batch_g, batch_swing_g: [n], [n], [n, cells], [n] from `ingest`.
        batch_ns: length of a batch.
        tolerance_g: change between half windows that is never called agitation.

    Returns:
        (batches used, marks made). Call again with the rest when not all were used.
    """
    cells = batch_g.shape[1]
    half = max(2, (2 * HALF_NS + batch_ns) // (2 * batch_ns))
    quiet = max((2 * QUIET_NS + batch_ns) // (2 * batch_ns), 2 * half)
    level_batches = min(int(LEVEL_NS // batch_ns), HISTORY - 2 * half - 2)
    count = state.counters
    made = 0
    for i in range(batch_index.size):
        if made + 2 > marks.kind.size:
            return i, made
        index = batch_index[i]
        mask = 0
        for cell in range(cells):
            if batch_g[i, cell] == batch_g[i, cell]:
                mask |= 1 << cell
        if count[_STARTED] == 0 or index != count[_LAST_INDEX] + 1 or mask != count[_MASK]:
            # A gap, or another set of working cells: levels on either side can't share a plateau.
            if count[_QUIET] == 1:
                end = count[_LAST_INDEX] + 1
                _write_mark(marks, made, END, count[_BEGIN], end, batch_ready_ns[i], state, level_batches, batch_ns)
                marks.made_by[made] = i
                made += 1
            count[_STARTED], count[_QUIET], count[_SEEN], count[_CALM], count[_RESTLESS] = 1, 0, 0, 0, 0
            count[_MASK] = mask
        count[_LAST_INDEX] = index
        state.swing[index % HISTORY] = batch_swing_g[i]
        for cell in range(cells):
            state.history[index % HISTORY, cell] = batch_g[i, cell]
        if mask == 0:
            continue
        count[_SEEN] += 1
        if count[_SEEN] < 2 * half:
            continue
        agitated = _agitation(state, index, half, tolerance_g) > 1.0
        if count[_QUIET] == 0:
            count[_CALM] = 0 if agitated else count[_CALM] + 1
            count[_RESTLESS] += 1
            if count[_RESTLESS] * batch_ns > RESTLESS_NS and agitated:
                _follow_noise(state, index, True)
            # The first window without agitation already spans 2 * half batches.
            if count[_CALM] > 0 and count[_CALM] + 2 * half - 1 >= quiet:
                count[_QUIET], count[_GROWN], count[_RESTLESS] = 1, 0, 0
                count[_BEGIN] = index - (count[_CALM] + 2 * half - 2)
                _write_mark(
                    marks, made, OPEN, count[_BEGIN], index + 1, batch_ready_ns[i], state, level_batches, batch_ns
                )
                marks.made_by[made] = i
                made += 1
            continue
        if agitated or _creeps_away(state, index, count[_BEGIN], half, tolerance_g):
            # What set it off may have begun anywhere in the two half windows: leave them out, if enough remains.
            end = max(index + 1 - 2 * half, count[_BEGIN] + half)
            _write_mark(marks, made, END, count[_BEGIN], end, batch_ready_ns[i], state, level_batches, batch_ns)
            marks.made_by[made] = i
            made += 1
            count[_QUIET], count[_CALM], count[_RESTLESS] = 0, 0, 0
            continue
        _follow_noise(state, index, False)
        grown = count[_GROWN]
        if grown < len(GROW_S) and (index + 1 - count[_BEGIN]) * batch_ns >= GROW_S[grown] * 1e9:
            count[_GROWN] += 1
            _write_mark(marks, made, GROW, count[_BEGIN], index + 1, batch_ready_ns[i], state, level_batches, batch_ns)
            marks.made_by[made] = i
            made += 1
    return batch_index.size, made
