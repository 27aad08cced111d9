"""The stand-in for picamera2, and picamera2 itself where it is installed, before the same driver: they act alike."""

from __future__ import annotations

import itertools
import time

import numpy as np
import pytest
from camera_benches import BEGIN_NS, texture
from libcamera_stand_in import picamera2_is_here, picamera2_itself

from drivers.camera.picamera import PicameraDriver
from drivers.errors import DriverError
from drivers.fakes.picamera2 import CameraWorld, FakePicamera2Module
from drivers.fakes.virtual_time import VirtualTime
from drivers.host_time import MachineTime

OPTIONS = {"size": [150, 120], "still_size": [320, 240], "rate_hz": 100.0}
MODULES = ["stand-in", *(["picamera2 itself"] if picamera2_is_here() else [])]


class Bench:
    """A module, its machine, and the controls that reached the sensor."""

    def __init__(self, module, machine, go_on, set_to):
        self.module, self.machine, self.go_on, self.set_to = module, machine, go_on, set_to

    def driver(self, **options):
        return PicameraDriver("c", OPTIONS | options, self.machine, self.module, lambda: 0)

    def frames(self, driver, count):
        """That many, or a failure."""
        got = []
        for _ in range(1000):
            got += driver.read(self.machine.now_ns())
            if len(got) >= count:
                return got
            self.go_on()
        raise AssertionError(f"only {len(got)} of {count} frames came")


@pytest.fixture(params=MODULES)
def bench(request, monkeypatch):
    if request.param == "stand-in":
        machine = VirtualTime(BEGIN_NS)
        world = CameraWorld(machine, texture())

        def set_to():
            camera = world.made[-1]
            return {"AeEnable": camera._auto, "FrameDurationLimits": (camera._period_us,) * 2}

        yield Bench(FakePicamera2Module(world), machine, lambda: machine.run_until(machine.now_ns() + 10**7), set_to)
    else:
        module, camera = picamera2_itself(monkeypatch)
        yield Bench(module, MachineTime(), lambda: time.sleep(0.01), lambda: camera.set_to)


def test_frames_come_at_their_rate_with_times_and_planes_without_padding(bench):
    driver = bench.driver()
    driver.start()
    frames = bench.frames(driver, 30)
    driver.stop()
    assert all(a.time_ns < b.time_ns and a.sequence < b.sequence for a, b in itertools.pairwise(frames))
    assert 0 < bench.machine.now_ns() - frames[-1].time_ns < 2 * 10**9
    for frame in frames:
        assert frame.y.shape == (120, 150)
        assert set(np.unique(frame.u)) == {120}
        assert set(np.unique(frame.v)) == {136}
    assert tuple(bench.set_to()["FrameDurationLimits"]) == (10_000, 10_000)


def test_exposure_is_held_by_controls_that_reach_the_sensor(bench):
    driver = bench.driver(settle_s=0.1)
    driver.start()
    bench.frames(driver, 60)
    driver.stop()
    assert not bench.set_to()["AeEnable"]


def test_stills_come_again_and_again_and_frames_go_on(bench):
    driver = bench.driver()
    driver.start()
    bench.frames(driver, 5)
    for _ in range(8):
        still = driver.still()
        assert still.startswith(b"\xff\xd8")
        assert still.endswith(b"\xff\xd9")
    assert len(bench.frames(driver, 20)) >= 20
    driver.stop()


def test_a_camera_that_is_open_already_is_in_use(bench):
    first = bench.driver()
    first.start()
    with pytest.raises(DriverError, match=r"in use by another program .*Device or resource busy"):
        bench.driver().start()
    first.stop()
    second = bench.driver()
    second.start()
    assert len(bench.frames(second, 5)) >= 5
    second.stop()


def test_what_is_asked_for_passes_the_package_s_own_checks_and_what_does_not_is_a_sentence(bench):
    driver = bench.driver()
    driver.options = driver.options.model_copy(update={"size": [640, 480]})
    with pytest.raises(
        DriverError, match=r"doesn't take size \[640, 480\].*lores stream dimensions may not exceed main"
    ):
        driver.start()
    again = bench.driver()
    again.start()
    again.stop()
