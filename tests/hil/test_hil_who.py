"""The scenes that `who` is judged by: what was done is what the boards feel, and names are those that were seen."""

from __future__ import annotations

import functools
import itertools
import math

import numpy as np

from hil.who import figures
from hil.who_people import Crowd, Manners, Shelf, visits, way
from hil.who_scene import WhoFact, WhoScene, facts_of, make_scene
from hil.who_sight import Sight, sight_of

SHELVES = [Shelf(f"s{k}", "b", f"g{k}", 60.0 + 120.0 * k, 12) for k in range(8)]


@functools.cache
def _scene() -> WhoScene:
    return make_scene(Crowd(put_share=0.5, crosses=0.0), "tuning", 2, seconds=60.0)


def test_each_deed_is_a_label_of_the_boards() -> None:
    scene = _scene()
    assert len(scene.plan.deeds) > 3
    assert [(label.kind.value, label.slot) for label in scene.labels] == [
        ("put" if deed.put else "pick", deed.slot.slot) for deed in scene.plan.deeds
    ]
    assert all(
        label.start_s <= deed.moved_s <= label.end_s for label, deed in zip(scene.labels, scene.plan.deeds, strict=True)
    )


def test_who_is_nearly_always_right_where_each_takes_their_own() -> None:
    facts = [fact for fact in facts_of(_scene(), _scene().events()) if fact.exact]
    assert len(facts) > 3
    found = figures(facts)
    assert found is not None
    assert found.right > 0.9


def test_people_stand_as_far_apart_as_the_crowd_says() -> None:
    """But for those who walk in or out just then."""
    still = Manners(sway_mm=0.0, lean=0.0)
    plan = visits(Crowd((2, 3), (600.0, 1200.0), passers=0.0), still, SHELVES, 5, 120.0)
    ways = [way(person, still, 1) for person in plan.people]
    near = []
    for deed in plan.deeds:
        there = [
            [float(np.interp(deed.moved_s, times, places[:, axis])) for axis in (0, 1)]
            for times, places in ways
            if times[0] <= deed.moved_s <= times[-1]
        ]
        near += [math.dist(a, b) for a, b in itertools.combinations(there, 2)]
    assert len(near) > 5
    assert np.median(near) >= 600.0
    assert np.mean(np.array(near) >= 600.0) > 0.8


def test_tracks_are_lost_and_go_on_under_another_name_and_the_truth_knows() -> None:
    times = np.arange(600, dtype=np.float64) * 0.1
    places = np.zeros((600, 2))
    seen = sight_of([(times, places)], Sight(lost_per_min=6.0, lost_s=(2.0, 3.0), unseen=0.0, ghosts_per_min=0.0), 3)
    names = {point.track for point in seen.points}
    assert len(names) > 1
    assert {name for name, _, _ in seen.spans[0]} == names
    for point in seen.points:
        assert point.track in seen.names(0, point.time_ns * 1e-9)


def test_calibration_of_what_is_true_is_chance() -> None:
    rng = np.random.default_rng(4)
    stated = rng.uniform(0.5, 1.0, 3000)
    facts = []
    for p in stated.tolist():
        told, right = (("a", p), ("b", 1.0 - p)), frozenset("a" if rng.random() < p else "b")
        facts.append(WhoFact(told, right, 300.0, False, False, True))
    found = figures(facts)
    assert found is not None
    assert found.error < 2.0 * found.chance < 0.06
