"""The `picamera2` camera before a stand-in of the module: times, strides, locks, and all that goes wrong there."""

from __future__ import annotations

import importlib
from types import SimpleNamespace

import numpy as np
import pytest
from camera_benches import BEGIN_NS, camera_threads, texture

from drivers.camera.picamera import PicameraDriver
from drivers.errors import DriverError
from drivers.fakes.picamera2 import CameraWorld, FakePicamera2Module
from drivers.fakes.virtual_time import VirtualTime

SMALL = {"size": [160, 120], "still_size": [320, 240], "rate_hz": 15.0}


class Rig:
    """A driver on its world."""

    def __init__(self, options=None, ahead_ns=0, **world):
        self.time = VirtualTime(BEGIN_NS)
        self.world = CameraWorld(self.time, texture(), **world)
        self.driver = PicameraDriver(
            "c", SMALL | (options or {}), self.time, FakePicamera2Module(self.world), lambda: ahead_ns
        )

    def run(self, seconds):
        frames = []
        for _ in range(round(10 * seconds)):
            self.time.run_until(self.time.now_ns() + 100_000_000)
            frames += self.driver.read(self.time.now_ns())
        return frames

    def told(self):
        return [(notice.cause, notice.text) for notice in self.driver.take_notices()]


@pytest.fixture
def rig():
    made = []

    def make(options=None, ahead_ns=0, **world):
        made.append(Rig(options, ahead_ns, **world))
        return made[-1]

    yield make
    for one in made:
        one.driver.stop()
        if one.world.hangs:
            one.world.made[0].stop_()
        else:
            assert one.world.open_now == 0
    assert camera_threads() == []


def test_a_frame_s_time_is_the_middle_of_its_exposure(rig):
    one = rig()
    one.driver.start()
    frames = one.run(2.0)
    middles = [begin_ns + round(500 * exposed_us) for begin_ns, exposed_us, _ in one.world.exposures]
    off_ns = [abs(frame.time_ns - middle_ns) for frame, middle_ns in zip(frames, middles, strict=False)]
    assert max(off_ns) <= 1000


def test_stamps_that_count_the_computer_s_sleep_are_brought_to_the_monotonic_clock(rig):
    slept_ns = 3_600 * 10**9
    one = rig(ahead_ns=slept_ns)
    one.driver.start()
    device = one.driver._device
    device._picam2._process = _later(device._picam2._process, slept_ns)
    frames = one.run(1.0)
    assert len(frames) > 10
    assert all(BEGIN_NS < frame.time_ns < one.time.now_ns() for frame in frames)


def _later(process, ns):
    def run(request):
        request._metadata["SensorTimestamp"] += ns
        process(request)

    return run


@pytest.mark.parametrize(("width", "align"), [(160, 64), (160, 128), (150, 64), (256, 256)])
def test_rows_padded_by_the_image_processor_come_without_padding(rig, width, align):
    one = rig({"size": [width, 120]}, align=align)
    one.driver.start()
    frame = one.run(3.0)[-1]
    assert frame.y.shape == (120, width)
    assert set(np.unique(frame.u)) == {120}
    assert set(np.unique(frame.v)) == {136}
    seen = texture()[:, np.arange(width) * 160 // width]
    assert np.corrcoef(frame.y.ravel(), seen.ravel())[0, 1] > 0.98


def test_no_request_is_kept_so_that_no_frame_is_lost_for_want_of_buffers(rig):
    one = rig()
    one.driver.start()
    for _ in range(10):
        one.run(0.5)
        one.driver.still()
    assert one.world.lost_for_want_of_buffers == 0
    assert one.told() == []


@pytest.mark.parametrize("tells_state", [False, True])
def test_exposure_is_held_once_it_has_settled_and_stays_when_someone_in_white_walks_in(rig, tells_state):
    one = rig(tells_state=tells_state, light=40.0)
    one.driver.start()
    one.run(3.0)
    held = one.world.exposures[-1][1:]
    one.world.scene = one.world.scene.copy()
    one.world.scene[:60] = 0.95
    one.run(3.0)
    assert one.world.exposures[-1][1:] == held


def test_without_the_lock_exposure_goes_on_following_the_light(rig):
    one = rig({"lock": False})
    one.driver.start()
    one.run(3.0)
    before = one.world.exposures[-1][1] * one.world.exposures[-1][2]
    one.world.light *= 3
    one.run(3.0)
    assert one.world.exposures[-1][1] * one.world.exposures[-1][2] < 0.5 * before


def test_a_held_exposure_is_let_go_when_the_light_is_another_for_good(rig):
    one = rig()
    one.driver.start()
    one.run(3.0)
    one.world.light /= 50
    dark = one.run(2.0)[-1].y.mean()
    one.run(40.0)
    again = one.run(1.0)[-1].y.mean()
    assert dark < 10
    assert again > 20


def test_a_camera_without_colour_is_only_told_what_it_knows(rig):
    one = rig(mono=True)
    one.driver.start()
    one.run(6.0)
    assert one.told() == []
    assert one.driver._hold.held


def test_the_rate_is_the_one_asked_for(rig):
    one = rig({"rate_hz": 40.0})
    one.driver.start()
    steps = np.diff([frame.time_ns for frame in one.run(4.0)][60:])
    assert np.abs(steps - 25_000_000).max() < 100_000


def test_a_pulled_cable_is_told_and_the_camera_opened_again_when_it_is_back(rig):
    one = rig()
    one.driver.start()
    before = one.run(3.0)
    one.world.pulled = True
    assert one.run(12.0) == []
    causes = [cause for cause, _ in one.told()]
    assert causes[0] == "stall"
    assert causes.count("restart") == 2
    one.world.pulled = False
    after = one.run(2.0)
    (notice,) = one.driver.take_notices()
    assert notice.cause == "stall"
    assert notice.text.startswith("c: pictures come again after 12 s")
    assert notice.samples_lost == after[0].sequence - before[-1].sequence - 1
    assert abs(notice.samples_lost - 12 * 15) <= 3
    with pytest.raises(DriverError, match="once"):
        one.driver.start()


def test_it_gives_up_after_as_many_attempts_as_it_may_make_and_says_so(rig):
    one = rig({"restarts": 2})
    one.driver.start()
    one.run(1.0)
    one.world.there = False
    one.world.pulled = True
    one.run(60.0)
    told = one.told()
    assert one.world.opened == 1
    assert sum("opening it again failed" in text for _, text in told) == 2
    assert "no camera is connected" in told[1][1]
    assert sum("given up opening the camera again: 2 attempts" in text for _, text in told) == 1


def test_a_camera_that_does_not_let_go_holds_up_nobody(rig):
    """picamera2's stop waits for ever where the cable was pulled (its issues 1065 and 1264)."""
    one = rig(hangs=True)
    one.driver.start()
    one.run(1.0)
    one.world.pulled = True
    one.run(30.0)
    told = [text for _, text in one.told()]
    assert sum("doesn't let go of the hardware; its cable may be loose" in text for text in told) == 1
    assert sum("given up" in text for text in told) == 1
    assert one.world.opened == 1


def test_a_still_that_does_not_come_is_a_sentence_and_takes_no_frame_later_on(rig):
    one = rig()
    one.driver.start()
    one.run(1.0)
    one.world.pulled = True
    one.driver._device._picam2.completed_requests.pop().release()
    with pytest.raises(DriverError, match=r"c: no frame came within 1 s; look after its cable"):
        one.driver.still()
    one.world.pulled = False
    for _ in range(5):
        assert one.driver.still().startswith(b"\xff\xd8320x240")
        one.run(0.5)
    assert one.world.lost_for_want_of_buffers == 0


def test_what_cannot_be_opened_is_a_sentence(rig):
    for options, world, text in (
        ({}, {"there": False}, "no camera is connected; look after the flat cable"),
        ({"number": 3}, {}, "no camera number 3; there are: 0 is imx708"),
        ({"model": "imx219"}, {}, "no camera of model imx219; there are: 0 is imx708"),
        ({}, {"busy": True}, r"in use by another program .*busy.*fuser -v"),
    ):
        one = rig(options, **world)
        with pytest.raises(DriverError, match=text):
            one.driver.start()
        assert one.world.open_now == 0


def test_of_several_cameras_one_must_be_said():
    time = VirtualTime(BEGIN_NS)
    worlds = [CameraWorld(time, texture(), model=model) for model in ("imx708", "imx219")]
    module = FakePicamera2Module(*worlds)
    with pytest.raises(DriverError, match=r"more than one camera fits .*0 is imx708, 1 is imx219.* number: 0"):
        PicameraDriver("c", SMALL, time, module).start()
    driver = PicameraDriver("c", SMALL | {"model": "imx219"}, time, module)
    driver.start()
    assert [world.open_now for world in worlds] == [0, 1]
    driver.stop()


@pytest.mark.parametrize(
    ("error", "text"),
    [
        (ModuleNotFoundError("No module named 'libcamera'", name="libcamera"), "a Raspberry Pi with libcamera"),
        (ModuleNotFoundError("No module named 'picamera2'", name="picamera2"), "a Raspberry Pi with picamera2"),
        (ValueError("numpy.dtype size changed"), "numpy.dtype size changed"),
    ],
)
def test_without_picamera2_or_libcamera_it_says_how_to_get_them(monkeypatch, error, text):
    def missing(name, package=None):
        raise error

    monkeypatch.setattr(importlib, "import_module", missing)
    with pytest.raises(DriverError, match=f"{text}.*apt-get install python3-picamera2.*--system-site-packages"):
        PicameraDriver("c", SMALL).start()


def test_a_picamera2_from_before_jobs_could_be_cancelled_is_refused(rig):
    one = rig()
    one.driver._module = SimpleNamespace(Picamera2=object)
    with pytest.raises(DriverError, match=r"too old to be stopped safely; expected 0\.3\.25 or newer"):
        one.driver.start()


def test_a_request_that_cannot_be_read_costs_that_frame_alone(rig):
    one = rig()
    one.driver.start()
    one.run(1.0)
    picam2 = one.driver._device._picam2
    process, count = picam2._process, iter(range(10**6))

    def sometimes(request):
        if next(count) == 5:
            del request._metadata["SensorTimestamp"]
        process(request)

    picam2._process = sometimes
    frames = one.run(2.0)
    assert len(frames) == 29
    one.driver.stop()
    assert sorted(cause for cause, _ in one.told()) == ["damaged", "dropped frames"]
