"""`who` through the whole of fusion: events are what they were, and what is told doesn't hang on portions (P8)."""

from __future__ import annotations

import dataclasses
import functools
import random
from collections.abc import Sequence

import pytest
from fusion_boards import Played, exact, play, script
from who_people import WALL, setup_on, sum_of, track

from drivers.simulated.scene import Pick, Put
from edge.fusion.engine import Fusion
from edge.trace.event import Event, Status
from edge.trace.sighting import TrackPoint

A_MM, B_MM = -300.0, 350.0  # beside 500 mm: before slots A1 and A7
TRACKS = (
    *track("a", A_MM, until_s=26.0),
    *track("b", B_MM, until_s=26.0),
    *track("walks by", 0.0, out_mm=1000.0, along_mm_s=900.0, from_s=6.0, until_s=14.0),
)


@functools.cache
def _played(placed: bool = True) -> Played:
    """One takes from A1 and puts it back, the other takes from A7; then both at once."""
    scene = script(
        Pick(4.0, "A1", touch_s=0.6, lift_s=0.3),
        Pick(8.0, "A7", touch_s=0.6, lift_s=0.3),
        Put(12.0, "A1", sku="sku1", contact_s=0.8),
        Pick(17.0, "A1", touch_s=0.5, lift_s=0.3),
        Pick(17.3, "A7", touch_s=0.5, lift_s=0.3),
    )
    setup = setup_on(WALL if placed else None)
    return play(scene, 24.0, setup=dataclasses.replace(setup, calibration={}))


def _events(played: Played, points: Sequence[TrackPoint], step_ns: int = 1_000_000_000) -> list[Event]:
    """Samples and sightings in portions of that length, each sighting 0.3 s after its time."""
    whole = played.whole()
    fusion = Fusion(played.setup)
    events: list[Event] = []
    end_ns = max(int(block.time_ns[-1]) for block in whole)
    begin_ns = 0
    while begin_ns <= end_ns:
        until_ns = begin_ns + step_ns
        blocks = [
            block.part(int(block.time_ns.searchsorted(begin_ns)), int(block.time_ns.searchsorted(until_ns)))
            for block in whole
        ]
        late = 300_000_000
        seen = [point for point in points if begin_ns <= point.time_ns + late < until_ns]
        events += fusion.push(blocks, until_ns, seen)
        begin_ns = until_ns
    return events + fusion.finish()


def _finals(events: Sequence[Event]) -> list[Event]:
    return [event for event in events if event.status is Status.FINAL]


def test_each_event_says_who() -> None:
    best = [event.who[0] for event in sorted(_finals(_events(_played(), TRACKS)), key=lambda event: event.time_ns)]
    assert [name for name, _ in best] == ["a", "b", "a", "a", "b"]
    assert all(p > 0.9 for _, p in best)


def test_every_revision_sums_to_one() -> None:
    events = _events(_played(), TRACKS)
    assert len(events) > len(_finals(events))
    assert all(sum_of(event.who) == pytest.approx(1.0, abs=1e-9) for event in events)


def test_tracks_change_nothing_else_of_a_final_event() -> None:
    with_tracks, without = _finals(_events(_played(), TRACKS)), _finals(_events(_played(), ()))
    assert exact(dataclasses.replace(event, who=(), revision=0) for event in with_tracks) == exact(
        dataclasses.replace(event, revision=0) for event in without
    )


def test_without_tracks_a_place_in_the_node_file_changes_not_one_bit() -> None:
    assert exact(_events(_played(), ())) == exact(_events(_played(placed=False), ()))


def test_a_board_without_a_place_names_nobody() -> None:
    """Whatever the cameras see."""
    assert exact(_events(_played(placed=False), TRACKS)) == exact(_events(_played(placed=False), ()))


@pytest.mark.parametrize("step_ns", [70_000_000, 333_000_000, 9_000_000_000])
def test_how_the_stream_is_cut_changes_not_one_bit(step_ns: int) -> None:
    """P8: portions, and the order of sightings within them."""
    shuffled = list(TRACKS)
    random.Random(step_ns).shuffle(shuffled)
    assert exact(_events(_played(), shuffled, step_ns)) == exact(_events(_played(), TRACKS))


def test_somebody_else_named_is_a_new_revision() -> None:
    """The tracker sees the second person late: what was announced by then is revised, same id."""
    late = [point for point in TRACKS if point.track != "a" or point.time_ns > 5_100_000_000]
    history: dict[str, list[Event]] = {}
    for event in _events(_played(), late):
        history.setdefault(event.event_id, []).append(event)
    first = next(iter(history.values()))
    assert [event.revision for event in first] == list(range(1, len(first) + 1))
    assert dict(first[-1].who)["a"] > 0.8
