"""The camera that a node file asks for, and what is wrong with its options."""

from __future__ import annotations

import pytest

from drivers.camera.build import KINDS, build_camera
from drivers.camera.options import OPTIONS, misfits
from drivers.camera.picamera import PicameraDriver
from drivers.camera.simulated import SimulatedCamera
from drivers.camera.video import VideoCamera
from drivers.errors import DriverError


@pytest.mark.parametrize(
    ("kind", "options", "made"),
    [
        ("picamera2", {}, PicameraDriver),
        ("video", {"file": "x.mp4"}, VideoCamera),
        ("simulated", None, SimulatedCamera),
    ],
)
def test_each_kind_has_its_driver_and_nothing_is_touched(kind, options, made):
    driver = build_camera("door", kind, options)
    assert isinstance(driver, made)
    assert driver.camera == "door"


def test_every_kind_has_options():
    assert set(KINDS) == set(OPTIONS) == {"picamera2", "video", "simulated"}


@pytest.mark.parametrize(
    ("kind", "options", "text"),
    [
        ("webcam", {}, "door: no camera driver 'webcam'; expected one of picamera2, video, simulated"),
        ("video", {}, "file: missing; expected the video to play"),
        ("video", {"file": "x", "fps": 3}, "unknown option 'fps'"),
        ("video", {"file": "x", "paced": False, "speed": 2.0}, "speed: only where it is paced"),
        ("video", {"file": "x", "size": [321, 240]}, r"size: [321, 240] doesn't fit; expected [width, height]"),
        ("picamera2", {"size": [640, 480], "still_size": [320, 240]}, "size: [640, 480] is larger than still_size"),
        ("picamera2", {"size": [640]}, "size: [640] doesn't fit"),
        ("picamera2", {"rate_hz": 0.0}, "rate_hz: 0.0 doesn't fit"),
        ("simulated", {"scene": "street"}, "scene: 'street' doesn't fit"),
    ],
)
def test_what_does_not_fit_is_an_error_that_says_what_does(kind, options, text):
    with pytest.raises(DriverError) as raised:
        build_camera("door", kind, options)
    assert text in str(raised.value)


def test_all_problems_are_told_at_once():
    with pytest.raises(DriverError) as raised:
        build_camera("door", "picamera2", {"size": [3, 4], "still_size": [5], "number": None})
    assert str(raised.value).count("\n") == 1
    assert len(misfits("picamera2", {"size": [3, 4], "still_size": [5]})) == 2
