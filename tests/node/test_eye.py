"""One camera at work: what it tells, what it keeps to itself, and how it comes back (P3, P4, P7)."""

from __future__ import annotations

import logging
import queue
import threading

import pytest
from eye_benches import Ceiling, Ears, OnePerson, S, frame, point
from node_benches import ToldClock

from drivers.errors import DriverError
from drivers.frames import FrameFlag
from drivers.notices import Notice
from edge.fusion.sightings import SIGHT_DELAY_NS
from edge.node.eye import FIRST_WAIT_S, GOOD_FOR_S, LONGEST_WAIT_S, MOST_ASKING, MOST_BEHIND, READ_EVERY_S, Eye


class Bench:
    def __init__(self, floor: bool = True, problems: tuple[str, ...] = ()) -> None:
        self.clock, self.ceiling, self.ears = ToldClock(), Ceiling(), Ears()
        self.looks: list[OnePerson] = []
        self.problems = problems
        self.eye = Eye("c1", self.ceiling.make, self.look, floor, self.ears, self.clock)

    def look(self, camera: str) -> OnePerson:
        self.looks.append(OnePerson(camera, self.problems))
        return self.looks[-1]

    def see(self, *times_ns: int, flags: FrameFlag = FrameFlag.GOOD) -> float:
        self.ceiling.newest("c1").queue += [frame("c1", time_ns, n, flags) for n, time_ns in enumerate(times_ns)]
        return self.eye.step()

    def report(self) -> dict:
        return self.eye.facts.report(self.clock())


@pytest.fixture
def bench() -> Bench:
    made = Bench()
    made.eye.step()
    return made


def test_what_is_seen_is_told_and_every_frame_offered_to_the_recording(bench: Bench) -> None:
    now_ns = bench.clock()
    assert bench.report()["state"] == "silent"
    assert bench.see(now_ns - 3, now_ns - 2) == READ_EVERY_S
    assert [each.time_ns for each in bench.ears.frames] == [now_ns - 3, now_ns - 2]
    assert bench.ears.seen == [point("c1", now_ns - 3), point("c1", now_ns - 2)]
    found = bench.report()
    assert (found["state"], found["frames"], found["people"], found["size"]) == ("running", 2, 1, [32, 16])


def test_the_rate_is_that_of_the_pictures_own_times(bench: Bench) -> None:
    begin_ns = bench.clock()
    for n in range(60):
        bench.clock.ns = begin_ns + n * S // 15
        bench.see(bench.clock.ns)
    assert bench.report()["fps"] == pytest.approx(15.0, abs=0.1)
    bench.clock.ns += 5 * S
    assert bench.report()["verdict"] is None, "this thread was held up; the camera may be well"
    bench.eye.step()
    found = bench.report()
    assert found["verdict"] == "stalled"
    assert found["last_frame_age_s"] == pytest.approx(5.0)
    bench.clock.ns += 10 * S
    assert bench.report()["fps"] == 0.0


def test_of_a_backlog_only_the_newest_pictures_are_looked_at_and_the_others_counted(bench: Bench) -> None:
    """P4: the present isn't missed for the past."""
    now_ns = bench.clock()
    times = [now_ns - 64 + n for n in range(64)]
    bench.see(*times)
    assert [each.time_ns for each in bench.ears.seen] == times[-MOST_BEHIND:]
    assert len(bench.ears.frames) == 64, "the recording is offered all of them"
    assert bench.report()["skipped"] == 64 - MOST_BEHIND


def test_a_driver_that_cant_start_is_tried_again_with_longer_and_longer_waits() -> None:
    bench = Bench()
    bench.ceiling.missing.add("c1")
    waits = [bench.eye.step() for _ in range(9)]
    assert waits[:3] == [FIRST_WAIT_S, 2 * FIRST_WAIT_S, 4 * FIRST_WAIT_S]
    assert waits[-1] == LONGEST_WAIT_S
    assert bench.report()["state"] == "failed"
    assert "check its cable" in bench.report()["text"]
    assert all(camera.stopped for camera in bench.ceiling.made["c1"]), "what was half open is let go of"
    bench.ceiling.missing.clear()
    bench.eye.step()
    bench.see(bench.clock())
    assert (bench.report()["state"], bench.report()["text"], bench.report()["failures"]) == ("running", "", 9)
    assert len(bench.looks) == 1, "tracks and what was learnt outlive the driver"


@pytest.mark.parametrize("error", [DriverError("c1: gone; plug it in"), ZeroDivisionError("a bug")])
def test_a_driver_that_fails_is_let_go_of_and_made_anew(bench: Bench, error: Exception) -> None:
    """P3: whatever a camera has, nobody else hears of it."""
    first = bench.ceiling.newest("c1")
    first.notices.append(Notice("c1", None, "stall", 1, 1, 3, "c1: no more pictures"))
    first.fail_read = error
    assert bench.eye.step() == FIRST_WAIT_S
    assert first.stopped == 1
    assert [notice.cause for notice in bench.ears.notices] == ["stall"], "why it failed is heard before it goes"
    assert bench.report()["lost"] == 3
    bench.eye.step()
    assert bench.ceiling.newest("c1") is not first


def test_after_a_good_while_the_waits_are_short_again(bench: Bench) -> None:
    for _ in range(4):
        bench.ceiling.newest("c1").fail_read = DriverError("c1: gone")
        bench.eye.step()
        bench.eye.step()
    bench.clock.ns += round((GOOD_FOR_S + 1) * S)
    bench.see(bench.clock())
    bench.ceiling.newest("c1").fail_read = DriverError("c1: gone")
    assert bench.eye.step() == FIRST_WAIT_S


def test_a_picture_that_cant_be_used_costs_itself_alone(bench: Bench, caplog) -> None:
    """P7: garbage is told and counted, and the camera goes on."""
    now_ns = bench.clock()
    with caplog.at_level(logging.ERROR):
        bench.see(now_ns, now_ns - 5, now_ns + 1)
    assert len(bench.ears.seen) == 2
    assert bench.report()["refused"] == 1
    assert len(caplog.records) == 1


def test_what_is_wrong_with_the_pictures_is_named_with_its_age(bench: Bench) -> None:
    bench.see(bench.clock(), flags=FrameFlag.COVERED)
    bench.clock.ns += S
    bench.see(bench.clock(), flags=FrameFlag.COVERED)
    found = bench.report()
    assert (found["verdict"], found["verdict_s"]) == ("covered", 1.0)
    bench.see(bench.clock() + 1)
    assert bench.report()["verdict"] is None


def test_a_camera_that_doesnt_look_at_the_floor_counts_nobody() -> None:
    bench = Bench(floor=False)
    bench.eye.step()
    bench.see(bench.clock())
    assert bench.report()["people"] is None


def test_what_is_missing_is_said_once_and_stays_in_health(caplog) -> None:
    with caplog.at_level(logging.ERROR):
        bench = Bench(problems=("c1: it isn't calibrated",))
        for _ in range(3):
            bench.eye.step()
            bench.looks[0].problems = bench.looks[0].problems[:1]
        bench.looks[0].problems.append("c1: its frames have another shape")
        bench.see(bench.clock())
    assert [record.getMessage() for record in caplog.records] == [
        "c1: it isn't calibrated",
        "c1: its frames have another shape",
    ]
    assert len(bench.report()["problems"]) == 2


def test_an_eye_that_was_given_up_tells_nothing_any_more(bench: Bench) -> None:
    """Its driver came back after another one had taken its place."""
    bench.see(bench.clock())
    facts = bench.eye.leave()
    bench.see(bench.clock() + 1)
    assert len(bench.ears.seen) == 1
    assert facts.frames == 1, "the facts are the other one's now"
    bench.eye.close()
    assert bench.ceiling.newest("c1").stopped


def test_a_video_that_ends_is_no_fault(bench: Bench) -> None:
    bench.see(bench.clock())
    bench.ceiling.newest("c1").finished = True
    bench.eye.step()
    bench.clock.ns += 100 * S
    assert (bench.report()["state"], bench.report()["verdict"]) == ("ended", None)


def test_it_looks_anew_when_something_else_lies_on_the_shelf(bench: Bench) -> None:
    bench.see(bench.clock())
    assert len(bench.looks) == 1
    bench.problems = ("c1: now it has a problem",)
    bench.eye.look_anew()
    bench.see(bench.clock() + 1)
    bench.see(bench.clock() + 2)
    assert len(bench.looks) == 2
    assert len(bench.ears.seen) == 3
    assert bench.report()["problems"] == ["c1: now it has a problem"]


def test_a_still_is_taken_for_who_asks_and_by_the_cameras_own_thread(bench: Bench) -> None:
    with pytest.raises(DriverError, match="no picture within"):
        bench.eye.still(0.0)
    bench.see(bench.clock())
    bench.ceiling.newest("c1").still = lambda: b"jpeg"
    taken: list[bytes] = []
    asking = threading.Thread(target=lambda: taken.append(bench.eye.still(60.0)))
    asking.start()
    while not taken:
        bench.eye.step()
    asking.join()
    assert taken == [b"jpeg"]


def test_who_gave_up_waiting_for_a_still_costs_nothing_later(bench: Bench) -> None:
    """P4: a page that asks every second of a camera that hangs."""
    for _ in range(3 * MOST_ASKING):
        with pytest.raises(DriverError, match="no picture within"):
            bench.eye.still(0.0)
    made: list[int] = []
    bench.ceiling.newest("c1").still = lambda: made.append(1) or b"jpeg"
    bench.see(bench.clock())
    assert made == []


def test_not_more_than_a_few_wait_for_a_still(bench: Bench) -> None:
    bench.eye._asking = [queue.SimpleQueue() for _ in range(MOST_ASKING)]
    with pytest.raises(DriverError, match="ask again later"):
        bench.eye.still(0.0)


def test_a_still_that_fails_doesnt_cost_the_camera(bench: Bench) -> None:
    """P3."""

    def broken() -> bytes:
        raise MemoryError("a large picture")

    bench.ceiling.newest("c1").still = broken
    answer = queue.SimpleQueue()
    bench.eye._asking.append(answer)
    bench.see(bench.clock())
    told = answer.get_nowait()
    assert isinstance(told, DriverError)
    assert "a large picture" in str(told)
    assert (bench.report()["state"], bench.report()["failures"]) == ("running", 0)


def test_pictures_that_were_looked_at_too_late_for_fusion_are_counted_for_a_minute(bench: Bench) -> None:
    bench.see(bench.clock() - SIGHT_DELAY_NS)
    assert bench.report()["late"] is None
    for age_ms in (500, 600, 700):
        bench.clock.ns += S
        bench.see(bench.clock() - age_ms * S // 1000)
    assert bench.report()["late"] == {"pictures": 3, "of": 4, "by_ms": 200}
    bench.clock.ns += 60 * S
    assert bench.report()["late"] is None
