"""What is looked at before a calibration begins to measure: chips at the rate that the node file says, and whether the
board can be empty at all, by its former record or by what its cells carry.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt

from calibration.findings import Finding, Reason
from calibration.levels import Rest
from calibration.placements import BoardSite
from calibration.prompts import Progress, Prompt, Step
from calibration.record import BoardCalibration, CalibrationError
from calibration.watch import BoardWatch
from drivers.samples import SampleBlock

Floats = npt.NDArray[np.float64]

LOOK_S = 2.0  # of a rest
RATE_S = 4.0  # of samples
RATE_SHARE = (0.7, 1.4)  # an HX711's own clock is 3 % slow to 17 % fast; its strap makes it 8 times another
LEAST_G, LEAST_SHARE = 50.0, 0.05  # of the reference weight: by less than that a zero moves by itself
MOST_OF_CAPACITY = 0.4  # a zero is off by a tenth of the capacity at worst
PATIENCE_S = 15.0  # for somebody who takes something off; then it is believed that the board is empty


class BoardGate:
    """Samples in; what speaks against beginning.

    Attributes:
        wrong_rate: a chip that converts at another rate than the node file says; ends the run.
        loaded: a sentence on what seems to lie on the board, as long as it does; "" otherwise.
        given_up: nobody took it off.
    """

    def __init__(self, site: BoardSite, weight_g: float, former: BoardCalibration | None) -> None:
        self._site = site
        self._most_g = max(LEAST_G, LEAST_SHARE * weight_g)
        self._watch = BoardWatch(len(site.cells), site.rate_hz)
        self._zero, self._gain = _by_record(site, former)
        self._times: list[list[npt.NDArray[np.int64]]] = [[] for _ in site.cells]
        self._begin_ns: int | None = None
        self._seen: Rest | None = None
        self._told_ns: int | None = None
        self._knows_rate = False
        self.wrong_rate: Finding | None = None
        self.loaded = ""
        self.given_up = ""

    def push(self, blocks: Sequence[SampleBlock], now_ns: int) -> Prompt | None:
        """What came since the last call; something to say, if there is."""
        for block in blocks:
            if block.board == self._site.board and len(block):
                self._look_at_rate(block)
                for _ in self._watch.push(block):
                    rest = self._watch.finder.rest
                    if rest is not None and rest is not self._seen and rest.seconds >= LOOK_S:
                        self._seen = rest
                        self.loaded = self._on_it(rest.last(LOOK_S).counts)
        if not self.loaded or self.given_up:
            return None
        if self._told_ns is None:
            self._told_ns = now_ns
            return Prompt(Step.CLEAR, "Take everything off the board.", mistake=self.loaded, limit_s=PATIENCE_S)
        if now_ns - self._told_ns > PATIENCE_S * 1e9:
            self.given_up, self.loaded = self.loaded, ""
        return None

    def progress(self, now_ns: int) -> Progress:
        """Where things stand while the board isn't empty."""
        live = None
        if self._zero is not None and self._gain is not None:
            live = float(np.nansum((self._watch.finder.latest - self._zero) / self._gain))
        waited_s = (now_ns - (self._told_ns or now_ns)) / 1e9
        left_s = max(PATIENCE_S - waited_s, 0.0)
        return Progress(Step.CLEAR, live, self._watch.finder.rest is not None, 0.0, left_s, 0.0)

    @property
    def remark(self) -> Finding | None:
        """For a run that went on all the same."""
        if not self.given_up:
            return None
        remedy = "if something lay on it, take it off and calibrate again"
        return Finding(Reason.ZERO_MOVED, "", self.given_up, remedy)

    def _on_it(self, counts: Floats) -> str:
        if self._zero is not None and self._gain is not None:
            grams = float(((counts - self._zero) / self._gain).sum())
            if abs(grams) > self._most_g:
                return f"by its former calibration {grams:+.0f} g lie on the board"
            return ""
        for cell, count in zip(self._site.cells, counts, strict=True):
            label, capacity_g = cell.label_counts_per_gram, cell.capacity_g
            if label and capacity_g and abs(count) > MOST_OF_CAPACITY * capacity_g * label:
                share = 100 * abs(count) / label / capacity_g
                return f"cell {cell.name} stands at {share:.0f} % of its capacity"
        return ""

    def _look_at_rate(self, block: SampleBlock) -> None:
        if self._knows_rate:
            return
        if self._begin_ns is None:
            self._begin_ns = int(block.time_ns[0])
        for k, times in enumerate(self._times):
            times.append(block.time_ns[block.cell == k])
        if int(block.time_ns[-1]) - self._begin_ns < RATE_S * 1e9:
            return
        self._knows_rate = True
        for cell, parts in zip(self._site.cells, self._times, strict=True):
            steps = np.diff(np.concatenate(parts))
            if steps.size < 3:
                continue  # a silent cell is named as one
            rate_hz = 1e9 / float(np.median(steps))
            low, high = RATE_SHARE
            if not low < rate_hz / self._site.rate_hz < high:
                evidence = f"{rate_hz:.1f} samples per second, but the node file says {self._site.rate_hz:g}"
                remedy = "set its RATE strap (low: 10, high: 80), or correct `rate` in the node file"
                self.wrong_rate = Finding(Reason.WRONG_RATE, cell.name, evidence, remedy)
                return


def _by_record(site: BoardSite, former: BoardCalibration | None) -> tuple[Floats | None, Floats | None]:
    """Zeros and gains of the channels; None without a record of these cells."""
    names = [cell.name for cell in site.cells]
    if former is None:
        return None, None
    try:
        former.carried(names)
    except CalibrationError:
        return None, None
    cells = [former.cells[name] for name in names]
    return np.array([cell.zero_counts for cell in cells]), np.array([cell.counts_per_gram for cell in cells])
