"""The guided run as a state machine: blocks of samples in, prompts out. No clock, no terminal, no file.

A placement is a weight that was put down on the empty board, rested, and was taken off again; its change is measured
against the empty board before and after. Everything is recognised from the samples: nobody presses a key. What goes
wrong is asked for again with the reason; what goes wrong again and again, or can't be mended, ends the run refused.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np
import numpy.typing as npt

from calibration.elsewhere import Elsewhere
from calibration.findings import Finding, Reason
from calibration.levels import Level, Rest, RestBegan, RestEnded, change
from calibration.more_places import why_more
from calibration.outcome import Outcome, Review, newest_believed, review
from calibration.placements import BoardSite, Placement
from calibration.plan import PlanStep, steps_for
from calibration.prompts import Progress, Prompt, Step
from calibration.recognise import EMPTY_SHARE, Load, Recogniser
from calibration.solve import PLACE_SD_MM
from calibration.taken import Taken
from calibration.verdict import board_not_empty, dead_channels, noise_in_counts
from calibration.warm_up import LOOK_S, WARM_UP_S, drift_of, is_warm
from calibration.watch import BoardWatch
from drivers.samples import SampleBlock

Floats = npt.NDArray[np.float64]

BASE_S = 3.0  # of the empty board's rest next to a step
HOLD_S = (2.5, 8.0)  # a weight rests at least this long, longer where it is noisy
GOOD_ENOUGH = 2e-4  # of the change: a level known so well needs no longer rest
SILENCE_S = 5.0
MOST_ELSEWHERE = 3  # times that another board moved instead of this one, and this one never
STEP_S = 9.0  # what a placement takes a person, about


@dataclass(frozen=True, slots=True)
class RunOptions:
    """How patient a run is.

    Attributes:
        warm_up_limit_s, step_limit_s: how long it waits for an empty board at rest, and for each step.
        most_mistakes: at one step, before it is refused.
        most_repeats: suspicious placements that are asked for again.
        most_extra: placements added where wiring or places would stay unsure (a stiff plate); enough_s: and none more
            once this would be passed, at this person's pace. more_for_places: False: none for the sake of places.
        tolerance_share: standard deviation of the reference weight, as a share of it.
        place_sd_mm: how far from its place a person puts it, along each axis.
    """

    warm_up_limit_s: float = 300.0
    step_limit_s: float = 90.0
    most_mistakes: int = 4
    most_repeats: int = 3
    most_extra: int = 20
    more_for_places: bool = True
    enough_s: float = 540.0
    tolerance_share: float = 0.0003
    place_sd_mm: float = PLACE_SD_MM


@dataclass(slots=True)
class _Run:
    """What has been measured so far."""

    placements: list[Placement] = field(default_factory=list)
    empties: list[tuple[float, Floats, Floats]] = field(default_factory=list)
    repeated: list[str] = field(default_factory=list)
    doubted: bool = False  # the placement that comes next was asked for since its place looked wrong
    extra: int = 0
    scatter: Floats | None = None


class CalibrationSession:
    """One run on one board.

    Attributes:
        outcome: None while the run goes on; then the calibration or the reasons why there is none.
    """

    def __init__(
        self,
        site: BoardSite,
        weight_g: float,
        more_loads_g: Sequence[float] = (),
        options: RunOptions = RunOptions(),  # frozen
    ) -> None:
        """Raises CalibrationInputError for a weight or a board that can't be."""
        self.site = site
        self.outcome: Outcome | None = None
        self._options = options
        self._first_steps = steps_for(site, weight_g, more_loads_g)
        self._steps = list(self._first_steps)
        self._watch = BoardWatch(len(site.cells), site.rate_hz)
        self._away = Elsewhere(site.rate_hz)
        self._recogniser = Recogniser(site, weight_g)
        self._run = _Run()
        self._began_again = False
        self._left_g: float | None = None  # what lies there though the weight was taken off, about
        self._step = Step.CLEAR
        self._at = 0  # of the steps
        self._empty: Level | None = None
        self._judged: tuple[Rest, Load] | None = None
        self._loaded: Taken | None = None
        self._closing: tuple[Taken, Rest] | None = None  # taken off, and the empty board's rest that began then
        self._broke_off = False
        self._mistakes: list[Reason] = []
        self._begin_ns: int | None = None
        self._now_ns = self._first_ns = 0
        self._heard_ns = 0
        self._said: list[Prompt] = []
        self._elsewhere: list[str] = []
        self._drift: float | None = None
        self._answered: list[Floats] = []  # changes of all rests with something on the board, right or wrong

    def push(self, blocks: Sequence[SampleBlock], now_ns: int) -> list[Prompt | Progress]:
        """Samples that came since the last call (of this board, and of others that may have been swapped with it).

        Gives the prompts that they led to, in order, and the progress last; nothing once there is an outcome.
        """
        if self.outcome is not None:
            return []
        self._now_ns = now_ns
        if self._begin_ns is None:
            self._begin_ns = self._heard_ns = self._first_ns = now_ns
            self._say(Step.CLEAR, "Clear the board and keep your hands off it.")
        for block in blocks:
            if block.board != self.site.board:
                self._away.push(block, self._recogniser)
                continue
            if len(block):
                self._heard_ns = now_ns
            for events in self._watch.push(block):
                for event in events:
                    if self.outcome is None:
                        self._on(event)
                if self._watch.finder.rest is not None and self.outcome is None:
                    self._resting(self._watch.finder.rest)
        if self.outcome is None:
            self._look_elsewhere()
            self._look_after()
        said: list[Prompt | Progress] = list(self._said)
        self._said = []
        return said if self.outcome is not None else [*said, self._progress()]

    def stop(self) -> Outcome:
        """End it here: refused, unless it was done."""
        if self.outcome is None:
            self._refuse([Finding(Reason.STOPPED, "", "the run was stopped before its end", "nothing was changed")])
        assert self.outcome is not None
        return self.outcome

    def _on(self, event: RestBegan | RestEnded) -> None:
        if isinstance(event, RestBegan):
            self._judged = None
            return
        judged, self._judged = self._judged, None
        if self._closing is not None and self._closing[-1] is event.rest:
            self._close()
        if judged is None or self._step is Step.CLEAR:
            return
        load = judged[1]
        if load is Load.NOTHING:
            self._keep_empty(event.rest)
        elif self._step is Step.PUT and load is Load.RIGHT:
            self._broke_off = True

    def _resting(self, rest: Rest) -> None:
        if self._step is Step.CLEAR:
            self._gate(rest)
            return
        if self._closing is not None and self._closing[-1] is rest and rest.seconds >= BASE_S:
            self._close()
            if self.outcome is not None:
                return
        if self._judged is None or self._judged[0] is not rest:
            self._judge(rest)
        elif self._step is Step.PUT and self._judged[1] is Load.RIGHT:
            self._hold(rest)

    def _gate(self, rest: Rest) -> None:
        """The empty board has to be at rest, and warm."""
        self._drift = drift_of(rest)
        if not is_warm(rest, self._recogniser.label_counts_per_g):
            return
        self._run.scatter = rest.scatter()
        self._judged = (rest, Load.NOTHING)
        self._keep_empty(rest)
        self._ask()

    def _keep_empty(self, rest: Rest) -> None:
        self._empty = rest.last(BASE_S)
        self._run.empties.append((self._empty.time_ns / 1e9, self._empty.counts, rest.last(LOOK_S).drift))

    def _judge(self, rest: Rest) -> None:
        """What does the new rest mean for the present step?"""
        assert self._empty is not None
        moved, _ = change(self._empty, rest.first(BASE_S))
        step = self._steps[self._at]
        self._left_g = None
        less_g = self._recogniser.less_g(moved)
        if less_g > EMPTY_SHARE * step.weight_g and not self._began_again:
            self._begin_again(less_g)
            return
        load, why = self._recogniser.load(moved, self._watch.finder.noise, step, self._run.placements)
        if load is Load.SAME_PLACE and Reason.WRONG_PLACE in self._mistakes:
            load = Load.RIGHT  # told once, and meant it: perhaps the earlier one was wrong; the fit will tell
        self._judged = (rest, load)
        if load is not Load.NOTHING:
            self._answered.append(np.abs(moved))
        if self._step is Step.TAKE_OFF:
            if load is Load.NOTHING:
                self._taken_off(rest)
            elif self._loaded is None or self._recogniser.differs(
                moved, self._loaded.with_it.counts - self._empty.counts
            ):
                self._left_g = self._recogniser.grams(moved)
                self._say(Step.TAKE_OFF, "Take everything off the board.", "something still lies on it")
        elif load is Load.NOTHING:
            finder = self._watch.finder
            if self._broke_off or self._recogniser.was_a_try(finder.most, finder.moving_s, finder.noise):
                self._mistake(Reason.LIFTED_EARLY, "the weight was lifted before it had rested")
        elif load is not Load.RIGHT:
            reason = Reason.WRONG_PLACE if load is Load.SAME_PLACE else Reason.WRONG_WEIGHT
            self._mistake(reason, why, take_off=True)
        self._broke_off = False

    def _begin_again(self, less_g: float) -> None:
        """The board stands lower than when it was taken to be empty: something lay on it then, and nothing counts."""
        self._began_again = True
        self._run, self._steps, self._at = _Run(), list(self._first_steps), 0
        self._recogniser = Recogniser(self.site, self._steps[0].weight_g)
        self._judged = self._loaded = self._closing = None
        self._mistakes = []
        why = f"the board weighs about {less_g:.0f} g less than when the run began: something lay on it then"
        self._say(Step.CLEAR, "Clear the board and keep your hands off it; it begins again.", why)

    def _hold(self, rest: Rest) -> None:
        """Take the placement once it has rested for long enough to be known well enough."""
        assert self._empty is not None
        if rest.seconds < HOLD_S[0]:
            return
        level = rest.first(HOLD_S[1])
        moved, cov = change(self._empty, level)
        if np.isnan(moved).any():  # a cell is silent just now
            return
        doubt = math.sqrt(float(np.nansum(np.diag(cov)))) / max(float(np.nansum(np.abs(moved))), 1e-9)
        if doubt > GOOD_ENOUGH and rest.seconds < HOLD_S[1]:
            return
        step = self._steps[self._at]
        self._loaded = Taken(step, self._empty, level, rest.begin_ns)
        self._judged = (rest, Load.TAKEN)
        self._mistakes = []
        self._elsewhere = []
        self._recogniser.learn(moved, step)
        if step.then_empty:
            self._say(Step.TAKE_OFF, "Got it. Take the weight off.")
            return
        self._run.placements.append(self._loaded.placement(None, rest.end_ns))
        self._at += 1
        self._ask()

    def _taken_off(self, rest: Rest) -> None:
        if self._loaded is None:  # a mistake was cleared away
            self._ask()
            return
        self._closing, self._loaded = (self._loaded, rest), None
        if self._at + 1 < len(self._steps):
            self._at += 1
            self._ask()

    def _close(self) -> None:
        """The empty board after a placement is known: the placement is complete."""
        assert self._closing is not None
        taken, rest = self._closing
        self._closing = None
        self._run.placements.append(taken.placement(rest.first(BASE_S), rest.begin_ns))
        if self._at + 1 == len(self._steps) and taken.step is self._steps[self._at]:
            self._keep_empty(rest)
            self._finish()

    def _finish(self) -> None:
        """All steps are done: fit, ask again for what looks wrong, or end."""
        run, options = self._run, self._options
        assert run.scatter is not None
        if run.doubted:
            run.placements = newest_believed(run.placements)
        noise = self._watch.sample_noise(run.scatter)
        found: Review = review(
            self.site, run.placements, run.empties, run.scatter, noise, self._watch.window_ns / 1e9,
            options.tolerance_share, options.place_sd_mm,
        )  # fmt: skip
        run.placements = found.placements
        more = found.again(run.repeated, options.most_repeats)
        more = more or found.extra(self._affordable(), options.more_for_places)
        if not more:
            self._done(Outcome(found.fit, tuple(found.findings)))
            return
        run.doubted = found.is_suspicious
        more_s = len(more) * self._each_s()
        self._steps += more
        self._at += 1
        if found.is_suspicious:
            run.repeated += [step.place.name for step in more]
            self._ask("let me see that one again")
        else:
            run.extra += len(more)
            self._ask(remark=why_more(found.fit, len(more), more_s))

    def _affordable(self) -> int:
        """How many placements may still be added."""
        left_s = self._options.enough_s - (self._now_ns - self._first_ns) / 1e9
        return min(self._options.most_extra - self._run.extra, int(left_s / self._each_s()))

    def _each_s(self) -> float:
        """What a placement takes this person."""
        return max((self._now_ns - self._first_ns) / 1e9 / (self._at + 1), 1.0)

    def _mistake(self, reason: Reason, why: str, take_off: bool = False) -> None:
        self._mistakes.append(reason)
        if self._mistakes.count(reason) > self._options.most_mistakes:
            place = self._steps[self._at].place.name
            remedy = "put the weight where the picture shows, let go, and wait until it is taken"
            refusal = Finding(reason, place, f"{len(self._mistakes)} times: {why}", remedy)
            graver = [self._swapped()] if self._elsewhere else dead_channels(self._answered)
            if not graver and (noisy := self._too_noisy_to_see()):
                graver = [noisy]
            self._refuse([*graver, refusal])
        elif take_off:
            self._say(Step.TAKE_OFF, "Take it off again.", why)
        else:
            self._ask(why)

    def _ask(self, mistake: str = "", remark: str = "") -> None:
        step = self._steps[self._at]
        where = f"{step.place.name} ({step.place.x_mm:.0f} mm from the left, {step.place.y_mm:.0f} mm from the front)"
        text = f"Put {step.weight_g:g} g at: {where}."
        if step.leg == "down" or not step.then_empty:
            text = f"Leave or put {step.weight_g:g} g in all at: {where}."
        self._say(Step.PUT, text, mistake, step, remark)

    def _say(self, step: Step, text: str, mistake: str = "", plan: PlanStep | None = None, remark: str = "") -> None:
        self._step = step
        self._begin_ns = self._now_ns
        limit_s = self._options.warm_up_limit_s if step is Step.CLEAR else self._options.step_limit_s
        of = len(self._steps)
        if plan is None:
            number = self._at + 1 if step is Step.TAKE_OFF else 0
            self._said.append(Prompt(step, text, number=number, of=of, mistake=mistake, limit_s=limit_s))
            return
        self._said.append(
            Prompt(step, text, plan.place.name, plan.place.x_mm, plan.place.y_mm, plan.weight_g, self._at + 1, of,
                   mistake, limit_s, remark)
        )  # fmt: skip

    def _refuse(self, findings: list[Finding]) -> None:
        self._done(Outcome(None, tuple(findings)))

    def _done(self, outcome: Outcome) -> None:
        self.outcome = outcome
        text = "Done." if outcome.accepted else "This calibration can't be used: " + str(outcome.refusals[0])
        self._said.append(Prompt(Step.DONE, text))

    def _look_after(self) -> None:
        """What no rest tells: broken channels, and patience at its end."""
        if broken := self._watch.broken():
            self._refuse(broken)
            return
        waited_s = self._waited_s()
        limit_s = self._options.warm_up_limit_s if self._step is Step.CLEAR else self._options.step_limit_s
        if self._now_ns - self._heard_ns > SILENCE_S * 1e9:
            remedy = "check its USB cable or power; shelfedge diagnose tells more"
            self._refuse([Finding(Reason.SILENT_CELL, self.site.board, f"no samples for {SILENCE_S:.0f} s", remedy)])
        elif len(self._elsewhere) >= MOST_ELSEWHERE or (self._elsewhere and waited_s > limit_s):
            self._refuse([self._swapped()])
        elif waited_s > limit_s:
            self._refuse([self._why_nothing_came(waited_s)])

    def _swapped(self) -> Finding:
        evidence = f"the weight came down on {self._elsewhere[-1]} while {self.site.board} stood still"
        remedy = "the two boards' plugs or names are swapped, or the weight is on the wrong shelf"
        return Finding(Reason.SWAPPED_BOARDS, self._elsewhere[-1], evidence, remedy)

    def _why_nothing_came(self, waited_s: float) -> Finding:
        finder = self._watch.finder
        drift = self._drift if finder.rest is not None else finder.steady_drift()
        if self._step is Step.CLEAR and drift is not None:
            evidence = f"the empty board still drifts by {abs(drift) * 60:.0f} counts a minute"
            return Finding(
                Reason.DRIFTING, "", evidence, f"leave it switched on for {WARM_UP_S / 60:.0f} min, then again"
            )
        if finder.rest is None and finder.moving_s > 0.5 * waited_s:
            evidence = f"the board never came to rest in {finder.moving_s:.0f} s"
            return Finding(
                Reason.RESTLESS, "", evidence, "find what shakes or touches it: a fan, a door, a loose cable"
            )
        if self._left_g is not None:
            return board_not_empty(self._left_g)
        if self._mistakes:
            return Finding(
                self._mistakes[-1], self._steps[self._at].place.name, "and then nothing more came", "begin again"
            )
        if noisy := self._too_noisy_to_see():
            return noisy
        what = "taken off" if self._step is Step.TAKE_OFF else "put down"
        evidence = f"no weight was {what} in {waited_s:.0f} s"
        return Finding(
            Reason.NOT_MOVED, self._steps[self._at].place.name, evidence, "is it the right board? begin again"
        )

    def _too_noisy_to_see(self) -> Finding | None:
        """Before the first weight was seen: a noise that no chip makes hides it."""
        if self._run.scatter is None or self._recogniser.knows_grams:
            return None
        noise = self._watch.sample_noise(self._run.scatter)
        k = int(np.nanargmax(noise))
        return noise_in_counts(k, float(noise[k]), self.site.rate_hz)

    def _look_elsewhere(self) -> None:
        """Did the weight come down on another board, while this one rests empty?"""
        if self._step is not Step.PUT:
            self._away.forget()
        own = self._judged
        if own is None or own[1] is not Load.NOTHING or self._watch.finder.rest is not own[0]:
            return
        if board := self._away.take():
            self._elsewhere.append(board)
            self._ask(f"something came down on {board} instead")

    def _waited_s(self) -> float:
        return (self._now_ns - self._begin_ns) / 1e9 if self._begin_ns is not None else 0.0

    def _progress(self) -> Progress:
        finder = self._watch.finder
        rest = finder.rest
        live = None if self._empty is None else self._recogniser.grams(finder.latest - self._empty.counts)
        held = min(rest.seconds / HOLD_S[0], 1.0) if rest is not None and self._step is Step.PUT else 0.0
        if self._judged is not None and self._judged[1] is Load.NOTHING:
            held = 0.0
        limit_s = self._options.warm_up_limit_s if self._step is Step.CLEAR else self._options.step_limit_s
        warming = self._drift if self._step is Step.CLEAR else None
        left = STEP_S * (len(self._steps) - self._at)
        return Progress(self._step, live, rest is not None, held, max(limit_s - self._waited_s(), 0.0), left, warming)
