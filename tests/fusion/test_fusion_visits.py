"""What people do at a shelf, one thing at a time, and what a board with four cells says of it."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from fusion_boards import CORNERS, SLOT_MM, WEIGHTS_G, play, script, setup_of, told

from drivers.simulated.scene import Footsteps, ForeignPut, ForeignTake, Lean, Pick, Put, Vibration
from edge.trace.event import Event, Label, Status

SEEDS = [11, 12, 13, 14]


def _agrees(event: Event, label: Label) -> bool:
    """Kind, SKU, slot and quantity as labelled, in the time that the scoring rule allows."""
    in_time = label.start_s - 0.5 <= event.time_ns / 1e9 <= label.end_s + 1.5
    return in_time and told(event) == (label.kind.value, label.sku, label.slot, label.quantity)


@pytest.mark.parametrize("seed", SEEDS)
@pytest.mark.parametrize("slot", [0, 3, 7])
def test_a_pick(seed: int, slot: int) -> None:
    """One unit leaves: what, from where, its weight and its place, when, and sure enough for nobody to look at it."""
    played = play(script(Pick(5.0, f"A{slot}")), 16.0, seed)
    (event,) = played.finals()
    (label,) = played.labels
    assert _agrees(event, label)
    assert event.grams == pytest.approx(-WEIGHTS_G[slot], abs=0.03 * WEIGHTS_G[slot])
    assert event.x_mm is not None
    assert event.y_mm is not None
    assert slot * SLOT_MM - 8 < event.x_mm < (slot + 1) * SLOT_MM + 8
    assert 0 <= event.y_mm <= 400
    assert label.start_s - 0.1 < event.time_ns / 1e9 < label.end_s + 0.1
    assert event.confidence > 0.99
    assert not event.needs_review


@pytest.mark.parametrize("seed", SEEDS)
def test_a_put(seed: int) -> None:
    played = play(script(Put(5.0, "A4", fresh=True)), 16.0, seed)
    (event,) = played.finals()
    assert _agrees(event, played.labels[0])
    assert event.grams == pytest.approx(520, abs=15)


@pytest.mark.parametrize("seed", SEEDS)
@pytest.mark.parametrize("quantity", [2, 3])
def test_several_units_at_once(seed: int, quantity: int) -> None:
    played = play(script(Pick(5.0, "A2", quantity=quantity)), 16.0, seed)
    (event,) = played.finals()
    assert _agrees(event, played.labels[0])
    assert event.grams == pytest.approx(-180 * quantity, abs=8)


@pytest.mark.parametrize("seed", SEEDS)
def test_taken_looked_at_and_put_back(seed: int) -> None:
    """Two events that cancel, not none: somebody had it in hand. The unit is known again by its own weight."""
    played = play(script(Pick(5.0, "A0"), Put(9.0, "A0")), 20.0, seed)
    pick, put = played.finals()
    assert _agrees(pick, played.labels[0])
    assert _agrees(put, played.labels[1])
    assert pick.grams + put.grams == pytest.approx(0, abs=2)


@pytest.mark.parametrize("seed", SEEDS)
def test_put_back_in_the_wrong_slot_and_taken_from_there(seed: int) -> None:
    """The board remembers: a unit keeps its SKU in whatever slot it lies, and can be taken from there later."""
    actions = (Pick(5.0, "A2"), Put(11.0, "A6"), Pick(18.0, "A6", sku="sku2"))
    played = play(script(*actions), 30.0, seed)
    finals = played.finals()
    assert [told(event) for event in finals] == [
        ("pick", "sku2", "A2", 1),
        ("put", "sku2", "A6", 1),
        ("pick", "sku2", "A6", 1),
    ]
    assert all(_agrees(event, label) for event, label in zip(finals, played.labels, strict=True))


@pytest.mark.parametrize("seed", SEEDS)
def test_taken_from_one_board_and_put_on_another(seed: int) -> None:
    """What is out in hands is known to all boards of a node."""
    setup = setup_of({"upper": CORNERS, "lower": CORNERS})
    played = play(script(Pick(5.0, "A5"), Put(11.0, "B2", sku="sku5")), 24.0, seed, setup)
    pick, put = played.finals()
    assert (pick.board, *told(pick)) == ("upper", "pick", "sku5", "A5", 1)
    assert (put.board, *told(put)) == ("lower", "put", "sku5", "B2", 1)


@pytest.mark.parametrize("seed", SEEDS)
def test_put_on_a_board_whose_planogram_doesnt_know_it(seed: int) -> None:
    """Only because it was seen to be taken elsewhere; with nothing out in hands it would be a foreign object."""
    setup = setup_of({"upper": CORNERS, "lower": CORNERS})
    slots = {name: slot for name, slot in setup.planogram.slots.items() if name != "B5"}
    setup = replace(setup, planogram=setup.planogram.model_copy(update={"slots": slots}))
    carried = play(script(Pick(5.0, "A5"), Put(11.0, "B2", sku="sku5")), 24.0, seed, setup).finals()
    assert [told(event) for event in carried] == [("pick", "sku5", "A5", 1), ("put", "sku5", "B2", 1)]
    (brought,) = play(script(Put(11.0, "B2", sku="sku5", fresh=True)), 24.0, seed, setup).finals()
    assert brought.sku is None or brought.needs_review


@pytest.mark.parametrize("seed", SEEDS)
def test_something_unknown_comes_and_goes(seed: int) -> None:
    """A foreign object is nobody's SKU. Where nobody saw it come, more likely the shelf isn't as the planogram says: a
    person is asked."""
    scene = script(ForeignPut(5.0, "b", 2345.0, 300.0, 200.0), ForeignTake(16.0, "b"))
    played = play(scene, 30.0, seed)
    came, went = played.finals()
    assert told(came) == ("put", None, None, 1)
    assert told(went) == ("pick", None, None, 1)
    for event in (came, went):
        assert abs(event.grams) == pytest.approx(2345, abs=10)
        assert event.x_mm == pytest.approx(300, abs=10)
    (block,) = played.whole()
    after = block.part(int(np.searchsorted(block.time_ns, 11e9)), len(block))
    (unseen,) = played.with_samples([after]).finals()
    assert told(unseen) == ("pick", None, None, 1)
    assert unseen.needs_review


@pytest.mark.parametrize("seed", SEEDS)
def test_items_are_told_with_something_unknown_lying_there(seed: int) -> None:
    scene = script(ForeignPut(5.0, "b", 2345.0, 300.0, 200.0), Pick(16.0, "A1"))
    played = play(scene, 28.0, seed)
    event = played.finals()[-1]
    assert _agrees(event, played.labels[-1])
    assert not event.needs_review


@pytest.mark.parametrize("seed", SEEDS)
@pytest.mark.parametrize(("force_g", "lasts_s"), [(4000.0, 3.0), (4000.0, 0.2), (300.0, 1.0), (1000.0, 4.0)])
def test_leaning_on_the_shelf_is_no_event(seed: int, force_g: float, lasts_s: float) -> None:
    """Not even a provisional one that is taken back."""
    assert play(script(Lean(6.0, "b", force_g, lasts_s)), 20.0, seed).finals() == []


@pytest.mark.parametrize("seed", SEEDS)
def test_steps_and_shaking_are_no_event(seed: int) -> None:
    scene = script(Footsteps(5.0, steps=8, peak_g=8.0), Vibration(12.0, lasts_s=2.5, rms_g=40.0))
    assert play(scene, 24.0, seed).events() == []


@pytest.mark.parametrize("seed", SEEDS)
def test_a_pick_while_the_shelf_shakes(seed: int) -> None:
    scene = script(Vibration(4.5, lasts_s=2.5, rms_g=15.0), Pick(5.0, "A0"))
    played = play(scene, 18.0, seed)
    (event,) = played.finals()
    assert _agrees(event, played.labels[0])


@pytest.mark.parametrize("grams_per_hour", [20.0, -20.0])
@pytest.mark.parametrize("seed", SEEDS[:2])
def test_drift_is_followed_and_is_no_event(seed: int, grams_per_hour: float) -> None:
    """20 g/h on every cell for five minutes; and what is taken after that weighs what it weighs."""
    cells = {"drift_g_per_h": grams_per_hour}
    played = play(script(Pick(300.0, "A3")), 312.0, seed, every_cell=cells)
    events = played.events()
    assert {event.event_id for event in events} == {"b-000001"}
    assert _agrees(events[-1], played.labels[0])
    assert events[-1].grams == pytest.approx(-95, abs=3)


@pytest.mark.parametrize("seed", SEEDS)
def test_creep_after_a_heavy_load_is_no_event(seed: int) -> None:
    """Cells of the worst kind: 0.3 % of what was put down follows slowly."""
    cells = {"creep": ((3.0, 0.001), (60.0, 0.002))}
    played = play(script(Put(5.0, "A5", quantity=4, fresh=True)), 120.0, seed, every_cell=cells)
    assert len({event.event_id for event in played.events()}) == 1


@pytest.mark.parametrize("seed", SEEDS)
def test_two_hands_at_once(seed: int) -> None:
    """Overlapping visits are explained together: two events, each right."""
    played = play(script(Pick(5.0, "A1"), Pick(5.3, "A6")), 18.0, seed)
    events = played.finals()
    assert sorted(told(event) for event in events) == [("pick", "sku1", "A1", 1), ("pick", "sku6", "A6", 1)]


@pytest.mark.parametrize("seed", SEEDS)
def test_held_on_the_shelf_and_then_taken(seed: int) -> None:
    """An item held half lifted for four seconds is one pick, when it leaves."""
    played = play(script(Pick(5.0, "A4", hold_s=4.0)), 24.0, seed)
    finals = played.finals()
    assert [told(event) for event in finals] == [("pick", "sku4", "A4", 1)]


@pytest.mark.parametrize("seed", SEEDS)
def test_a_slow_lift(seed: int) -> None:
    played = play(script(Pick(5.0, "A5", lift_s=3.0)), 22.0, seed)
    (event,) = played.finals()
    assert _agrees(event, played.labels[0])


@pytest.mark.parametrize("seed", SEEDS)
def test_a_calm_pick_is_announced_before_it_is_final(seed: int) -> None:
    """Early, then final: within a second of the hand's leaving, and settled within three."""
    played = play(script(Pick(5.0, "A0", touch_g=50.0)), 16.0, seed)
    first, *_, last = played.events()
    assert first.status is Status.PROVISIONAL
    assert last.status is Status.FINAL
    assert first.decided_ns < last.decided_ns
    end_ns = played.labels[0].end_s * 1e9
    assert first.decided_ns < end_ns + 1.0e9
    assert last.decided_ns < end_ns + 3.0e9
    assert told(first) == told(last)


def test_what_is_still_open_at_the_end_is_settled() -> None:
    """A trace that ends a moment after a pick: `finish` says what is known by then."""
    played = play(script(Pick(5.0, "A0", touch_g=50.0)), 6.9, 11)
    events = played.events()
    assert events[-1].status is Status.FINAL
    assert told(events[-1]) == ("pick", "sku0", "A0", 1)
