"""Teaching as a state machine: blocks of a calibrated board in, steps in weight and prompts out. No clock."""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np
import numpy.typing as npt

from calibration.findings import Finding
from calibration.levels import Level, Rest, change
from calibration.placements import BoardSite
from calibration.prompts import Progress, Prompt, Step
from calibration.record import BoardCalibration
from calibration.teaching import TeachError, UnitWeight, WeightStep, unit_weight
from calibration.watch import BoardWatch
from drivers.samples import SampleBlock

Floats = npt.NDArray[np.float64]

LEVEL_S = 2.5  # of a rest next to a step
HOLD_S = 2.0  # a rest counts from here on; a hand that still holds a light thing may seem to rest for a second
LEAST_STEP_G = 1.5
STEP_SIGMAS = 7.0
CREEP_SHARE = 0.0003  # of a step: what creeps in before the rest is over, and what a level's doubt doesn't know of
LIMIT_S = 60.0


class TeachSession:
    """Collects steps until there are enough units.

    Attributes:
        steps: so far. broken: channels that can't be weighed with; they end it.
        is_over: enough units, nothing came for `LIMIT_S`, or it is broken.
    """

    def __init__(
        self,
        site: BoardSite,
        record: BoardCalibration,
        count: int = 5,
        at_a_time: int = 1,
        expected_g: float | None = None,
    ) -> None:
        """``expected_g`` as in `unit_weight`.

        Raises CalibrationError for a record of other cells, TeachError for a count that can't be.
        """
        names = [cell.name for cell in site.cells]
        places = record.carried(names)
        if not (1 <= count <= 1000 and 1 <= at_a_time <= 100):
            raise TeachError(f"expected 1 to 1000 units, 1 to 100 at a time, got {count}, {at_a_time} at a time")
        self.site = site
        self.steps: list[WeightStep] = []
        self.broken: list[Finding] = []
        self.is_over = False
        self._count, self._at_a_time, self._expected_g = count, at_a_time, expected_g
        self._watch = BoardWatch(len(site.cells), site.rate_hz)
        cells = [record.cells[name] for name in names]
        self._gain = np.array([cell.counts_per_gram for cell in cells])
        self._zero = np.array([cell.zero_counts for cell in cells])
        self._xy = site.xy_mm[places]
        own = math.sqrt(float(((np.array([c.gain_relative_sd for c in cells])) ** 2).sum())) / len(cells)
        self._gain_sd = math.hypot(own, record.gain_common_relative_sd)
        self._before: Rest | None = None  # the level that the next step starts from
        self._judged: Rest | None = None
        self._since_ns: int | None = None
        self._enough = False

    def push(self, blocks: Sequence[SampleBlock], now_ns: int) -> list[Prompt | Progress]:
        """Samples that came since the last call; prompts and progress out, nothing once it is over."""
        if self.is_over:
            return []
        said: list[Prompt | Progress] = []
        if self._since_ns is None:
            self._since_ns = now_ns
            said.append(Prompt(Step.CLEAR, "Hands off for a moment.", limit_s=LIMIT_S))
        for block in blocks:
            if block.board != self.site.board:
                continue
            for _ in self._watch.push(block):
                rest = self._watch.finder.rest
                if rest is not None and rest is not self._judged and rest.seconds >= HOLD_S and not self._enough:
                    said += self._rested(rest, now_ns)
        self._look_after(now_ns)
        return [*said, Prompt(Step.DONE, "Done.") if self.is_over else self._progress(now_ns)]

    def result(self) -> UnitWeight:
        """What the steps so far say. Raises TeachError: none, or they don't agree, or the board is broken."""
        if self.broken and not self.steps:
            raise TeachError("; ".join(map(str, self.broken)))
        return unit_weight(self.steps, self._at_a_time, self._gain_sd, self._expected_g)

    def _rested(self, rest: Rest, now_ns: int) -> list[Prompt | Progress]:
        self._judged = rest
        before, self._before = self._before, rest
        if before is not None:
            step = self._step(before.last(LEVEL_S), rest.first(LEVEL_S))
            if step is None:
                return []
            self.steps.append(step)
        self._since_ns = now_ns
        done = self._units()
        self._enough = done >= self._count
        if self._enough:
            return []
        number = min(done + 1, self._count)
        return [Prompt(Step.PUT, self._ask(done), number=number, of=self._count, limit_s=LIMIT_S)]

    def _step(self, before: Level, after: Level) -> WeightStep | None:
        """The change between two rests; None for a touch that left nothing."""
        moved, cov = change(before, after)
        forces = moved / self._gain
        grams = float(forces.sum())
        sd_g = math.sqrt(max(float((cov / np.outer(self._gain, self._gain)).sum()), 0.0))
        if math.isnan(grams) or math.isnan(sd_g) or abs(grams) < max(LEAST_STEP_G, STEP_SIGMAS * sd_g):
            return None
        place = forces @ self._xy / grams if len(self._xy) > 1 else np.full(2, math.nan)
        return WeightStep(grams, math.hypot(sd_g, CREEP_SHARE * grams), float(place[0]), float(place[1]))

    def _units(self) -> int:
        try:
            return self.result().units if self.steps else 0
        except TeachError:
            return 0

    def _ask(self, done: int) -> str:
        what = "a unit" if self._at_a_time == 1 else f"{self._at_a_time} units at once"
        if not self.steps:
            return f"Put {what} down, or take {what} away, and let go."
        last = self.steps[-1].grams
        return f"{last:+.1f} g: {done} of {self._count} units so far. The next one."

    def _look_after(self, now_ns: int) -> None:
        self.broken = self._watch.broken()
        waited_s = (now_ns - (self._since_ns or now_ns)) / 1e9
        self.is_over = self._enough or bool(self.broken) or waited_s > LIMIT_S

    def _progress(self, now_ns: int) -> Progress:
        finder = self._watch.finder
        live = float(np.nansum((finder.latest - self._zero) / self._gain))
        held = min(finder.rest.seconds / HOLD_S, 1.0) if finder.rest is not None else 0.0
        left = LIMIT_S - (now_ns - (self._since_ns or now_ns)) / 1e9
        step = Step.CLEAR if self._before is None else Step.PUT
        return Progress(step, live, finder.rest is not None, held, max(left, 0.0), 0.0)
