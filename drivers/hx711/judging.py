"""Every reading judged by its code, by its neighbours and by its chip's clock, in one loop over arrays.

The same function judges readings as they come in (`drivers.hx711.examiner`) and recordings by the hour
(`drivers.hx711.forensics`), so both say the same however the samples are cut into pieces: the state of a cell is all
that passes from call to call, and at most one reading of a cell waits for the next one of it.

What waits: a code with 4 or more trailing ones or of zeros only (a reset in mid-read shows in the *next* interval,
which is long), and a code far from the one before. If it is far from the next one too, it is a misread where its ones,
or a ratio to its neighbours, or bits in the wrong places, say so. To stand alone isn't enough: a plate that begins to
ring at a quarter of the sampling rate looks just so, and what stands alone in calm is dropped by fusion in any case.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
import numpy.typing as npt
from numba import njit

from drivers.hx711 import codes
from drivers.hx711.codes import OTHER, RAW, SHIFTED, SUSPECT_ONES
from drivers.hx711.intervals import (
    CLOCK_FLOATS,
    CLOCK_INTS,
    LEARNED,
    LEARNING,
    OFF,
    RESTART,
    SILENT_FROM,
    judge_interval,
    known_period_ns,
)
from drivers.samples import SampleFlag

Floats = npt.NDArray[np.float64]
Ints = npt.NDArray[np.int64]

trailing_ones = njit(cache=True)(codes.trailing_ones)
is_saturated = njit(cache=True)(codes.is_saturated)
is_full_run = njit(cache=True)(codes.is_full_run)
is_cut_short = njit(cache=True)(codes.is_cut_short)
has_shifted_bits = njit(cache=True)(codes.has_shifted_bits)

SETTLING_READINGS = 4  # LC 1 "Settling": four conversions after power-up or reset
LONG_NOISE_COUNTS = 12.0  # a jump is this many usual steps from reading to reading ...
LEAST_JUMP_COUNTS = 300.0  # ... and at least this
CALM_READINGS = 3
_NEIGHBOUR_SHARE = 0.1  # of a lone reading's jump: how much its neighbours may differ; a real blow gives them 0.25
_FULL_RUN_NEIGHBOUR_SHARE = 0.5  # the same for codes that a moving weight hits once in 10^5 readings
_PATIENT_SILENCE = 7.0  # periods; as long as whether the chip restarted decides, and no restart takes longer
_LONGEST_WAIT_NS = 8e9  # what comes more seldom is no HX711, and is decided at once
_STEP_START_COUNTS = 50.0
_STEP_MOST_COUNTS = 64.0  # larger steps are movements, not noise
_STEP_GAIN = 1.0 / 64.0
_STEPS_KNOWN = 256
_RUN_LEARNED = 4  # equal codes in a row from which they teach nothing about the noise
_LOG_FALSE_RUN, _SHORTEST_RUN = 27.6, 8  # ln(1e12); no noise makes a shorter run telling
_SLIP_LEAST_JUMPS, _SHIFT_LEAST_COUNTS = 50.0, 20_000.0

_SATURATED, _CORRUPT = int(SampleFlag.SATURATED), int(SampleFlag.CORRUPT_CODE)
_SETTLING, _STUCK, _RESET = int(SampleFlag.SETTLING), int(SampleFlag.STUCK), int(SampleFlag.RESET)
_NOT_READY, _OFF_RATE = int(SampleFlag.NOT_READY), int(SampleFlag.OFF_RATE)
_CUT_SHORT, _GAIN_SLIP, _MISSING = int(SampleFlag.CUT_SHORT), int(SampleFlag.GAIN_SLIP), int(SampleFlag.MISSING)

# Columns of a cell's state after those of its clock.
HELD_AT = CLOCK_INTS
HELD_NS, HELD_CODE, HELD_FLAGS, SETTLE_LEFT, HAS_REF, CALM, RUN_CODE, RUN_LENGTH, STEPS, HAS_SLIP = range(
    CLOCK_INTS + 1, CLOCK_INTS + 11
)
_INTS = CLOCK_INTS + 11
REF, REF_BEFORE, STEP_MEDIAN, STEP_MEAN, SLIP_REF = range(CLOCK_FLOATS, CLOCK_FLOATS + 5)
_FLOATS = CLOCK_FLOATS + 5


class Judgement(NamedTuple):
    """What is known of a board's cells between two calls.

    Attributes:
        ints, floats: [cells, columns] state.
        kind: [cells] RAW, SHIFTED or OTHER.
        nominal_ns: [cells] period that the config says; used only until the chip's own is known.
        least_noise: [1] counts rms below which a chip's noise can't be real; 0 where the codes may be any converter's.
        late_at, late_flags: [cells] readings of earlier calls that were decided in this one: number (-1: none), flags.
    """

    ints: Ints
    floats: Floats
    kind: Ints
    nominal_ns: Floats
    least_noise: Floats
    late_at: Ints
    late_flags: Ints


def new_judgement(kind: list[int], rate_hz: list[float], least_noise_counts: float) -> Judgement:
    """Nothing known yet about cells of these kinds and nominal rates."""
    cells = len(kind)
    ints, floats = np.zeros((cells, _INTS), np.int64), np.zeros((cells, _FLOATS))
    ints[:, HELD_AT], ints[:, RUN_CODE] = -1, np.iinfo(np.int64).min
    floats[:, STEP_MEDIAN] = _STEP_START_COUNTS
    floats[:, STEP_MEAN] = 0.8 * max(least_noise_counts, 0.8)
    nominal = np.array([1e9 / rate for rate in rate_hz])
    late = np.full(cells, -1, np.int64)
    least = np.array([least_noise_counts])
    return Judgement(ints, floats, np.array(kind, np.int64), nominal, least, late, np.zeros(cells, np.int64))


@njit(cache=True, error_model="numpy")
def _jump(floats: Floats, c: int) -> float:
    """Counts beyond which a step isn't noise."""
    return float(max(LONG_NOISE_COUNTS * floats[c, STEP_MEDIAN], LEAST_JUMP_COUNTS))


@njit(cache=True, error_model="numpy")
def _accept(ints: Ints, floats: Floats, c: int, code: int) -> None:
    """A good reading: what the next ones are compared with."""
    if ints[c, HAS_REF] == 1:
        step = abs(code - floats[c, REF])
        ints[c, CALM] = ints[c, CALM] + 1 if step <= _jump(floats, c) else 0
        floats[c, STEP_MEDIAN] *= 1.02 if step > floats[c, STEP_MEDIAN] else 0.98
        floats[c, STEP_MEDIAN] = max(floats[c, STEP_MEDIAN], 1.0)
    floats[c, REF_BEFORE] = floats[c, REF] if ints[c, HAS_REF] == 1 else 1.0 * code
    floats[c, REF] = code
    ints[c, HAS_REF] = 1


@njit(cache=True, error_model="numpy")
def _is_slip(code: int, before: float, tolerance: float) -> bool:
    """Whether it is 2, 4, 1/2, 1/4 or -1 times a reading within `tolerance` of the one before."""
    for ratio in (2.0, 4.0, 0.5, 0.25, -1.0):  # noqa: SIM110 - any() over a generator isn't for numba
        if abs(code / ratio - before) <= tolerance:
            return True
    return False


@njit(cache=True, error_model="numpy")
def _decide_held(state: Judgement, c: int, next_code: int, cut: bool, has_next: bool) -> int:
    """Flags of the reading of cell ``c`` that waited.

    Args:
        next_code: the reading after it, if ``has_next``. cut: the chip was reset, or silent for long, after it.
    """
    ints, floats = state.ints, state.floats
    code = int(ints[c, HELD_CODE])
    before = floats[c, REF]
    if state.kind[c] == SHIFTED:
        return _CORRUPT | _CUT_SHORT if cut else 0
    jump = _jump(floats, c)
    ones = trailing_ones(code)
    not_ready = _NOT_READY if code == -1 else 0
    far = ints[c, HAS_REF] == 1 and abs(code - before) > jump
    if cut:
        if ones >= SUSPECT_ONES:
            return _CORRUPT | _CUT_SHORT | not_ready
        return _CORRUPT if far and code == 0 else 0
    if not far or not has_next:
        return 0
    if is_full_run(code) and next_code == code:
        return _CORRUPT | not_ready
    up, down = abs(code - before), abs(code - next_code)
    if is_full_run(code) and down > jump and abs(next_code - before) < _FULL_RUN_NEIGHBOUR_SHARE * min(up, down):
        return _CORRUPT | not_ready
    allowed = _NEIGHBOUR_SHARE * min(up, down)
    alone = down > jump and abs(next_code - before) < allowed and abs(before - floats[c, REF_BEFORE]) < allowed
    if not alone or ints[c, CALM] < CALM_READINGS:
        return 0
    if is_cut_short(code, ones, before, 4.0 * floats[c, STEP_MEDIAN]):
        return _CORRUPT | not_ready
    large = abs(before) > _SLIP_LEAST_JUMPS * jump
    if large and _is_slip(code, before, 0.5 * jump):
        return _CORRUPT | _GAIN_SLIP
    tolerance = 4.0 * floats[c, STEP_MEDIAN]
    telling = min(up, down) > max(_SHIFT_LEAST_COUNTS, 100.0 * tolerance)  # near the value before many shifts lie close
    if telling and has_shifted_bits(code, int(before), tolerance):
        return _CORRUPT | _GAIN_SLIP
    return 0


@njit(cache=True, error_model="numpy")
def _release(state: Judgement, c: int, flags: int, first_at: int, out: Ints) -> None:
    """The reading that waited is decided: its flags go where it stands, and if it is good it counts."""
    ints = state.ints
    at = int(ints[c, HELD_AT])
    all_flags = int(ints[c, HELD_FLAGS]) | flags
    if at >= first_at:
        out[at - first_at] = all_flags
    else:
        state.late_at[c], state.late_flags[c] = at, all_flags
    if all_flags == 0:
        _accept(ints, state.floats, c, int(ints[c, HELD_CODE]))
    ints[c, HELD_AT] = -1


@njit(cache=True, error_model="numpy")
def _patience(state: Judgement, c: int) -> float:
    """Nanoseconds for which a reading of cell ``c`` waits for its next one."""
    period = known_period_ns(state.ints, state.floats, c)
    if period == 0.0:
        period = state.nominal_ns[c]
    raw = state.kind[c] == RAW and state.ints[c, LEARNED] >= LEARNING
    return float((SILENT_FROM if raw else _PATIENT_SILENCE) * period)


@njit(cache=True, error_model="numpy")
def release_silent(state: Judgement, now_ns: int, first_at: int, out: Ints) -> None:
    """Decide what has waited for too long: its chip has been silent since, so as far as anyone knows it was cut short.

    Args:
        first_at, out: as in `judge`; with no new readings, the number of the next one and an empty array.
    """
    ints = state.ints
    for c in range(ints.shape[0]):
        if ints[c, HELD_AT] >= 0 and now_ns - ints[c, HELD_NS] > _patience(state, c):
            known = ints[c, LEARNED] >= LEARNING
            _release(state, c, _decide_held(state, c, 0, known, False), first_at, out)


@njit(cache=True, error_model="numpy")
def _run_flags(state: Judgement, c: int, code: int) -> int:
    """STUCK where a code repeats for longer than noise lets it, or where there is less noise than any chip has.

    With a mean step of ``a`` counts two neighbours are equal with p = 0.32 / a (a Gaussian's density at 0, its sigma
    being a / 0.8). A run is too long when p^(n-1) < 1e-12: 9 readings at 16 counts and up, 12 at 4. At 640 readings a
    second that is a false alarm in 50 years.
    """
    ints, floats = state.ints, state.floats
    if is_saturated(code):
        ints[c, RUN_LENGTH] = 0
        return 0
    step = abs(code - ints[c, RUN_CODE]) if ints[c, RUN_LENGTH] > 0 else -1
    ints[c, RUN_LENGTH] = ints[c, RUN_LENGTH] + 1 if step == 0 else 1
    ints[c, RUN_CODE] = code
    if step >= 0 and ints[c, RUN_LENGTH] <= _RUN_LEARNED:
        floats[c, STEP_MEAN] += _STEP_GAIN * (min(1.0 * step, _STEP_MOST_COUNTS) - floats[c, STEP_MEAN])
        ints[c, STEPS] += 1
    if ints[c, RUN_LENGTH] >= _SHORTEST_RUN:
        share = min(max(0.32 / max(floats[c, STEP_MEAN], 0.01), 0.02), 0.95)
        if ints[c, RUN_LENGTH] >= 1.0 + _LOG_FALSE_RUN / -np.log(share):
            return _STUCK
    quiet = ints[c, STEPS] >= _STEPS_KNOWN and floats[c, STEP_MEAN] < 0.8 * state.least_noise[0]
    return _STUCK if quiet else 0


@njit(cache=True, error_model="numpy")
def _gain_flags(state: Judgement, c: int, code: int) -> int:
    """GAIN_SLIP as long as a chip that was reset reads a simple multiple of what it read before."""
    ints, floats = state.ints, state.floats
    if ints[c, SETTLE_LEFT] > 0:
        return 0
    before = floats[c, SLIP_REF]
    if abs(before) > _SLIP_LEAST_JUMPS * _jump(floats, c) and _is_slip(code, before, 0.03 * abs(before)):
        return _GAIN_SLIP
    ints[c, HAS_SLIP] = 0
    return 0


@njit(cache=True, error_model="numpy")
def judge(
    time_ns: Ints, cell: Ints, code: Ints, flags: Ints, missed: Ints, first_at: int, state: Judgement, out: Ints,
    lost: Ints,
) -> None:  # fmt: skip
    """Judge the next readings of a board.

    Args:
        time_ns, cell, code, flags, missed: [n] in order of time for each cell; see `drivers.hx711.readings.Reading`.
        first_at: number of the first of them, counted from the beginning.
        out: [n] flags, to fill. Those of a reading that waits (`state.ints[c, HELD_AT]`) are filled in by a later call.
        lost: [n] conversions lost before each of which nobody said so, to fill.
    """
    ints, floats = state.ints, state.floats
    for i in range(time_ns.size):
        c, now, value, given = int(cell[i]), int(time_ns[i]), int(code[i]), int(flags[i])
        learning = ints[c, LEARNED] < LEARNING
        patience = _patience(state, c) if ints[c, HELD_AT] >= 0 else 0.0
        verdict, lost_here = judge_interval(
            ints, floats, c, now, int(missed[i]), given & _RESET != 0, state.nominal_ns[c]
        )
        lost[i] = lost_here
        if ints[c, HELD_AT] >= 0:
            silent_ns = now - ints[c, HELD_NS] - missed[i] * known_period_ns(ints, floats, c)
            too_late = silent_ns > patience  # then the same is said of it whether the next one has come or not
            cut = verdict == RESTART or (not learning and too_late)
            held_flags = _decide_held(state, c, value, cut, not too_late)
            _release(state, c, held_flags, first_at, out)
            if held_flags & _GAIN_SLIP:  # a pulse too many chose another input for what was being converted
                ints[c, SETTLE_LEFT] = SETTLING_READINGS
        if verdict == RESTART:
            given |= _RESET
            ints[c, SETTLE_LEFT], ints[c, CALM] = SETTLING_READINGS, 0
            if ints[c, HAS_SLIP] == 0 and ints[c, HAS_REF] == 1:
                ints[c, HAS_SLIP], floats[c, SLIP_REF] = 1, floats[c, REF]
        if verdict == OFF:
            given |= _OFF_RATE
        if state.kind[c] != OTHER and given & _MISSING == 0:
            if state.kind[c] == RAW:
                if is_saturated(value):
                    given |= _SATURATED
                if ints[c, HAS_SLIP] == 1:
                    given |= _gain_flags(state, c, value)
            given |= _run_flags(state, c, value)
        if ints[c, SETTLE_LEFT] > 0:
            given |= _SETTLING
            ints[c, SETTLE_LEFT] -= 1
        out[i] = given
        waits = state.kind[c] == SHIFTED
        if state.kind[c] == RAW:
            far = ints[c, HAS_REF] == 1 and abs(value - floats[c, REF]) > _jump(floats, c)
            waits = far or value == 0 or trailing_ones(value) >= SUSPECT_ONES
        if waits and _patience(state, c) < _LONGEST_WAIT_NS:
            ints[c, HELD_AT], ints[c, HELD_NS], ints[c, HELD_CODE] = first_at + i, now, value
            ints[c, HELD_FLAGS] = given
        elif given == 0:
            _accept(ints, floats, c, value)
