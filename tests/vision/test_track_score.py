"""The score of tracks: by hand on small cases, and as motmetrics says where that is installed."""

from __future__ import annotations

import math
from collections.abc import Iterator

import numpy as np
import pytest

from hil.track_score import Boxes, TrackScore, motmetrics_score, score_tracks, without_doubtful


def _at(**lefts: float) -> Boxes:
    """Boxes of 10 x 10 by identity (n1=5.0: identity 1 at 5)."""
    names = np.array([int(name[1:]) for name in lefts], np.int64)
    return Boxes(names, np.array([(left, 0.0, 10.0, 10.0) for left in lefts.values()]).reshape(-1, 4))


def test_misses_false_boxes_and_a_switch_are_counted() -> None:
    frames = [
        (_at(n1=0, n2=50), _at(n7=1, n8=50)),
        (_at(n1=0, n2=50), _at(n7=1)),
        (_at(n1=0, n2=50), _at(n7=1, n9=50)),
        (_at(n1=0), _at(n7=1, n9=200)),
    ]
    score = score_tracks(frames)
    assert score == TrackScore(1 - 3 / 7, 2 * 5 / 14, 1, 1, 1, 7)


def test_who_is_found_where_nobody_can_tell_is_neither_right_nor_wrong() -> None:
    truth, found, doubtful = _at(n1=0), _at(n7=1, n8=50, n9=90), _at(n5=48, n6=2).box
    assert without_doubtful(truth, found, doubtful).identity.tolist() == [7, 9]
    assert without_doubtful(truth, found, doubtful[:0]).identity.tolist() == [7, 8, 9]


def test_with_nobody_there_is_no_share() -> None:
    assert math.isnan(score_tracks([(_at(), _at(n1=0))]).mota)


def _walks(seed: int) -> Iterator[tuple[Boxes, Boxes]]:
    rng = np.random.default_rng(seed)
    places = rng.uniform(0, 60, 5)
    names = np.arange(1, 6)
    for _ in range(60):
        places += rng.normal(0, 2, 5)
        there, seen = rng.random(5) < 0.9, rng.random(5) < 0.8
        if rng.random() < 0.1:
            names[rng.integers(5)] = names.max() + 1
        box = np.stack([places, np.zeros(5), np.full(5, 10.0), np.full(5, 10.0)], axis=1)
        moved = box + rng.normal(0, 1.0, box.shape)
        yield Boxes(np.arange(5)[there], box[there]), Boxes(names[seen], moved[seen])


@pytest.mark.parametrize("seed", range(6))
def test_motmetrics_gives_the_same_score(seed: int) -> None:
    pytest.importorskip("motmetrics")
    ours, theirs = score_tracks(_walks(seed)), motmetrics_score(_walks(seed))
    assert ours.mota == pytest.approx(theirs.mota, abs=1e-12)
    assert ours.idf1 == pytest.approx(theirs.idf1, abs=1e-12)
    assert (ours.switches, ours.missed, ours.false) == (theirs.switches, theirs.missed, theirs.false)
