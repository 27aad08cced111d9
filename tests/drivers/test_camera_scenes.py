"""Rendered scenes: the same seed gives the same pictures, and their truth is what the pixels show."""

from __future__ import annotations

import itertools

import numpy as np
import pytest

from drivers.camera.scenes.ceiling import PinholeCamera, Shop, ceiling_scene
from drivers.camera.scenes.shelf import ShelfFront, shelf_scene, slot_edges
from drivers.camera.scenes.spoilt import FAULTS, Spoil, spoilt

SHOP = Shop(160, 120, 10.0, people=3, noise=0.0, flicker=0.0)
FRONT = ShelfFront(160, 120, 5.0, noise=0.0)


@pytest.mark.parametrize(
    "scene", [lambda seed: ceiling_scene(SHOP, seed, 4.0), lambda seed: shelf_scene(FRONT, seed, 4.0)]
)
def test_a_seed_gives_the_same_pictures_and_another_seed_others(scene):
    one, same, other = ([seen.frame for seen in scene(seed)] for seed in (5, 5, 6))
    assert len(one) in (20, 40)
    assert all(np.array_equal(a.y, b.y) and np.array_equal(a.v, b.v) for a, b in zip(one, same, strict=True))
    assert not np.array_equal(one[-1].y, other[-1].y)


def test_boxes_from_the_ceiling_are_where_the_pixels_change():
    empty = next(iter(ceiling_scene(SHOP, 7, 1.0))).frame
    inside = outside = people = 0.0
    for seen in ceiling_scene(SHOP, 7, 12.0):
        change = np.abs(seen.frame.y.astype(float) - empty.y) > 25
        people += len(seen.boxes)
        mask = np.zeros(change.shape, bool)
        for left, top, width, height in seen.boxes:
            mask[int(top) : int(top + height) + 1, int(left) : int(left + width) + 1] = True
        if len(seen.boxes):
            inside += change[mask].mean()
            outside += change[~mask].mean()
    assert people > 50
    assert inside > 10 * outside


def test_a_place_on_the_floor_is_seen_where_the_person_s_box_is():
    camera = PinholeCamera(SHOP)
    for seen in itertools.islice(ceiling_scene(SHOP, 8), 40, 120):
        for (x_m, y_m), (left, top, width, height) in zip(seen.places, seen.boxes, strict=True):
            x, y, _ = camera.see(x_m, y_m, 0.0)
            assert camera.floor_of(x, y) == pytest.approx((x_m, y_m), abs=1e-9)
            assert left - 3 <= min(max(x, 0), 160) <= left + width + 3
            assert top - 3 <= min(max(y, 0), 120) <= top + height + 3


def test_a_shelf_s_stock_changes_by_one_where_the_hand_is():
    changes = 0
    for before, after in itertools.pairwise(shelf_scene(FRONT, 9, 40.0)):
        step = after.stock - before.stock
        if step.any():
            changes += 1
            assert np.abs(step).sum() == 1
            assert after.hand == int(np.flatnonzero(step)[0])
            assert (step.sum() < 0) == (after.holds == after.hand)
        assert after.stock.min() >= 0
        assert after.stock.max() <= FRONT.stock
    assert changes >= 8


def test_a_hand_changes_its_own_slot_more_than_any_other():
    edges = np.round(slot_edges(FRONT)).astype(int)
    right = seen_hands = 0
    scene = list(shelf_scene(FRONT, 10, 15.0))
    for seen in scene:
        if seen.hand < 0 or seen.reach < 1.0 or (seen.stock != scene[0].stock).any():
            continue
        change = np.abs(seen.frame.y.astype(float) - scene[0].frame.y / 1.0)
        each = [change[60:95, a:b].mean() for a, b in itertools.pairwise(edges)]
        seen_hands += 1
        right += int(np.argmax(each)) == seen.hand
    assert seen_hands >= 1
    assert right == seen_hands


def test_a_slot_that_runs_empty_shows_the_wall():
    front = ShelfFront(160, 120, 10.0, slots=1, stock=2, put_back=0.0, noise=0.0)
    scene = list(shelf_scene(front, 11, 16.0))
    empty = [seen for seen in scene if seen.stock[0] == 0 and seen.reach == 0.0]
    assert empty
    assert empty[0].frame.y[40:90, 60:100].std() < 0.3 * scene[0].frame.y[40:90, 60:100].std()


def test_faults_leave_the_rest_of_the_scene_as_it_was():
    frames = [seen.frame for seen in shelf_scene(FRONT, 12, 3.0)]
    for kind in FAULTS:
        got = {frame.sequence: frame for frame in spoilt(frames, [Spoil(kind, 1.0, 2.0)])}
        for frame in frames:
            if not 1.0 <= frame.time_ns / 1e9 < 2.0:
                assert got[frame.sequence] is frame
        inside = [frame for frame in got.values() if 5 <= frame.sequence < 10]
        assert (len(inside) < 5) == (kind in ("stall", "dropped"))
        for frame in inside:
            if kind != "dropped" and frame.sequence > 5:
                assert frame is not frames[frame.sequence]
