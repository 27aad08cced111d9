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
    """And what can't be told is nobody's; all together are one. The new ones are near, unlike, far; one isn't new."""
    white, dark = (200, 128, 128, 180, 128, 128), (40, 128, 128, 30, 128, 128)
    tracks = {
        "eye.1.1": track("eye.1.1", 0.0, until_s=5.0, clothes=white),
        "eye.1.2": track("eye.1.2", 100.0, from_s=6.0, clothes=white),
        "eye.1.3": track("eye.1.3", 100.0, from_s=6.0, clothes=dark),
        "eye.1.4": track("eye.1.4", 4000.0, from_s=6.0, clothes=white),
        "eye.1.5": track("eye.1.5", 0.0, from_s=1.0, clothes=white),
    }
    shares = heirs("eye.1.1", 10_000_000_000, tracks)
    assert shares["eye.1.2"] > 0.9
    assert shares.get("eye.1.3", 0.0) < 0.05
    assert "eye.1.5" not in shares
    assert abs(sum(shares.values()) - 1.0) < 1e-9
    assert heirs("never seen", 10_000_000_000, tracks) == {"": 1.0}
    assert heirs("eye.1.5", 10_000_000_000, tracks) == {"eye.1.5": 1.0}


def test_a_holder_goes_on_before_the_next_camera() -> None:
    """Which saw them before the first camera lost them; one whom the first camera saw beside them is another one."""
    tracks = {
        "east.1.1": track("east.1.1", 0.0, until_s=5.0),
        "east.1.2": track("east.1.2", 100.0),
        "west.7.1": track("west.7.1", 100.0, from_s=3.0),
    }
    shares = heirs("east.1.1", 10_000_000_000, tracks)
    assert shares["west.7.1"] > 0.8
    assert "east.1.2" not in shares
