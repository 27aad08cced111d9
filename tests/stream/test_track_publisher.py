"""What a node tells of its cameras: at most 10 Hz, ends said, an empty aisle told apart from a dead camera."""

from __future__ import annotations

import itertools
import random
from bisect import bisect_left

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from edge.stream.track_publisher import CLOTHES_EVERY_NS, ENDED_TOLD, MOST_WAITING, STALE_NS, Thin, TrackPublisher
from edge.stream.track_wire import MOST_UPDATE_BYTES, TrackMessage, decode_message
from edge.trace.sighting import TrackPoint

S, MS = 10**9, 10**6
RUN = 40_123


def point(
    identity: int, time_ns: int, camera: str = "aisle-1", clothes: tuple[int, ...] = (), x_mm: float = 1e3
) -> TrackPoint:
    return TrackPoint(
        f"{camera}.{RUN}.{identity}", time_ns, x_mm, 2000.0, 1600.0, 40.0, 2500.0, 900.0, -300.0, False, clothes
    )


def sent(publisher: TrackPublisher, now_ns: int) -> list[TrackMessage]:
    """Everything that waits."""
    found = []
    while (payload := publisher.next(now_ns)) is not None:
        found.append(decode_message(payload))
    return found


def film(
    publisher: TrackPublisher, people: dict[int, tuple[float, float]], fps: float, seconds: float
) -> list[TrackMessage]:
    """A camera's frames with people who are there from a time to another; gives all messages."""
    found = []
    for frame in range(int(seconds * fps)):
        time_ns = round(frame / fps * S)
        there = [point(who, time_ns) for who, (begin_s, end_s) in people.items() if begin_s <= time_ns / S < end_s]
        publisher.give("aisle-1", time_ns, there)
        found += sent(publisher, time_ns + 40 * MS)
    return found


def most_in_a_second(times_ns: list[int]) -> int:
    return max(k + 1 - bisect_left(times_ns, at_ns - S + 1) for k, at_ns in enumerate(times_ns))


@given(st.lists(st.sampled_from([0, 5, 66, 75, 76, 100, 110, 175, 300]), min_size=1, max_size=200))
@example([75, *[100] * 9, 175, *[75, 100, 110] * 9])
@example([175, *[100] * 9, 75])
def test_no_second_has_more_than_ten(steps_ms: list[int]) -> None:
    """Issue F: <= 10 Hz per track, whatever frames come when."""
    thin, time_ns, passed = Thin(), 0, []
    for step_ms in steps_ms:
        time_ns += step_ms * MS
        if thin.passes(time_ns):
            passed.append(time_ns)
    assert most_in_a_second(passed) <= 10


@pytest.mark.parametrize("fps", [5.0, 10.0, 12.0, 15.0, 25.0, 30.0])
@pytest.mark.parametrize("jitter_ms", [0.0, 3.0])
def test_thinning_leaves_nearly_ten_a_second_evenly(fps: float, jitter_ms: float) -> None:
    rng, thin, passed = random.Random(5), Thin(), []
    for frame in range(int(60 * fps)):
        time_ns = round((frame / fps + rng.uniform(0.0, jitter_ms) / 1e3) * S)
        if thin.passes(time_ns):
            passed.append(time_ns)
    assert len(passed) / 60.0 >= min(fps, 8.8)
    assert most_in_a_second(passed) <= 10
    assert max(b - a for a, b in itertools.pairwise(passed)) <= 2.6 / min(fps, 10.0) * S


def test_the_same_frames_give_the_same_bytes() -> None:
    payloads = []
    for _ in range(2):
        publisher, rng, found = TrackPublisher(RUN), random.Random(6), []
        for frame in range(150):
            time_ns = frame * S // 15 + rng.randrange(3 * MS)
            publisher.give("aisle-1", time_ns, [point(who, time_ns, x_mm=rng.uniform(0, 9e3)) for who in (1, 2)])
            while (payload := publisher.next(time_ns + 30 * MS)) is not None:
                found.append(payload)
        payloads.append(found)
    assert payloads[0] == payloads[1]


def test_an_empty_aisle_says_once_a_second_that_nobody_is_there_and_a_dead_camera_nothing() -> None:
    publisher = TrackPublisher(RUN)
    said = film(publisher, {}, 15.0, 10.0)
    assert len(said) == 10
    assert all(each.here is not None and each.here.people == 0 and not each.updates for each in said)
    assert sent(publisher, 60 * S) == []  # no frames, no messages


def test_a_camera_tells_its_name_before_anything_else_and_when_that_left() -> None:
    publisher = TrackPublisher(RUN)
    publisher.give("aisle-1", 5 * S + 400_000, [point(3, 0)])
    first, second = sent(publisher, 5 * S + 61 * MS + 7_000)
    assert first.here is not None
    assert (first.here.name, first.here.people) == ("aisle-1", 1)
    assert first.time_ms * 1000 + first.here.age_us == 5_061_007
    assert [update.identity for update in second.updates] == [3]


def test_an_end_is_told_at_once_and_again() -> None:
    said = film(TrackPublisher(RUN), {7: (0.0, 2.5), 8: (0.0, 9.0)}, 15.0, 9.0)
    told = [each.time_ms for each in said if 7 in each.ended]
    assert len(told) == ENDED_TOLD
    assert 2500 <= told[0] <= 2600
    assert not any(update.identity == 7 for each in said for update in each.updates if each.time_ms > 2500)
    assert all(update.identity == 8 for each in said for update in each.updates if each.time_ms > 2500)


def test_who_is_there_again_hasnt_ended() -> None:
    said = film(TrackPublisher(RUN), {7: (0.0, 0.5)}, 15.0, 0.6)
    assert [each.ended for each in said if each.ended] == [(7,)]
    publisher, ended = TrackPublisher(RUN), []
    for time_ns, there in ((0, [7]), (100 * MS, []), (200 * MS, [7]), (1200 * MS, [7]), (2200 * MS, [7])):
        publisher.give("aisle-1", time_ns, [point(who, time_ns) for who in there])
        ended += [each.time_ms for each in sent(publisher, time_ns) if each.ended]
    assert ended == [100]


def test_clothes_are_told_when_they_are_new_or_changed_and_now_and_then() -> None:
    publisher, told = TrackPublisher(RUN), []
    for frame in range(200):
        time_ns = frame * S // 10
        wears = (
            (90, 120, 130, 40, 128, 126) if frame < 30 else (91, 120, 130, 40, 128, 126) if frame < 150 else (9,) * 6
        )
        publisher.give("aisle-1", time_ns, [point(1, time_ns, clothes=wears)])
        told += [(each.time_ms, *each.clothes) for each in sent(publisher, time_ns) if each.clothes]
    assert [time_ms for time_ms, _ in told] == [0, 5000, 10_000, 15_000]
    assert CLOTHES_EVERY_NS == 5 * S
    assert told[-1][1] == (1, bytes((9,) * 6))


def test_all_that_is_said_takes_no_more_than_40_bytes_per_update_where_one_person_walks() -> None:
    """Issue F: the heartbeats counted in too."""
    publisher, rng, sizes, updates = TrackPublisher(RUN), random.Random(7), 0, 0
    for frame in range(15 * 300):
        time_ns = 3_214_300 * S + frame * S // 15
        x_mm = rng.uniform(-6e4, 6e4)
        publisher.give("aisle-1", time_ns, [point(999, time_ns, clothes=(90, 120, 130, 40, 128, 126), x_mm=x_mm)])
        while (payload := publisher.next(time_ns + 40 * MS)) is not None:
            sizes, updates = sizes + len(payload), updates + len(decode_message(payload).updates)
    assert updates > 2700
    assert sizes / updates <= MOST_UPDATE_BYTES


def test_what_the_broker_doesnt_take_is_dropped_oldest_first_and_counted() -> None:
    """P4."""
    publisher, woken = TrackPublisher(RUN), []
    publisher.wake = lambda: woken.append(1)
    for frame in range(300):
        publisher.give("aisle-1", frame * S // 10, [point(1, 0)])
    assert 270 <= len(woken) <= 300  # not for frames that are left out
    left = sent(publisher, 299 * S // 10)
    assert len(left) <= MOST_WAITING
    assert left[-1].time_ms == 29_900
    assert min(each.time_ms for each in left) >= 29_900 - STALE_NS // MS
    assert publisher.state()["dropped"] + publisher.state()["sent"] == 330
    assert publisher.next(299 * S // 10) is None


def test_what_nobody_can_use_any_more_isnt_sent() -> None:
    publisher = TrackPublisher(RUN)
    publisher.give("aisle-1", 0, [point(1, 0)])
    publisher.give("aisle-1", 3 * S, [point(1, 0)])
    assert {each.time_ms for each in sent(publisher, 3 * S)} == {3000}
    assert publisher.state() == {"sent": 2, "dropped": 2, "unusable": 0}


def test_cameras_are_told_apart_and_each_has_its_ten_a_second() -> None:
    publisher, said = TrackPublisher(RUN), []
    for frame in range(150):
        time_ns = frame * S // 15
        for camera in ("aisle-1", "aisle.2"):
            publisher.give(camera, time_ns, [point(1, time_ns, camera)])
        said += sent(publisher, time_ns)
    names = {each.camera: each.here.name for each in said if each.here is not None}
    assert names == {0: "aisle-1", 1: "aisle.2"}
    for camera in names:
        seqs = [each.seq for each in said if each.camera == camera]
        assert all((b - a) % 256 == 1 for a, b in itertools.pairwise(seqs))
        assert 95 <= sum(each.camera == camera and bool(each.updates) for each in said) <= 100


@pytest.mark.parametrize(
    "track", ["aisle-1.40124.3", "aisle-2.40123.3", "aisle-1.40123.", "aisle-1.40123.x", "aisle-1.40123.4294967296"]
)
def test_a_point_of_another_camera_or_run_is_refused_with_a_sentence(track: str) -> None:
    publisher = TrackPublisher(RUN)
    with pytest.raises(ValueError, match=r"expected aisle-1\.40123\.<number>"):
        publisher.give("aisle-1", 0, [TrackPoint(track, 0, 0.0, 0.0, 1.0, 0.0, 1.0, 0.0, 0.0)])
    assert sent(publisher, 0) == []


def test_a_point_without_a_place_costs_only_itself() -> None:
    publisher = TrackPublisher(RUN)
    publisher.give("aisle-1", 0, [point(1, 0, x_mm=float("nan")), point(2, 0)])
    assert [update.identity for each in sent(publisher, 0) for update in each.updates] == [2]
    assert publisher.state()["unusable"] == 1
