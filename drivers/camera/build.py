"""The camera that a node file asks for, by its name there."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Mapping

from drivers.camera.contract import CameraDriver
from drivers.camera.options import OPTIONS, SimulatedCameraOptions
from drivers.camera.picamera import PicameraDriver
from drivers.camera.scenes.ceiling import Shop, ceiling_scene
from drivers.camera.scenes.shelf import ShelfFront, shelf_scene
from drivers.camera.simulated import SimulatedCamera
from drivers.camera.video import VideoCamera
from drivers.errors import DriverError
from drivers.frames import Frame
from drivers.host_time import MachineTime
from drivers.options import checked

KINDS = tuple(OPTIONS)


def build_camera(
    camera: str, kind: str, options: Mapping[str, object] | None, *, clock: Callable[[], int] = time.monotonic_ns
) -> CameraDriver:
    """A camera that isn't started yet; nothing of the hardware is touched and no file opened.

    Args:
        camera: its id in the node file.
        kind: the driver's name in the node file, one of `KINDS`.
        options: what stands beside it there; None is nothing.
    Raises:
        DriverError: an unknown kind; options that don't fit, with all problems at once.
    """
    options = options if options is not None else {}
    if kind == "picamera2":
        return PicameraDriver(camera, options, MachineTime(clock))
    if kind == "video":
        return VideoCamera(camera, options, clock)
    if kind == "simulated":
        wanted = checked(SimulatedCameraOptions, camera, kind, options, (), None)
        return SimulatedCamera(camera, _frames(wanted), wanted.rate_hz, clock)
    raise DriverError(f"{camera}: no camera driver {kind!r}; expected one of {', '.join(KINDS)}")


def _frames(wanted: SimulatedCameraOptions) -> Iterator[Frame]:
    width, height = wanted.size
    if wanted.scene == "shelf":
        front = ShelfFront(width, height, wanted.rate_hz, wanted.slots)
        return (seen.frame for seen in shelf_scene(front, wanted.seed))
    shop = Shop(width, height, wanted.rate_hz, people=wanted.people)
    return (seen.frame for seen in ceiling_scene(shop, wanted.seed))
