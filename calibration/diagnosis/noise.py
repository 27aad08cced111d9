"""How much a cell's counts scatter, by what: the chip, the line, the plate, a wandering bridge.

Movements on a board are steps and bursts: they touch some windows and leave others alone, while what is wrong with a
cell is there all the time. So everything here is taken window by window, and the calmer part of the windows counts.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np

from calibration.diagnosis.physics import NOISE_CORRELATION
from calibration.diagnosis.samples import Bools, CellSamples, Floats

LEAST_SAMPLES = 24
WINDOW_S = 0.5
_LEAST_IN_WINDOW = 8
_CALM_QUANTILE, _CALM_SIGMAS = 0.12, 1.17  # of a Gaussian, the second for the first: how far below its middle
_BUSY, _RESTLESS = 1.8, 2.2
"""The middle window over the calm ones. What is wrong with a cell is wrong in all windows alike, and by chance windows
of eight samples differ by 1.5 at most; what people do comes and goes."""
_BUSY_WANDER, _BUSY_OVER = 6.0, 3.0  # the same of changes between windows, and these against what noise alone makes
_WANDER_QUANTILE, _WANDER_SIGMAS = 0.2, 0.253
_STRETCH_S = 4.0
_CALM_SEGMENTS = 0.3  # of the segments: the calmest
_FLOOR_SAMPLES = 64
_FLOOR_BAND = (0.06, 0.30)  # of the rate; below it drifts and steps begin, above it the decimator's own filter


@dataclass(frozen=True, slots=True)
class Roaming:
    """How far means of half a second go from one to the next, rms over stretches of 4 s; in the unit of one mean's sd.

    An input that floats does so all the time and alike, whatever lies on the cell. Hands, a press, an engine on its
    stand come and go: there is a stretch without them, or one with far more than usual.

    Attributes:
        calmest, usual: of the stretches, in counts. uneven: the ninth of ten over the usual one.
        over_noise: the usual one against what the cell's noise alone makes.
    """

    calmest: float
    usual: float
    uneven: float
    over_noise: float


@dataclass(frozen=True, slots=True)
class CellNoise:
    """Attributes:
    counts: rms of one sample while the board is calm, shaking and all.
    floor_counts: rms that the even part of the spectrum has: without lines, and without what the plate rings at.
    wander_counts: typical change of the mean from one half second to the next, in the calmer of them.
    calm_step_counts_per_s: how fast the mean goes in the calmer fifth of the windows: a drift is in all of them.
    spread: the middle window over the calm ones: 1 where all are alike, as what is wrong with a cell makes them.
    wander_spread: the same of the changes from window to window.
    wander_over_noise: the wander against what the noise alone does to means of so many samples.
    roaming: the wander by stretches of some seconds.
    calm: bool[n], of the usable samples: those in calm windows.
    judged_counts: float64[m], what single samples scatter by in the windows that the level is of; drift hardly shows.
    """

    counts: float
    floor_counts: float
    wander_counts: float
    calm_step_counts_per_s: float
    spread: float
    wander_spread: float
    wander_over_noise: float
    roaming: Roaming
    calm: Bools
    judged_counts: Floats

    @property
    def restless(self) -> bool:
        """The board was hardly ever left alone: noise, wander and level are of what is moved on it."""
        return self.spread > _RESTLESS

    @property
    def busy(self) -> bool:
        """People were at the board for most of the time: what looks like a little noise may be theirs."""
        return self.spread > _BUSY or self.wander_spread > _BUSY_WANDER or self.wander_over_noise > _BUSY_OVER


def cell_noise(cell: CellSamples, rate_hz: float) -> CellNoise | None:
    """None where there are too few usable samples."""
    counts = cell.counts[cell.usable]
    if counts.size < LEAST_SAMPLES or rate_hz <= 0:
        return None
    in_window = max(_LEAST_IN_WINDOW, round(WINDOW_S * rate_hz))
    number = counts.size // in_window
    windows = counts[: number * in_window].reshape(number, in_window)
    skips = windows[:, 2:] - windows[:, :-2]  # every second one: neighbours are correlated, and drift hardly shows
    single = skips / math.sqrt(2.0 * (1.0 - NOISE_CORRELATION[1]))
    rms = np.sqrt((single**2).mean(axis=1))
    calm_rms = _calm_level(rms, in_window - 2)
    judged = rms <= calm_rms * (1.0 + 2.0 * _chance(in_window - 2))
    calm = np.zeros(counts.size, np.bool_)
    calm[: number * in_window] = np.repeat(rms <= 2.5 * max(calm_rms, 0.3), in_window)
    means = windows.mean(axis=1)
    wander, wander_spread = _wander(means)
    floor = min(calm_rms, _floor(counts, calm_rms))
    return CellNoise(
        calm_rms,
        floor,
        wander,
        wander * _WANDER_SIGMAS * math.sqrt(2.0) * rate_hz / in_window,
        float(np.median(rms)) / max(calm_rms, 1e-9),
        wander_spread,
        wander / max(calm_rms * math.sqrt(2.0 / in_window), 1e-9),
        _roaming(means, max(3, round(_STRETCH_S * rate_hz / in_window)), floor * math.sqrt(2.0 / in_window)),
        calm,
        single[judged].ravel(),
    )


def _calm_level(rms: Floats, terms: int) -> float:
    """The level that the calmer windows scatter around: a low quantile of a chi distribution lies below its middle."""
    if rms.size < 4:
        return float(rms.min())
    return float(np.quantile(rms, _CALM_QUANTILE)) / max(0.5, 1.0 - _CALM_SIGMAS * _chance(terms))


def _chance(terms: int) -> float:
    """Share by which the rms of so many differences is off by chance."""
    return 1.0 / math.sqrt(2.0 * terms * 0.6)  # 0.6: the terms overlap


def _floor(counts: Floats, calm_rms: float) -> float:
    """rms out of the spectrum's level in `_FLOOR_BAND`: over segments a low quantile, over frequencies the median."""
    length = _FLOOR_SAMPLES
    while length > 16 and counts.size < 3 * length:
        length //= 2
    number = 2 * (counts.size // length) - 1
    if number < 2:
        return calm_rms
    window = np.hanning(length)
    power = (window**2).sum()
    ramp = np.linspace(-1.0, 1.0, length)
    spectra = []
    for k in range(number):
        piece = counts[k * length // 2 : k * length // 2 + length]
        piece = piece - piece.mean()
        piece = piece - ramp * float(ramp @ piece) / float(ramp @ ramp)
        spectra.append(np.abs(np.fft.rfft(piece * window)) ** 2 / power)
    frequency = np.fft.rfftfreq(length)
    band = (frequency >= _FLOOR_BAND[0]) & (frequency <= _FLOOR_BAND[1])
    found = np.array(spectra)[:, band]
    calmer = found[np.argsort(found.mean(axis=1))[: max(3, round(_CALM_SEGMENTS * number))]]
    level = float(np.median(calmer)) / math.log(2.0)  # power of one bin is exponential: its median is ln 2 of the mean
    if number > 2 * len(calmer):  # the calmest by chance, too: their means lie below the middle by a sigma of theirs
        level /= 1.0 - math.sqrt(1.5 / found.shape[1])
    first, second = NOISE_CORRELATION
    turns = 2 * np.pi * frequency[band]
    shape = float((1.0 + 2 * first * np.cos(turns) + 2 * second * np.cos(2 * turns)).mean())
    return math.sqrt(level / shape)


def _wander(means: Floats) -> tuple[float, float]:
    """Change of the mean from window to window: steps touch few, a wandering bridge all of them."""
    if means.size < 10:
        return 0.0, 1.0
    changes = np.abs(np.diff(means))
    calm = float(np.quantile(changes, _WANDER_QUANTILE)) / _WANDER_SIGMAS
    return calm / math.sqrt(2.0), float(np.median(changes)) / 0.6745 / max(calm, 1e-9)


def _roaming(means: Floats, stretch: int, of_noise: float) -> Roaming:
    """``of_noise``: sd of one mean by the cell's noise."""
    if means.size < 10:
        return Roaming(0.0, 0.0, 1.0, 0.0)
    pieces = np.lib.stride_tricks.sliding_window_view(np.diff(means) ** 2, min(stretch, means.size - 1))
    rms = np.sqrt(pieces.mean(axis=1) / 2.0)
    usual = max(float(np.median(rms)), 1e-9)
    return Roaming(float(rms.min()), usual, float(np.quantile(rms, 0.9)) / usual, usual / max(of_noise, 1e-9))
