"""The creep run: a weight stands on a calibrated board for 20 minutes and is taken off again; blocks in, prompts out.

Nothing is pressed: landing, lifting and bumps are recognised from the samples, as in a calibration.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from calibration.creep import CREEP_RUN_S, LEAST_RUN_S, CreepFits, CreepSeries, fit_creep
from calibration.creep_verdict import bumps, judge_creep
from calibration.findings import Finding, Reason
from calibration.levels import Rest
from calibration.placements import BoardSite, CalibrationInputError
from calibration.prompts import Progress, Prompt, Step
from calibration.warm_up import WARM_UP_S, drift_of, is_warm
from calibration.watch import BoardWatch
from drivers.samples import SampleBlock

Floats = npt.NDArray[np.float64]

EMPTY_S = 15.0
RECOVERY_S = 300.0
LANDED_SHARE = 0.5  # of the weight: it is on the board
GONE_SHARE = 0.02
WEIGHT_SHARE = 0.02  # the board must weigh the weight as well as that, or it isn't the one that was named
SETTLING_S = 20.0  # what is put straight so soon counts as put down then
PLACE_LIMIT_S = 120.0
KEPT_EMPTY = 60
BACK = "Hands off: how the cells come back is looked at; Ctrl-C ends it with a result."
_EVERY_S = 1.0
_TELL_S = 60.0


@dataclass(frozen=True, slots=True)
class CreepOutcome:
    """What a creep run came to.

    Attributes:
        fits: None where there was nothing to fit. findings: why it isn't trustworthy; empty where it is.
        weight_g: the weight. celsius: at the beginning and at the end; None without a thermometer.
    """

    weight_g: float
    fits: CreepFits | None
    findings: tuple[Finding, ...]
    celsius: tuple[float, float] | None = None

    @property
    def accepted(self) -> bool:
        """There are figures, and nothing speaks against them."""
        return self.fits is not None and not self.findings


class CreepRun:
    """Blocks in, prompts out, as `CalibrationSession` does; the reading is kept once per second.

    Attributes:
        outcome: None while it goes on.
    """

    def __init__(
        self,
        site: BoardSite,
        grams_per_count: Floats,
        weight_g: float,
        lasts_s: float = CREEP_RUN_S,
        recovery_s: float = RECOVERY_S,
        grams_per_degree: float | None = None,
    ) -> None:
        """``grams_per_count``: float64[channels], of the board's calibration. ``recovery_s``: 0 for none.
        ``grams_per_degree``: of the zero, where a temperature run found it. Raises CalibrationInputError.
        """
        if not 1.0 <= weight_g < math.inf:
            raise CalibrationInputError(f"a creep run needs a weight from 1 g on, got {weight_g:g} g")
        if not LEAST_RUN_S <= lasts_s <= 86_400.0 or not 0.0 <= recovery_s <= 86_400.0:
            raise CalibrationInputError("a creep run takes two minutes at least and a day at most; expected 20 minutes")
        self.outcome: CreepOutcome | None = None
        self._site, self._a, self._weight_g = site, grams_per_count, weight_g
        self._lasts_s, self._recovery_s = lasts_s, recovery_s
        self._grams_per_degree = grams_per_degree
        self._watch = BoardWatch(len(site.cells), site.rate_hz)
        self._empty: Floats | None = None
        self._at_ns: list[int] = []
        self._counts: list[Floats] = []
        self._begin_ns: int | None = None
        self._asked_ns = 0
        self._landed_ns: int | None = None
        self._told_ns = 0
        self._due_ns: int | None = None  # the time is up, it may be taken off
        self._off_ns: int | None = None
        self._celsius: list[float] = []

    @property
    def is_over(self) -> bool:
        """There is an outcome."""
        return self.outcome is not None

    @property
    def has_stood(self) -> bool:
        """The weight has stood for as long as was asked for: only the recovery is missing."""
        return self._due_ns is not None

    def take_celsius(self, celsius: float) -> None:
        """What a thermometer at the board says, from time to time."""
        self._celsius.append(celsius)

    def end(self) -> None:
        """Nothing more will come, or nobody wants to wait: it ends with what it has."""
        if self.outcome is None:
            self._finish([] if self.has_stood else [_stopped()])

    def push(self, blocks: Sequence[SampleBlock], now_ns: int) -> list[Prompt | Progress]:
        """Samples that came since the last call; prompts and progress out, nothing once it is over."""
        if self.is_over:
            return []
        said: list[Prompt | Progress] = []
        if self._begin_ns is None:
            self._begin_ns = now_ns
            said.append(Prompt(Step.CLEAR, "Clear the board and keep your hands off it.", limit_s=WARM_UP_S))
        for block in blocks:
            if block.board == self._site.board:
                for _ in self._watch.push(block):
                    said += self._look(now_ns)
        if not self._is_over_by(now_ns):
            return [*said, self._progress(now_ns)]
        return [*said, Prompt(Step.DONE, "Done." if self._off_ns is not None else "Done. Take the weight off.")]

    def _is_over_by(self, now_ns: int) -> bool:
        if self.outcome is None:
            self._wait(now_ns)
        return self.outcome is not None

    def _look(self, now_ns: int) -> list[Prompt]:
        if self.outcome is not None:
            return []
        broken = self._watch.broken()
        if broken:
            self._finish(broken)
            return []
        rest = self._watch.finder.rest
        if self._empty is None:
            return self._look_at_empty(rest, now_ns)
        grams = float(np.nansum((self._watch.finder.latest - self._empty) * self._a))
        if self._off_ns is not None:
            return self._recover(rest, grams)
        if self._landed_ns is None:
            self._keep(rest, KEPT_EMPTY)
            return self._land(rest, grams)
        return self._stand(rest, grams)

    def _look_at_empty(self, rest: Rest | None, now_ns: int) -> list[Prompt]:
        self._keep(rest, KEPT_EMPTY)
        usual = float(np.median(1.0 / np.abs(self._a)))
        if rest is None or rest.seconds < EMPTY_S or not is_warm(rest, usual):
            return []
        self._empty = rest.last(EMPTY_S).counts
        self._asked_ns = now_ns
        stays = f"leave it there for {_minutes(self._lasts_s)}"
        text = f"Put {self._weight_g:g} g on the middle and {stays}."
        return [Prompt(Step.PUT, text, weight_g=self._weight_g, number=1, of=1, limit_s=PLACE_LIMIT_S)]

    def _land(self, rest: Rest | None, grams: float) -> list[Prompt]:
        if rest is None or grams < LANDED_SHARE * self._weight_g:
            return []
        if abs(grams / self._weight_g - 1.0) > WEIGHT_SHARE:
            evidence = f"the board weighs {grams:.0f} g with it, {self._weight_g:g} g were named"
            remedy = f"name the weight that lies there, or see to the calibration: calibrate {self._site.board} --check"
            self._finish([Finding(Reason.WRONG_WEIGHT, "", evidence, remedy)])
            return []
        self._landed_ns = self._told_ns = rest.begin_ns
        text = f"Leave it alone for {_minutes(self._lasts_s)}: nobody touches it or leans on the rack."
        return [Prompt(Step.WAIT, text, weight_g=self._weight_g)]

    def _stand(self, rest: Rest | None, grams: float) -> list[Prompt]:
        assert self._landed_ns is not None
        since_s = (self._watch.end_ns - self._landed_ns) / 1e9
        if grams < LANDED_SHARE * self._weight_g:
            if since_s < LEAST_RUN_S:
                evidence = f"the weight was gone after {since_s:.0f} s"
                self._finish([Finding(Reason.LIFTED_EARLY, "", evidence, "begin again, and leave it where it stands")])
            else:
                self._due_ns = self._due_ns or self._watch.end_ns
                self._off_ns = self._watch.end_ns
            return [Prompt(Step.WAIT, BACK)] if self._recovery_s else self._over()
        if rest is None and since_s < SETTLING_S:
            self._landed_ns = None  # it is put straight
            return []
        self._keep(rest)
        if since_s >= self._lasts_s and self._due_ns is None:
            self._due_ns = self._watch.end_ns
            if not self._recovery_s:
                return self._over()
            text = f"Take it off, then hands off for {_minutes(self._recovery_s)}: how it comes back is looked at."
            return [Prompt(Step.TAKE_OFF, text, limit_s=PLACE_LIMIT_S)]
        if self._due_ns is None and self._watch.end_ns - self._told_ns >= _TELL_S * 1e9:
            self._told_ns = self._watch.end_ns
            away_g = grams - self._weight_g
            text = f"{since_s / 60:.0f} of {_minutes(self._lasts_s)}: {away_g:+z.1f} g away from {self._weight_g:g} g."
            return [Prompt(Step.WAIT, text, weight_g=self._weight_g)]
        return []

    def _recover(self, rest: Rest | None, grams: float) -> list[Prompt]:
        assert self._off_ns is not None
        since_s = (self._watch.end_ns - self._off_ns) / 1e9
        disturbed = since_s > SETTLING_S and abs(grams) > GONE_SHARE * self._weight_g
        if disturbed or since_s > self._recovery_s:
            return self._over()
        self._keep(rest)
        return []

    def _over(self) -> list[Prompt]:
        self._finish([])
        return []

    def _wait(self, now_ns: int) -> None:
        """Give up what is waited for in vain."""
        assert self._begin_ns is not None
        if self._empty is None:
            if now_ns - self._begin_ns > WARM_UP_S * 1e9:
                self._finish([self._never_calm()])
        elif self._landed_ns is None:
            if now_ns - self._asked_ns > PLACE_LIMIT_S * 1e9:
                evidence = f"no weight came to rest on the board in {PLACE_LIMIT_S:.0f} s"
                self._finish([Finding(Reason.NOT_MOVED, "", evidence, "begin again")])
        elif self._due_ns is not None and self._off_ns is None:
            if now_ns - self._due_ns > PLACE_LIMIT_S * 1e9:
                self._finish([])
        elif self._due_ns is None and now_ns - self._watch.end_ns > PLACE_LIMIT_S * 1e9:
            evidence = f"no samples for {PLACE_LIMIT_S:.0f} s"
            remedy = "see to its cables (shelfedge diagnose), then begin again"
            self._finish([Finding(Reason.SILENT_CELL, "", evidence, remedy)])

    def _never_calm(self) -> Finding:
        rest = self._watch.finder.rest
        if rest is None:
            evidence = f"the empty board didn't come to rest in {WARM_UP_S / 60:.0f} min"
            return Finding(Reason.RESTLESS, "", evidence, "keep hands and draught away, then begin again")
        drift = drift_of(rest)
        evidence = f"the empty board's zero still goes by {60 * drift:+.0f} counts a minute"
        return Finding(Reason.DRIFTING, "", evidence, "leave it switched on for a quarter of an hour, then begin again")

    def _keep(self, rest: Rest | None, most: int | None = None) -> None:
        """The reading of the last second, once per second, while it rests."""
        if rest is None or (self._at_ns and self._watch.end_ns - self._at_ns[-1] < (_EVERY_S + 0.5) * 1e9 - 1e8):
            return
        self._at_ns.append(self._watch.end_ns - round(_EVERY_S * 0.5e9))
        self._counts.append(rest.last(_EVERY_S).counts)
        if most is not None:
            del self._at_ns[:-most], self._counts[:-most]

    def _finish(self, findings: list[Finding]) -> None:
        fits = None
        if not findings and self._empty is not None and self._landed_ns is not None:
            series = self._series()
            try:
                fits = fit_creep(series, self._weight_g, self._capacity_g())
            except CalibrationInputError as error:
                findings = [Finding(Reason.TOO_SHORT, "", str(error), "begin again")]
            else:
                names = [cell.name for cell in self._site.cells]
                findings = bumps(series, self._weight_g, names)
                findings += judge_creep(
                    fits, self._weight_g, self._lasts_s, self._temperatures(), self._grams_per_degree
                )
        self.outcome = CreepOutcome(self._weight_g, fits, tuple(findings), self._temperatures())

    def _series(self) -> CreepSeries:
        assert self._empty is not None
        assert self._landed_ns is not None
        time_s = (np.array(self._at_ns, np.float64) - self._landed_ns) / 1e9
        grams = (np.array(self._counts) - self._empty) * self._a
        off_s = None if self._off_ns is None else (self._off_ns - self._landed_ns) / 1e9
        return CreepSeries(time_s, grams, off_s)

    def _capacity_g(self) -> float:
        known = [cell.capacity_g for cell in self._site.cells if cell.capacity_g]
        return float(np.median(known)) if known else 2.0 * self._weight_g

    def _temperatures(self) -> tuple[float, float] | None:
        if not self._celsius:
            return None
        few = max(1, len(self._celsius) // 10)
        return float(np.mean(self._celsius[:few])), float(np.mean(self._celsius[-few:]))

    def _progress(self, now_ns: int) -> Progress:
        finder = self._watch.finder
        live = None if self._empty is None else float(np.nansum((finder.latest - self._empty) * self._a))
        resting = finder.rest is not None
        whole_s = self._lasts_s + self._recovery_s
        if self._landed_ns is None:
            assert self._begin_ns is not None
            limit_s, since_ns = (WARM_UP_S, self._begin_ns) if live is None else (PLACE_LIMIT_S, self._asked_ns)
            warming = drift_of(finder.rest) if live is None and finder.rest is not None else None
            step = Step.CLEAR if live is None else Step.PUT
            return Progress(step, live, resting, 0.0, limit_s - (now_ns - since_ns) / 1e9, whole_s, warming)
        if self._due_ns is None:
            since_s = (now_ns - self._landed_ns) / 1e9
            left_s = max(self._lasts_s - since_s, 0.0)
            held = min(since_s / self._lasts_s, 1.0)
            return Progress(Step.WAIT, live, resting, held, math.inf, left_s + self._recovery_s)
        if self._off_ns is None:
            waited_s = (now_ns - self._due_ns) / 1e9
            return Progress(Step.TAKE_OFF, live, resting, 1.0, PLACE_LIMIT_S - waited_s, self._recovery_s)
        back_s = (now_ns - self._off_ns) / 1e9
        left_s = max(self._recovery_s - back_s, 0.0)
        return Progress(Step.WAIT, live, resting, min(back_s / self._recovery_s, 1.0), math.inf, left_s)


def _stopped() -> Finding:
    return Finding(Reason.STOPPED, "", "it was stopped before the weight had stood long enough", "begin again")


def _minutes(seconds: float) -> str:
    return f"{seconds / 60:g} minutes"
