"""What is looked at before a calibration begins to measure: is the board empty, and are its chips strapped right?"""

from __future__ import annotations

import dataclasses

import pytest

from calibration.findings import Reason
from calibration.prompts import Progress, Prompt, Step
from drivers.simulated.board import BoardSimulator
from drivers.simulated.driver import SimulatedDriver
from edge.config.demo import demo_node_path
from edge.config.setup import Setup, load_setup
from edge.node.calibrate import CalibrationRunner, Weights, follow, site_of
from edge.node.calibrate_gate import BoardGate
from edge.node.simulate import calibration_for, physics_for
from edge.node.simulated_installer import Installer, SimulatedClock, SimulatedSource

SEED = 5
WEIGHT_G = 2000.0


@pytest.fixture
def setup() -> Setup:
    """With the records that fit its boards."""
    found = load_setup(demo_node_path(), calibrated=False)
    return dataclasses.replace(found, calibration=calibration_for(found, physics_for(found, SEED), SEED))


class Forgetful(Installer):
    """Has left the weight on the board, and takes it off only when he is told that it lies there."""

    obeys = True
    _has_forgotten = False

    def hear(self, prompt: Prompt, now_s: float) -> None:
        if prompt.step is not Step.CLEAR:
            super().hear(prompt, now_s)
        elif not self._has_forgotten:
            self._has_forgotten = True
            super().hear(Prompt(Step.PUT, "", weight_g=WEIGHT_G), now_s)
        elif prompt.mistake and self.obeys:
            super().hear(Prompt(Step.TAKE_OFF, ""), now_s)


def run(setup, person, former, until=lambda prompt: False):
    """The runner at its end, or where that was said; and all that was said."""
    site = site_of("shelf-1", setup.node.boards["shelf-1"])
    runner = CalibrationRunner(site, Weights(WEIGHT_G), former)
    source = SimulatedSource(setup, "shelf-1", SEED, SimulatedClock(1e9), person)
    said: list[Prompt | Progress] = []

    def tell(each):
        said.append(each)
        if isinstance(each, Prompt) and until(each):
            runner.end()

    follow(runner, source, tell)
    return runner, said


def prompts(said):
    return [each for each in said if isinstance(each, Prompt)]


def test_a_weight_that_was_left_on_the_board_is_named_by_the_former_record_and_waited_for(setup):
    """It is there in grams while it is, and once it is off the run goes as any other."""
    person = Forgetful("shelf-1", (450.0, 200.0), SEED)
    runner, said = run(setup, person, setup.calibration["shelf-1"])
    mistakes = [prompt for prompt in prompts(said) if prompt.mistake]
    assert mistakes[0].step is Step.CLEAR
    grams = float(mistakes[0].mistake.split("calibration ")[1].split(" g")[0])
    assert grams == pytest.approx(WEIGHT_G, rel=0.01)
    told = said.index(mistakes[0])
    live = [each.live_g for each in said[told : told + 20] if isinstance(each, Progress)]
    assert live[5] == pytest.approx(WEIGHT_G, rel=0.01)
    assert runner.outcome.accepted, runner.outcome.findings
    assert not any(each.reason is Reason.ZERO_MOVED for each in runner.outcome.findings)


def test_what_isnt_taken_off_is_believed_to_be_a_new_zero_and_told(setup):
    person = Forgetful("shelf-1", (450.0, 200.0), SEED)
    person.obeys = False
    runner, said = run(setup, person, setup.calibration["shelf-1"], lambda prompt: prompt.step is Step.PUT)
    assert [prompt.step for prompt in prompts(said)][-1] is Step.PUT
    told = next(each for each in runner.outcome.findings if each.reason is Reason.ZERO_MOVED)
    assert "by its former calibration +20" in told.evidence
    assert not told.refuses


@pytest.mark.parametrize("former", ["own", "none", "another board's"])
def test_an_empty_board_isnt_held_up(setup, former):
    """Neither without a record, nor with one that fits, nor with one of other cells."""
    record = {"own": setup.calibration["shelf-1"], "none": None}.get(former)
    if former == "another board's":
        cells = {f"other-{name}": cell for name, cell in setup.calibration["shelf-1"].cells.items()}
        record = setup.calibration["shelf-1"].model_copy(update={"cells": cells})
    person = Installer("shelf-1", (450.0, 200.0), SEED)
    runner, said = run(setup, person, record, lambda prompt: prompt.step is Step.PUT)
    assert not any(prompt.mistake for prompt in prompts(said))
    assert [each.reason for each in runner.outcome.findings] == [Reason.STOPPED]


def test_without_a_record_the_label_tells_a_cell_that_is_half_loaded(setup):
    """A zero is off by a tenth of a cell's capacity at worst."""
    site = site_of("shelf-1", setup.node.boards["shelf-1"])
    labelled = tuple(dataclasses.replace(cell, rated_mv_per_v=1.0) for cell in site.cells)
    site = dataclasses.replace(site, cells=labelled)
    label = labelled[1].label_counts_per_gram
    assert label is not None
    for zero_share, said in ((0.1, []), (-0.1, []), (0.6, ["cell fr stands at 60 % of its capacity"])):
        physics = physics_for(setup, SEED)["shelf-1"]
        cells = [dataclasses.replace(cell, zero_counts=0.0) for cell in physics.cells]
        cells[1] = dataclasses.replace(cells[1], zero_counts=zero_share * 10_000 * label)
        assert looked_at(site, dataclasses.replace(physics, cells=tuple(cells)))[1] == said


class Nobody:
    def __init__(self):
        self.settled_g = {"shelf-1": []}

    def acting(self, board, until_s):
        return [], []


def looked_at(site, physics, seconds=7.0) -> tuple[BoardGate, list[str]]:
    """A gate after so long of an idle board, and what it said."""
    driver = SimulatedDriver(BoardSimulator("shelf-1", physics, Nobody(), SEED), clock=lambda: 0)
    driver.start()
    gate, said = BoardGate(site, WEIGHT_G, None), []
    for step in range(1, round(seconds / 0.05)):
        prompt = gate.push([driver.read(step * 50_000_000)], step * 50_000_000)
        said += [prompt.mistake] if prompt is not None else []
    return gate, said


@pytest.mark.parametrize(("nominal_hz", "real_hz", "is_wrong"), [(80.0, 80.0, False), (80.0, 10.0, True),
                                                                 (10.0, 80.0, True), (10.0, 10.0, False)])  # fmt: skip
def test_chips_at_another_rate_than_the_node_file_says_end_the_run_at_once(setup, nominal_hz, real_hz, is_wrong):
    """By their own clocks they may be 3 % slow to 17 % fast."""
    site = dataclasses.replace(site_of("shelf-1", setup.node.boards["shelf-1"]), rate_hz=nominal_hz)
    physics = physics_for(setup, SEED)["shelf-1"]
    errors = (-0.03, 0.0, 0.1, 0.17)
    cells = tuple(dataclasses.replace(c, rate_error=e) for c, e in zip(physics.cells, errors, strict=True))
    physics = dataclasses.replace(physics, cells=cells, rate_hz=real_hz)
    gate, _ = looked_at(site, physics)
    assert (gate.wrong_rate is not None) is is_wrong
    if gate.wrong_rate is not None:
        assert gate.wrong_rate.refuses
        assert f"{real_hz * 0.97:.1f} samples per second, but the node file says {nominal_hz:g}" in (
            gate.wrong_rate.evidence
        )
