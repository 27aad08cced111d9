"""Every peer sees and names one clear movement, on every kind of board: the bench compares with working rivals."""

from __future__ import annotations

import pytest
from peers_scene import Scene, Step, corner_shelf, lanes, one_cell_shelf, scene

from edge.trace.event import Event, Kind, Status
from hil.peers import PEERS

NAMES = tuple(PEERS)


def _run(name: str, made: Scene) -> list[Event]:
    return PEERS[name](made)  # type: ignore[arg-type]


def test_all_rivals_of_the_issue_are_there() -> None:
    assert NAMES == ("aim3s", "autocheckout", "page-hinkley", "adwin", "pelt", "step-filter")
    assert all(peer.title and peer.source for peer in PEERS.values())


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize(
    ("made", "board"),
    [
        (scene(corner_shelf(), "corners", [Step(5.0, "b1", -350.0, 300.0)]), "b1"),
        (scene(one_cell_shelf(), "one", [Step(5.0, "b1", -350.0)]), "b1"),
        (scene(lanes(), "lanes", [Step(5.0, "lane-soup", -350.0)]), "lane-soup"),
    ],
    ids=["four cells", "one cell", "lanes"],
)
def test_one_clear_pick_is_seen_and_named(name: str, made: Scene, board: str) -> None:
    (event,) = _run(name, made)
    assert (event.kind, event.board, event.slot, event.sku, event.quantity) == (Kind.PICK, board, "s-soup", "soup", 1)
    assert event.grams == pytest.approx(-350.0, abs=2.0)
    assert 4.8e9 <= event.time_ns <= 5.6e9
    assert 5.3e9 <= event.decided_ns <= 8.0e9
    assert 0.0 <= event.confidence <= 1.0
    if made.layout == "corners":
        assert event.x_mm == pytest.approx(300.0, abs=5.0)


@pytest.mark.parametrize("name", NAMES)
def test_taken_and_put_back_are_a_pick_and_a_put(name: str) -> None:
    made = scene(corner_shelf(), "corners", [Step(4.0, "b1", -520.0, 100.0), Step(8.0, "b1", 520.0, 100.0)], 14.0)
    assert [(event.kind, event.sku) for event in _run(name, made)] == [(Kind.PICK, "water"), (Kind.PUT, "water")]


@pytest.mark.parametrize("name", NAMES)
def test_nothing_is_ever_sent_to_review_and_an_untouched_shelf_is_silent(name: str) -> None:
    made = scene(corner_shelf(), "corners", [Step(5.0, "b1", -333.0, 390.0)])
    events = _run(name, made)
    assert events
    assert all(event.status is Status.FINAL and not event.needs_review for event in events)
    assert _run(name, scene(corner_shelf(), "corners", [])) == []


@pytest.mark.parametrize("name", NAMES)
def test_the_same_scene_gives_the_same_events(name: str) -> None:
    made = scene(lanes(), "lanes", [Step(4.0, "lane-tea", -150.0), Step(7.0, "lane-water", -520.0)])
    assert _run(name, made) == _run(name, made)


@pytest.mark.parametrize("name", NAMES)
def test_a_scene_without_a_good_sample_is_refused(name: str) -> None:
    made = scene(corner_shelf(), "corners", [])
    spent = Scene("made by hand", "corners", 0, made.setup, (), 12.0, [])
    with pytest.raises(ValueError, match="no good samples"):
        _run(name, spent)
