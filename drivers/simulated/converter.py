"""One HX711 on one cell: grams in continuous time become codes at the chip's own instants, with all that goes wrong."""

from __future__ import annotations

import math

import numpy as np
import numpy.typing as npt

from drivers.simulated.kernels import convert, spline_table
from drivers.simulated.physics import ADC_MAX, ADC_MIN, BoardPhysics, CellPhysics

Floats = npt.NDArray[np.float64]

# White noise through the converter's own kernel: the moving average that has the autocorrelation of a sinc^4 decimator
# (values of the eighth-order B-spline: 1, 1191/2416 = 0.493, 120/2416 = 0.050, 1/2416), by spectral factorisation.
# FR 4.1.7 measured 0.49 and ~0.
NOISE_TAPS = (0.830455654, 0.553900419, 0.0594767517, 0.000498409858)
SETTLING_CONVERSIONS = 4  # LC 1 "Settling": 400 ms at 10 SPS, 50 ms at 80
_SETTLING_RATIO = 0.8  # FR 4.1.10: the first four are 480-980 counts above what follows
_SPIKE_BITS = (19, 24)  # FR 4.1.5: 2^n - 1 with n = 19..23, or 0
_SPIKE_ZERO_SHARE = 0.15
_DAY_S = 86_400.0
_TABLE_PER_CONVERSION = 256


class Converter:
    """Made in windows: `convert` is called with one stretch of force after the other."""

    def __init__(self, cell: CellPhysics, board: BoardPhysics, settled_g: float, rng: np.random.Generator) -> None:
        self.cell = cell
        self.period_s = 1.0 / (board.rate_hz * (1.0 + cell.rate_error))
        self._faults = board.faults
        self._room = board.room
        self._rng = rng
        self._table = spline_table(cell.filter_order, _TABLE_PER_CONVERSION)
        self._creep_tau_s = np.array([tau for tau, _ in cell.creep])
        self._creep_share = np.array([share for _, share in cell.creep])
        self._creep_g = self._creep_share * self._bent(np.array([settled_g]))[0]
        self._next_s = float(rng.random()) * self.period_s
        self._last_white = rng.standard_normal(len(NOISE_TAPS) - 1)
        self._walk = 0.0
        self._settling_left = SETTLING_CONVERSIONS if board.cold_start else 0
        self._mute_until_s = -1.0
        self._stuck_code: int | None = None

    @property
    def reach_s(self) -> float:
        """How far back before a conversion its kernel reaches."""
        return self.cell.filter_order * self.period_s * (1.0 + 10 * self.cell.jitter)

    def convert(
        self, force_g: Floats, force_begin_s: float, step_s: float, end_s: float
    ) -> tuple[Floats, npt.NDArray[np.int32], npt.NDArray[np.bool_]]:
        """Conversions ready before `end_s` and not made yet: times in s, codes, whether still settling."""
        time_s, resets_s = self._instants(end_s)
        grams = convert(
            self._bent(force_g), force_begin_s, step_s, time_s, self.period_s, self.cell.filter_order, self._table,
            self._creep_tau_s, self._creep_share, self._creep_g,
        )  # fmt: skip
        code = self.cell.zero_counts + self.cell.counts_per_gram * (grams + self._slow_g(time_s))
        code += self._noise(time_s.size) + self._slow_counts(time_s)
        there, settling = self._resets(time_s, resets_s)
        code += self._settled(settling)
        counts = np.clip(np.rint(code), ADC_MIN, ADC_MAX).astype(np.int32)
        there &= self._spikes(counts)
        self._sticks(time_s, counts)
        if self.cell.dies_at_s is not None:
            there &= time_s < self.cell.dies_at_s
        return time_s[there], counts[there], settling[there]

    def _instants(self, end_s: float) -> tuple[Floats, Floats]:
        """When conversions are ready up to `end_s`, and when the chip is reset (after which its phase is another)."""
        most = math.ceil((end_s - self._next_s) / self.period_s * 1.001) + 2
        steps = self.period_s * (1.0 + self.cell.jitter * self._rng.standard_normal(most))
        time_s = self._next_s + np.concatenate([[0.0], np.cumsum(steps)])
        hours = (end_s - self._next_s) / 3600.0
        resets = self._rng.poisson(self._faults.resets_per_hour * hours) if self._faults.resets_per_hour else 0
        resets_s = np.sort(self._rng.uniform(self._next_s, end_s, resets))
        for at_s in resets_s:
            time_s[time_s > at_s] += float(self._rng.random()) * self.period_s
        count = int(np.searchsorted(time_s, end_s))
        self._next_s = float(time_s[count])
        return time_s[:count], resets_s

    def _resets(self, time_s: Floats, resets_s: Floats) -> tuple[npt.NDArray[np.bool_], npt.NDArray[np.bool_]]:
        """Which conversions happen at all, and which of them the chip isn't settled for."""
        there = time_s >= self._mute_until_s
        if self._faults.lost_per_hour:
            there &= self._rng.random(time_s.size) >= self._faults.lost_per_hour * self.period_s / 3600.0
        settling = np.zeros(time_s.size, np.bool_)
        self._settling_left = _mark(settling, there, 0, self._settling_left)
        for at_s in resets_s:
            self._mute_until_s = float(at_s) + self._faults.reset_s
            there &= (time_s < at_s) | (time_s >= self._mute_until_s)
            self._settling_left = _mark(settling, there, int(np.searchsorted(time_s, at_s)), SETTLING_CONVERSIONS)
        return there, settling

    def _settled(self, settling: npt.NDArray[np.bool_]) -> Floats:
        """Counts by which the settling ones are off."""
        off = np.zeros(settling.size)
        run = 0
        for k in np.flatnonzero(settling):
            run = run + 1 if k and settling[k - 1] else 0
            off[k] = self.cell.settling_counts * _SETTLING_RATIO**run
        return off

    def _bent(self, force_g: Floats) -> Floats:
        """The cell isn't quite straight: the sag grows with the load."""
        return force_g * (1.0 + self.cell.nonlinearity * force_g / self.cell.capacity_g)

    def _noise(self, n: int) -> Floats:
        white = np.concatenate([self._last_white, self._rng.standard_normal(n)])
        self._last_white = white[n:]
        noise: Floats = np.convolve(white, NOISE_TAPS, mode="valid") * self.cell.noise_counts
        return noise

    def _slow_g(self, time_s: Floats) -> Floats:
        """Zero drift with the day, with the room's temperature, and any steady one."""
        turns = time_s / _DAY_S + self.cell.daily_phase
        daily = np.sin(2 * np.pi * turns) - math.sin(2 * math.pi * self.cell.daily_phase)
        drift: Floats = self.cell.daily_g * daily + self.cell.drift_g_per_h * time_s / 3600.0
        if self.cell.zero_g_per_degree:
            begun_c = self._room.celsius(0.0, self.cell.lags_s)
            drift += self.cell.zero_g_per_degree * (self._room.celsius(time_s, self.cell.lags_s) - begun_c)
        return drift

    def _slow_counts(self, time_s: Floats) -> Floats:
        """Random walk of the zero, and warming up."""
        steps = self._rng.standard_normal(time_s.size) * (self.cell.walk_counts * math.sqrt(self.period_s))
        walk = self._walk + np.cumsum(steps)
        if walk.size:
            self._walk = float(walk[-1])
        warming: Floats = walk + self.cell.warm_up_counts * np.exp(-time_s / self.cell.warm_up_s)
        return warming

    def _spikes(self, counts: npt.NDArray[np.int32]) -> npt.NDArray[np.bool_]:
        """Put corrupted codes in, and lose the conversion after each."""
        there = np.ones(counts.size, np.bool_)
        if self._faults.spikes_per_1000:
            spiked = np.flatnonzero(self._rng.random(counts.size) < self._faults.spikes_per_1000 / 1000.0)
            codes = (1 << self._rng.integers(*_SPIKE_BITS, size=spiked.size)) - 1
            counts[spiked] = np.where(self._rng.random(spiked.size) < _SPIKE_ZERO_SHARE, 0, codes)
            after = spiked + 1
            there[after[after < counts.size]] = False
            there[spiked] = True
        return there

    def _sticks(self, time_s: Floats, counts: npt.NDArray[np.int32]) -> None:
        if self.cell.sticks_at_s is None:
            return
        stuck = np.flatnonzero(time_s >= self.cell.sticks_at_s)
        if stuck.size:
            if self._stuck_code is None:
                self._stuck_code = int(counts[stuck[0]])
            counts[stuck] = self._stuck_code


def _mark(settling: npt.NDArray[np.bool_], there: npt.NDArray[np.bool_], begin: int, left: int) -> int:
    """Mark the next `left` conversions that happen from `begin` on; how many remain for the next window."""
    marked = (begin + np.flatnonzero(there[begin:]))[:left]
    settling[marked] = True
    return left - marked.size
