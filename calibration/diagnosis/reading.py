"""What a cell's codes and times say of the chip, its wires and its reader, before anybody looks at the weight."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Iterator

import numpy as np
import numpy.typing as npt

from calibration.diagnosis.clockwork import LEAST_SAMPLES, ChipClock
from calibration.diagnosis.faults import Fault
from calibration.diagnosis.physics import RATE_FROM, RATE_TO
from calibration.diagnosis.samples import CellSamples, Floats
from calibration.diagnosis.verdicts import Finding, Verdict, finding
from drivers.hx711.codes import code_name
from drivers.samples import SampleFlag

NOW_AND_THEN = 1e-4
"""Of the samples: what is spoilt so seldom is dropped and costs nothing. The recordings of a live system, which nobody
complained about, had up to 11 times that (facts/field.md 4.1.5)."""
BY_CHANCE = 1e-4
BAD_SHARE = 0.10  # of the samples: beyond it a cell doesn't weigh any more in time
MOSTLY, NEARLY_ALL = 0.5, 0.9
SILENT_S, SILENT_PERIODS = 1.5, 12.0  # no restart takes longer than 6.5 periods, or 0.42 s
QUIET = 12.0
"""Spread of five samples before an extra pulse, in median steps from one to the next: by chance it is over 9 once in
ten thousand."""
SMEARS = (np.array([1.0, 11.0, 11.0, 1.0, 0.0]) / 11.0, np.array([1.0, 12.0, 22.0, 12.0, 1.0]) / 22.0)
JITTER = 0.02  # rms of a period; chips have 0.00006 (section 1), a shelf MCU's stamps add less than 0.01 at 80 SPS


def reading_findings(
    cell: CellSamples, clock: ChipClock, nominal_hz: float, expected_s: float, board_end_s: float
) -> Iterator[Finding]:
    """The gravest that explains the rest ends the list. ``board_end_s``: newest sample of any cell of the board."""
    samples = len(cell)
    if samples < max(2, 0.02 * nominal_hz * expected_s):
        evidence = f"{samples} samples in {expected_s:.0f} s; {nominal_hz * expected_s:.0f} were to come"
        yield finding(Fault.NO_SAMPLES, Verdict.FAIL, evidence, samples=float(samples))
        return
    silent_s = max(board_end_s, expected_s) - float(cell.time_s[-1])
    if silent_s > max(SILENT_S, SILENT_PERIODS / nominal_hz):
        evidence = f"none for the last {silent_s:.1f} s; {samples} came before"
        yield finding(Fault.NO_SAMPLES, Verdict.FAIL, evidence, silent_s=silent_s)
        return
    whole = _one_thing_only(cell)
    if whole is not None:
        yield whole
        return
    yield from _clock(cell, clock, nominal_hz, expected_s)
    yield from _codes(cell)


def _one_thing_only(cell: CellSamples) -> Finding | None:
    """A cell that says nothing: the end stops, or the same code always, or from some time on."""
    codes = cell.counts.astype(np.int64)
    stopped = (cell.flags & int(SampleFlag.SATURATED)) != 0
    stops = float(np.mean(stopped))
    if stops > BAD_SHARE:
        at = "0x7FFFFF" if float(np.mean(codes[stopped])) > 0 else "0x800000"
        evidence = f"{100 * stops:.0f} % of its codes are at the end stop {at}: over 3.9 mV/V, and cells give 2 to 3"
        return finding(Fault.CLIPPED, Verdict.FAIL, evidence, share=stops)
    most, times = Counter(codes.tolist()).most_common(1)[0]
    run = codes[-(len(cell) // 3) :]
    if run.size >= 10 and bool((run == run[-1]).all()):
        most = int(run[-1])
        times = int(np.count_nonzero(codes == most))
    elif times <= (MOSTLY if most in (0, -1) else NEARLY_ALL) * len(cell):
        return None
    share = times / len(cell)
    evidence = f"{100 * share:.0f} % of its {len(cell)} codes are {_code(most)}"
    if cell.kind_is_raw and most == -1:
        return finding(Fault.NOT_READY, Verdict.FAIL, evidence, share=share)
    if cell.kind_is_raw and most == 0:
        return finding(Fault.ALL_ZERO, Verdict.FAIL, evidence, share=share)
    return finding(Fault.STUCK, Verdict.FAIL, f"{evidence}; a chip's own noise moves them by 20 to 70", share=share)


def _clock(cell: CellSamples, clock: ChipClock, nominal_hz: float, expected_s: float) -> Iterator[Finding]:
    if len(cell) < LEAST_SAMPLES or clock.rate_hz == 0.0:
        return
    ratio = clock.rate_hz / nominal_hz
    if not RATE_FROM <= ratio <= RATE_TO:
        evidence = f"{clock.rate_hz:.2f} SPS; the node file says {nominal_hz:g}, and chips run at -3 to +17 % of it"
        strap = next((rate for rate in (10.0, 80.0) if 0.9 <= clock.rate_hz / rate <= 1.25), None)
        remedy = ""
        if strap is not None and nominal_hz in (10.0, 80.0):
            remedy = (
                f"the RATE strap (pin 15) is set for {strap:g}: move it, or write rate: {strap:g} Hz in the node file"
            )
        yield finding(Fault.WRONG_RATE, Verdict.WARN, evidence, remedy, rate_sps=clock.rate_hz, nominal_sps=nominal_hz)
    samples = len(cell)
    if clock.restarts_s:
        count = len(clock.restarts_s)
        seconds = float(cell.time_s[-1] - cell.time_s[0])
        evidence = f"{count} in {seconds:.0f} s: pauses of 4.45 periods ({4450 / clock.rate_hz:.0f} ms), then settling"
        lame = cell.share(SampleFlag.RESET, SampleFlag.SETTLING) > BAD_SHARE
        bad = Verdict.FAIL if lame else Verdict.WARN if count >= 2 else Verdict.PASS
        yield finding(Fault.RESTARTS, bad, evidence, restarts=float(count), seconds=seconds)
    if clock.lost:
        share = clock.lost / (samples + clock.lost)
        evidence = f"{clock.lost} of {samples + clock.lost} conversions ({100 * share:.2g} %) never came, in "
        evidence += _gaps(clock.gaps)
        yield finding(Fault.LOST, _bad(clock.gaps, samples, share), evidence, share=share)
    off = cell.number(SampleFlag.OFF_RATE) + clock.doubles
    if clock.jitter_share > JITTER or _bad(off, samples, off / samples) > Verdict.PASS:
        evidence = (
            f"samples stand {clock.jitter_share * 1e6:.0f} ppm of a period beside their chip's clock, which keeps to "
            f"about 100 ppm; {off} of {samples} came in between"
        )
        bad = Verdict.WARN if _bad(off, samples, off / samples) > Verdict.PASS else Verdict.PASS
        yield finding(Fault.UNSTEADY_CLOCK, bad, evidence, jitter_ppm=clock.jitter_share * 1e6, off=float(off))


def _codes(cell: CellSamples) -> Iterator[Finding]:
    samples = len(cell)
    for fault, flag, what in (
        (Fault.GAIN_SLIPS, SampleFlag.GAIN_SLIP, "are shifted by bits, or twice or half of what they were"),
        (Fault.DESYNC, SampleFlag.DESYNC, "end with a bit that should be 1 and isn't"),
        (Fault.LONG_PULSES, SampleFlag.LONG_PULSE, "were read with the clock high for over 50 us"),
        (Fault.LATE_READS, SampleFlag.LATE_READ, "were read so late that they may mix two conversions"),
    ):
        count = cell.number(flag) + (_unflagged_slips(cell) if flag is SampleFlag.GAIN_SLIP else 0)
        if count:
            share = count / samples
            evidence = f"{count} of {samples} samples ({100 * share:.2g} %) {what}"
            bad = _bad(count, samples, share)
            if count > 1 and flag in (SampleFlag.GAIN_SLIP, SampleFlag.DESYNC):
                bad = max(bad, Verdict.WARN)  # a sound chip and reader never do
            yield finding(fault, bad, evidence, share=share)
    stops = (cell.flags & int(SampleFlag.SATURATED)) != 0
    alone = stops & ~np.concatenate([[False], stops[:-1]]) & ~np.concatenate([stops[1:], [False]])
    cut = SampleFlag.CORRUPT_CODE | SampleFlag.CUT_SHORT | SampleFlag.NOT_READY
    corrupt = np.flatnonzero(
        (cell.flags & int(cut) != 0) | alone
    )  # 0x7FFFFF for one sample is a read cut short, 2^23-1
    if corrupt.size:
        share = corrupt.size / samples
        names = Counter(code_name(int(code)) for code in cell.counts[corrupt])
        listed = ", ".join(f"{name} x{times}" for name, times in names.most_common(4))
        evidence = f"{corrupt.size} of {samples} codes ({100 * share:.2g} %) were cut short or garbled"
        if cell.kind_is_raw and listed:
            evidence += f": {listed}"
        yield finding(Fault.CORRUPT, _bad(corrupt.size, samples, share), evidence, share=share)
    held = int(np.count_nonzero(stops & ~alone))
    if held:
        evidence = f"{held} of {samples} codes are at an end stop: a lead that comes off now and then, or a blow"
        yield finding(Fault.CLIPPED, Verdict.WARN, evidence, share=held / samples)


def _unflagged_slips(cell: CellSamples) -> int:
    """Clock pulses too many that a judge of single readings leaves alone, since the next conversions are off as well.

    An extra one shifts a code by a bit, to twice what it was; and it sets the chip to another channel for one or two
    conversions, which its filter smears: 1, 11, 11, 1 or 1, 12, 22, 12, 1 parts of the same jump (`drivers.hx711.chip`,
    "A change of setting"). Hands don't keep to such figures.
    """
    codes = cell.counts[cell.usable]
    if codes.size < 12 or not cell.kind_is_raw:
        return 0
    earlier = np.lib.stride_tricks.sliding_window_view(codes, 5)[:-6]
    before = np.median(earlier, axis=1)
    off = np.lib.stride_tricks.sliding_window_view(codes[5:], 6) - before[:, None]
    noise = max(float(np.median(np.abs(np.diff(codes)))), 4.0)
    twice = (np.abs(off[:, 0] - before) < 6.0 * noise) & (np.abs(before) > 100.0 * noise)
    twice &= np.abs(off[:, 1] - off[:, 0]) > 20.0 * noise
    twice &= _smeared_on(off[:, 1:], noise)
    one = (np.abs(off[:, 1] - off[:, 2]) < 0.03 * np.abs(off[:, 1])) & (np.abs(off[:, 4]) < 10.0 * noise)
    one &= np.abs(11.0 * off[:, 3] / _nonzero(off[:, 2]) - 1.0) < 0.1
    two = (np.abs(22.0 * off[:, 1] / _nonzero(12.0 * off[:, 2]) - 1.0) < 0.03) & (np.abs(off[:, 5]) < 10.0 * noise)
    two &= np.abs(off[:, 3] - off[:, 1]) < 0.03 * np.abs(off[:, 1])
    two &= np.abs(12.0 * off[:, 4] / _nonzero(off[:, 3]) - 1.0) < 0.1
    smeared = (one | two) & (np.abs(off[:, 2]) > 300.0 * noise)
    moved = np.ptp(earlier, axis=1)  # what rings takes all figures in turn
    twice &= moved < QUIET * noise
    smeared &= moved < 0.5 * np.abs(off[:, 1:3]).max(axis=1)
    hits = np.flatnonzero(twice | smeared)
    return int(np.count_nonzero(np.diff(hits, prepend=-10) > 4))


def _smeared_on(off: Floats, noise: float) -> npt.NDArray[np.bool_]:
    """Whether what follows an extra pulse is as the filter makes it: parts of one jump, or of none, then as before.

    A hand on a cell that stands near zero takes it to twice what it was, too, but doesn't go on like that. ``off``:
    float64[n, 5], of the samples after it against those before.
    """
    found = np.zeros(len(off), np.bool_)
    for parts in SMEARS:
        jump = off @ parts / float(parts @ parts)
        left = np.abs(off - jump[:, None] * parts).max(axis=1)
        found |= left < 6.0 * noise + 0.03 * np.abs(jump)
    return found


def _nonzero(values: Floats) -> Floats:
    return np.where(values == 0.0, 1.0, values)


def _bad(count: int, samples: int, share: float) -> Verdict:
    """WARN from where chance and `NOW_AND_THEN` don't explain it (Poisson), FAIL from `BAD_SHARE`."""
    if share > BAD_SHARE:
        return Verdict.FAIL
    if count < 2:
        return Verdict.PASS
    expected = NOW_AND_THEN * samples
    below = term = math.exp(-expected)
    for k in range(1, count):
        term *= expected / k
        below += term
    return Verdict.WARN if 1.0 - below < BY_CHANCE else Verdict.PASS


def _gaps(number: int) -> str:
    return "1 gap" if number == 1 else f"{number} gaps"


def _code(code: int) -> str:
    return f"{code} (0x{code & 0xFFFFFF:06X})"
