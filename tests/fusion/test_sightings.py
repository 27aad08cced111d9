"""What cameras have told: the same for the same sightings, however they came (P8), and bounded (P4)."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from edge.fusion.sightings import KEPT_NS, SIGHT_DELAY_NS, Sightings
from edge.trace.sighting import ShelfLook, Sighting, TrackPoint


def a_point(time_ns: int, track: str = "aisle.1.1", x_mm: float = 0.0) -> TrackPoint:
    return TrackPoint(track, time_ns, x_mm, 0.0, 1.0, 0.0, 1.0, 0.0, 0.0)


def test_a_decision_knows_what_was_seen_until_the_delay_before_it() -> None:
    seen = Sightings()
    seen.give([a_point(1_000), a_point(2_000)])
    seen.look_from(SIGHT_DELAY_NS + 1_999)
    assert [point.time_ns for point in seen.tracks(0, 10_000)["aisle.1.1"]] == [1_000]
    seen.look_from(SIGHT_DELAY_NS + 2_000)
    assert [point.time_ns for point in seen.tracks(0, 10_000)["aisle.1.1"]] == [1_000, 2_000]


def test_what_a_decision_may_have_missed_is_refused_and_counted() -> None:
    seen = Sightings()
    seen.decided(SIGHT_DELAY_NS + 5_000)
    both: list[Sighting] = [a_point(4_999), a_point(5_000)]
    assert seen.in_time(both) == both[1:]
    assert seen.refused == 1
    seen.give(both)
    seen.look_from(10 * SIGHT_DELAY_NS)
    assert list(seen.tracks(0, 10_000)["aisle.1.1"]) == both[1:]


def test_the_same_twice_counts_once() -> None:
    seen = Sightings()
    for _ in range(2):
        seen.give([a_point(1_000, x_mm=5.0), a_point(1_000, x_mm=4.0)])
    seen.look_from(10 * SIGHT_DELAY_NS)
    assert [point.x_mm for point in seen.tracks(0, 10_000)["aisle.1.1"]] == [4.0, 5.0]


def test_a_track_is_forgotten_after_a_while() -> None:
    seen = Sightings()
    for number in range(200):
        seen.give([a_point(number * 10**9, f"aisle.1.{number}")])
        seen.decided(number * 10**9)
    seen.look_from(200 * 10**9)
    assert len(seen.tracks(0, 10**18)) <= KEPT_NS // 10**9 + 2


def test_boards_and_tracks_are_told_apart() -> None:
    seen = Sightings()
    seen.give([ShelfLook("eye", "b1", 1_000, ()), a_point(1_000)])
    seen.look_from(10 * SIGHT_DELAY_NS)
    assert len(seen.looks("b1", 0, 10_000)) == 1
    assert len(seen.looks("b2", 0, 10_000)) == 0
    assert list(seen.tracks(0, 10_000)) == ["aisle.1.1"]


@given(st.lists(st.tuples(st.integers(0, 40), st.integers(0, 3)), max_size=30), st.randoms(use_true_random=False))
def test_the_order_in_which_they_come_changes_nothing(points: list[tuple[int, int]], shuffle: object) -> None:
    """P8: whatever is in time is there, in one order."""
    given_points: list[Sighting] = [a_point(time_ns * 10**8, x_mm=float(x)) for time_ns, x in points]
    mixed = list(given_points)
    shuffle.shuffle(mixed)  # type: ignore[attr-defined]
    first, second = Sightings(), Sightings()
    first.give(given_points)
    for one in mixed:
        second.give([one])
    for decided_ns in (10**9, 3 * 10**9, 9 * 10**9):
        first.look_from(decided_ns)
        second.look_from(decided_ns)
        assert first.tracks(0, 10**10) == second.tracks(0, 10**10)
