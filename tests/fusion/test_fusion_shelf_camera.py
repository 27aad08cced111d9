"""Shelf cameras in the decoder: better where the scale can't tell, no worse where the camera can't be believed."""

from __future__ import annotations

import dataclasses
import functools
import math
from collections.abc import Sequence
from itertools import pairwise

import numpy as np
import pytest
from fusion_boards import Played, exact, play, script, setup_of
from hypothesis import given, settings
from hypothesis import strategies as st

from drivers.samples import SampleBlock
from drivers.simulated.scene import Action, Lean, Pick
from edge.config.setup import Setup
from edge.fusion.credit import LEAST, MOST, Credit
from edge.fusion.engine import Fusion
from edge.fusion.lattice import _Path, _reading
from edge.fusion.links import Story
from edge.fusion.looks import CLASS_MOST_GAIN, CLASS_MOST_LOG, MOST_LOG, Eye, Span, clipped
from edge.fusion.views import log_unhandled, log_views
from edge.trace.event import Event, Kind, Label, Status
from edge.trace.sighting import ShelfLook, SlotLook

TWINS_G = (300.0, 300.5, 180.0, 95.0)  # the first two can't be told apart by weight
MIDDLE = {"c": (450.0, 200.0)}  # one cell: no place either
SECONDS = 60.0


@functools.cache
def twins(actions: int = 9) -> Played:
    """On a board of one cell: twins taken in turn, and now and then what everybody knows by its weight."""
    order = [2, 0, 3, 1, 2, 0, 1, 3, 0][:actions]
    scene: list[Action] = [Pick(5.0 + 6.0 * k, f"A{slot}", touch_s=0.6, lift_s=0.3) for k, slot in enumerate(order)]
    return play(script(*scene), SECONDS, seed=4, setup=setup_of({"b": MIDDLE}, weights_g=TWINS_G))


def looks_for(
    labels: Sequence[Label], wrong_slot: int = 0, late_s: float = 0.0, changes: bool = True
) -> list[ShelfLook]:
    """What a good camera would tell, five times a second; ``wrong_slot``: so many slots beside, ``late_s``: so late."""
    slots = [f"A{k}" for k in range(len(TWINS_G))]
    since = dict.fromkeys(slots, 0)
    found = []
    for step in range(int(SECONDS / 0.2)):
        time_s = 0.2 * step
        now_ns = round((time_s + late_s) * 1e9)
        seen = []
        for k, slot in enumerate(slots):
            own = [one for one in labels if one.slot == slots[(k - wrong_slot) % len(slots)]]
            if any(one.start_s - 0.5 < time_s < one.end_s + 0.4 for one in own):
                seen.append(SlotLook(slot, 3.0, now_ns, 0.0, 0.0))
                continue
            gone = any(since[slot] * 1e-9 - late_s < one.end_s < time_s for one in own)
            value = 5.0 if gone and changes else -2.0 if gone else -4.0
            seen.append(SlotLook(slot, -4.0, since[slot], value, value, thing=1 if value > 0.0 else 0))
            since[slot] = now_ns
        found.append(ShelfLook("eye", "b", now_ns, tuple(seen)))
    return found


def decided(
    setup: Setup, blocks: Sequence[Sequence[SampleBlock]], looks: Sequence[ShelfLook] = ()
) -> tuple[list[Event], Fusion]:
    fusion, events, given_so_far = Fusion(setup), [], 0
    for together in blocks:
        newest = max(int(block.time_ns[-1]) for block in together)
        upto = given_so_far
        while upto < len(looks) and looks[upto].time_ns <= newest:
            upto += 1
        events += fusion.push(together, newest, looks[given_so_far:upto])
        given_so_far = upto
    return events + fusion.finish(), fusion


def finals(events: Sequence[Event]) -> list[Event]:
    return [event for event in events if event.status is Status.FINAL]


def reviewed(events: Sequence[Event]) -> int:
    return sum(event.needs_review for event in finals(events))


def accepted_wrong(events: Sequence[Event], labels: Sequence[Label]) -> int:
    wrong = 0
    for event in finals(events):
        if not event.needs_review:
            true = min(labels, key=lambda one: abs(one.end_s - event.time_ns * 1e-9))
            wrong += (event.slot, event.sku) != (true.slot, true.sku)
    return wrong


@functools.cache
def by_scale() -> tuple[Event, ...]:
    played = twins()
    return tuple(decided(played.setup, played.blocks)[0])


def test_twins_that_the_scale_cannot_tell_are_told_by_the_camera() -> None:
    played = twins()
    assert reviewed(by_scale()) >= 4
    events, fusion = decided(played.setup, played.blocks, looks_for(played.labels))
    assert accepted_wrong(events, played.labels) == 0
    assert reviewed(events) <= 1  # the first may come before the camera has earned its credit
    assert [event.slot for event in finals(events)] == [label.slot for label in played.labels]
    assert fusion.boards["b"].camera_doubts["eye"] < 0.02


@pytest.mark.parametrize("wrong_slot", [1, 2, 3])
def test_a_camera_that_looks_elsewhere_loses_its_credit_and_changes_nothing_for_the_worse(wrong_slot: int) -> None:
    played = twins()
    events, fusion = decided(played.setup, played.blocks, looks_for(played.labels, wrong_slot))
    assert accepted_wrong(events, played.labels) == 0
    assert reviewed(events) >= reviewed(by_scale()) - 1
    assert fusion.boards["b"].camera_doubts["eye"] > 0.3


def test_a_camera_whose_clock_is_late_makes_nothing_worse() -> None:
    played = twins()
    for late_s in (0.3, 1.0, 3.0):
        events, _ = decided(played.setup, played.blocks, looks_for(played.labels, late_s=late_s))
        assert accepted_wrong(events, played.labels) == 0
        assert reviewed(events) <= reviewed(by_scale())


def test_a_camera_that_sees_hands_but_no_changes_makes_nothing_worse() -> None:
    played = twins()
    events, _ = decided(played.setup, played.blocks, looks_for(played.labels, changes=False))
    assert accepted_wrong(events, played.labels) == 0


def test_a_camera_that_goes_leaves_the_scale_as_it_is_without() -> None:
    played = twins()
    half = [look for look in looks_for(played.labels) if look.time_ns < 2.5e9]
    assert exact(decided(played.setup, played.blocks, half)[0]) == exact(by_scale())


def test_looks_at_other_boards_and_unknown_slots_change_no_bit() -> None:
    played = twins()
    elsewhere = [dataclasses.replace(look, board="other") for look in looks_for(played.labels)]
    assert exact(decided(played.setup, played.blocks, elsewhere)[0]) == exact(by_scale())


@settings(max_examples=5, deadline=None)
@given(st.lists(st.integers(1, int(SECONDS * 1e9) - 1), max_size=8, unique=True))
def test_however_the_stream_is_cut_the_events_are_the_same(cuts: list[int]) -> None:
    """P8, with a camera."""
    played, looks = twins(4), looks_for(twins(4).labels)
    (block,) = played.whole()
    edges = [0, *np.searchsorted(block.time_ns, sorted(cuts)).tolist(), len(block)]
    pieces = [[block.part(a, b)] for a, b in pairwise(edges) if b > a]
    assert exact(decided(played.setup, pieces, looks)[0]) == _uncut()


@functools.cache
def _uncut() -> list[str]:
    played = twins(4)
    return exact(decided(played.setup, [played.whole()], looks_for(played.labels))[0])


def test_a_lean_over_slots_in_which_nothing_moved_stays_nothing() -> None:
    played = play(
        script(Lean(6.0, "b", force_g=300.0, lasts_s=2.0)),
        16.0,
        seed=4,
        setup=setup_of({"b": MIDDLE}, weights_g=TWINS_G),
    )
    label = Label(Kind.PICK, "b", None, "A0", 1, 6.0, 8.0)
    events, _ = decided(played.setup, played.blocks, looks_for([label], changes=False))
    assert [event for event in finals(events) if not event.needs_review] == []


numbers = st.one_of(st.floats(allow_nan=True, allow_infinity=True), st.floats(-10.0, 10.0))


@settings(max_examples=6, deadline=None)
@given(st.lists(st.tuples(st.integers(0, 12_000), st.integers(0, 5), numbers, numbers, numbers), max_size=25))
def test_whatever_a_camera_says_confidences_stay_probabilities(
    said: list[tuple[int, int, float, float, float]],
) -> None:
    played = twins(1)
    looks = []
    for ms, slot, hand, gone, come in sorted(said, key=lambda one: one[:2]):
        seen = SlotLook(f"A{slot}", hand, (ms - 1000 * slot) * 10**6, gone, come, (("sku0", come),), (), slot)
        looks.append(ShelfLook("eye", "b", ms * 10**6, (seen,)))
    blocks = [[block.part(0, int(np.searchsorted(block.time_ns, int(14e9))))] for block in played.whole()]
    for event in decided(played.setup, blocks, looks)[0]:
        assert 0.0 <= event.confidence <= 1.0
        assert all(0.0 <= other.probability <= 1.0 for other in event.alternatives)


def test_credit_is_earned_slowly_lost_quickly_and_bounded() -> None:
    credit = Credit()
    at_first = credit.wrong
    for _ in range(20):
        credit.learn(3.0)
    assert credit.wrong == pytest.approx(LEAST, rel=0.2)
    credit.learn(-9.0)
    credit.learn(-9.0)
    assert credit.wrong > at_first
    for _ in range(50):
        credit.learn(-9.0)
    assert credit.wrong <= MOST


def a_span(value: float, thing: int = 0, handled: bool = True, begin_s: float = 1.0, end_s: float = 3.0) -> Span:
    return Span(int(begin_s * 1e9), int(end_s * 1e9), value, value, handled, thing=thing)


def log_of(moves: Sequence[tuple[int, int, int, int]], spans: dict[int, list[Span]]) -> float:
    every = [spans.get(slot, [a_span(-4.0, handled=False)]) for slot in range(4)]
    return log_views(moves, spans, every, int(1.5e9), int(2.5e9))


def test_one_difference_in_two_slots_that_share_a_place_is_one_thing() -> None:
    spans = {0: [a_span(5.0, 1)], 1: [a_span(4.8, 1)]}
    nothing, first, second, both = (
        log_of(moves, spans) for moves in ([], [(-1, 0, 0, 1)], [(-1, 1, 1, 1)], [(-1, 0, 0, 1), (-1, 1, 1, 1)])
    )
    assert first > nothing + 4.0
    assert second == pytest.approx(first - 0.2)
    assert both < first  # the second of two would have to be hidden


def test_a_move_that_does_not_show_is_less_likely_but_may_be() -> None:
    spans = {0: [a_span(-2.0)], 1: [a_span(5.0, 1)]}
    shown, hidden = log_of([(-1, 0, 1, 1)], spans), log_of([(-1, 0, 0, 1)], spans)
    assert shown - hidden > 5.0
    assert hidden > -10.0


def test_taken_and_put_back_between_two_views_looks_as_before() -> None:
    spans = {0: [a_span(-2.0)]}
    assert log_of([(-1, 0, 0, 1), (1, 0, 0, 1)], spans) > log_of([(-1, 0, 0, 1)], spans) + 1.0


def test_several_units_of_one_slot_may_show_as_one_thing() -> None:
    spans = {0: [a_span(5.0, 1)]}
    assert log_of([(-1, 0, 0, 1), (-1, 0, 0, 1)], spans) == pytest.approx(log_of([(-1, 0, 0, 1)], spans))


def test_what_was_named_speaks_for_its_sku() -> None:
    span = dataclasses.replace(a_span(5.0, 1), left={0: 2.0, 1: -2.0})
    assert log_of([(-1, 0, 0, 1)], {0: [span]}) - log_of([(-1, 1, 0, 1)], {0: [span]}) == pytest.approx(4.0)


def test_something_unknown_may_be_what_has_changed_in_any_slot() -> None:
    spans = {0: [a_span(3.0, 1)], 1: [a_span(5.0, 1)]}
    assert log_of([(1, -1, -1, 1)], spans) == pytest.approx(log_of([(1, 1, 1, 1)], spans))


def test_however_well_a_product_fits_something_unknown_may_look_so() -> None:
    eye = Eye(1)
    look = SlotLook("A0", -4.0, 0, 5.0, 5.0, (("sku0", 8.0), ("sku1", 5.0)), (("sku0", -7.0),), 1)
    eye.take(ShelfLook("eye", "b", 10**9, (look,)), {"A0": 0}, {"sku0": 0, "sku1": 1})
    (span,) = eye.spans[0]
    assert span.left == {0: CLASS_MOST_GAIN, 1: CLASS_MOST_GAIN - 3.0}
    assert span.came == {0: -CLASS_MOST_LOG}


def test_what_has_no_story_is_not_borne_out_by_an_unlikely_one() -> None:
    """The camera's word for a story that the scale all but rules out is no word for those that nobody has named."""
    likely, odd = (-1, 0, 0, 1), (-1, 1, 1, 1)
    paths: list[tuple[Story, _Path]] = [((likely,), _Path(0.0, 0.0, (), 1.0)), ((odd,), _Path(-30.0, -30.0, (), -22.0))]
    told = _reading(paths, [], -8.0, 0.01).stories[0]
    assert told.story == (likely,)
    assert told.probability > 0.99


def test_where_nobody_looked_anything_may_have_moved() -> None:
    seen = [a_span(-4.0, handled=False, begin_s=0.0, end_s=1.6)]
    assert log_unhandled(seen, int(1.5e9), int(2.5e9)) == 0.0
    assert log_unhandled([*seen, a_span(-3.0, handled=False, begin_s=1.6)], int(1.5e9), int(2.5e9)) == -3.0
    assert log_unhandled([a_span(2.0, 1)], int(1.5e9), int(2.5e9)) is None


def test_quiet_views_of_a_slot_are_kept_as_one_and_numbers_are_clipped() -> None:
    eye = Eye(1)
    for k in range(1, 50):
        look = SlotLook("A0", -1e9, (k - 1) * 10**8, -math.inf, -2.0)
        eye.take(ShelfLook("eye", "b", k * 10**8, (look,)), {"A0": 0}, {})
    assert eye.spans[0] == [Span(0, 49 * 10**8, -MOST_LOG, -2.0, handled=False)]
    assert eye.hands[0] == [-MOST_LOG]
    assert clipped(math.nan, MOST_LOG) == 0.0
