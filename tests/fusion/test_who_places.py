"""Who it was, by where people stand, how they move and how well they are seen."""

from __future__ import annotations

import dataclasses
import math
from typing import Any

import pytest
from who_people import WALL, Counter, S, sum_of, track

from edge.config.camera_schema import Place
from edge.trace.event import Evidence


def test_one_person_before_the_board_is_named() -> None:
    (who,) = Counter(track("a", 0.0)).named(Counter().movement())
    assert who["a"] > 0.97
    assert 0.0 < who[""] < 0.03


def test_of_two_people_60_cm_apart_each_is_named_for_what_lies_before_them() -> None:
    counter = Counter(track("a", 0.0), track("b", 600.0))
    left, right = counter.named(counter.movement(), counter.movement(x_mm=880.0))
    assert left["a"] > 0.95
    assert right["b"] > 0.8  # the board's edge: it lies 22 cm from one and 38 from the other


def test_two_people_at_one_distance_are_two_at_a_half_each() -> None:
    counter = Counter(track("a", -200.0), track("b", 200.0))
    (who,) = counter.named(counter.movement())
    assert who["a"] == pytest.approx(who["b"], abs=0.01)
    assert who["a"] > 0.48


def test_whoever_stands_there_outweighs_somebody_who_walks_by() -> None:
    """Even where the one who walks is nearer just then."""
    counter = Counter(track("stands", -150.0), track("walks", 0.0, along_mm_s=1000.0))
    (who,) = counter.named(counter.movement())
    assert who["stands"] > 0.9
    still = Counter(track("stands", -150.0), track("also", 0.0))
    assert still.named(still.movement())[0]["also"] > 0.5


def test_nobody_near_is_nobody() -> None:
    counter = Counter(track("far", 3500.0))
    assert counter.named(counter.movement()) == [{"": 1.0}]


def test_a_person_behind_another_is_less_likely_than_the_one_before_the_shelf() -> None:
    counter = Counter(track("front", 0.0), track("behind", 0.0, out_mm=1000.0))
    (who,) = counter.named(counter.movement())
    assert who["front"] > 0.97


def test_people_on_the_other_side_of_a_gondola_have_not_been_it() -> None:
    """Two boards back to back, 35 cm deep: who faces one of them stands behind the other."""
    counter = Counter(track("here", 350.0), track("there", 0.0, out_mm=-2 * 350.0 - 430.0))
    (who,) = counter.named(counter.movement())
    assert who["here"] > 0.9
    assert who.get("there", 0.0) < 0.01


def test_facing_says_on_which_side_people_stand() -> None:
    turned = Place(x_mm=WALL.x_mm, y_mm=WALL.y_mm, facing_deg=WALL.facing_deg + 180.0)
    counter = Counter(track("a", 0.0), place=turned)
    assert counter.named(counter.movement())[0].get("a", 0.0) < 0.05


def test_a_person_who_is_hidden_is_still_named_but_less_surely() -> None:
    seen = Counter(track("a", 150.0), track("b", -250.0))
    hidden = Counter(track("a", 150.0, hidden=True, sd_mm=300.0), track("b", -250.0))
    (surely,), (hardly,) = seen.named(seen.movement()), hidden.named(hidden.movement())
    assert surely["a"] > hardly["a"] > 0.2


def test_a_track_that_ended_just_before_is_still_the_one() -> None:
    counter = Counter(track("a", 0.0, until_s=9.5), track("b", 1200.0))
    assert counter.named(counter.movement())[0]["a"] > 0.9
    long_gone = Counter(track("a", 0.0, until_s=3.0), track("b", 1200.0))
    assert long_gone.named(long_gone.movement())[0].get("a", 0.0) < 0.3


def test_a_track_that_began_just_after_is_somebody_who_was_there() -> None:
    counter = Counter(track("a", 0.0, from_s=10.4))
    assert counter.named(counter.movement())[0]["a"] > 0.8


def test_two_who_reach_at_once_are_two_people() -> None:
    """Between the two things that moved stands one, the other beside: each took one of them."""
    counter = Counter(track("a", 0.0), track("b", 350.0))
    alone = counter.named(counter.movement(x_mm=650.0))[0]
    first, second = counter.named(counter.movement(at_s=9.9), counter.movement(x_mm=650.0))
    assert first["a"] > 0.75
    assert second["b"] > alone["b"] + 0.1


def test_what_the_board_cannot_place_is_told_with_more_doubt() -> None:
    counter = Counter(track("a", 0.0), track("b", 500.0))
    placed, anywhere = counter.named(counter.movement(), decided_s=13.0), counter.named(counter.movement(x_mm=None))
    assert placed[0]["a"] > anywhere[0]["a"] > 0.5


def test_after_a_long_unrest_it_is_less_sure_who_was_there_then() -> None:
    """One goes and the other comes: within a second of activity it was the first, within a minute nobody can tell."""
    counter = Counter(track("goes", 0.0, until_s=10.6), track("comes", 0.0, from_s=11.2))
    movement = counter.movement()
    (event,) = counter.events(movement, decided_s=20.0)
    shares = []
    for unrest_s in (1, 40):
        evidence = Evidence((), 1.0, 500.0, 500.0, event.time_ns - unrest_s * S // 2, event.time_ns + unrest_s * S // 2)
        (told,) = counter.namer.named([dataclasses.replace(event, evidence=evidence)], [movement], 20 * S)
        shares.append(dict(told.who))
    assert shares[0]["goes"] > 0.9
    assert shares[1]["goes"] < shares[0]["goes"] - 0.05
    assert shares[1]["comes"] > shares[0].get("comes", 0.0) + 0.05


def test_probabilities_are_best_first_and_sum_to_one() -> None:
    counter = Counter(*(track(f"t{k}", 130.0 * k - 400.0, out_mm=350.0 + 40.0 * k) for k in range(9)))
    (event,) = counter.events(counter.movement())
    shares = [p for _, p in event.who]
    assert shares == sorted(shares, reverse=True)
    assert sum_of(event.who) == pytest.approx(1.0, abs=1e-9)
    assert len(event.who) <= 6


@pytest.mark.parametrize("field", ["x_mm", "yy_mm2", "vx_mm_s"])
@pytest.mark.parametrize("value", [math.nan, math.inf, -1e300])
def test_a_track_that_makes_no_sense_spoils_nothing(field: str, value: float) -> None:
    changed: dict[str, Any] = {field: value}
    broken = [dataclasses.replace(point, **changed) for point in track("broken", 100.0, until_s=9.8)]
    short = [dataclasses.replace(point, track="short", **changed) for point in track("b", 100.0, from_s=9.9)]
    counter = Counter(track("a", 0.0), broken, short)
    counter.holds("broken")
    _, event = counter.events(counter.movement(at_s=8.0), counter.movement(put=True))
    assert sum_of(event.who) == pytest.approx(1.0, abs=1e-9)
    assert dict(event.who)["a"] > 0.1


def test_without_any_track_so_far_nobody_is_named() -> None:
    counter = Counter()
    assert counter.events(counter.movement())[0].who == ()


def test_what_was_seen_too_late_for_the_decision_is_not_used() -> None:
    counter = Counter(track("a", 0.0, from_s=9.8))
    assert counter.named(counter.movement(), decided_s=10.1) == [{}]
    assert counter.named(counter.movement(), decided_s=10.3)[0]["a"] > 0.5


def test_a_board_learns_where_people_stand_before_it() -> None:
    """A place in the node file that is 25 cm off: after some events with one person near, it hardly matters."""
    counter = Counter(track("a", 250.0, until_s=95.0), track("b", -150.0, from_s=90.0, until_s=95.0))
    before = counter.named(counter.movement(at_s=93.0), decided_s=95.0)[0]
    for k in range(40):
        counter.settle(counter.movement(at_s=1.0 + 2.0 * k))
    after = counter.named(counter.movement(at_s=93.0), decided_s=95.0)[0]
    assert before["b"] > 0.5
    assert after["a"] > 0.7


def test_it_learns_with_others_about() -> None:
    """Two who stand at the same distance teach as much as they are likely to have been it, which is nothing."""
    counter = Counter(track("a", -200.0, until_s=95.0), track("b", 200.0, until_s=95.0))
    for k in range(40):
        counter.settle(counter.movement(at_s=1.0 + 2.0 * k))
    (who,) = counter.named(counter.movement(at_s=93.0), decided_s=95.0)
    assert abs(who["a"] - who["b"]) < 0.02
