"""Samples to batches: each cell's samples on its own clock become values on one common grid of time.

First a *frame* per nominal period: every cell interpolated linearly between its own neighbouring samples. Then a
*batch* per 50 ms: the mean of the frames around its middle under a Hann window of four times that length, which leaves
little of a plate's ringing at 10 Hz and above. Grid times are multiples of the period, so they don't depend on where a
recording, or a block, begins. A frame is ready when every working cell has a sample behind it; a cell that has been
silent for longer than `LOST_INTERVALS` of its own intervals is left out (NaN) and doesn't hold up the others.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
import numpy.typing as npt
from numba import njit

from edge.fusion.clean import (
    CORRUPT_CODE,
    CORRUPT_CODES,
    FAULT_KINDS,
    FLAGS,
    SATURATIONS,
    SPIKES,
    STICKINGS,
    follow_median,
    is_lone_spike,
    judge_code,
)

Floats = npt.NDArray[np.float64]
Ints = npt.NDArray[np.int64]

WINDOW_NS = 150_000_000
RING = 4096  # frames (a power of two) between the fastest cell and the slowest one; 2 s at 1000 Hz fit
LOST_INTERVALS = 3.5
LOST_MAX_NS = 2_000_000_000
SILENCE_NS = 10_000_000_000  # after this long without any sample the grid is restarted rather than filled with NaN
SPIKE_NOISE_FACTOR = 12.0
SPIKE_MIN_GRAMS = 2.0
CALM_BEFORE_SPIKE = 3  # samples; a ringing plate isn't calm, so its peaks are never taken for spikes
STUCK_RUN = 24  # equal codes in a row; with the 5 counts rms of the quietest chip this has a chance of 1e-26
STUCK_WITNESS = 15  # changes of code that other cells made meanwhile

# Columns of the per-cell state. Two arrays rather than many: kernels call each other, and an array costs to hand over.
LAST_NS, HAS_LAST, PENDING_NS, HAS_PENDING, CALM_RUN, RUN_CODE, RUN_LENGTH, RUN_WITNESS, CHANGES, NEXT_FRAME = range(10)
LAST_G, PENDING_G, INTERVAL_NS, STEP_G = range(4)
# The board's own state.
NEWEST_NS, BOARD_FRAME, STARTED, ALL_CHANGES, NEXT_CHECK_NS, FIRST_FRAME = range(6)


class CellState(NamedTuple):
    """What the kernel carries from block to block. Columns are named above."""

    ints: Ints  # [cells, 10]
    floats: Floats  # [cells, 4]
    faults: Ints  # [cells, FAULT_KINDS] since the start
    ring: Floats  # [cells, RING] frames written ahead
    board: Ints  # [6]
    window: Floats  # [frames] weights of the frames of a batch, the middle ones its own


class Batches(NamedTuple):
    """Finished batches to fill, a row each."""

    number: Ints  # [room] number on the grid of time
    ready_ns: Ints  # [room] time of the sample that finished it
    grams: Floats  # [room, cells] mean of each cell, NaN for a cell that was missing for half of it
    swing_g: Floats  # [room] standard deviation of the total of the frames around it: how far the plate swings
    faults: Ints  # [room, cells, FAULT_KINDS] fault counters since the start, as of then


def new_cell_state(cells: int, period_ns: int, frames_per_batch: int) -> CellState:
    """State before the first sample."""
    ints, floats = np.zeros((cells, 10), np.int64), np.zeros((cells, 4))
    ints[:, RUN_CODE] = np.iinfo(np.int64).min
    floats[:, INTERVAL_NS], floats[:, STEP_G] = period_ns, 0.5
    faults = np.zeros((cells, FAULT_KINDS), np.int64)
    frames = frames_per_batch + 2 * max(0, round((WINDOW_NS / period_ns - frames_per_batch) / 2))
    window = np.hanning(frames + 2)[1:-1] if frames > 1 else np.ones(1)
    return CellState(ints, floats, faults, np.full((cells, RING), np.nan), np.zeros(6, np.int64), window)


def new_batches(room: int, cells: int) -> Batches:
    """Room for batches."""
    number = np.zeros(room, np.int64)
    faults = np.zeros((room, cells, FAULT_KINDS), np.int64)
    return Batches(number, number.copy(), np.zeros((room, cells)), np.zeros(room), faults)


@njit(cache=True)
def _patience_ns(interval_ns: float) -> float:
    """How long a cell may be silent before it is lost."""
    return min(LOST_INTERVALS * interval_ns, 1.0 * LOST_MAX_NS)


@njit(cache=True)
def _write_frames(ints: Ints, floats: Floats, ring: Floats, c: int, time_ns: int, grams: float, period_ns: int) -> None:
    """Accept a sample: write its cell's frames up to it, interpolated from the sample before (NaN over a gap)."""
    frame = ints[c, NEXT_FRAME]
    gap_ns = time_ns - ints[c, LAST_NS]
    bridged = ints[c, HAS_LAST] == 1 and 0 < gap_ns <= _patience_ns(floats[c, INTERVAL_NS])
    before_g = floats[c, LAST_G]
    while frame * period_ns <= time_ns:
        if bridged:
            share = (frame * period_ns - ints[c, LAST_NS]) / gap_ns
            value = before_g + share * (grams - before_g)
        else:
            value = grams if frame * period_ns == time_ns else np.nan
        ring[c, frame & (RING - 1)] = value
        frame += 1
    ints[c, NEXT_FRAME] = frame
    if ints[c, HAS_LAST] == 1 and gap_ns > 0:
        floats[c, INTERVAL_NS] = follow_median(floats[c, INTERVAL_NS], 1.0 * gap_ns, 0.05)
        floats[c, STEP_G] = max(follow_median(floats[c, STEP_G], abs(grams - before_g), 0.02), 1e-3)
    ints[c, LAST_NS], ints[c, HAS_LAST] = time_ns, 1
    floats[c, LAST_G] = grams


@njit(cache=True)
def _accept(
    ints: Ints, floats: Floats, faults: Ints, ring: Floats, c: int, time_ns: int, grams: float, doubtful: bool,
    period_ns: int,
) -> None:  # fmt: skip
    """Let a sample through, hold it back for one sample if it jumps, or drop the one held back if it stood alone."""
    threshold = max(SPIKE_NOISE_FACTOR * floats[c, STEP_G], SPIKE_MIN_GRAMS)
    if ints[c, HAS_PENDING] == 1:
        ints[c, HAS_PENDING] = 0
        pending_g = floats[c, PENDING_G]
        calm = ints[c, CALM_RUN] >= CALM_BEFORE_SPIKE
        if calm and is_lone_spike(floats[c, LAST_G], pending_g, grams, threshold):
            faults[c, SPIKES] += 1
        else:
            _write_frames(ints, floats, ring, c, int(ints[c, PENDING_NS]), pending_g, period_ns)
            ints[c, CALM_RUN] = 0
    jumps = ints[c, HAS_LAST] == 0 or abs(grams - floats[c, LAST_G]) > threshold
    if doubtful and jumps:
        faults[c, CORRUPT_CODES] += 1
    elif jumps and ints[c, HAS_LAST] == 1:
        ints[c, PENDING_NS], ints[c, HAS_PENDING] = time_ns, 1
        floats[c, PENDING_G] = grams
    else:
        ints[c, CALM_RUN] += 1
        _write_frames(ints, floats, ring, c, time_ns, grams, period_ns)


@njit(cache=True)
def _is_stuck(ints: Ints, board: Ints, c: int, counts: int) -> bool:
    """Whether this cell repeats one code while its neighbours on the board go on changing theirs."""
    if counts == ints[c, RUN_CODE]:
        ints[c, RUN_LENGTH] += 1
        witness = board[ALL_CHANGES] - ints[c, CHANGES] - ints[c, RUN_WITNESS]
        return bool(ints[c, RUN_LENGTH] >= STUCK_RUN and witness >= STUCK_WITNESS)
    ints[c, RUN_CODE], ints[c, RUN_LENGTH] = counts, 1
    ints[c, CHANGES] += 1
    board[ALL_CHANGES] += 1
    ints[c, RUN_WITNESS] = board[ALL_CHANGES] - ints[c, CHANGES]
    return False


@njit(cache=True)
def _restart_grid(state: CellState, time_ns: int, period_ns: int) -> None:
    """Begin the grid at the first frame at or after a sample: at the start, and after a long silence of the board."""
    first = -(-time_ns // period_ns)
    for c in range(state.ints.shape[0]):
        state.ints[c, NEXT_FRAME] = first
        state.ints[c, LAST_NS] = time_ns  # its patience starts here
        state.ints[c, HAS_LAST] = 0
        state.ints[c, HAS_PENDING] = 0
        state.ints[c, CALM_RUN] = 0
    state.board[NEWEST_NS], state.board[BOARD_FRAME], state.board[STARTED] = time_ns, first, 1
    state.board[FIRST_FRAME] = first
    state.board[NEXT_CHECK_NS] = time_ns


@njit(cache=True)
def _release_lost(ints: Ints, floats: Floats, ring: Floats, now_ns: int, period_ns: int) -> None:
    """Fill the frames of silent cells with NaN up to where their silence became certain."""
    for c in range(ints.shape[0]):
        patience_ns = _patience_ns(floats[c, INTERVAL_NS])
        if now_ns - ints[c, LAST_NS] > patience_ns:
            certain = int((now_ns - patience_ns) // period_ns)
            frame = ints[c, NEXT_FRAME]
            while frame <= certain:
                ring[c, frame & (RING - 1)] = np.nan
                frame += 1
            ints[c, NEXT_FRAME] = frame


@njit(cache=True)
def _finish_batch(state: CellState, row: int, number: int, last: int, ready_ns: int, out: Batches) -> None:
    """Write out the batch whose window ends with frame ``last``. A cell that was missing for half of it is left out."""
    ring, window = state.ring, state.window
    cells, frames = ring.shape[0], window.size
    first = last - frames + 1
    skip = max(0, state.board[FIRST_FRAME] - first)
    out.number[row], out.ready_ns[row] = number, ready_ns
    whole = window.sum()
    for c in range(cells):
        total, known = 0.0, 0.0
        for k in range(skip, frames):
            value = ring[c, (first + k) & (RING - 1)]
            if value == value:  # not NaN
                total += window[k] * value
                known += window[k]
        out.grams[row, c] = total / known if 2.0 * known > whole else np.nan
        for kind in range(FAULT_KINDS):
            out.faults[row, c, kind] = state.faults[c, kind]
    n, mean, square, base = 0, 0.0, 0.0, 0.0
    for k in range(skip, frames):
        total = 0.0
        for c in range(cells):
            total += ring[c, (first + k) & (RING - 1)]
        if total == total:
            if n == 0:
                base = total
            n += 1
            mean += total - base  # squares of what is left keep their digits
            square += (total - base) ** 2
    out.swing_g[row] = np.sqrt(max(square / max(n, 1) - (mean / max(n, 1)) ** 2, 0.0))


@njit(cache=True)
def ingest(
    time_ns: Ints,
    cell: npt.NDArray[np.uint8],
    counts: npt.NDArray[np.int32],
    flags: npt.NDArray[np.uint16],
    zero_counts: Floats,
    grams_per_count: Floats,
    adc_bits: Ints,
    period_ns: int,
    frames_per_batch: int,
    state: CellState,
    out: Batches,
) -> tuple[int, int]:
    """Samples of one board in, finished batches out.

    Args:
        time_ns, cell, counts, flags: [n] samples in order of time. Any flag keeps a sample out.
        zero_counts, grams_per_count, adc_bits: [cells] calibration.

    Returns:
        (samples used, batches made). Fewer samples than given are used when the room is filled; call again with the
        rest.
    """
    ints, floats, faults, ring, board = state.ints, state.floats, state.faults, state.ring, state.board
    cells, room = ints.shape[0], out.number.size
    most = 2 + SILENCE_NS // (period_ns * frames_per_batch)  # batches that one sample can finish
    lag = (state.window.size - frames_per_batch) // 2
    made = 0
    for i in range(time_ns.size):
        if made + most > room:
            return i, made
        now, c, code = int(time_ns[i]), int(cell[i]), int(counts[i])
        if board[STARTED] == 0 or now - board[NEWEST_NS] > SILENCE_NS:
            _restart_grid(state, now, period_ns)
        board[NEWEST_NS] = max(board[NEWEST_NS], now)
        verdict = judge_code(code, int(adc_bits[c]))
        if flags[i] != 0:
            faults[c, FLAGS] += 1
        elif verdict != 0 and verdict != CORRUPT_CODE:
            faults[c, SATURATIONS] += 1
        elif adc_bits[c] != 0 and _is_stuck(ints, board, c, code):
            faults[c, STICKINGS] += 1
        elif ints[c, HAS_LAST] == 0 or now > ints[c, LAST_NS]:
            grams = (code - zero_counts[c]) * grams_per_count[c]
            _accept(ints, floats, faults, ring, c, now, grams, verdict == CORRUPT_CODE, period_ns)
        if now >= board[NEXT_CHECK_NS]:
            _release_lost(ints, floats, ring, now, period_ns)
            board[NEXT_CHECK_NS] = now + period_ns
        ready = ints[0, NEXT_FRAME]
        for k in range(1, cells):
            ready = min(ready, ints[k, NEXT_FRAME])
        while board[BOARD_FRAME] < ready:
            frame = int(board[BOARD_FRAME])
            board[BOARD_FRAME] = frame + 1
            if (frame + 1 - lag) % frames_per_batch == 0:
                number = (frame - lag) // frames_per_batch
                if number * frames_per_batch >= board[FIRST_FRAME] - lag:
                    _finish_batch(state, made, number, frame, now, out)
                    made += 1
    return time_ns.size, made
