"""Teaching on a simulated board, with told time: real hands, a plate that rings, converters that drift."""

from __future__ import annotations

import dataclasses

import pytest

from calibration.prompts import Prompt, Step
from calibration.record import CalibrationError
from calibration.teach_session import TeachSession
from calibration.teaching import TeachError
from edge.config.demo import demo_node_path
from edge.config.setup import load_setup
from edge.node.calibrate import follow, site_of
from edge.node.simulate import calibration_for, physics_for
from edge.node.simulated_installer import Merchandiser, SimulatedClock, SimulatedSource
from edge.node.teach import TeachRunner, lookalikes, session_for

BOARD = "shelf-1"


def taught(slot, sku, seed, count=5, at_a_time=1, true_weight_g=None):
    """A simulated run; the truth may differ from what the planogram says."""
    setup = load_setup(demo_node_path())
    setup = dataclasses.replace(setup, calibration=calibration_for(setup, physics_for(setup, seed), seed))
    real = setup
    if true_weight_g is not None:
        item = setup.planogram.skus[sku].model_copy(update={"weight_g": true_weight_g})
        real = dataclasses.replace(
            setup, planogram=setup.planogram.model_copy(update={"skus": {**setup.planogram.skus, sku: item}})
        )
    person = Merchandiser(slot, sku, seed, at_a_time)
    source = SimulatedSource(real, BOARD, seed, SimulatedClock(1e9), person, stocked=True)
    runner = TeachRunner(session_for(setup, BOARD, sku, count, at_a_time))
    said: list[Prompt] = []
    follow(runner, source, lambda each: said.append(each) if isinstance(each, Prompt) else None)
    return setup, runner.session, said, [-m.grams if m.kind == "pick" else m.grams for m in source.stage.movements]


@pytest.mark.parametrize(("slot", "sku", "seed"), [("A1", "cola-033", 41), ("A6", "iced-coffee-023", 42)])
def test_five_units_put_down_one_after_the_other_give_their_weight(slot, sku, seed):
    setup, session, said, truth = taught(slot, sku, seed)
    found = session.result()
    assert [each.units for each in found.steps] == [1] * 5
    assert found.weight_g == pytest.approx(sum(truth) / 5, rel=0.002)
    assert found.weight_95_g[0] < setup.planogram.skus[sku].weight_g < found.weight_95_g[1]
    assert [prompt.step for prompt in said] == [Step.CLEAR, *[Step.PUT] * 5, Step.DONE]


def test_a_weight_that_the_planogram_has_wrong_is_found():
    _, session, _, _ = taught("A1", "cola-033", 43, true_weight_g=377.0)
    assert session.result().weight_g == pytest.approx(377, rel=0.015)


def test_two_at_a_time():
    _, session, _, truth = taught("A3", "orange-juice-1", 44, count=6, at_a_time=2)
    found = session.result()
    assert [each.units for each in found.steps] == [2, 2, 2]
    assert found.weight_g == pytest.approx(sum(truth) / 6, rel=0.002)


def test_skus_of_like_weight_are_named_with_what_decides_instead():
    setup, session, _, _ = taught("A1", "cola-033", 45)
    alike = {each.sku: each for each in lookalikes(setup, BOARD, "cola-033", session.result())}
    lemonade = alike["lemonade-033"]
    assert lemonade.by_weight > 0.02
    assert lemonade.decides == "place"
    assert "the place decides: the middles of two units, one in each slot, are 594 mm" in lemonade.sentence("cola-033")
    assert "water-1" not in alike  # 352 g and 1032 g, 560 mm apart


def test_at_the_same_place_nobody_decides():
    setup, session, _, _ = taught("A1", "cola-033", 46)
    slots = dict(setup.planogram.slots)
    slots["A7"] = slots["A7"].model_copy(update={"x_mm": slots["A1"].x_mm})
    beside = dataclasses.replace(setup, planogram=setup.planogram.model_copy(update={"slots": slots}))
    worst = lookalikes(beside, BOARD, "cola-033", session.result())[0]
    assert (worst.sku, worst.decides) == ("lemonade-033", "nobody")
    assert "a person sees such events" in worst.sentence("cola-033")


def test_a_shelf_that_nobody_touches_ends_it_without_a_weight():
    setup = load_setup(demo_node_path())
    setup = dataclasses.replace(setup, calibration=calibration_for(setup, physics_for(setup, 47), 47))

    class Nobody(Merchandiser):
        def hear(self, prompt, now_s):
            pass

    source = SimulatedSource(setup, BOARD, 47, SimulatedClock(1e9), Nobody("A1", "cola-033", 1), stocked=True)
    runner = TeachRunner(session_for(setup, BOARD, "cola-033", 5, 1))
    follow(runner, source, lambda each: None)
    assert source.clock() < 80e9
    with pytest.raises(TeachError, match="nothing was put down"):
        runner.session.result()


def test_a_board_without_its_calibration_is_refused():
    setup = load_setup(demo_node_path())
    with pytest.raises(TeachError, match="never calibrated; do that first: shelfedge calibrate shelf-1"):
        session_for(setup, BOARD, "cola-033", 5, 1)
    records = calibration_for(setup, physics_for(setup, 1), 1)
    record = records[BOARD]
    partly = record.model_copy(update={"cells": {k: v for k, v in record.cells.items() if k != "fl"}})
    with pytest.raises(CalibrationError, match="differ in their cells"):
        TeachSession(site_of(BOARD, setup.node.boards[BOARD]), partly)
