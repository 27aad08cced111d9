"""The creep run as a person meets it: samples in, prompts out, on cells with creep, recovery and noise of their own."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import numpy as np
import pytest
from calibration_board import GAINS, Script, driver_for, physics_of, site_of

from calibration.creep_run import CreepOutcome, CreepRun
from calibration.findings import Reason
from calibration.long_runs import carried_on, long_run_words, with_creep
from calibration.placements import CalibrationInputError
from calibration.prompts import Prompt, Step
from calibration.record import BoardCalibration, CellCalibration, calibration_from_json
from drivers.simulated.physics import BoardPhysics, CellPhysics

SITE = site_of(rate_hz=10.0)
PER_COUNT = 1.0 / np.array(list(GAINS.values()))
CREEP = ((4.0, 0.0002), (45.0, 0.0004), (150.0, 0.0006))
TRUTH = sum(share * (np.exp(-10.0 / tau) - np.exp(-1800.0 / tau)) for tau, share in CREEP)


def _physics(change: Callable[[CellPhysics], CellPhysics] = lambda cell: cell) -> BoardPhysics:
    def of(_: int, cell: CellPhysics) -> CellPhysics:
        return change(replace(cell, creep=CREEP, walk_counts=0.3, daily_g=0.0))

    return physics_of(SITE, list(GAINS.values()), noise_counts=30.0, change=of)


def _run(
    script: Script,
    physics: BoardPhysics | None = None,
    weight_g: float = 8000.0,
    lasts_s: float = 180.0,
    recovery_s: float = 40.0,
    most_s: float = 600.0,
    ends_s: float | None = None,
    takes_off_after_s: float | None = 3.0,
) -> tuple[CreepOutcome, list[Prompt]]:
    run = CreepRun(SITE, PER_COUNT, weight_g, lasts_s, recovery_s)
    driver = driver_for(physics or _physics(), script)
    prompts: list[Prompt] = []
    now_s = 0.0
    while run.outcome is None and now_s < most_s:
        now_s += 0.5
        if ends_s is not None and now_s > ends_s:
            run.end()
        for said in run.push([driver.read(round(now_s * 1e9))], round(now_s * 1e9)):
            if isinstance(said, Prompt):
                prompts.append(said)
                if said.step is Step.TAKE_OFF and takes_off_after_s is not None:
                    script.put(450.0, 200.0, -weight_g, now_s + takes_off_after_s)
    assert run.outcome is not None
    return run.outcome, prompts


def _loaded(grams: float = 8000.0, at_s: float = 20.0) -> Script:
    script = Script()
    script.put(450.0, 200.0, grams, at_s)
    return script


def test_it_finds_the_creep_that_the_cells_have_and_guides_by_itself():
    outcome, prompts = _run(_loaded())
    assert outcome.accepted, outcome.findings
    assert outcome.fits is not None
    fit = outcome.fits.board
    assert fit.share_30_min == pytest.approx(TRUTH, abs=2.5 * fit.share_30_min_sd)
    assert fit.grade.endswith("more than a hobby cell may")
    assert 0.1 < fit.recovered < 0.9
    steps = [prompt.step for prompt in prompts]
    assert steps[0] is Step.CLEAR
    assert [step for step in steps if step is not Step.WAIT] == [Step.CLEAR, Step.PUT, Step.TAKE_OFF, Step.DONE]
    assert prompts[-2].text.startswith("Hands off: how the cells come back")
    assert "2 of 3 minutes" in prompts[-4].text


def test_a_weight_that_stays_is_a_run_without_recovery():
    outcome, _ = _run(_loaded(), takes_off_after_s=None)
    assert outcome.accepted, outcome.findings
    assert outcome.fits is not None
    assert np.isnan(outcome.fits.board.recovered)


@pytest.mark.parametrize(
    ("script", "reason"),
    [
        (Script(), Reason.NOT_MOVED),
        (_loaded(5000.0), Reason.WRONG_WEIGHT),
    ],
)
def test_no_weight_and_another_weight_are_refused(script, reason):
    outcome, _ = _run(script)
    assert [finding.reason for finding in outcome.findings] == [reason]


def test_lifted_too_early_is_refused_and_lifted_early_is_what_it_is():
    script = _loaded()
    script.put(450.0, 200.0, -8000.0, 90.0)
    outcome, _ = _run(script)
    assert [finding.reason for finding in outcome.findings] == [Reason.LIFTED_EARLY]
    script = _loaded()
    script.put(450.0, 200.0, -8000.0, 160.0)
    outcome, _ = _run(script)
    assert outcome.fits is not None
    assert outcome.fits.board.minutes == pytest.approx(2.3, abs=0.2)


def test_a_bumped_weight_is_refused():
    script = _loaded()
    script.put(200.0, 150.0, 40.0, 120.0)  # somebody lays something down beside it
    outcome, _ = _run(script)
    assert Reason.BUMPED in [finding.reason for finding in outcome.findings]


def test_a_light_weight_on_a_wandering_zero_is_refused_with_what_would_do():
    outcome, _ = _run(_loaded(600.0), _physics(lambda cell: replace(cell, walk_counts=4.0)), weight_g=600.0)
    assert [finding.reason for finding in outcome.findings] == [Reason.TOO_SHORT]
    assert "use a heavier weight" in outcome.findings[0].remedy


def test_stopped_before_its_time_it_is_nothing_and_in_the_recovery_it_is_a_result():
    outcome, _ = _run(_loaded(), ends_s=100.0)
    assert [finding.reason for finding in outcome.findings] == [Reason.STOPPED]
    outcome, _ = _run(_loaded(), ends_s=215.0)
    assert outcome.fits is not None


@pytest.mark.parametrize(
    ("weight_g", "lasts_s", "recovery_s"),
    [(0.0, 300.0, 0.0), (float("nan"), 300.0, 0.0), (2000.0, 60.0, 0.0), (2000.0, float("nan"), 0.0),
     (2000.0, 300.0, -1.0)],
)  # fmt: skip
def test_what_cant_be_is_refused_before_it_begins(weight_g, lasts_s, recovery_s):
    with pytest.raises(CalibrationInputError):
        CreepRun(SITE, PER_COUNT, weight_g, lasts_s, recovery_s)


def test_its_figures_go_into_the_record_and_on_to_the_next_one():
    outcome, _ = _run(_loaded())
    cells = {name: CellCalibration(zero_counts=1.0, counts_per_gram=gain) for name, gain in GAINS.items()}
    record = BoardCalibration(version=2, board="shelf-1", cells=cells)
    kept = with_creep(record, SITE, outcome, "2026-11-21T09:00:00+01:00", "ada")
    assert kept.version == 3
    assert kept.cells == record.cells
    assert kept.creep is not None
    assert kept.creep.board.ppm_per_decade == pytest.approx(1e6 * TRUTH / 2.255, rel=0.5)
    again = calibration_from_json(kept.model_dump_json(exclude_none=True), "x")["shelf-1"]
    assert again == kept
    assert calibration_from_json(record.model_dump_json(exclude_none=True), "x")["shelf-1"] == record  # version 2
    assert long_run_words(kept)[0].startswith("creep ")
    assert carried_on(record, kept).creep == kept.creep
    other = {
        name: cell.model_copy(update={"counts_per_gram": 1.1 * cell.counts_per_gram}) for name, cell in cells.items()
    }
    assert carried_on(record.model_copy(update={"cells": other}), kept).creep is None  # another cell by its gain
    refused, _ = _run(Script(), most_s=200.0)
    with pytest.raises(ValueError, match="refused"):
        with_creep(record, SITE, refused, "", "")
