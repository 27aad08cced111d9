"""The watch over a camera's pictures: each fault is flagged and told twice; people, lamps and exposure are none."""

from __future__ import annotations

import dataclasses
import itertools

import numpy as np
import pytest

from drivers.camera.scenes.ceiling import Shop, ceiling_scene
from drivers.camera.scenes.shelf import ShelfFront, shelf_scene
from drivers.camera.scenes.spoilt import Spoil, spoilt
from drivers.camera.watch import PictureWatch
from drivers.frames import Frame, FrameFlag

RATE_HZ = 10.0
BEGIN_S, END_S, WHOLE_S = 8.0, 17.0, 24.0


@pytest.fixture(scope="module")
def scenes():
    shop = Shop(160, 120, RATE_HZ, people=3)
    front = ShelfFront(160, 120, RATE_HZ)
    return {
        "ceiling": [seen.frame for seen in ceiling_scene(shop, 211, WHOLE_S)],
        "shelf": [seen.frame for seen in shelf_scene(front, 212, WHOLE_S)],
    }


def watched(frames, rate_hz=RATE_HZ):
    """The frames with flags, and notices; the watch's clock ticks ten times a second whether frames come or not."""
    watch, seen, now_ns = PictureWatch("c", rate_hz), [], 0
    watch.begin(0)
    for frame in frames:
        while now_ns + 100_000_000 <= frame.time_ns:
            now_ns += 100_000_000
            watch.tick(now_ns)
        seen.append(watch.see(frame))
    watch.finish()
    return seen, watch.take_notices()


CAUSES = {
    "dark": ("dark", FrameFlag.DARK, 1.2),
    "covered": ("covered", FrameFlag.COVERED, 1.0),
    "blurred": ("covered", FrameFlag.COVERED, 1.0),
    "frozen": ("frozen", FrameFlag.FROZEN, 1.2),
    "moved": ("moved", FrameFlag.MOVED, 6.0),
}


@pytest.mark.parametrize("place", ["ceiling", "shelf"])
@pytest.mark.parametrize("kind", CAUSES)
def test_a_fault_is_told_when_it_begins_and_when_it_is_over_and_flagged_between(scenes, place, kind):
    cause, flag, known_s = CAUSES[kind]
    seen, notices = watched(spoilt(scenes[place], [Spoil(kind, BEGIN_S, END_S)]))
    assert [notice.cause for notice in notices] == [cause, cause]
    begun, over = notices
    assert begun.begin_ns == begun.end_ns
    assert abs(begun.begin_ns / 1e9 - BEGIN_S) <= 1.3
    assert abs(over.end_ns / 1e9 - END_S) <= 1.3
    assert over.begin_ns == begun.begin_ns
    for frame in seen:
        at_s = frame.time_ns / 1e9
        if at_s < BEGIN_S or at_s > END_S + 5.5:
            assert not frame.flags & flag
        if BEGIN_S + known_s < at_s < END_S:
            assert frame.flags & flag, at_s


@pytest.mark.parametrize(
    "shop",
    [
        Shop(160, 120, 5.0, people=8, height_m=2.8),
        Shop(160, 120, 5.0, people=2, light_switch_s=4.0, noise=4.0),
        Shop(160, 120, 5.0, people=4, exposure_s=7.0, door=True),
        Shop(160, 120, 5.0, people=0),
    ],
    ids=["a crowd", "a light switch", "exposure and a door", "nobody"],
)
def test_what_happens_before_a_healthy_camera_is_no_fault_of_it(shop):
    seen, notices = watched((picture.frame for picture in ceiling_scene(shop, 213, 25.0)), 5.0)
    assert [notice.text for notice in notices] == []
    assert not any(frame.flags for frame in seen)


def test_a_stall_is_told_while_it_lasts_and_its_frames_are_counted_when_it_is_over(scenes):
    """P3: if a sample is lost it is counted and explained."""
    frames = list(spoilt(scenes["shelf"], [Spoil("stall", BEGIN_S, END_S)]))
    watch = PictureWatch("c", RATE_HZ)
    for frame in frames:
        if frame.time_ns > BEGIN_S * 1e9:
            break
        watch.see(frame)
    watch.tick(round((BEGIN_S + 0.8) * 1e9))
    assert watch.take_notices() == []
    watch.tick(round((BEGIN_S + 1.2) * 1e9))
    assert watch.stalled
    (begun,) = watch.take_notices()
    assert (begun.cause, begun.samples_lost) == ("stall", 0)
    after = watch.see(next(frame for frame in frames if frame.time_ns >= END_S * 1e9))
    assert after.flags & FrameFlag.DROPPED_BEFORE
    (over,) = watch.take_notices()
    assert (over.cause, over.samples_lost) == ("stall", 90)
    assert not watch.stalled


def test_lost_frames_are_flagged_one_by_one_and_told_together(scenes):
    """P3: if a sample is lost it is counted and explained."""
    frames = list(spoilt(scenes["ceiling"], [Spoil("dropped", BEGIN_S, END_S)]))
    seen, notices = watched(frames)
    gaps = sum(b.sequence - a.sequence > 1 for a, b in itertools.pairwise(frames))
    assert sum(bool(frame.flags & FrameFlag.DROPPED_BEFORE) for frame in seen) == gaps > 10
    assert {notice.cause for notice in notices} == {"dropped frames"}
    assert len(notices) <= 2
    assert sum(notice.samples_lost for notice in notices) == len(scenes["ceiling"]) - len(frames)


def test_an_end_that_hangs_for_hours_keeps_no_more_notices_than_it_may():
    watch = PictureWatch("c", RATE_HZ)
    picture = np.full((48, 64), 99, np.uint8)
    for number in range(0, 60_000, 200):
        watch.see(Frame("c", number * 100_000_000, number, picture + np.uint8(number // 200 % 7)))
    assert len(watch.take_notices()) <= 200


def test_a_file_whose_codec_repeats_pictures_now_and_then_is_not_frozen():
    rng = np.random.default_rng(5)
    frames, picture = [], None
    for number in range(300):
        if number % 8 == 0:  # seven in eight are repeated: 0.8 s
            picture = rng.integers(60, 200, (60, 80), dtype=np.uint8).repeat(2, 0).repeat(2, 1)
        frames.append(Frame("c", number * 100_000_000, number, picture))
    seen, notices = watched(frames)
    assert "frozen" not in {notice.cause for notice in notices}
    assert not any(frame.flags & FrameFlag.FROZEN for frame in seen)


def test_a_black_or_white_picture_without_noise_is_not_called_frozen():
    for level in (0, 255):
        frames = [Frame("c", n * 100_000_000, n, np.full((120, 160), level, np.uint8)) for n in range(60)]
        _, notices = watched(frames)
        assert "frozen" not in {notice.cause for notice in notices}


def test_a_lens_that_was_covered_from_the_start_is_told(scenes):
    seen, notices = watched(spoilt(scenes["shelf"], [Spoil("covered", 0.0, 12.0)]))
    assert notices[0].cause == "covered"
    assert notices[0].begin_ns < 6e9
    assert not seen[-1].flags & FrameFlag.COVERED
    assert [notice.cause for notice in notices] == ["covered", "covered"]


def test_a_camera_turned_away_for_good_is_told_though_nothing_of_its_view_is_left(scenes):
    before = scenes["shelf"]
    long_before = [
        dataclasses.replace(frame, time_ns=frame.time_ns + round(k * WHOLE_S * 1e9), sequence=frame.sequence + 240 * k)
        for k in range(3)
        for frame in before
    ]
    other = [seen.frame for seen in ceiling_scene(Shop(160, 120, 2.0, people=0), 214, 80.0)]
    begin_ns = long_before[-1].time_ns
    after = [
        dataclasses.replace(frame, time_ns=begin_ns + 100_000_000 + frame.time_ns, sequence=10**6 + frame.sequence)
        for frame in other
    ]
    seen, notices = watched([*long_before, *after])
    assert seen[-1].flags & FrameFlag.MOVED
    assert "moved" in {notice.cause for notice in notices}


def test_a_change_of_the_picture_s_size_starts_the_watch_over():
    rng = np.random.default_rng(6)
    frames = [
        Frame("c", n * 100_000_000, n, rng.integers(60, 200, (120, 160) if n < 30 else (240, 320), dtype=np.uint8))
        for n in range(60)
    ]
    assert len(watched(frames)[0]) == 60
