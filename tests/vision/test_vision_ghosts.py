"""Somebody, or where somebody was; grey clothes, or a shadow; the outline of a body; who goes out and comes again."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
import pytest
from vision_scenes import RATE_HZ, Stage, alone, settled

from drivers.camera.scenes.ceiling import PinholeCamera, Shop
from edge.vision.background import FULL, Background, compare, new_background, start
from edge.vision.feet import body_sizes, upright_camera
from edge.vision.fit import Picture, fit_place, new_desk
from edge.vision.floor import fit_floor
from edge.vision.ghost import is_ghost, lay_ghost
from edge.vision.motion import at_rest
from edge.vision.recognise import confirm_tracks
from edge.vision.shade import tell_clothes
from edge.vision.shapes import STRIPS, body_shapes, body_strips, how_near
from edge.vision.sizes import CELL, new_sizes
from edge.vision.table import NEW, SEEN, Table, new_table
from edge.vision.tracker import Track, Tracker

U8 = npt.NDArray[np.uint8]
BODY = (slice(20, 44), slice(27, 37))


def _table(x: float, y: float, wide: float = 10.0, high: float = 24.0) -> Table:
    """One track that is seen."""
    table = new_table()
    table.state[0] = SEEN
    at_rest(table.x[0], x, 1.5, 10.0)
    at_rest(table.y[0], y, 1.5, 10.0)
    table.size[0] = wide, high
    return table


def _compared(before: U8, now: U8) -> tuple[Background, U8]:
    model = new_background(before.shape[0], before.shape[1], 0)
    grey = np.full(before.shape, 128, np.uint8)
    start(model, before, grey, grey, False)
    compare(model, now, grey, grey)
    return model, grey


def test_a_ghost_has_its_edges_in_the_background_and_is_learned_anew() -> None:
    floor = np.random.default_rng(1).normal(130, 3, (64, 64)).astype(np.uint8)
    person = floor.copy()
    person[BODY] = 40
    table = _table(32.0, 32.0)
    there, _ = _compared(floor, person)
    assert not is_ghost(there, person, table, 0)
    gone, grey = _compared(person, floor)
    assert is_ghost(gone, floor, table, 0)
    lay_ghost(gone, floor, grey, grey, table, 0)
    compare(gone, floor, grey, grey)
    assert gone.smooth.max() < FULL // 4


def test_where_somebody_stood_when_the_camera_started_nobody_is_once_they_have_gone() -> None:
    stage, tracker = Stage(seed=31), Tracker()
    for _ in range(round(12 * RATE_HZ)):
        tracker.push(stage.frame([(50.0, 50.0, 40, 30)]))
    for k, x in enumerate(np.arange(50.0, 140.0, 1.5)):
        tracks = tracker.push(stage.frame([(float(x), 50.0, 40, 30)]))
        if k > 1.2 * RATE_HZ:
            assert all(track.left > 57.0 for track in tracks if not track.hidden)


def test_grey_clothes_hide_the_floor_and_a_shadow_does_not() -> None:
    rng = np.random.default_rng(2)
    floor = (140 + rng.normal(0, 10, (16, 16))).repeat(4, axis=0).repeat(4, axis=1)
    shadow, clothes = floor.copy(), floor.copy()
    shadow[BODY] *= 0.75
    clothes[BODY] = 105
    for now, worn in ((shadow, False), (clothes, True)):
        noisy = (now + rng.normal(0, 1.5, now.shape)).astype(np.uint8)
        model, _ = _compared(floor.astype(np.uint8), noisy)
        tell_clothes(model, noisy, _table(32.0, 32.0))
        assert (np.mean(model.smooth[BODY] >= FULL // 2) > 0.8) == worn


def _faint(weight: int, left: int, right: int) -> Picture:
    smooth = np.zeros((64, 64), np.uint8)
    smooth[20:44, left:right] = weight
    grey = np.full((64, 64), 128, np.uint8)
    return Picture(smooth, grey, grey, grey)


def test_who_leaves_the_picture_is_followed_out_of_it_but_nobody_is_pushed_out() -> None:
    desk, sizes = new_desk(64, 64), new_sizes()
    fit_place(_faint(FULL, 0, 5), _table(3.0, 32.0), sizes, 0, SEEN, desk)
    assert desk.found[0] < 2.5
    fit_place(_faint(40, 0, 10), _table(5.0, 32.0), sizes, 0, SEEN, desk)
    assert desk.found[0] == pytest.approx(5.0, abs=1.0)


@pytest.mark.parametrize("origin_mm", [(0.0, 0.0), (52_000.0, -31_000.0)])
def test_the_outline_of_a_body_is_where_its_discs_are_wherever_the_store_s_origin_lies(
    origin_mm: tuple[float, float],
) -> None:
    shop = Shop(160, 120, tilt_deg=25.0)
    camera = PinholeCamera(shop)
    points = np.array([(-1.6, -1.1), (1.6, -1.1), (-1.6, 1.3), (1.6, 1.3), (0.0, 0.2)])
    pixels = np.array([camera.see(x, y, 0.0)[:2] for x, y in points])
    upright = upright_camera(fit_floor(pixels, 1000.0 * points + origin_mm, 0.01), shop.width, shop.height)
    place = upright, 160, 120, 1, CELL
    given, shapes = body_sizes(*place), body_shapes(*place)
    sizes, strips = new_sizes(given, shapes), np.empty((STRIPS, 4), np.int64)
    for x_m, y_m in ((-1.3, 0.2), (0.9, 1.0), (0.1, 0.3)):
        discs = [camera.see(x_m, y_m, up) for up in np.linspace(0.1, 1.65, 20)]
        x, y = (0.5 * (min(d[axis] for d in discs) + max(d[axis] for d in discs)) for axis in (0, 1))
        wide, high = given[int(y / CELL), int(x / CELL)]
        assert body_strips(sizes, x, y, wide, high, strips) == STRIPS
        left, top = x - 0.5 * wide, y - 0.5 * high
        inside = [
            any(a - 1.5 <= u - left <= c + 1.5 and b - 1.5 <= v - top <= d + 1.5 for a, b, c, d in strips.tolist())
            for u, v, _ in discs
        ]
        assert np.mean(inside) > 0.9
    across = (strips[:, 2] - strips[:, 0]) * (strips[:, 3] - strips[:, 1])
    assert across.sum() < 0.95 * wide * high
    assert how_near(sizes, 80.0, 0.0, 80.0) > how_near(sizes, 80.0, 0.0, 30.0)  # below is nearer to the lens


def _through(stage: Stage, tracker: Tracker, luma: int, colour: int, seconds: float) -> list[Track]:
    """Somebody walks through, then nobody is there for some seconds; the tracks of who was whole in the picture."""
    seen = []
    for x in np.arange(-8.0, stage.size[1] + 10.0, 1.5):
        tracks = tracker.push(stage.frame([(float(x), 50.0, luma, colour)]))
        seen += [track for track in tracks if 40 < x < 100 and not track.hidden]
    for _ in range(round(seconds * RATE_HZ)):
        tracker.push(stage.frame())
    return seen


def test_who_comes_again_in_the_same_clothes_is_the_same_and_another_is_not() -> None:
    stage = Stage(seed=32)
    tracker = settled(stage)
    alone(stage, tracker)
    names = [
        {track.identity for track in _through(stage, tracker, *clothes, 5.0)}
        for clothes in ((215, -35), (60, 38), (215, -35))
    ]
    assert [len(name) for name in names] == [1, 1, 1]
    assert names[0] == names[2] != names[1]


def test_what_everybody_wears_tells_nobody_apart() -> None:
    stage = Stage(seed=33)
    tracker = settled(stage)
    alone(stage, tracker, 215, -35)
    stays = [(90.0, 24.0, 215, -35)]
    for x in np.arange(-8.0, 90.0, 1.5):
        tracker.push(stage.frame([(float(x), 24.0, 215, -35)]))
    for x in np.arange(-8.0, 60.0, 1.5):
        tracks = tracker.push(stage.frame([*stays, (float(x), 74.0, 215, -35)]))
    assert len({track.identity for track in tracks}) == 2
    assert max(track.identity for track in tracks) == 3


def test_who_stands_before_another_keeps_the_name_and_who_is_hidden_loses_it() -> None:
    stage = Stage(seed=34)
    tracker = settled(stage)
    alone(stage, tracker)
    behind = (64.0, 50.0, 215, -35)
    for x in np.arange(-8.0, 64.0, 1.5):
        tracker.push(stage.frame([(float(x), 50.0, 215, -35)]))
    for x in np.arange(136.0, 63.0, -1.5):
        tracks = tracker.push(stage.frame([behind, (float(x), 51.0, 40, 30)]))
        if round(x) == 100:
            (front,) = (track for track in tracks if track.left > 80)
    for _ in range(round(4.0 * RATE_HZ)):
        tracks = tracker.push(stage.frame([behind, (64.0, 51.0, 40, 30)]))
    assert [track.identity for track in tracks if not track.hidden] == [front.identity]


def test_who_fills_the_outline_of_a_body_is_somebody_without_a_step_and_a_thing_of_any_shape_is_not() -> None:
    shapes = np.tile((0.0, 0.0, 1.0, 1.0), (8, 8, STRIPS, 1)), np.full((8, 8), -3000.0)
    outlines = new_sizes(np.tile((10.0, 24.0), (8, 8, 1)), shapes)
    for sizes, fill, age_s, state in (
        (outlines, 0.8, 2.5, SEEN),
        (outlines, 0.8, 1.0, NEW),
        (outlines, 0.4, 2.5, NEW),
        (new_sizes(), 0.8, 2.5, NEW),
    ):
        table = _table(32.0, 32.0)
        table.state[0], table.hits[0], table.fill[0] = NEW, 20, fill
        table.first[0] = 32.0, 32.0
        confirm_tracks(table, sizes, 64, 64, round(age_s * 1e9))
        assert table.state[0] == state


def test_nobody_is_confirmed_by_walking_out_of_the_picture() -> None:
    for x, state in ((50.0, SEEN), (70.0, NEW)):
        table = _table(x, 32.0)
        table.state[0], table.hits[0] = NEW, 20
        table.first[0] = 30.0, 32.0
        confirm_tracks(table, new_sizes(), 64, 64, 500_000_000)
        assert table.state[0] == state


def test_a_thing_at_the_edge_of_the_picture_does_not_become_somebody_by_staying_there() -> None:
    """A door that swings fills the part of an outline that is in the picture."""
    shapes = np.tile((0.0, 0.0, 1.0, 1.0), (8, 8, STRIPS, 1)), np.full((8, 8), -3000.0)
    outlines = new_sizes(np.tile((10.0, 24.0), (8, 8, 1)), shapes)
    for x, y, state in ((32.0, 32.0, SEEN), (5.0, 32.0, NEW), (59.0, 32.0, NEW), (32.0, 12.0, NEW), (32.0, 52.0, NEW)):
        table = _table(x, y)
        table.state[0], table.hits[0], table.fill[0] = NEW, 20, 0.8
        table.first[0] = x, y
        confirm_tracks(table, outlines, 64, 64, 2_500_000_000)
        assert table.state[0] == state
