"""Boards with one to eight cells, reversed ones, slow ones: each says what it can tell, and no more."""

from __future__ import annotations

from dataclasses import replace

import pytest
from fusion_boards import CORNERS, WEIGHTS_G, play, script, setup_of, told

from drivers.simulated.scene import Pick, Put

ROW = {"l": (30.0, 200.0), "r": (870.0, 200.0)}
COLUMN = {"front": (450.0, 30.0), "back": (450.0, 370.0)}
EIGHT = {f"c{k}": (30.0 + 280.0 * (k % 4), 30.0 + 340.0 * (k // 4)) for k in range(8)}
SEEDS = [21, 22, 23]
PICK_AND_PUT = script(Pick(5.0, "A4"), Put(13.0, "A4"))
BOTH = [("pick", "sku4", "A4", 1), ("put", "sku4", "A4", 1)]


@pytest.mark.parametrize("seed", SEEDS)
def test_one_cell_knows_the_weight_and_no_place(seed: int) -> None:
    """SKUs of different weights are told apart by weight alone; nobody claims to know where on the board it was."""
    finals = play(PICK_AND_PUT, 26.0, seed, setup_of({"b": {"all": (450.0, 200.0)}})).finals()
    assert [told(event)[:2] for event in finals] == [("pick", "sku4"), ("put", "sku4")]
    for event in finals:
        assert (event.x_mm, event.y_mm) == (None, None)
        assert event.evidence is not None
        assert len(event.evidence.change_g) == 1
        assert abs(event.grams) == pytest.approx(520, abs=12)


def test_one_cell_and_two_alike_is_for_a_person_to_decide() -> None:
    """P7's spirit: with two SKUs of one weight the board can't know, so it says so."""
    setup = setup_of({"b": {"all": (450.0, 200.0)}}, weights_g=(400.0, 401.0, 150.0))
    (event,) = play(script(Pick(5.0, "A0")), 16.0, 21, setup).finals()
    assert event.needs_review
    assert 0.3 < event.confidence < 0.7
    assert {event.sku, event.alternatives[0].sku} == {"sku0", "sku1"}


@pytest.mark.parametrize("seed", SEEDS)
def test_four_cells_tell_two_alike_by_their_place(seed: int) -> None:
    setup = setup_of(weights_g=(400.0,) * 8)
    (event,) = play(script(Pick(5.0, "A5")), 16.0, seed, setup).finals()
    assert told(event) == ("pick", "sku5", "A5", 1)
    assert not event.needs_review


@pytest.mark.parametrize("seed", SEEDS)
def test_a_row_of_two_knows_the_place_along_it(seed: int) -> None:
    finals = play(PICK_AND_PUT, 26.0, seed, setup_of({"b": ROW})).finals()
    assert [told(event) for event in finals] == BOTH
    for event in finals:
        assert event.y_mm is None
        assert event.x_mm is not None
        assert 440 < event.x_mm < 575


@pytest.mark.parametrize("seed", SEEDS)
def test_a_column_of_two_knows_how_far_back(seed: int) -> None:
    finals = play(PICK_AND_PUT, 26.0, seed, setup_of({"b": COLUMN})).finals()
    assert [told(event)[:2] for event in finals] == [("pick", "sku4"), ("put", "sku4")]
    assert all(event.x_mm is None and event.y_mm is not None for event in finals)


@pytest.mark.parametrize("seed", SEEDS)
@pytest.mark.parametrize("cells", [3, 5, 8])
def test_three_to_eight_cells(seed: int, cells: int) -> None:
    layout = {"fl": (30.0, 30.0), "fr": (870.0, 30.0), "b": (450.0, 370.0)}
    if cells > 3:
        layout = dict(list({**CORNERS, "middle": (450.0, 200.0)}.items())[:cells]) if cells < 8 else EIGHT
    finals = play(PICK_AND_PUT, 26.0, seed, setup_of({"b": layout})).finals()
    assert [told(event) for event in finals] == BOTH
    assert all(not event.needs_review for event in finals)


@pytest.mark.parametrize("seed", SEEDS)
def test_a_cell_mounted_the_wrong_way_round(seed: int) -> None:
    """Negative counts per gram in the calibration: the same events."""
    cells = {0: {"counts_per_gram": -215.0}, 2: {"counts_per_gram": -198.0}}
    played = play(PICK_AND_PUT, 26.0, seed, cells=cells)
    assert played.setup.calibration["b"].cells["fl"].counts_per_gram < 0
    assert [told(event) for event in played.finals()] == BOTH


@pytest.mark.parametrize("seed", SEEDS)
@pytest.mark.parametrize("rate_hz", [10.0, 40.0, 320.0])
def test_slow_and_fast_converters(seed: int, rate_hz: float) -> None:
    played = play(PICK_AND_PUT, 26.0, seed, setup_of(rate_hz=rate_hz))
    finals = played.finals()
    assert [told(event) for event in finals] == BOTH
    for event, label in zip(finals, played.labels, strict=True):
        assert label.start_s - 0.5 <= event.time_ns / 1e9 <= label.end_s + 1.5


@pytest.mark.parametrize(("said_hz", "true_hz"), [(80.0, 10.0), (10.0, 80.0)])
def test_a_rate_that_isnt_the_one_in_the_node_file(said_hz: float, true_hz: float) -> None:
    """The RATE pin of an HX711 board is often bridged the other way: the board weighs all the same."""
    played = play(PICK_AND_PUT, 26.0, 21, setup_of(rate_hz=true_hz))
    as_said = replace(played.setup, node=setup_of(rate_hz=said_hz).node)
    assert [told(event) for event in replace(played, setup=as_said).finals()] == BOTH


@pytest.mark.parametrize("seed", SEEDS)
@pytest.mark.parametrize("grams", [25.0, 4000.0])
def test_light_and_heavy_items(seed: int, grams: float) -> None:
    setup = setup_of(weights_g=[grams * share for share in (0.6, 0.8, 1.0, 1.3, 1.6)], count=3)
    played = play(script(Pick(5.0, "A2"), Put(13.0, "A2")), 26.0, seed, setup)
    assert [told(event) for event in played.finals()] == [("pick", "sku2", "A2", 1), ("put", "sku2", "A2", 1)]


@pytest.mark.parametrize("seed", SEEDS)
def test_cells_whose_clocks_run_far_apart(seed: int) -> None:
    """-3 and +17 % of the nominal rate on one board."""
    cells = {0: {"rate_error": -0.03}, 1: {"rate_error": 0.17}, 2: {"rate_error": 0.17}, 3: {"rate_error": -0.03}}
    assert [told(event) for event in play(PICK_AND_PUT, 26.0, seed, cells=cells).finals()] == BOTH


def test_two_boards_dont_mix() -> None:
    setup = setup_of({"upper": CORNERS, "lower": ROW})
    played = play(script(Pick(5.0, "A1"), Pick(6.0, "B6")), 20.0, 21, setup)
    found = {event.board: (event.event_id.startswith(event.board), *told(event)) for event in played.finals()}
    assert found == {"upper": (True, "pick", "sku1", "A1", 1), "lower": (True, "pick", "sku6", "B6", 1)}


def test_a_board_without_slots_knows_only_foreign_objects() -> None:
    """A new board nobody has written a planogram for: it weighs all the same, and makes up no SKU."""
    setup = setup_of({"b": CORNERS, "bare": CORNERS})
    slots = {name: slot for name, slot in setup.planogram.slots.items() if slot.board == "b"}
    text = "\n".join(line for line in setup.planogram_text.splitlines() if "board: bare" not in line)
    played = play(script(Put(5.0, "B3", fresh=True)), 18.0, 21, setup)
    bare = replace(played.setup, planogram=setup.planogram.model_copy(update={"slots": slots}), planogram_text=text)
    (event,) = replace(played, setup=bare).finals()
    assert (event.board, *told(event)) == ("bare", "put", None, None, 1)
    assert abs(event.grams) == pytest.approx(WEIGHTS_G[3], abs=5)
