"""``--check``: one weight, once, against an existing calibration; half a minute.

The weight is asked for in the middle, where every cell carries its part of it: there a single gain that has changed
shows best. The sum must come out right wherever it lies, and its place is told. What no longer holds is named; the
record isn't touched.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from calibration.findings import Finding, Reason
from calibration.levels import Level, Rest, change
from calibration.placements import BoardSite, CalibrationInputError
from calibration.plan import MIDDLE
from calibration.prompts import Progress, Prompt, Step
from calibration.record import BoardCalibration
from calibration.watch import BoardWatch
from drivers.samples import SampleBlock

Floats = npt.NDArray[np.float64]

ALLOWED_SHARE = 0.002
MOST_ALLOWED_SHARE = 0.05  # however unsure the record is of itself
EMPTY_S, HOLD_S = 2.0, 2.5
LIMIT_S = 60.0
ZERO_MOVED_G = 20.0
LOADED_SHARE = 0.3
DEAD_SHARE = 0.01


@dataclass(frozen=True, slots=True)
class CheckResult:
    """What one weight says of a calibration.

    Attributes:
        grams: what the board weighs it; nan where it never came. sd_g: doubt of that, the record's own among it.
        x_mm, y_mm: where it lay; nan with a single cell.
        zero_g: what the empty board weighs by the record: how far its zero has moved.
        findings: a refusing one means: calibrate again.
    """

    grams: float
    sd_g: float
    x_mm: float
    y_mm: float
    zero_g: float
    findings: tuple[Finding, ...]

    @property
    def holds(self) -> bool:
        return not any(finding.refuses for finding in self.findings)


class CalibrationCheck:
    """The check as a state machine, with the words of `CalibrationSession`.

    Attributes:
        result: None while it goes on.
    """

    def __init__(self, site: BoardSite, record: BoardCalibration, weight_g: float, tolerance_share: float = 0.0003):
        """Raises CalibrationInputError for a weight that isn't one, CalibrationError for a record of other cells."""
        if not (math.isfinite(weight_g) and weight_g >= 1.0):
            raise CalibrationInputError(f"expected a weight from 1 g on, got {weight_g:g} g")
        names = [cell.name for cell in site.cells]
        self._cell_of = record.carried(names)
        self.site = site
        self.result: CheckResult | None = None
        self._weight_g = weight_g
        self._tolerance = tolerance_share
        self._common = record.gain_common_relative_sd
        self._watch = BoardWatch(len(site.cells), site.rate_hz)
        cells = [record.cells[name] for name in names]
        self._gain = np.array([cell.counts_per_gram for cell in cells])
        self._zero = np.array([cell.zero_counts for cell in cells])
        self._gain_sd = np.array([cell.gain_relative_sd for cell in cells])
        self._empty: Level | None = None
        self._begin_ns: int | None = None
        self._step = Step.CLEAR

    def push(self, blocks: Sequence[SampleBlock], now_ns: int) -> list[Prompt | Progress]:
        """Samples that came since the last call; prompts and progress out, nothing once there is a result."""
        if self.result is not None:
            return []
        said: list[Prompt | Progress] = []
        if self._begin_ns is None:
            self._begin_ns = now_ns
            said.append(Prompt(Step.CLEAR, "Clear the board and keep your hands off it.", limit_s=LIMIT_S))
        for block in blocks:
            if block.board != self.site.board:
                continue
            for _ in self._watch.push(block):
                if self._watch.finder.rest is not None and not self._is_done():
                    said += self._resting(self._watch.finder.rest)
        waited_s = (now_ns - self._begin_ns) / 1e9
        if not self._is_done():
            self._look_after(waited_s)
        return [*said, Prompt(Step.DONE, "Done.") if self._is_done() else self._progress(waited_s)]

    def _is_done(self) -> bool:
        return self.result is not None

    def _look_after(self, waited_s: float) -> None:
        broken = self._watch.broken()
        if waited_s > LIMIT_S:
            evidence = f"no weight came to rest on the board in {LIMIT_S:.0f} s"
            broken.append(Finding(Reason.NOT_MOVED, self.site.board, evidence, "is it the right board? check again"))
        if broken:
            self._end(math.nan, math.nan, np.full(2, math.nan), broken)

    def _progress(self, waited_s: float) -> Progress:
        rest = self._watch.finder.rest
        live = None
        if self._empty is not None:
            live = float(np.nansum((self._watch.finder.latest - self._empty.counts) / self._gain))
        held = min(rest.seconds / HOLD_S, 1.0) if rest is not None and self._step is Step.PUT else 0.0
        if live is None or abs(live) < LOADED_SHARE * self._weight_g:
            held = 0.0  # the empty board rests too
        left_s = LIMIT_S - waited_s
        return Progress(self._step, live, rest is not None, held, left_s, left_s)

    def _resting(self, rest: Rest) -> list[Prompt]:
        if self._step is Step.CLEAR:
            if rest.seconds < EMPTY_S:
                return []
            self._empty = rest.last(EMPTY_S)
            self._step = Step.PUT
            x_mm, y_mm = (float(each) for each in self.site.xy_mm.mean(axis=0))
            text = f"Put {self._weight_g:g} g in the middle of the board."
            return [Prompt(Step.PUT, text, MIDDLE, x_mm, y_mm, self._weight_g, 1, 1, limit_s=LIMIT_S)]
        assert self._empty is not None
        moved, cov = change(self._empty, rest.first(HOLD_S))
        forces = moved / self._gain
        size = float(np.abs(forces).sum())
        if np.isnan(size) or size < LOADED_SHARE * self._weight_g or rest.seconds < HOLD_S:
            if not np.isnan(size) and size < LOADED_SHARE * self._weight_g:
                self._empty = rest.last(EMPTY_S)
            return []
        own = float((cov / np.outer(self._gain, self._gain)).sum()) + float(((forces * self._gain_sd) ** 2).sum())
        own += (self._common * self._weight_g) ** 2 + (self._tolerance * self._weight_g) ** 2
        grams = float(forces.sum())
        xy = self.site.xy_mm[self._cell_of]
        place = forces @ xy / grams if len(xy) > 1 and grams else np.full(2, math.nan)
        self._end(grams, math.sqrt(own), place, self._findings(grams, math.sqrt(own), forces))
        return []

    def _findings(self, grams: float, sd_g: float, forces: Floats) -> list[Finding]:
        off = grams / self._weight_g - 1.0
        allowed = min(max(ALLOWED_SHARE, 3.0 * sd_g / self._weight_g), MOST_ALLOWED_SHARE)
        if abs(off) <= allowed:
            return []
        again = "calibrate the board again"
        dead = [self.site.cells[c].name for c, force in zip(self._cell_of, forces, strict=True)
                if abs(force) < DEAD_SHARE * self._weight_g]  # fmt: skip
        if dead and len(forces) > 2 and off < -0.1:
            evidence = f"it takes nothing of the weight; the sum is {100 * off:+.1f} %"
            return [Finding(Reason.DEAD_CELL, dead[0], evidence, "check its plug, and whether the board rests on it")]
        if grams < 0:
            return [Finding(Reason.OFF_CALIBRATION, "", "the sum falls when a weight is put down", again)]
        evidence = f"{self._weight_g:g} g weigh {grams:.1f} g ({100 * off:+.2f} %, allowed {100 * allowed:.2f} %)"
        return [Finding(Reason.OFF_CALIBRATION, "", evidence, f"if it was that weight, {again}")]

    def _end(self, grams: float, sd_g: float, place: Floats, findings: Sequence[Finding]) -> None:
        zero_g = math.nan
        told = list(findings)
        if self._empty is not None:
            zero_g = float(((self._empty.counts - self._zero) / self._gain).sum())
            if abs(zero_g) > max(ZERO_MOVED_G, 0.02 * self._weight_g):
                evidence = f"the empty board weighs {zero_g:+.1f} g by its record"
                told.append(
                    Finding(Reason.ZERO_MOVED, "", evidence, "the node follows it; see that nothing lies there")
                )
        self.result = CheckResult(grams, sd_g, float(place[0]), float(place[1]), zero_g, tuple(told))
