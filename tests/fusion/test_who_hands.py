"""Who it was, by what people hold: an item that is put back is its holder's, as far as memory may be believed."""

from __future__ import annotations

from who_people import Counter, track

from edge.fusion.memory import Hands
from edge.fusion.who_holds import heirs


def test_of_two_at_one_distance_the_holder_has_put_it_back() -> None:
    counter = Counter(track("a", -200.0), track("b", 200.0))
    counter.holds("a")
    assert counter.named(counter.movement(put=True))[0]["a"] > 0.85


def test_who_holds_another_product_is_no_likelier() -> None:
    counter = Counter(track("a", -200.0), track("b", 200.0))
    counter.holds("a", sku=2)
    assert 0.45 < counter.named(counter.movement(put=True))[0]["a"] < 0.55


def test_a_pick_is_not_the_holders() -> None:
    counter = Counter(track("a", -200.0), track("b", 200.0))
    counter.holds("a")
    assert 0.45 < counter.named(counter.movement())[0]["a"] < 0.55


def test_a_memory_that_is_wrong_does_not_outweigh_a_clear_place() -> None:
    """What one took and gave to another, who stands before the shelf alone."""
    counter = Counter(track("took", 1200.0), track("stands", 0.0))
    counter.holds("took")
    assert counter.named(counter.movement(put=True))[0]["stands"] > 0.8


def test_of_two_holders_it_is_the_one_whose_unit_weighs_that_much() -> None:
    counter = Counter(track("a", -200.0), track("b", 200.0))
    weight = float(counter.skus.weight_g[4])
    counter.holds("a", grams=weight + 6.0)
    counter.holds("b", grams=weight)
    assert counter.named(counter.movement(put=True))[0]["b"] > 0.85


def test_what_was_put_back_is_out_of_its_holders_hands() -> None:
    counter = Counter(track("a", -200.0), track("b", 200.0))
    for who in ("a", "b"):
        counter.holds(who)
    put = counter.movement(put=True)
    (event,) = counter.events(put)
    returned = counter.namer.returned(put, event)
    counter.hands.give_back(4, put.grams, returned)
    (left,) = counter.hands.units
    assert dict(left.who)["a"] > 0.3  # nobody knows who it was: what is left is either's
    assert dict(left.who)["b"] > 0.3


def test_the_unit_of_the_one_who_put_it_goes() -> None:
    counter = Counter(track("a", 0.0), track("b", 1500.0))
    for who in ("b", "a"):
        counter.holds(who)
    put = counter.movement(put=True)
    (event,) = counter.events(put)
    counter.hands.give_back(4, put.grams, counter.namer.returned(put, event))
    (left,) = counter.hands.units
    assert dict(left.who)["b"] > 0.9


def test_without_tracks_hands_forget_by_weight_alone() -> None:
    counter, other = Counter(), Hands()
    for grams in (520.0, 523.0, 517.0):
        counter.holds("", grams=grams)
    other.units = list(counter.hands.units)
    counter.hands.give_back(4, 522.0, {})
    other.give_back(4, 522.0)
    assert counter.hands.units == other.units
    assert [unit.weight_g for unit in other.units] == [520.0, 517.0]


def test_a_pick_that_is_still_open_is_revised_by_who_puts_it_back() -> None:
    """Both might have taken it; then one of them goes, and the other puts it back."""
    counter = Counter(track("goes", -200.0, until_s=10.6), track("stays", 200.0), track("stays too", 2000.0))
    pick, put = counter.movement(at_s=9.0), counter.movement(at_s=14.5, put=True)
    (alone,) = counter.named(pick, decided_s=10.0)
    before, after = counter.named(pick, put, decided_s=17.0)
    assert 0.4 < alone["stays"] < 0.6
    assert before["stays"] > 0.85
    assert after["stays"] > 0.9


def test_of_two_who_took_one_each_both_may_put_one_back() -> None:
    counter = Counter(track("a", -200.0), track("b", 200.0))
    pick, other = counter.movement(at_s=5.0, x_mm=250.0), counter.movement(at_s=7.0, x_mm=750.0)
    _, _, put = counter.named(pick, other, counter.movement(at_s=10.0, put=True))
    assert 0.4 < put["a"] < 0.6


def test_a_holder_whose_track_was_lost_goes_on_under_another_name() -> None:
    white, dark = (200, 128, 128, 180, 128, 128), (40, 128, 128, 30, 128, 128)
    counter = Counter(
        track("a", -200.0, until_s=5.0, clothes=white),
        track("b", 200.0, clothes=dark),
        track("a again", -200.0, from_s=6.0, clothes=white),
    )
    counter.holds("a")
    assert counter.named(counter.movement(put=True))[0]["a again"] > 0.75


def test_heirs_are_near_and_alike() -> None:
    """And what can't be told is nobody's; all together are one."""
    white, dark = (200, 128, 128, 180, 128, 128), (40, 128, 128, 30, 128, 128)
    tracks = {
        "old": track("old", 0.0, until_s=5.0, clothes=white),
        "near": track("near", 100.0, from_s=6.0, clothes=white),
        "unlike": track("unlike", 100.0, from_s=6.0, clothes=dark),
        "far": track("far", 4000.0, from_s=6.0, clothes=white),
        "before": track("before", 0.0, from_s=1.0, clothes=white),
    }
    shares = heirs("old", 10_000_000_000, tracks)
    assert shares["near"] > 0.9
    assert shares.get("unlike", 0.0) < 0.05
    assert "before" not in shares
    assert abs(sum(shares.values()) - 1.0) < 1e-9
    assert heirs("never seen", 10_000_000_000, tracks) == {"": 1.0}
    assert heirs("before", 10_000_000_000, tracks) == {"before": 1.0}
