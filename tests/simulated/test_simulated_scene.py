"""The truth that comes with a simulation is the truth: what was labelled moved is what the cells feel."""

from __future__ import annotations

import itertools

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from simulated_boards import STILL_CELL, board, cell_series, run, script, settled_g, world

from drivers.simulated import hands
from drivers.simulated.forces import RecordedShake
from drivers.simulated.scene import (
    Footsteps,
    ForeignPut,
    ForeignTake,
    Lean,
    Pick,
    Put,
    Restock,
    Shaken,
    Vibration,
)
from drivers.simulated.shopper import RandomShopper
from drivers.simulated.stage import Stage
from drivers.simulated.world import SceneError


def _play(scene, until_s=1e9, seed=1, **stock):
    stage = Stage(world(seed, **stock), scene, seed)
    stage.play(until_s)
    return stage


@pytest.mark.parametrize("seed", range(3))
def test_labels_add_up_to_what_the_cells_feel(seed):
    shopper = RandomShopper(seed, until_s=110.0, grab_share=0.3, wrong_slot_share=0.3, foreign_share=0.1)
    physics = board(**STILL_CELL)
    block, stage = run(physics, shopper, 120.0, seed)
    change = settled_g(block, physics, 117.0, 120.0).sum() - settled_g(block, physics, 0.0, 2.4).sum()
    assert len(stage.movements) > 20
    assert change == pytest.approx(sum(m.grams for m in stage.movements), abs=0.6)


def test_each_movement_changes_the_settled_weight_by_its_units():
    physics = board(**STILL_CELL)
    shopper = RandomShopper(5, until_s=100.0, gap_s=(6.0, 7.0), leans_per_minute=0)
    block, stage = run(physics, shopper, 110.0, 5)
    for earlier, moved in itertools.pairwise(stage.movements):
        after = settled_g(block, physics, moved.end_s + 2.0, moved.end_s + 2.9).sum()
        before = settled_g(block, physics, earlier.end_s + 2.0, moved.start_s).sum()
        assert after - before == pytest.approx(moved.grams, abs=1.0)


@settings(max_examples=25, deadline=None)
@given(
    st.integers(0, 10_000), st.floats(0, 1), st.floats(0, 1), st.floats(0, 1), st.floats(0, 1), st.floats(0, 0.3),
    st.integers(0, 3),
)  # fmt: skip
def test_nothing_is_taken_from_where_nothing_lies(seed, put_back, wrong, grab, second, foreign, count):
    shopper = RandomShopper(
        seed, until_s=300.0, put_back_share=put_back, wrong_slot_share=wrong, grab_share=grab,
        second_hand_share=second, foreign_share=foreign, look_share=0.2, refill_below=0.2,
    )  # fmt: skip
    stage = Stage(world(seed, count=count), shopper, seed)
    lies = {(slot, unit.sku): 0 for slot, units in stage.world.lying.items() for unit in units}
    for slot, units in stage.world.lying.items():
        for unit in units:
            lies[slot, unit.sku] += 1
    stage.play(300.0)
    starts = [m.start_s for m in stage.movements]
    assert starts == sorted(starts)
    for m in stage.movements:
        if m.slot is not None:
            lies[m.slot, m.sku] = lies.get((m.slot, m.sku), 0) + (m.quantity if m.kind == "put" else -m.quantity)
            assert lies[m.slot, m.sku] >= 0
    now = {key: n for key, n in lies.items() if n}
    found: dict[tuple[str, str], int] = {}
    for slot, units in stage.world.lying.items():
        for unit in units:
            found[slot, unit.sku] = found.get((slot, unit.sku), 0) + 1
    assert found == now


def test_playing_in_pieces_is_the_same_as_at_once():
    shopper = RandomShopper(7, wrong_slot_share=0.3, second_hand_share=0.3)
    at_once = _play(shopper, 200.0)
    pieces = Stage(world(1), shopper, 1)
    for until_s in np.arange(0.5, 200.5, 0.5):
        pieces.play(float(until_s))
    assert pieces.movements == at_once.movements


def test_a_unit_keeps_its_weight_and_a_wrong_slot_is_told_as_such():
    stage = _play(script(Pick(1.0, "A1"), Put(5.0, "A6"), Pick(9.0, "A6", sku="b-sku1")))
    pick, put, again = stage.movements
    assert (put.kind, put.sku, put.slot) == ("put", "b-sku1", "A6")
    assert pick.grams == -put.grams == again.grams


def test_units_differ_by_the_spread():
    grams = [unit.grams for unit in world(count=400, slots=1, spread_g=3.0).lying["A0"]]
    assert np.mean(grams) == pytest.approx(120.0, abs=0.6)
    assert np.std(grams) == pytest.approx(3.0, rel=0.15)


@pytest.mark.parametrize(
    ("actions", "says"),
    [
        ([Pick(1.0, "A0", quantity=7)], "6 there"),
        ([Pick(1.0, "nowhere")], "no slot 'nowhere'"),
        ([Put(1.0, "A0")], "in shoppers' hands"),
        ([Lean(1.0, "z")], "no board 'z'"),
        ([ForeignTake(1.0, "b")], "no foreign object"),
        ([Footsteps(5.0), Footsteps(4.0)], "order of time"),
    ],
)
def test_an_impossible_scene_is_refused_in_words(actions, says):
    with pytest.raises(SceneError, match=says):
        _play(script(*actions))


def test_a_unit_isnt_taken_out_of_the_hand_that_puts_it_down():
    for seed in range(30):
        put, pick = _play(script(Put(1.0, "A2", fresh=True, contact_s=2.0), Pick(2.0, "A2")), seed=seed).movements
        assert put.grams != -pick.grams


def test_a_scene_may_try():
    stage = _play(script(Pick(1.0, "A0", 7, tries=True), Put(2.0, "A0", tries=True), ForeignTake(3.0, "b", tries=True)))
    assert stage.movements == []


def test_restocking_puts_fresh_units_one_after_the_other_amid_other_actions():
    stage = _play(script(Restock(1.0, "A2", 20), Pick(10.0, "A0")))
    puts = [m for m in stage.movements if m.kind == "put"]
    assert len(puts) == 20
    assert {(m.slot, m.sku) for m in puts} == {("A2", "b-sku2")}
    starts = [m.start_s for m in stage.movements]
    assert starts == sorted(starts)
    assert all(a.end_s < b.start_s for a, b in itertools.pairwise(puts))


def test_a_foreign_object_comes_and_goes_without_name():
    stage = _play(script(ForeignPut(1.0, "b", 333.0), ForeignTake(9.0, "b")))
    assert [(m.kind, m.sku, m.slot, m.grams) for m in stage.movements] == [
        ("put", None, None, 333.0),
        ("pick", None, None, -333.0),
    ]


def test_disturbances_leave_nothing_behind():
    physics = board(plate={"hum_g": 0.0}, **STILL_CELL)
    disturbed = script(Lean(2.0, "b"), Footsteps(6.0), Vibration(10.0, "b"), Lean(12.0, "b", lasts_s=0.2))
    block, stage = run(physics, disturbed, 26.0)
    assert stage.movements == []
    assert settled_g(block, physics, 24, 26) == pytest.approx(settled_g(block, physics, 0, 2), abs=0.02)
    time_s, counts = cell_series(block, 0)
    assert np.ptp(counts[(time_s > 2) & (time_s < 20)]) > 1000


def test_the_stage_knows_what_disturbed_which_board_and_until_when():
    bumped = script(Lean(2.0, "b", lasts_s=1.5), Footsteps(6.0, steps=3), Pick(8.0, "A0"), Vibration(10.0, None, 2.0))
    stage = _play(bumped, boards=("b", "c"))
    seen = [(each.board, each.start_s) for each in stage.disturbances]
    assert seen == [("b", 2.0), ("b", 6.0), ("c", 6.0), ("b", 10.0), ("c", 10.0)]  # not c while b is handled
    lean, steps, also, *bursts = stage.disturbances
    assert lean.end_s == pytest.approx(3.5)
    assert 6.9 <= steps.end_s == also.end_s <= 7.3  # the third step: two times 0.45-0.65 s later
    assert all(11.0 < burst.end_s < 12.0 for burst in bursts)


def test_vibration_has_the_strength_that_was_asked_for():
    physics = board(plate={"hum_g": 0.0}, **STILL_CELL)
    block, _ = run(physics, script(Vibration(1.0, "b", 60.0, 20.0)), 62.0)
    grid = np.arange(2.0, 60.0, 1 / 80)
    total = sum(np.interp(grid, *cell_series(block, k)) for k in range(4)) / 215.0
    assert total.std() == pytest.approx(20.0, rel=0.45)  # the converter takes a fifth of it at 10-15 Hz


def test_a_recorded_vibration_is_played_back_over_and_over():
    wave = np.sin(np.arange(60) * 2 * np.pi * 5 / 60) * 50.0
    shake = RecordedShake(450.0, 200.0, 1.0, 31.0, 60.0, wave)
    physics = board([(450.0, 200.0)], plate={"hum_g": 0.0}, **STILL_CELL)
    time_s, counts = cell_series(run(physics, script(Shaken(1.0, "b", shake)), 40.0)[0], 0)
    assert counts[(time_s > 20) & (time_s < 30)].std() / 215.0 == pytest.approx(50 / np.sqrt(2), rel=0.1)
    assert counts[time_s > 32].std() / 215.0 < 0.1


def test_the_second_hand_comes_close_after_the_first_on_the_same_board():
    shopper = RandomShopper(3, until_s=400.0, second_hand_share=1.0)
    starts = [m.start_s for m in _play(shopper, 400.0, boards=("b", "c")).movements]
    waits = np.diff(starts)
    close = waits[waits < 0.7]
    assert close.size > 60
    assert close.min() >= 0.05


def test_hands_stay_as_long_as_they_did_in_the_real_store():
    """facts/field.md 4.1.3: 0.5-3.0 s, median 1.4."""
    rng = np.random.default_rng(1)
    drawn = np.array([hands.contact_s(rng) for _ in range(2000)])
    assert np.median(drawn) == pytest.approx(1.4, abs=0.05)
    assert (drawn.min(), drawn.max()) == (0.5, 3.0)
    lasted = [m.end_s - m.start_s for m in _play(RandomShopper(1), 2000.0).movements]
    assert np.median(lasted) == pytest.approx(1.4, abs=0.2)
    assert max(lasted) < 3.6


def test_the_shopper_keeps_to_the_gaps():
    waits = np.diff([m.start_s for m in _play(RandomShopper(2, gap_s=(2.0, 2.5)), 500.0).movements])
    assert waits.min() >= 2.0
    assert waits.max() <= 2.5
    assert _play(RandomShopper(2, gap_s=None), 500.0).movements == []


def test_slots_are_refilled_so_that_a_day_never_empties_the_shelf():
    stage = _play(RandomShopper(9, put_back_share=0.0), 4000.0)
    assert sum(len(units) for units in stage.world.lying.values()) > 8
    assert {m.kind for m in stage.movements} == {"pick", "put"}
