"""One bench per kind of camera: the driver before something to be seen, and how time passes there.

A further kind takes part in the contract tests by one more entry in `CAMERA_BENCHES`.
"""

from __future__ import annotations

import threading
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import av
import numpy as np

from drivers.camera.build import build_camera
from drivers.camera.contract import CameraDriver
from drivers.camera.picamera import PicameraDriver
from drivers.fakes.picamera2 import CameraWorld, FakePicamera2Module
from drivers.fakes.virtual_time import VirtualTime
from drivers.frames import Frame

BEGIN_NS = 1_000_000_000_000
RATE_HZ = 15.0
WIDTH, HEIGHT = 160, 120


@dataclass
class CameraBench:
    """A camera, not started. `run_until` lets its world go on to that monotonic time."""

    driver: CameraDriver
    now_ns: Callable[[], int]
    run_until: Callable[[int], None]

    def pass_by(self, seconds: float) -> None:
        """Let time pass, unread."""
        self.run_until(self.now_ns() + round(seconds * 1e9))

    def run(self, seconds: float) -> list[Frame]:
        """Let time pass, reading ten times a second; everything that came."""
        frames = []
        for _ in range(round(10 * seconds)):
            self.pass_by(0.1)
            frames += self.driver.read(self.now_ns())
        return frames


class HandClock:
    """A clock that is set by hand."""

    def __init__(self) -> None:
        self.ns = BEGIN_NS

    def now_ns(self) -> int:
        return self.ns

    def run_until(self, ns: int) -> None:
        self.ns = ns


def texture(seed: int = 1, rows: int = 30, columns: int = 40) -> np.ndarray:
    """Something with edges everywhere, float[4 * rows, 4 * columns] from 0.1 to 0.9."""
    return np.random.default_rng(seed).uniform(0.1, 0.9, (rows, columns)).repeat(4, 0).repeat(4, 1)


def write_video(path: Path, frames: list[np.ndarray], codec="mpeg4", rate: int = 15, pix="yuv420p") -> None:
    """Packed pictures uint8[H * 3 / 2, W] (or [H, W] for gray) as a video."""
    with av.open(str(path), "w") as container:
        stream = container.add_stream(codec, rate=rate)
        stream.height, stream.width = frames[0].shape
        if pix == "yuv420p":
            stream.height = frames[0].shape[0] * 2 // 3
        stream.pix_fmt = pix
        stream.options = {"g": "10"} if codec == "mpeg4" else {}
        if codec == "mpeg4":
            stream.bit_rate = 2_000_000
        for number, frame in enumerate(frames):
            picture = av.VideoFrame.from_ndarray(frame, format=pix)
            picture.pts = number
            container.mux(stream.encode(picture))
        container.mux(stream.encode(None))


def noisy_pictures(count: int, width: int = WIDTH, height: int = HEIGHT, seed: int = 3) -> list[np.ndarray]:
    """A still scene as a sensor sees it, packed YUV 4:2:0."""
    rng = np.random.default_rng(seed)
    y = 20 + 200 * texture(seed, -(-height // 4), -(-width // 4))[:height, :width]
    chroma = np.full((height // 2, width), 128.0)
    whole = np.vstack([y, chroma])
    return [np.clip(whole + rng.normal(0, 3.0, whole.shape), 0, 255).astype(np.uint8) for _ in range(count)]


def picamera_bench(_: Path) -> CameraBench:
    time = VirtualTime(BEGIN_NS)
    options = {"size": [WIDTH, HEIGHT], "still_size": [320, 240], "rate_hz": RATE_HZ}
    driver = PicameraDriver("c", options, time, FakePicamera2Module(CameraWorld(time, texture())), lambda: 0)
    return CameraBench(driver, time.now_ns, time.run_until)


def video_bench(folder: Path) -> CameraBench:
    clock, path = HandClock(), folder / "scene.avi"
    if not path.exists():
        write_video(path, noisy_pictures(180))
    driver = build_camera("c", "video", {"file": str(path)}, clock=clock.now_ns)
    return CameraBench(driver, clock.now_ns, clock.run_until)


def simulated_bench(_: Path) -> CameraBench:
    clock = HandClock()
    options = {"scene": "shelf", "size": [WIDTH, HEIGHT], "rate_hz": RATE_HZ}
    return CameraBench(build_camera("c", "simulated", options, clock=clock.now_ns), clock.now_ns, clock.run_until)


CAMERA_BENCHES: dict[str, Callable[[Path], CameraBench]] = {
    "picamera2": picamera_bench,
    "video": video_bench,
    "simulated": simulated_bench,
}


def camera_threads() -> list[str]:
    """Names of the threads of cameras, and of what stands for one, that are alive."""
    return [one.name for one in threading.enumerate() if one.name.partition("-")[0] in (*CAMERA_BENCHES, "sensor")]
