"""Cameras, lookers and ears for the tests of a node's eyes: hand-made, told what to do and when."""

from __future__ import annotations

import threading
from collections.abc import Sequence
from pathlib import Path

import numpy as np

from drivers.errors import DriverError
from drivers.frames import Frame, FrameFlag
from drivers.notices import Notice
from edge.trace.sighting import Sighting, TrackPoint
from edge.vision.errors import FrameTimeError

S = 1_000_000_000


def frame(camera: str, time_ns: int, number: int = 0, flags: FrameFlag = FrameFlag.GOOD) -> Frame:
    """A small grey picture."""
    return Frame(camera, time_ns, number, np.full((16, 32), 90, np.uint8), flags=flags)


def point(camera: str, time_ns: int, identity: int = 1) -> TrackPoint:
    """Somebody at the store's origin."""
    return TrackPoint(f"{camera}.7.{identity}", time_ns, 0.0, 0.0, 100.0, 0.0, 100.0, 0.0, 0.0)


class HandCamera:
    """Keeps `CameraDriver`: gives the frames it was given, and fails, or hangs, when told to."""

    def __init__(self, camera: str) -> None:
        self.camera = camera
        self.queue: list[Frame] = []
        self.notices: list[Notice] = []
        self.fail_start: Exception | None = None
        self.fail_read: Exception | None = None
        self.hangs: threading.Event | None = None
        self.finished = False
        self.started = self.stopped = 0

    def start(self) -> None:
        self.started += 1
        if self.fail_start is not None:
            raise self.fail_start

    def read(self, until_ns: int) -> list[Frame]:
        if self.hangs is not None:
            self.hangs.wait(60.0)
        if self.fail_read is not None:
            raise self.fail_read
        found, self.queue = self.queue, []
        return found

    def still(self) -> bytes:
        raise DriverError(f"{self.camera}: no frame yet")

    def take_notices(self) -> list[Notice]:
        found, self.notices = self.notices, []
        return found

    def stop(self) -> None:
        self.stopped += 1


class Ceiling:
    """Makes hand cameras and remembers them, the newest last."""

    def __init__(self) -> None:
        self.made: dict[str, list[HandCamera]] = {}
        self.missing: set[str] = set()
        self.hanging: dict[str, threading.Event] = {}

    def make(self, camera: str) -> HandCamera:
        driver = HandCamera(camera)
        driver.hangs = self.hanging.get(camera)
        if camera in self.missing:
            driver.fail_start = DriverError(f"{camera}: no camera; check its cable")
        self.made.setdefault(camera, []).append(driver)
        return driver

    def newest(self, camera: str) -> HandCamera:
        return self.made[camera][-1]


class OnePerson:
    """Sees one person in every frame that isn't blind, and refuses frames out of order."""

    def __init__(self, camera: str, problems: Sequence[str] = ()) -> None:
        self.camera = camera
        self.problems = list(problems)
        self.last_ns = 0

    def push(self, seen: Frame) -> list[Sighting]:
        if seen.time_ns < self.last_ns:
            raise FrameTimeError(f"camera {self.camera}: a frame is older than the one before")
        self.last_ns = seen.time_ns
        return [point(self.camera, seen.time_ns)]


class Ears:
    """Keeps `edge.node.eye.Told`."""

    def __init__(self) -> None:
        self.frames: list[Frame] = []
        self.seen: list[Sighting] = []
        self.notices: list[Notice] = []

    def pictures(self, frames: Sequence[Frame]) -> None:
        self.frames += frames

    def sightings(self, seen: Frame, sightings: Sequence[Sighting]) -> None:
        self.seen += sightings

    def noticed(self, notice: Notice) -> None:
        self.notices.append(notice)


CAMERA_NODE = """\
node: eyes
planogram: planogram.yaml
boards:
  b1:
    width: 900 mm
    depth: 400 mm
    rate: 80 Hz
    driver: simulated
    place: {x: -450 mm, y: 1.2 m, facing: -90 deg}
    cells:
      fl: {x: 30 mm, y: 30 mm, capacity: 10 kg}
      fr: {x: 870 mm, y: 30 mm, capacity: 10 kg}
      bl: {x: 30 mm, y: 370 mm, capacity: 10 kg}
      br: {x: 870 mm, y: 370 mm, capacity: 10 kg}
"""
ONE_CAMERA = """\
cameras:
  c1: {driver: {type: simulated, size: [160, 120], people: 2}, looks_at: floor}
"""
CAMERA_PLANOGRAM = """\
skus: {cola: {name: Cola, weight: 352 g}, milk: {name: Milk, weight: 1030 g}}
slots:
  A1: {board: b1, sku: cola, x: [0 mm, 450 mm], count: 6}
  A2: {board: b1, sku: milk, x: [450 mm, 900 mm], count: 6}
"""


def write_node(folder: Path, cameras: str = ONE_CAMERA, more: str = "") -> Path:
    """A node file and its planogram."""
    (folder / "planogram.yaml").write_text(CAMERA_PLANOGRAM)
    path = folder / "node.yaml"
    path.write_text(CAMERA_NODE + cameras + more)
    return path
