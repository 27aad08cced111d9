"""What is written at the end of minutes of work goes into the files as they are then, and isn't lost with them (P9)."""

from __future__ import annotations

import shutil

import pytest

from calibration.teaching import WeightStep, unit_weight
from edge.config.demo import demo_node_path
from edge.config.edited_file import EditError
from edge.config.setup import load_setup
from edge.node.calibrate import CalibrateError, Weights, check_weights, name_in_node_file
from edge.node.teach import Lookalike, write_taught

FOUND = unit_weight([WeightStep(174.0 + off, 0.3) for off in (-2.0, 0.5, 1.0, -0.5, 1.5)])
NUMBERS = r"nothing was written; measured 174\.\d g, spread \d\.\d g"


@pytest.fixture
def node(tmp_path):
    for name in ("node.yaml", "planogram.yaml"):
        shutil.copy(demo_node_path().parent / name, tmp_path / name)
    return tmp_path / "node.yaml"


def test_what_a_person_wrote_meanwhile_stays(node):
    setup = load_setup(node)
    planogram = node.parent / "planogram.yaml"
    planogram.write_text(planogram.read_text().replace("skus:", "skus:  # mine", 1) + "# mine too\n")
    by_hand = planogram.read_text()
    kept = write_taught(setup, node, "cola-033", FOUND)
    assert kept is not None
    assert kept.read_text() == by_hand
    pairs = zip(planogram.read_text().splitlines(), by_hand.splitlines(), strict=True)
    (changed,) = [now for now, before in pairs if now != before]
    assert "weight: 174." in changed
    assert load_setup(node).planogram.skus["cola-033"].weight_g == pytest.approx(174.1, abs=0.2)


def test_of_two_that_are_taught_at_once_both_are_written(node):
    setup = load_setup(node)
    for sku in ("cola-033", "lemonade-033"):
        write_taught(setup, node, sku, FOUND)
    skus = load_setup(node).planogram.skus
    assert skus["cola-033"].weight_g == skus["lemonade-033"].weight_g == pytest.approx(174.1, abs=0.2)
    assert write_taught(setup, node, "cola-033", FOUND) is None


@pytest.mark.parametrize(
    ("was", "now", "said"),
    [
        ("cola-033", "coke-033", "there is no SKU cola-033 to change"),
        ("skus:", "skus: [", "planogram.yaml:"),
        ("weight: 352 g", "weight: heavy", "heavy"),
    ],
)
def test_a_planogram_that_cant_take_it_any_more_is_left_and_the_numbers_are_told(node, was, now, said):
    setup = load_setup(node)
    planogram = node.parent / "planogram.yaml"
    planogram.write_text(planogram.read_text().replace(was, now))
    by_hand = planogram.read_text()
    with pytest.raises(EditError, match=rf"(?s)planogram\.yaml was changed meanwhile and .*{NUMBERS}") as raised:
        write_taught(setup, node, "cola-033", FOUND)
    assert said in str(raised.value)
    assert "\n" not in str(raised.value)
    assert planogram.read_text() == by_hand


def test_a_planogram_that_is_gone_doesnt_take_the_numbers_with_it(node):
    setup = load_setup(node)
    (node.parent / "planogram.yaml").unlink()
    with pytest.raises(EditError, match=f"there is no such file.*{NUMBERS}"):
        write_taught(setup, node, "cola-033", FOUND)
    assert not (node.parent / "planogram.yaml").exists()


def test_a_node_file_gets_its_line_once_and_what_was_written_meanwhile_stays(node):
    """Two boards that are calibrated at once, and a person who edits the file."""
    setup = load_setup(node)
    node.write_text(node.read_text() + "# mine\n")
    by_hand = node.read_text()
    assert name_in_node_file(setup, node).startswith("added to")
    assert node.read_text().replace("calibration: calibration\n", "") == by_hand
    once = node.read_text()
    assert name_in_node_file(setup, node) == ""
    assert node.read_text() == once
    node.write_text("node: [\n")
    assert name_in_node_file(setup, node).startswith("to do: ")
    assert node.read_text() == "node: [\n"


def test_a_weight_that_nobody_could_see_is_refused_where_the_cells_capacities_arent_known(node):
    setup = load_setup(node)
    board = setup.node.boards["shelf-1"]
    cells = {name: cell.model_copy(update={"capacity_g": None}) for name, cell in board.cells.items()}
    boards = {**setup.node.boards, "shelf-1": board.model_copy(update={"cells": cells})}
    setup.node.__dict__["boards"] = boards
    check_weights("shelf-1", setup, Weights(50.0))
    with pytest.raises(CalibrateError, match=r"5 g is too light for shelf-1.*expected at least 50 g, better 1 kg"):
        check_weights("shelf-1", setup, Weights(5.0))


def test_how_far_apart_two_products_lie_says_between_what():
    alike = Lookalike("tea", 1, 1, 0.4, 0.3, 90.0, 5.0, 1e-9, "place")
    assert "the middles of two units, one in each slot, are 90 mm apart or more" in alike.sentence("cola")
