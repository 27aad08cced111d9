"""What random shoppers can be asked for: hands in turn, grabs both ways, strays, restocking; and in order of time."""

from __future__ import annotations

import itertools

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from simulated_boards import script, world

from drivers.simulated.hands import Manner
from drivers.simulated.scene import Lean, Pick, Put
from drivers.simulated.shopper import RandomShopper
from drivers.simulated.stage import Stage, seeded
from drivers.simulated.world import Item, World


def _movements(scene, until_s=600.0, seed=1, manner=None, **stock):
    stage = Stage(world(seed, **stock), scene, seed, manner=manner or Manner())
    stage.play(until_s)
    return stage.movements


@settings(max_examples=15, deadline=None)
@given(st.integers(0, 10_000), st.floats(0.2, 3.0), st.floats(0.0, 1.0))
def test_actions_are_in_order_however_short_the_gaps(seed, gap_s, second_hand):
    """A second hand that comes later than the next action once made a scene that couldn't be played (SceneError)."""
    shopper = RandomShopper(
        seed, gap_s=(gap_s, gap_s), second_hand_share=second_hand, second_hand_s=(0.05, 2.0), look_share=0.2
    )
    starts = [m.start_s for m in _movements(shopper, 120.0)]
    assert starts == sorted(starts)


@pytest.mark.parametrize("seed", range(3))
def test_one_pair_of_hands_waits_until_it_is_free(seed):
    shopper = RandomShopper(seed, gap_s=(1.0, 1.5), after_s=(0.3, 0.8), grab_share=0.3, hold_share=0.2, look_share=0.2)
    moved = _movements(shopper)
    waits = [b.start_s - a.end_s for a, b in itertools.pairwise(moved)]
    assert len(moved) > 150
    assert min(waits) >= 0.3 - 1e-9
    assert np.median(waits) < 0.9


def test_nothing_is_put_down_before_it_has_left_the_shelf():
    moved = _movements(RandomShopper(4, gap_s=(0.3, 0.6), put_back_share=0.6))
    out: dict[tuple[str | None, float], list[float]] = {}
    for m in moved:
        key = (m.sku, round(abs(m.grams), 9))
        if m.kind == "pick":
            out.setdefault(key, []).append(m.end_s)
        elif out.get(key):  # that very unit, by its weight
            assert out[key].pop() <= m.start_s


def test_grabs_put_down_two_or_three_at_once():
    puts = [m.quantity for m in _movements(RandomShopper(5, grab_share=0.6, put_grab_share=0.6)) if m.kind == "put"]
    assert set(puts) == {1, 2, 3}


def test_strays_are_looked_for():
    def lay_astray_s(stray_share):
        """How long units lay in a wrong slot until they were taken from there; a unit is known by its weight."""
        shopper = RandomShopper(6, wrong_slot_share=0.2, stray_share=stray_share)
        since: dict[float, float] = {}
        lay = []
        for m in _movements(shopper, 1500.0):
            if m.kind == "put" and m.sku != f"b-sku{m.slot[1:]}":
                since[round(m.grams, 9)] = m.end_s
            elif m.kind == "pick" and round(-m.grams, 9) in since:
                lay.append(m.start_s - since.pop(round(-m.grams, 9)))
        return np.median(lay)

    assert lay_astray_s(0.9) < 10.0 < lay_astray_s(0.0)


def test_a_merchandiser_puts_one_kind_down_twenty_times():
    moved = _movements(RandomShopper(7, restock_share=0.1, restock_gap_s=(2.0, 3.0)))
    runs = [list(run) for _, run in itertools.groupby(moved, lambda m: (m.kind, m.slot))]
    row = max(runs, key=len)
    assert len(row) >= 20
    assert sum(2.0 <= b.start_s - a.start_s <= 3.0 for a, b in itertools.pairwise(row)) >= 19


def test_what_is_restocked_isn_t_too_heavy_for_the_shelf():
    """Unit weights here are 120 g and then 75 g more per slot: 20 units of the first three weigh up to 6 kg."""
    moved = _movements(RandomShopper(8, restock_share=0.2, put_back_share=0.0, refill_below=0.0), 1200.0)
    assert {m.slot for m in moved if m.kind == "put"} <= {"A0", "A1", "A2"}


def test_people_have_their_manner():
    slow = Manner(contact_median_s=2.5, contact_s=(2.0, 4.0))
    scene = script(*(Put(5.0 * k + 1.0, "A1", fresh=True) for k in range(40)))
    usual, slower = _movements(scene), _movements(scene, manner=slow)
    assert min(m.end_s - m.start_s for m in slower) >= 2.0
    assert np.median([m.end_s - m.start_s for m in usual]) < 1.8
    stage = Stage(world(), script(Lean(1.0, "b")), 1, manner=Manner(lean_g=(99.0, 101.0)))
    (push,) = (force for force in stage.acting("b", 10.0)[0])
    assert max(push.grams) == pytest.approx(100.0, abs=1.0)


def test_units_can_be_drawn_around_those_that_were_weighed():
    item = Item("bar", 999.0, 0.1, (80.0, 95.0))
    plain = world()
    shelf = World(plain.boards, {**plain.items, "bar": item}, plain.places, seeded(1, "world"))
    grams = np.array([shelf.new_unit("bar").grams for _ in range(200)])
    assert np.minimum(abs(grams - 80.0), abs(grams - 95.0)).max() < 0.4
    assert 60 < (grams < 90.0).sum() < 140


def test_a_put_takes_what_has_left_the_shelf_before_what_is_still_being_lifted():
    early, late = Pick(1.0, "A1", lift_s=0.2), Pick(6.0, "A1", lift_s=5.0)
    pick, _, put = _movements(script(early, late, Put(8.0, "A1")))
    assert put.grams == -pick.grams
