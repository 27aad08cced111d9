"""What a trace says of its converters, by name: corrupt codes, restarts, lost conversions, and the tare they tell."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field

import numpy as np
import numpy.typing as npt

from calibration.record import CellCalibration
from drivers.hx711.codes import OTHER, RAW, SHIFTED, code_name, is_full_run, is_saturated
from drivers.samples import SampleFlag
from edge.trace.cell_kind import kind_of
from edge.trace.tare_fit import CutReading, TareFit, fit_tare

_MOST_KEPT = 500  # cut readings of a cell; far more than tell its tare
_LOOK_BACK = 8  # good readings before a cut one, whose steps say how far two may differ
_NOISE_STEPS = 4.0
_LEAST_NOISE_COUNTS = 100.0
_MOST_NAMES = 6
_REVERSED_BITS = 20.0  # evidence that a cell is wired the other way round, which few are
_MOST_PERIODS, _BESIDE = (
    100.0,
    0.25,
)  # longer silence isn't a busy reader; a period this far from a whole one isn't whole
_CORRUPT, _RESET = SampleFlag.CORRUPT_CODE.value, SampleFlag.RESET.value
_STILL_GOOD = ~np.uint16(SampleFlag.SETTLING.value | SampleFlag.RESET.value)  # off by less than what is looked for


@dataclass(slots=True)
class CellFindings:
    """One cell's, from the flags that its samples were given when they were recorded or imported.

    Attributes:
        kind: what its numbers are: RAW, SHIFTED or OTHER of `drivers.hx711.codes`.
        corrupt, restarts: samples with CORRUPT_CODE, samples with RESET.
        lost: conversions that nobody read, by whole periods without a sample.
        names: of corrupt codes, how often each; only RAW cells have codes.
        cut: readings after which the chip restarted, of a SHIFTED cell; the first `_MOST_KEPT`.
    """

    kind: int
    corrupt: int = 0
    restarts: int = 0
    lost: int = 0
    names: Counter[str] = field(default_factory=Counter)
    cut: list[CutReading] = field(default_factory=list)
    _last_good: list[int] = field(default_factory=list)
    _last_ns: int | None = None
    _steady_ns: float = 0.0
    _steady_steps: int = 0

    @staticmethod
    def of(record: CellCalibration | None) -> CellFindings:
        """Nothing found yet in a cell with this calibration."""
        return CellFindings(kind_of(record))

    def tare(self) -> TareFit | None:
        """The tare of a SHIFTED cell and with it the codes of ``cut``; None where they don't tell it."""
        upright = fit_tare(self.cut)
        if upright is not None:
            return upright
        reversed_cell = fit_tare([CutReading(-cut.counts, -cut.before, cut.noise) for cut in self.cut])
        rare = reversed_cell is not None and reversed_cell.evidence_bits < _REVERSED_BITS
        return None if rare else reversed_cell

    def add(self, time_ns: npt.NDArray[np.int64], counts: npt.NDArray[np.int32], flags: npt.NDArray[np.uint16]) -> None:
        """The next samples of the cell that have a value; at least one."""
        self._count_lost(time_ns, flags)
        corrupt = np.flatnonzero(flags & _CORRUPT)
        self.corrupt += corrupt.size
        self.restarts += int(np.count_nonzero(flags & _RESET))
        if self.kind == RAW:
            self.names.update(code_name(code) for code in counts[corrupt].tolist() if not is_saturated(code))
        if self.kind != SHIFTED:
            return
        good = np.flatnonzero((flags & _STILL_GOOD) == 0)
        before = [*self._last_good, *counts[good[-_LOOK_BACK:]].tolist()]
        for at in corrupt.tolist()[: _MOST_KEPT - len(self.cut)]:
            number = int(np.searchsorted(good, at))
            known = [*self._last_good, *counts[good[max(0, number - _LOOK_BACK) : number]].tolist()][-_LOOK_BACK:]
            if not known:  # the very first: what follows it will do
                known = counts[good[:1]].tolist()
            if known:
                steps = np.abs(np.diff(known))
                noise = max(_NOISE_STEPS * float(steps.max()) if steps.size else 0.0, _LEAST_NOISE_COUNTS)
                self.cut.append(CutReading(int(counts[at]), known[-1], noise))
        self._last_good = before[-_LOOK_BACK:]

    def _count_lost(self, time_ns: npt.NDArray[np.int64], flags: npt.NDArray[np.uint16]) -> None:
        """A chip that is read on goes on at its own rate: what is missing is a whole number of periods."""
        steps = np.diff(time_ns) if self._last_ns is None else np.diff(time_ns, prepend=np.int64(self._last_ns))
        ends = flags[time_ns.size - steps.size :]
        self._last_ns = int(time_ns[-1])
        if not steps.size:
            return
        usual_ns = self._steady_ns / self._steady_steps if self._steady_steps else float(np.median(steps))
        steady = np.abs(steps - usual_ns) < 0.3 * usual_ns
        self._steady_ns += float(steps[steady].sum())
        self._steady_steps += int(np.count_nonzero(steady))
        periods = steps[((ends & _RESET) == 0) & ~steady] / max(usual_ns, 1.0)
        whole = np.rint(periods)
        counted = (periods < _MOST_PERIODS) & (whole > 1) & (np.abs(periods - whole) < _BESIDE)
        self.lost += int((whole[counted] - 1).sum())


def findings_text(found: CellFindings) -> str:
    """One cell's in a line, for a person; empty where there is nothing to say."""
    parts = []
    if found.corrupt:
        names, tare = found.names, ""
        if found.kind == SHIFTED:
            fit = found.tare()
            names = _names(found, fit)
            if fit is not None:
                tare = f"with a tare of {fit.tare_counts:,} counts".replace(",", " ")
        details = "; ".join(text for text in (_listed(names), tare) if text)
        parts.append(f"corrupt codes {found.corrupt}" + (f" ({details})" if details else ""))
    if found.restarts:
        parts.append(f"chip resets {found.restarts}")
    if found.lost and found.kind != OTHER:
        parts.append(f"lost conversions {found.lost}")
    return ", ".join(parts)


def _names(found: CellFindings, fit: TareFit | None) -> Counter[str]:
    """Codes by name once the tare is known. Those that differ in low bits only were hardly wrong."""
    names: Counter[str] = Counter()
    for at in range(found.corrupt):
        code = fit.codes[at] if fit is not None and at < len(fit.codes) else None
        if code is not None:
            names[code_name(code) if is_full_run(code) else "low bits 1"] += 1
        elif at < len(found.cut) and found.cut[at].jumps:
            names["not explained"] += 1
        else:
            names["before a reset"] += 1
    return names


def _listed(names: Counter[str]) -> str:
    ranked = sorted(names.items(), key=lambda item: (not item[0].startswith("2^"), -item[1], item[0]))
    shown = [f"{name} ×{count}" for name, count in ranked[:_MOST_NAMES]]
    rest = sum(count for _, count in ranked[_MOST_NAMES:])
    return ", ".join([*shown, f"others ×{rest}"] if rest else shown)
