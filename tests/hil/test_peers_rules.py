"""The published rules in their own particulars, good and bad: what AIM3S can't see, what the basket allows."""

from __future__ import annotations

import numpy as np
import pytest
from peers_scene import Scene, Step, corner_shelf, lanes, scene

from drivers.samples import SampleBlock, SampleFlag
from edge.trace.event import Event, Kind
from hil.peers import PEERS
from hil.peers.naming import nearest
from hil.peers.recording import frames_of, recording_of
from hil.peers.shelf import shelves_of
from hil.peers.steps import Moment, visits_of


def _run(name: str, made: Scene) -> list[tuple[Kind, str | None, str | None, int]]:
    events: list[Event] = PEERS[name](made)  # type: ignore[arg-type]
    return [(event.kind, event.slot, event.sku, event.quantity) for event in events]


@pytest.mark.parametrize(("grams", "seen"), [(-60.0, False), (-70.0, False), (-100.0, True)])
def test_aim3s_sees_no_bare_step_below_77_grams(grams: float, seen: bool) -> None:
    """A step of D grams has a moving variance of its moving mean of D² / 12, against a threshold of 500 g²."""
    assert bool(_run("aim3s", scene(corner_shelf(), "corners", [Step(5.0, "b1", grams, 500.0)]))) is seen


def test_aim3s_knows_single_units_only_and_never_says_that_it_does_not_know() -> None:
    made = scene(corner_shelf(), "corners", [Step(5.0, "b1", -700.0, 300.0)])
    assert _run("aim3s", made) == [(Kind.PICK, "s-soup", "soup", 1)]


def test_autocheckout_counts_units() -> None:
    made = scene(corner_shelf(), "corners", [Step(5.0, "b1", -700.0, 300.0)])
    assert _run("autocheckout", made) == [(Kind.PICK, "s-soup", "soup", 2)]


def test_autocheckout_drops_what_nobody_took_and_what_weighs_too_little() -> None:
    assert _run("autocheckout", scene(corner_shelf(), "corners", [Step(5.0, "b1", 350.0, 300.0)])) == []
    assert _run("autocheckout", scene(corner_shelf(), "corners", [Step(5.0, "b1", -120.0, 300.0)])) == []


def test_autocheckout_names_a_put_back_from_the_basket_and_remembers_where_it_went() -> None:
    """Soup is put into the slot of gum, and taken from there again: the dynamic planogram knows."""
    steps = [Step(4.0, "b1", -350.0, 300.0), Step(8.0, "b1", 350.0, 500.0), Step(12.0, "b1", -350.0, 500.0)]
    found = _run("autocheckout", scene(corner_shelf(), "corners", steps, 17.0))
    assert found == [(Kind.PICK, "s-soup", "soup", 1), (Kind.PUT, "s-gum", "soup", 1), (Kind.PICK, "s-gum", "soup", 1)]


def test_autocheckout_splits_a_shelf_of_plates_that_share_no_product() -> None:
    made = scene(lanes(), "lanes", [Step(5.0, "lane-water", -520.0), Step(5.1, "lane-tea", -150.0)])
    assert sorted(_run("autocheckout", made)) == [
        (Kind.PICK, "s-tea", "tea", 1),
        (Kind.PICK, "s-water", "water", 1),
    ]


def test_near_ties_in_weight_are_broken_by_the_place() -> None:
    """320 g may be two of 150 g or one of 350 g: the place says which."""
    setup = corner_shelf()
    (shelf,) = shelves_of(recording_of(setup, "corners", scene(setup, "corners", []).blocks))
    for off_middle_mm, answer in ((300.0, ("tea", 2)), (-100.0, ("soup", 1))):
        lean = off_middle_mm / 370.0
        spot, quantity = nearest(shelf, -80.0 * np.array([1 - lean, 1 + lean] * 2))
        assert (spot.sku, quantity) == answer


def test_moments_close_together_are_one_visit() -> None:
    visits = visits_of([Moment(40, 41), Moment(10, 12), Moment(20, 22), Moment(30, 31), Moment(60, 61)])
    assert [(visit.begin, visit.end, visit.known) for visit in visits] == [(10, 40, 41), (60, 60, 61)]


def test_no_frame_is_ever_nan_whatever_is_missing() -> None:
    """A flagged sample, a lone corrupt code, a gap of 3 s, a cell that falls silent and one that was never heard."""
    setup = corner_shelf()
    (block,) = scene(setup, "corners", [], noise_g=0.0).blocks[0]
    counts, flags = block.counts.copy(), block.flags.copy()
    first = np.flatnonzero(block.cell == 0)
    counts[first[100]] = (1 << 23) - 1
    flags[first[200]], counts[first[200]] = SampleFlag.SPIKE, 0
    seconds = block.time_ns / 1e9
    kept = ~((block.cell == 1) & (seconds > 4.0) & (seconds < 7.0))  # a gap
    kept &= ~((block.cell == 2) & (seconds > 5.0))  # falls silent
    kept &= block.cell != 3  # never heard
    damaged = SampleBlock(block.board, block.time_ns[kept], block.cell[kept], counts[kept], flags[kept])
    recording = recording_of(setup, "corners", [[damaged]])
    for rate_hz, oversample in ((60.0, 1), (20.0, 4)):
        frames = frames_of(recording, ["b1"], rate_hz, oversample)
        assert np.isfinite(frames.grams).all()
        assert frames.grams[:3] == pytest.approx(np.full((3, frames.grams.shape[1]), 1250.0), abs=0.01)
        assert (frames.grams[3] == 0.0).all()
