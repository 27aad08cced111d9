"""The tracker on small drawn scenes: who walks, pauses, crosses; light, shadows, nobody; frames that aren't right."""

from __future__ import annotations

import os
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from vision_scenes import RATE_HZ, Stage, alone, settled

from drivers.frames import Frame, FrameFlag
from edge.vision.errors import FrameShapeError, FrameTimeError
from edge.vision.tracker import Tracker
from firmware_bridge.errors import ShelfedgeError

ROOT = Path(__file__).parents[2]


def test_somebody_who_walks_through_is_one_track_with_a_tight_box() -> None:
    stage = Stage()
    tracker = settled(stage)
    seen = alone(stage, tracker)
    assert {track.identity for track in seen} == {1}
    middle = [track for track in seen if 40 < track.foot_px[0] < 90 and not track.hidden]
    assert len(middle) > 20
    assert np.median([track.width for track in middle]) == pytest.approx(10, abs=2)
    assert np.median([track.height for track in middle]) == pytest.approx(24, abs=2)
    assert np.median([track.velocity_px_s[0] for track in middle]) == pytest.approx(1.5 * RATE_HZ, rel=0.15)


def test_nobody_is_seen_in_an_empty_scene() -> None:
    settled(Stage(seed=9), seconds=60.0)


def test_a_light_that_is_switched_and_exposure_that_drifts_make_nobody() -> None:
    stage = Stage(seed=4)
    tracker = settled(stage)
    for light in (0.6, 1.0, 1.3, 0.7):
        for _ in range(20):
            assert tracker.push(stage.frame(light=light)) == []
    for k in range(90):
        assert tracker.push(stage.frame(light=0.7 + 0.3 * np.sin(k / 15.0) ** 2)) == []


def test_a_lamp_that_lights_half_the_room_makes_nobody() -> None:
    stage = Stage(seed=5)
    tracker = settled(stage)
    slope = np.linspace(0.4, 1.4, stage.size[1])
    for lit in (True, False, True):
        stage.floor = stage.floor * slope if lit else stage.floor / slope
        for _ in range(25):
            assert tracker.push(stage.frame()) == []


def test_a_shadow_that_walks_is_nobody() -> None:
    stage = Stage(seed=6)
    tracker = settled(stage)
    for x in np.arange(5.0, 120.0, 1.5):
        assert tracker.push(stage.frame(shadows=[(float(x), 50.0)])) == []


def test_somebody_who_stands_still_for_a_minute_stays_the_same_and_leaves_no_ghost() -> None:
    stage = Stage(seed=7)
    tracker = settled(stage)
    walk = [(float(x), 50.0, 40, 30) for x in np.arange(-8.0, 64.0, 1.5)]
    away = [(float(x), 50.0, 40, 30) for x in np.arange(64.0, 140.0, 1.5)]
    for person in walk:
        tracks = tracker.push(stage.frame([person]))
    (first,) = tracks
    for _ in range(round(60 * RATE_HZ)):
        (track,) = tracker.push(stage.frame([walk[-1]]))
        assert (track.identity, track.hidden) == (first.identity, False)
    for person in away:
        assert {track.identity for track in tracker.push(stage.frame([person]))} <= {first.identity}
    for _ in range(30):
        tracks = tracker.push(stage.frame())
    assert tracks == []


def test_two_who_cross_keep_their_identities() -> None:
    stage = Stage(seed=8)
    tracker = settled(stage)
    alone(stage, tracker)
    before: dict[str, int] = {}
    for k in range(80):
        left, right = (10.0 + 1.35 * k, 50.0, 40, 40), (118.0 - 1.35 * k, 53.0, 215, -35)
        tracks = [track for track in tracker.push(stage.frame([left, right])) if not track.hidden]
        names = {}
        for track in tracks:
            middle = track.left + track.width / 2
            names["left" if abs(middle - left[0]) < abs(middle - right[0]) else "right"] = track.identity
        if k == 25:
            before = names
            assert len(before) == 2
    assert names == before


def test_a_thing_that_is_put_down_is_nobody() -> None:
    stage = Stage(seed=10)
    tracker = settled(stage)
    for _ in range(round(20 * RATE_HZ)):
        assert tracker.push(stage.frame([(64.0, 50.0, 220, 20)])) == []
    for _ in range(60):
        assert tracker.push(stage.frame()) == []


@pytest.mark.parametrize("size", [(97, 131), (96, 130), (64, 64)])
def test_odd_sizes_and_grey_pictures_are_followed_too(size: tuple[int, int]) -> None:
    for colour in (True, False):
        stage = Stage(seed=11, size=size, colour=colour)
        tracker = settled(stage)
        assert {track.identity for track in alone(stage, tracker, line=size[0] / 2)} == {1}


def test_the_same_frames_give_the_same_tracks_bit_for_bit() -> None:
    """P8."""

    def run() -> list[object]:
        stage = Stage(seed=12)
        tracker = settled(stage)
        return [alone(stage, tracker), alone(stage, tracker, luma=210, colour=-20)]

    assert run() == run()


IN_PLAIN_PYTHON = """
import numba
from vision_scenes import Stage
from edge.vision.tracker import Tracker
stage, tracker = Stage(seed=13, size=(40, 56)), Tracker()
for k in range(22):
    people = [(4.0 + 2.5 * (k - 6), 22.0, 30, 30)] if k > 6 else []
    print([repr(track) for track in tracker.push(stage.frame(people))])
"""


def test_without_numba_the_same_tracks() -> None:
    """P8: the kernels as plain Python say the same, bit for bit."""
    said = []
    for disabled in ("0", "1"):
        environment = {**os.environ, "PYTHONPATH": f"{ROOT}{os.pathsep}{Path(__file__).parent}"}
        environment["NUMBA_DISABLE_JIT"] = disabled
        ran = subprocess.run(
            [sys.executable, "-W", "ignore", "-c", IN_PLAIN_PYTHON],
            env=environment,
            capture_output=True,
            text=True,
            check=False,
        )
        assert ran.returncode == 0, ran.stderr
        said.append(ran.stdout)
    assert "identity=1" in said[0]
    assert said[0] == said[1]


def test_a_gap_and_a_jump_of_time_lose_the_track_and_nothing_else() -> None:
    stage = Stage(seed=14)
    tracker = settled(stage)
    for x in np.arange(-8.0, 50.0, 1.5):
        tracks = tracker.push(stage.frame([(float(x), 50.0, 40, 30)]))
    assert len(tracks) == 1
    stage.number += round(3600 * RATE_HZ)
    assert all(track.hidden for track in tracker.push(stage.frame()))
    for _ in range(10):
        tracks = tracker.push(stage.frame())
    assert tracks == []


def test_frozen_and_dark_frames_keep_the_track_hidden_and_teach_nothing() -> None:
    stage = Stage(seed=15)
    tracker = settled(stage)
    for x in np.arange(-8.0, 50.0, 1.5):
        (*_, frame) = [stage.frame([(float(x), 50.0, 40, 30)])]
        tracks = tracker.push(frame)
    (known,) = tracks
    dark = np.zeros_like(frame.y)
    for k in range(8):
        time_ns = frame.time_ns + round((k + 1) * 1e9 / RATE_HZ)
        flag = FrameFlag.DARK if k % 2 else FrameFlag.FROZEN
        tracks = tracker.push(Frame("c", time_ns, frame.sequence + k, dark, frame.u, frame.v, flag))
        assert [track.identity for track in tracks] == [known.identity]
    stage.number += 8
    (again,) = tracker.push(stage.frame([(50.0, 50.0, 40, 30)]))
    assert (again.identity, again.hidden) == (known.identity, False)


def test_a_frame_of_a_wrong_shape_or_time_is_refused_in_a_sentence_and_changes_nothing() -> None:
    stage = Stage(seed=16)
    tracker = settled(stage)
    good = stage.frame()
    assert good.u is not None
    assert good.v is not None
    time_ns, y, u, v = good.time_ns, good.y, good.u, good.v
    wrong = [
        (Frame("c", time_ns, 1, y[:-2], u[:-1], v[:-1]), FrameShapeError, "128 x 94 pixels after frames of 128 x 96"),
        (Frame("c", time_ns, 1, y, u[:-1], v), FrameShapeError, "U is uint8"),
        (Frame("c", time_ns, 1, y, u, None), FrameShapeError, "only one of U and V"),
        (Frame("c", time_ns, 1, y.astype(np.float32), u, v), FrameShapeError, "expected uint8"),  # type: ignore[arg-type]
        (Frame("c", time_ns - 10**9, 1, y, u, v), FrameTimeError, "older than the one before"),
    ]
    for frame, error, words in wrong:
        with pytest.raises(error, match=words) as raised:
            tracker.push(frame)
        assert isinstance(raised.value, ShelfedgeError)
        assert isinstance(raised.value, ValueError)
    with pytest.raises(FrameShapeError, match="at least 16"):
        Tracker().push(Frame("c", 0, 0, y[:8]))
    assert tracker.push(good) == []


def test_once_the_camera_was_moved_all_tracks_end_and_the_new_view_is_learned() -> None:
    stage = Stage(seed=17)
    tracker = settled(stage)
    alone(stage, tracker)
    walk = [(float(x), 50.0, 40, 30) for x in np.arange(-8.0, 60.0, 1.5)]
    for person in walk:
        tracks = tracker.push(stage.frame([person]))
    (before,) = tracks
    stage.floor = np.roll(stage.floor, 23, axis=1)[::-1]
    for flags in (FrameFlag.MOVED, FrameFlag.GOOD):  # moved, and put back where it was
        for _ in range(30):
            assert tracker.push(stage.frame(flags=flags)) == []
        for person in walk:
            tracks = tracker.push(stage.frame([person], flags=flags))
        (after,) = tracks
        assert after.identity > before.identity
        before = after
        stage.floor = np.roll(stage.floor[::-1], -23, axis=1)


def test_frames_that_were_dropped_while_somebody_walks_keep_the_identity() -> None:
    stage = Stage(seed=18)
    tracker = settled(stage)
    alone(stage, tracker)
    seen: set[int] = set()
    x = -8.0
    while x < 130.0:
        lost = 3 if stage.number % 5 == 0 else 0
        x += 1.5 * (1 + lost)
        flags = FrameFlag.DROPPED_BEFORE if lost else FrameFlag.GOOD
        seen |= {track.identity for track in tracker.push(stage.frame([(x, 50.0, 40, 30)], flags=flags, skip=lost))}
    assert len(seen) == 1


def test_a_first_picture_in_which_nothing_is_to_be_seen_is_not_taken_for_the_background() -> None:
    stage, tracker = Stage(seed=19), Tracker()
    for flag in (FrameFlag.DARK, FrameFlag.COVERED):
        tracker.push(replace(stage.frame(), y=np.zeros(stage.size, np.uint8), flags=flag))
    for _ in range(60):
        assert tracker.push(stage.frame()) == []
    assert len({track.identity for track in alone(stage, tracker)}) == 1


def test_the_clothes_that_are_told_are_those_that_are_worn() -> None:
    stage = Stage(seed=20)
    tracker = settled(stage)
    seen = [track for track in alone(stage, tracker, luma=208, colour=30) if track.age_s > 3.0]
    assert seen
    for track in seen:
        assert track.clothes == pytest.approx((208, 98, 158) * 2, abs=25)
        assert all(0 <= value <= 255 for value in track.clothes)
        assert track.floor_mm is None
