"""Lines in a cell's spectrum: the mains, folded down to where this chip's own rate puts it, and what shakes the board.

A line of the mains lies at ``|f - round(f / fs) fs|``: chips that run at different rates show it at different places,
each at its own. What shakes the board is the same frequency in all cells, and below half the rate it stays where it is.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np

from calibration.diagnosis.physics import GRID_HZ, GRID_OFF_HZ, HARMONICS, alias_hz
from calibration.diagnosis.samples import Bools, CellSamples, Floats

SEGMENTS = 5
LONGEST_S = 12.0  # a grid wanders by 0.01 Hz in a while, and bins needn't be finer than what it is searched in
LEAST_SECONDS = 8.0
STANDS_OUT = 10.0
"""Power over its surroundings, median of five segments. By chance three of five exponential powers exceed ten times
their mean less than once in 10^12; what is left is a margin for resonances, whose tops aren't flat."""
ALWAYS_SHARE = 0.25  # of its usual power that a line has at its weakest: it is there all the time, a knock isn't
LINE_SHARE, WIDE_HZ = 0.8, 1.0
"""Of the power within 1 Hz, what a line holds in two bins to either side; a ringing plate spreads it."""
SLOWEST_HZ, _NEAREST_HZ = 1.0, 0.35  # to 0 and to half the rate: there are movements, and its own mirror


@dataclass(frozen=True, slots=True)
class Line:
    """Attributes:
    hz: where it shows. true_hz: the mains frequency that folds there; 0 for none.
    rms_counts: its strength. over_floor: its power over its surroundings.
    """

    hz: float
    true_hz: float
    rms_counts: float
    over_floor: float


@dataclass(frozen=True, slots=True)
class Spectrum:
    """Attributes:
    hz: float64[n] frequencies. rms_counts: float64[n], amplitude spectral density in counts/sqrt(Hz).
    mains: the strongest line of the mains; None where there is none. lines: others.
    searched: mains frequencies whose aliases could be looked at.
    """

    hz: Floats
    rms_counts: Floats
    mains: Line | None
    lines: tuple[Line, ...]
    searched: tuple[float, ...]


def spectrum_of(cell: CellSamples, rate_hz: float) -> Spectrum | None:
    """None where the cell's samples don't go far enough, or miss too many."""
    used = cell.usable
    if rate_hz <= 0 or np.count_nonzero(used) < LEAST_SECONDS * rate_hz * 0.8:
        return None
    even = _even(cell.time_s[used], cell.counts[used], rate_hz)
    length = min(even.size * 2 // (SEGMENTS + 1), round(LONGEST_S * rate_hz))
    hz, density = _segments(even, length, rate_hz)
    middle = np.median(density, axis=0) / math.log(2.0)
    always = density.min(axis=0) > ALWAYS_SHARE * np.median(density, axis=0)
    searched, mains = [], None
    for harmonic in HARMONICS:  # the first of those that fold to the same place is the likeliest
        for grid in GRID_HZ:
            true_hz = grid * harmonic
            at = alias_hz(true_hz, rate_hz)
            if not SLOWEST_HZ + GRID_OFF_HZ * harmonic < at < rate_hz / 2 - _NEAREST_HZ:
                continue
            searched.append(true_hz)
            line = _line_at(hz, middle, always, at, GRID_OFF_HZ * harmonic, true_hz)
            if line is not None and (mains is None or line.rms_counts > 1.05 * mains.rms_counts):
                mains = line
    return Spectrum(hz, np.sqrt(middle), mains, _others(hz, middle, rate_hz, mains), tuple(searched))


def _even(time_s: Floats, counts: Floats, rate_hz: float) -> Floats:
    """Samples by the number of their conversion; what is missing is filled in straight."""
    number = np.rint((time_s - time_s[0]) * rate_hz)
    whole = np.arange(number[-1] + 1.0)
    filled: Floats = np.interp(whole, number, counts)
    return filled


def _segments(even: Floats, length: int, rate_hz: float) -> tuple[Floats, Floats]:
    """Densities in counts² per Hz of half-overlapping Hann segments, each without its mean and slope."""
    window = np.hanning(length)
    ramp = np.linspace(-1.0, 1.0, length)
    found = []
    for begin in range(0, even.size - length + 1, max(1, length // 2)):
        piece = even[begin : begin + length]
        piece = piece - piece.mean()
        piece = piece - ramp * float(ramp @ piece) / float(ramp @ ramp)
        found.append(2.0 * np.abs(np.fft.rfft(piece * window)) ** 2 / rate_hz / float((window**2).sum()))
    hz: Floats = np.arange(length // 2 + 1, dtype=np.float64) * (rate_hz / length)
    return hz, np.array(found)


def _line_at(
    hz: Floats,
    density: Floats,
    always: Bools,
    at_hz: float,
    off_hz: float,
    true_hz: float,
) -> Line | None:
    step = float(hz[1])
    near = np.flatnonzero(np.abs(hz - at_hz) <= off_hz + 0.5 * step)
    if not near.size:
        near = np.array([int(np.argmin(np.abs(hz - at_hz)))])
    top = int(near[np.argmax(density[near])])
    around = np.flatnonzero((np.abs(np.arange(hz.size) - top) > 2) & (np.abs(np.arange(hz.size) - top) <= 12))
    around = around[hz[around] > 2 * step]
    if (
        not always[top]
        or around.size < 4
        or (0 < top < hz.size - 1 and density[top] < max(density[top - 1], density[top + 1]))
    ):
        return None
    floor = float(np.median(density[around]))
    over = float(density[top]) / max(floor, 1e-12)
    if over < STANDS_OUT or not _is_line(hz, density, top):
        return None
    # A line's median is its mean, unlike noise's, whose ln 2 is taken back here.
    power = float((density[max(0, top - 2) : top + 3] - floor).clip(0.0).sum()) * math.log(2.0) * step
    return Line(float(hz[top]), true_hz, math.sqrt(power), over)


def _is_line(hz: Floats, density: Floats, top: int) -> bool:
    """Whether it is sharp. What rings is as wide as it dies away fast: 0.5 Hz at 13 Hz and a damping of 0.02."""
    apart = np.abs(np.arange(hz.size) - top)
    wide = apart * hz[1] <= max(WIDE_HZ, 6 * hz[1])
    above = np.maximum(density - np.median(density[wide]), 0.0)
    return bool(above[apart <= 2].sum() > LINE_SHARE * max(float(above[wide].sum()), 1e-12))


def _others(hz: Floats, density: Floats, rate_hz: float, mains: Line | None) -> tuple[Line, ...]:
    """The strongest peaks that aren't the mains': up to three."""
    found: list[Line] = []
    free = (hz > 1.0) & (hz < rate_hz / 2 - _NEAREST_HZ)
    if mains is not None:
        free &= np.abs(hz - mains.hz) > 4 * hz[1]
    floor = float(np.median(density[free])) if free.any() else 0.0
    while free.any() and len(found) < 3:
        top = int(np.flatnonzero(free)[np.argmax(density[free])])
        if density[top] < STANDS_OUT * floor:
            break
        near = np.abs(hz - hz[top]) <= max(0.8, 3 * hz[1])
        power = float((density[near & free] - floor).clip(0).sum()) * float(hz[1])
        found.append(Line(float(hz[top]), 0.0, math.sqrt(power), float(density[top]) / max(floor, 1e-12)))
        free &= ~near
    return tuple(found)


def stands_out(spectrum: Spectrum, at_hz: float, off_hz: float) -> bool:
    """Whether there is a peak at about a frequency, be it a small one: 4 times what is within 3 Hz, in power."""
    near, around = np.abs(spectrum.hz - at_hz) <= off_hz, np.abs(spectrum.hz - at_hz) <= 3.0
    power = spectrum.rms_counts**2
    return bool(near.any() and power[near].max() > 4.0 * float(np.median(power[around])))
