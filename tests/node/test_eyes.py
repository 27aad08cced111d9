"""All cameras of a node: the loop takes what they saw and waits for none of them (P3, P4)."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator

import pytest
from eye_benches import Ceiling, OnePerson, S, frame, point
from node_benches import ToldClock

from drivers.frames import FrameFlag
from edge.config.camera_schema import Camera, LooksAt
from edge.config.driver_schema import CameraDriverOptions
from edge.node.eyes import HANGS_S, MOST_HUNG, MOST_WAITING, Eyes, wanted_hz

FLOOR = Camera(driver=CameraDriverOptions(type="picamera2"), looks_at="floor")
SHELF = Camera(
    driver=CameraDriverOptions(type="simulated", options={"rate_hz": 5.0}), looks_at=LooksAt(board="shelf-1")
)


class Listener:
    """Keeps `edge.node.eyes.TrackTeller`."""

    def __init__(self) -> None:
        self.told: list[tuple[str, int, int]] = []

    def give(self, camera: str, time_ns: int, points) -> None:
        self.told.append((camera, time_ns, len(points)))


class Bench:
    def __init__(self) -> None:
        self.clock, self.ceiling, self.listener = ToldClock(), Ceiling(), Listener()
        self.eyes = Eyes({"c1": FLOOR, "s1": SHELF}, self.ceiling.make, OnePerson, self.clock, tell=self.listener)


@pytest.fixture
def bench() -> Iterator[Bench]:
    made = Bench()
    yield made
    for hanging in made.ceiling.hanging.values():
        hanging.set()
    made.eyes.stop()


def until(happens: Callable[[], object]) -> None:
    """Threads are waited for by what they do, for as long as a busy machine may need."""
    end_s = time.monotonic() + 60
    while not happens():
        assert time.monotonic() < end_s
        time.sleep(0.002)


def test_what_all_cameras_saw_is_taken_once(bench: Bench) -> None:
    bench.eyes.start()
    until(lambda: len(bench.ceiling.made) == 2)
    bench.ceiling.newest("c1").queue.append(frame("c1", 5))
    bench.ceiling.newest("s1").queue.append(frame("s1", 6))
    taken = []
    until(lambda: taken.extend(bench.eyes.take()) or len(taken) == 2)
    assert sorted(taken, key=lambda each: each.time_ns) == [point("c1", 5), point("s1", 6)]
    assert bench.eyes.take() == []
    report = bench.eyes.report()
    assert (report["c1"]["looks_at"], report["s1"]["looks_at"]) == ("floor", "shelf-1")
    bench.eyes.stop()
    assert [bench.ceiling.newest(name).stopped for name in ("c1", "s1")] == [1, 1]
    assert {camera["state"] for camera in bench.eyes.report().values()} == {"stopped"}


def test_a_camera_that_hangs_holds_up_nobody_and_another_is_tried(bench: Bench) -> None:
    """P3: a read that never comes back costs its own thread."""
    hanging = bench.ceiling.hanging["c1"] = threading.Event()
    bench.eyes.start()
    until(lambda: len(bench.ceiling.made) == 2)
    bench.ceiling.newest("s1").queue.append(frame("s1", 6))
    until(bench.eyes.take)
    first = bench.ceiling.newest("c1")
    until(lambda: bench.eyes._threads["c1"].eye.busy_since_ns is not None)
    bench.eyes.tick()
    assert len(bench.ceiling.made["c1"]) == 1, "it has some time"
    bench.clock.ns += round((HANGS_S + 1) * S)
    del bench.ceiling.hanging["c1"]
    bench.eyes.tick()
    until(lambda: len(bench.ceiling.made["c1"]) == 2)
    assert bench.eyes.report()["c1"]["failures"] == 1
    bench.ceiling.newest("c1").queue.append(frame("c1", 7))
    until(bench.eyes.take)
    first.queue.append(frame("c1", 1))
    hanging.set()  # it comes back after all
    until(lambda: first.stopped)
    assert bench.eyes.take() == [], "what it has is too old to be told"


def test_a_camera_that_hangs_again_and_again_is_left_alone_and_named(bench: Bench) -> None:
    """P4: threads that never end are few."""
    bench.ceiling.hanging["c1"] = threading.Event()
    bench.eyes.start()
    for _ in range(MOST_HUNG + 3):
        until(lambda: bench.eyes._threads["c1"].eye.busy_since_ns is not None)
        bench.clock.ns += round((HANGS_S + 1) * S)
        bench.eyes.tick()
    assert len(bench.ceiling.made["c1"]) <= MOST_HUNG + 1
    assert bench.eyes.report()["c1"]["state"] == "hung"


def test_a_loop_that_stands_still_costs_sightings_and_no_memory(bench: Bench) -> None:
    """P4."""
    for n in range(MOST_WAITING + 5):
        bench.eyes.sightings(frame("c1", n), [point("c1", n)])
    assert bench.eyes.dropped == 5
    assert len(bench.eyes.take()) == MOST_WAITING


def test_other_nodes_hear_of_floors_that_could_be_seen_and_of_empty_ones_too(bench: Bench) -> None:
    bench.eyes.sightings(frame("c1", 1), [point("c1", 1)])
    bench.eyes.sightings(frame("c1", 2), [])
    bench.eyes.sightings(frame("c1", 3, flags=FrameFlag.COVERED), [point("c1", 3)])
    bench.eyes.sightings(frame("s1", 4), [])
    assert bench.listener.told == [("c1", 1, 1), ("c1", 2, 0)]


def test_another_planogram_is_looked_at_anew_and_people_are_followed_on(bench: Bench) -> None:
    made: list[str] = []

    def look(camera: str) -> OnePerson:
        made.append(camera)
        return OnePerson(camera)

    bench.eyes._look = look
    bench.eyes.start()
    until(lambda: len(bench.ceiling.made) == 2)
    until(lambda: sorted(made) == ["c1", "s1"])
    bench.eyes.look_anew()
    until(lambda: len(made) == 3)
    assert made[-1] == "s1"


def test_the_rate_that_is_asked_for_is_the_options_or_the_drivers_own() -> None:
    assert (wanted_hz(FLOOR), wanted_hz(SHELF)) == (15.0, 5.0)
    video = Camera(driver=CameraDriverOptions(type="video", options={"file": "x.mp4"}), looks_at="floor")
    assert wanted_hz(video) is None
