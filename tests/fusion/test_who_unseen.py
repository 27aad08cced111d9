"""How many people no camera follows, and what is said while no camera follows anybody."""

from __future__ import annotations

import pytest
from who_people import Counter, S, sum_of, track

from edge.fusion.memory import HandUnit
from edge.trace.sighting import TrackPoint

Person = tuple[str, float, float]
"""Name, and where they stand along the shelf and out from it, mm."""


def _visits(counter: Counter, count: int, begin_s: float, *people: Person) -> float:
    """Something is taken every ten seconds, with these people about each time; when the next one would be."""
    for k in range(count):
        at_s = begin_s + 10.0 * k
        counter.sightings.give(_about(at_s, *people))
        counter.settle(counter.movement(at_s=at_s))
        counter.sightings.decided(round((at_s + 3.0) * S))
    return begin_s + 10.0 * count


def _about(at_s: float, *people: Person) -> list[TrackPoint]:
    tracks = (track(name, along, out, at_s - 3.0, at_s + 2.5) for name, along, out in people)
    return [point for points in tracks for point in points]


def _named(counter: Counter, at_s: float, *people: Person) -> dict[str, float]:
    counter.sightings.give(_about(at_s, *people))
    return counter.named(counter.movement(at_s=at_s), decided_s=at_s + 3.0)[0]


def test_after_an_outage_of_2000_events_the_first_person_is_named() -> None:
    counter = Counter()
    before = _named(counter, _visits(counter, 5, 10.0, ("a", 0.0, 430.0)), ("a", 0.0, 430.0))
    mended_s = _visits(counter, 2000, 200.0)
    after = _named(counter, mended_s, ("b", 0.0, 430.0))
    assert after["b"] > 0.95
    assert after["b"] == pytest.approx(before["a"], abs=1e-6)  # an outage teaches nothing


def test_nor_does_a_board_that_no_camera_sees_learn_while_others_do_see_people() -> None:
    counter = Counter()
    aside = ("a", 450.0, 430.0)  # whom a learnt share would outweigh
    mended_s = _visits(counter, 300, 10.0, ("elsewhere", 9000.0, 430.0))
    assert _named(counter, mended_s, aside)["a"] == pytest.approx(_named(Counter(), mended_s, aside)["a"], abs=1e-6)


def test_in_an_outage_nobody_is_named_not_even_nobody() -> None:
    counter = Counter(track("a", 0.0, until_s=20.0))
    (just_gone,) = counter.events(counter.movement(at_s=45.0), decided_s=47.0)
    (outage,) = counter.events(counter.movement(at_s=55.0), decided_s=57.0)
    assert just_gone.who == (("", 1.0),)
    assert outage.who == ()
    counter.sightings.give(track("b", 0.0, from_s=55.5, until_s=58.0))
    assert counter.named(counter.movement(at_s=55.0), decided_s=58.0)[0]["b"] > 0.8


def test_in_an_outage_what_is_taken_and_put_back_is_nobodys() -> None:
    counter = Counter(track("a", 0.0, until_s=20.0))
    counter.holds("a")
    movements = counter.movement(at_s=60.0), counter.movement(at_s=63.0, put=True)
    events = counter.events(*movements, decided_s=66.0)
    assert [event.who for event in events] == [(), ()]
    assert counter.namer.returned(movements[1], events[1]) == {}  # known by weight alone, as without cameras


def test_a_camera_that_fails_between_a_pick_and_its_putting_back() -> None:
    """Both still open: what was known of the pick stays."""
    counter = Counter(track("a", 0.0, until_s=20.0))
    pick, put = counter.movement(at_s=19.0), counter.movement(at_s=55.0, put=True)
    (alone,) = counter.events(pick, decided_s=22.0)
    assert [event.who for event in counter.events(pick, put, decided_s=58.0)] == [alone.who, ()]


def test_put_back_after_the_outage_by_whoever_stands_there() -> None:
    """What was taken in it may be in anybody's hands: it makes nobody likelier, and is what comes back."""
    counter = Counter(track("a", 0.0))
    counter.holds("a", sku=2)
    (put,) = counter.events(counter.movement(put=True))
    weight = float(counter.skus.weight_g[4])
    counter.holds("", grams=weight)
    counter.hands.units[1] = _of_nobody(counter.hands.units[1])
    movement = counter.movement(put=True)
    (event,) = counter.events(movement)
    assert dict(event.who)["a"] == pytest.approx(dict(put.who)["a"], abs=0.01)
    assert counter.namer.returned(movement, event) == {1: 1.0}


def _of_nobody(unit: HandUnit) -> HandUnit:
    return HandUnit(unit.guesses, unit.weight_g, unit.weight_var, unit.board, unit.taken_ns, ())


def test_how_many_are_not_tracked_is_learnt_where_others_are() -> None:
    """Somebody two metres off is followed each time, those who take something aren't: a poor view, and soon known."""
    counter = Counter()
    beside, doubtful = ("beside", 2000.0, 430.0), ("a", 450.0, 430.0)
    before = _named(counter, 10.0, doubtful)
    after = _named(counter, _visits(counter, 60, 100.0, beside), doubtful)
    assert before[""] < 0.2
    assert after[""] > 2.5 * before[""]


def test_what_is_learnt_of_them_is_bounded_and_forgotten() -> None:
    """A camera covered for weeks, that saw only who passed beside: whoever then stands right there is named at once."""
    counter = Counter()
    alone = ("a", 0.0, 430.0)
    mended_s = _visits(counter, 1500, 10.0, ("beside", 2000.0, 430.0))
    first = _named(counter, mended_s, alone)
    assert 0.8 < first["a"] < 0.99
    later = _named(counter, _visits(counter, 500, mended_s + 10.0, alone), alone)
    assert later["a"] > first["a"] + 0.3 * (1.0 - first["a"])


def test_an_outage_told_in_any_order_is_the_same() -> None:
    """P8: what was seen comes as it comes; what is named hangs on its times alone."""
    told = []
    for backwards in (False, True):
        counter = Counter()
        points = [*track("a", 0.0, until_s=12.0), *track("b", 150.0, from_s=70.0, until_s=80.0)]
        counter.sightings.give(points[::-1] if backwards else points)
        events = [counter.events(counter.movement(at_s=at_s), decided_s=at_s + 3.0)[0] for at_s in (10.0, 60.0, 75.0)]
        assert [sum_of(event.who) for event in events] == pytest.approx([1.0, 0.0, 1.0], abs=1e-9)
        told.append([event.who for event in events])
    assert told[0] == told[1]
