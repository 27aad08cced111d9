"""A stand-in for the module picamera2 with cameras behind it: what 0.3.38 does where the driver calls it.

A sensor exposes a scene at its frame rate into a few buffers that go round: a request that isn't given back is one
fewer, and with none left frames are lost. Exposure is automatic until it is set, its controls act some frames late,
rows are padded to the image processor's stride, and a pulled cable shows as frames that don't come any more.
"""

from __future__ import annotations

import io
import threading
from collections.abc import Callable, Mapping
from concurrent.futures import CancelledError
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import numpy.typing as npt

from drivers.fakes.virtual_time import VirtualTime
from drivers.frames import Plane
from drivers.host_time import Worker

_CONTROLS_LATE = 2  # frames between a request that carries a control and the first one exposed with it
_GOAL = 110.0  # grey level that the automatic exposure aims at
_READ_US = 900


@dataclass
class CameraWorld:
    """One sensor, its light and its cable.

    Attributes:
        scene: reflectance float[H, W], 0 to 1, of what it sees.
        light: grey level per reflectance and ms of exposure at gain 1.
        align: bytes that the stride of a row of luma is a multiple of: 64 on a Pi 4, 128 on a Pi 5.
        tells_state: whether metadata have AeState, as with newer libcamera, or AeLocked.
        pulled: the cable is out: no frames.
        hangs: where it is pulled, stopping hangs, as picamera2's does.
        busy: another program has the camera.
        mono: a sensor without colour: it has no white balance.
    """

    time: VirtualTime
    scene: npt.NDArray[np.float64]
    model: str = "imx708"
    light: float = 12.0
    align: int = 64
    tells_state: bool = False
    pulled: bool = False
    hangs: bool = False
    busy: bool = False
    mono: bool = False
    there: bool = True
    opened: int = 0
    open_now: int = 0
    lost_for_want_of_buffers: int = 0
    made: list[FakePicamera2] = field(default_factory=list)
    exposures: list[tuple[int, float, float]] = field(default_factory=list)
    """Begin of each exposure (monotonic ns), its length in us, and the gain."""


class FakePicamera2Module:
    """The module: `Picamera2`, with these cameras connected."""

    def __init__(self, *worlds: CameraWorld) -> None:
        class Picamera2(FakePicamera2):
            connected = worlds

        self.Picamera2 = Picamera2


class FakeRequest:
    """A completed request: one of few, to be given back."""

    def __init__(self, camera: FakePicamera2, buffers: dict[str, Plane], metadata: dict[str, Any]) -> None:
        self._camera = camera
        self._buffers = buffers
        self._metadata = metadata
        self.config = dict(camera.camera_config)
        self.stop_count = camera.stop_count
        self.ref_count = 1

    def acquire(self) -> None:
        """One more user."""
        if self.ref_count == 0:
            raise RuntimeError("CompletedRequest: acquiring lock with ref_count 0")
        self.ref_count += 1

    def release(self) -> None:
        """One user fewer; the last one's takes the buffers, and the controls set meanwhile, to the sensor."""
        self.ref_count -= 1
        if self.ref_count < 0:
            raise RuntimeError("CompletedRequest: lock now has negative ref_count")
        if self.ref_count == 0 and self.stop_count == self._camera.stop_count and self._camera.started:
            self._camera.requeue(self._buffers)

    def get_metadata(self) -> dict[str, Any]:
        """As libcamera names them."""
        assert self.ref_count > 0
        return dict(self._metadata)

    def make_buffer(self, name: str) -> Plane:
        """A copy of the stream's bytes, uint8[framesize], padding and all."""
        assert self.ref_count > 0
        if name not in self._buffers:
            raise RuntimeError(f"Stream {name!r} is not defined")
        return self._buffers[name].copy()

    def save(self, name: str, file_output: io.BytesIO, format: str | None = None) -> None:  # as there
        """What stands for a JPEG: its markers around the size and the mean of the picture."""
        assert self.ref_count > 0
        if format != "jpeg":
            raise RuntimeError("Cannot determine format to save")
        width, height = self.config[name]["size"]
        text = f"{width}x{height} {self._buffers[name].mean():.1f}"
        file_output.write(b"\xff\xd8" + text.encode() + b"\xff\xd9")


class FakeJob:
    """Something to be done in the event loop."""

    def __init__(self, work: Callable[[], tuple[bool, Any]]) -> None:
        self.work = work
        self.done = False
        self.cancelled = False
        self.result: Any = None


class FakePicamera2:
    """A camera as of picamera2 0.3.38, as far as the driver calls it."""

    connected: tuple[CameraWorld, ...] = ()

    def __init__(self, camera_num: int = 0) -> None:
        there = [world for world in self.connected if world.there]
        if camera_num >= len(there):
            raise RuntimeError(
                f'No camera number {camera_num} found - use "rpicam-hello --list-cameras" to check connected cameras'
            )
        self._world = there[camera_num]
        if self._world.busy or self._world.open_now:
            cause = RuntimeError("Failed to acquire camera: Device or resource busy")
            raise RuntimeError("Camera __init__ sequence did not complete.") from cause
        self._world.opened += 1
        self._world.made.append(self)
        self._world.open_now += 1
        self.is_open = True
        self.started = False
        self.stop_count = 0
        self.camera_config: dict[str, Any] = {}
        self.post_callback: Callable[[FakeRequest], None] | None = None
        self.completed_requests: list[FakeRequest] = []
        self._jobs: list[FakeJob] = []
        self._free: list[dict[str, Plane]] = []
        self._wanted: dict[str, Any] = {}
        self._coming: list[tuple[int, dict[str, Any]]] = []
        self._auto = True
        self._exposure_us, self._gain = 4000.0, 1.0
        self._period_us = 33333.0
        self._halt = threading.Event()
        self._loop: Worker | None = None
        self._rng = np.random.default_rng(7)

    @classmethod
    def global_camera_info(cls) -> list[dict[str, Any]]:
        """What is connected."""
        return [
            {"Model": world.model, "Location": 2, "Rotation": 180, "Id": f"/base/i2c@{n}/{world.model}@1a", "Num": n}
            for n, world in enumerate(each for each in cls.connected if each.there)
        ]

    @property
    def camera_controls(self) -> dict[str, tuple[Any, Any, Any]]:
        """Control -> least, most, default."""
        known = ["AeEnable", "ExposureTime", "AnalogueGain", "FrameDurationLimits", "NoiseReductionMode"]
        return dict.fromkeys(known + ([] if self._world.mono else ["AwbEnable", "ColourGains"]), (0, 1, 0))

    def create_preview_configuration(
        self,
        main: Mapping[str, Any],
        lores: Mapping[str, Any] | None = None,
        buffer_count: int = 4,
        controls: Mapping[str, Any] | None = None,
        display: str | None = "main",
        encode: str | None = "main",
    ) -> dict[str, Any]:
        """A configuration that nothing was checked of yet."""
        return {
            "main": {"format": "XBGR8888", "size": (640, 480)} | dict(main),
            "lores": None if lores is None else {"format": "YUV420"} | dict(lores),
            "buffer_count": buffer_count,
            "controls": {"FrameDurationLimits": (100, 83333)} | dict(controls or {}),
            "display": display,
            "encode": encode,
        }

    def configure(self, camera_config: dict[str, Any]) -> None:
        """Checks as there, then sets strides and sizes of buffers."""
        if self.started:
            raise RuntimeError("Camera must be stopped before configuring")
        main, lores = dict(camera_config["main"]), dict(camera_config["lores"])
        for name, stream in (("main", main), ("lores", lores)):
            if type(stream["size"]) is not tuple or len(stream["size"]) != 2:
                raise RuntimeError(name + " stream should be (width, height)")
            if stream["size"][0] % 2 or stream["size"][1] % 2:
                raise RuntimeError("width and height should be even")
        if lores["size"][0] > main["size"][0] or lores["size"][1] > main["size"][1]:
            raise RuntimeError("lores stream dimensions may not exceed main stream")
        align = self._world.align
        lores["stride"] = -(-lores["size"][0] // align) * align
        lores["framesize"] = -(-lores["stride"] * lores["size"][1] * 3 // 2 // 4096) * 4096
        main["stride"] = -(-main["size"][0] * 3 // align) * align
        main["framesize"] = main["stride"] * main["size"][1]
        self.camera_config = dict(camera_config, main=main, lores=lores)
        self.set_controls(camera_config["controls"])

    def camera_configuration(self) -> dict[str, Any]:
        """As it came to be."""
        return self.camera_config

    def set_controls(self, controls: Mapping[str, Any]) -> None:
        """Go along with the next request."""
        for name in controls:
            if name not in self.camera_controls:
                raise RuntimeError(f"Control {name} is not advertised by libcamera")
        self._wanted.update(controls)

    def start(self) -> None:
        """Let it run, with an event loop of its own."""
        if not self.camera_config:
            raise RuntimeError("Camera has not been configured")
        sizes = {name: self.camera_config[name]["framesize"] for name in ("main", "lores")}
        self._free = [
            {name: np.zeros(size, np.uint8) for name, size in sizes.items()}
            for _ in range(self.camera_config["buffer_count"])
        ]
        self._apply(self._wanted)
        self._wanted = {}
        self.started = True
        self._loop = self._world.time.spawn("sensor", self._run)

    def capture_request(self, wait: bool | None = None) -> Any:
        """The next completed request, to be released; ``wait=False``: a job."""
        assert wait is False, "waiting without an end isn't what a driver does"

        def work() -> tuple[bool, Any]:
            return (True, self.completed_requests.pop(0)) if self.completed_requests else (False, None)

        job = FakeJob(work)
        self._jobs.append(job)
        self._work_off()
        return job

    def wait(self, job: FakeJob, timeout: float | None = None) -> Any:
        """The job's result. Raises TimeoutError, CancelledError."""
        assert timeout is not None, "waiting without an end isn't what a driver does"
        end_ns = self._world.time.now_ns() + round(timeout * 1e9)
        while not (job.done or job.cancelled) and self._world.time.now_ns() < end_ns:
            self._world.time.run_until(min(end_ns, self._world.time.now_ns() + 5_000_000))
        if job.cancelled:
            raise CancelledError
        if not job.done:
            raise TimeoutError
        return job.result

    def cancel_all_and_flush(self) -> None:
        """Forget what is still to be done."""
        for job in self._jobs:
            job.cancelled = True
        self._jobs = []

    def dispatch_functions(self, functions: list[Callable[[], Any]], wait: float, immediate: bool = False) -> Any:
        """Do it in the event loop. One that hangs there raises TimeoutError in the end."""
        if self._world.hangs and self._world.pulled:
            self._world.time.spend(round(wait * 1e9))
            raise TimeoutError
        return [function() for function in functions][-1][1]

    def stop_(self) -> tuple[bool, None]:
        """Stop the sensor; for the event loop."""
        self.stop_count += 1
        self.started = False
        self._halt.set()
        if self._loop is not None:
            self._loop.join(1.0)
        while self.completed_requests:
            self.completed_requests.pop(0).release()
        return True, None

    def close(self) -> None:
        """Give the camera up."""
        if not self.is_open:
            return
        if self.started:
            if self._world.hangs and self._world.pulled:
                raise AssertionError("this would wait for ever")
            self.stop_()
        self.is_open = False
        self._world.open_now -= 1

    def requeue(self, buffers: dict[str, Plane]) -> None:
        """A request comes back; its controls act some frames later."""
        self._free.append(buffers)
        if self._wanted:
            self._coming.append((_CONTROLS_LATE, self._wanted))
            self._wanted = {}

    def _run(self) -> None:
        world = self._world
        begin_ns = world.time.now_ns()
        while not self._halt.is_set():
            begin_ns += round(self._period_us * 1e3)
            world.time.wait(self._halt, max(0, begin_ns - world.time.now_ns()) / 1e9)
            if self._halt.is_set() or not self.started:
                return
            if world.pulled:
                continue
            self._coming = [(left - 1, controls) for left, controls in self._coming]
            for left, controls in self._coming:
                if left <= 0:
                    self._apply(controls)
            self._coming = [each for each in self._coming if each[0] > 0]
            self._frame(begin_ns)

    def _apply(self, controls: Mapping[str, Any]) -> None:
        if "FrameDurationLimits" in controls:
            self._period_us = float(controls["FrameDurationLimits"][0])
        if "AeEnable" in controls:
            self._auto = bool(controls["AeEnable"])
        if controls.get("ExposureTime"):
            self._auto, self._exposure_us = False, float(controls["ExposureTime"])
        if controls.get("AnalogueGain"):
            self._gain = float(controls["AnalogueGain"])

    def _frame(self, now_ns: int) -> None:
        """The frame whose first row is read out now."""
        world = self._world
        exposed_us, gain = min(self._exposure_us, self._period_us - 100.0), self._gain
        signal = world.scene * world.light * exposed_us / 1e3 * gain
        mean = float(np.clip(signal, 0, 255).mean())
        converged = 0.9 < mean / _GOAL < 1.1
        if self._auto:
            whole = exposed_us * gain * (_GOAL / max(mean, 1.0)) ** 0.5
            self._exposure_us = min(max(whole, 50.0), self._period_us - 100.0)
            self._gain = min(max(whole / self._exposure_us, 1.0), 16.0)
        if not self._free:
            world.lost_for_want_of_buffers += 1
            return
        buffers = self._free.pop(0)
        world.exposures.append((now_ns - round(exposed_us * 1e3), exposed_us, gain))
        self._fill(buffers, signal, gain)
        metadata: dict[str, Any] = {
            "SensorTimestamp": now_ns,
            "ExposureTime": round(exposed_us),
            "AnalogueGain": gain,
            "FrameDuration": round(self._period_us),
            "Lux": 100.0 * world.light,
        }
        if not world.mono:
            metadata["ColourGains"] = (2.1, 1.6)
        if world.tells_state:
            metadata["AeState"] = 2 if converged else 1
        else:
            metadata["AeLocked"] = converged
        world.time.spend(_READ_US * 1000)
        self._process(FakeRequest(self, buffers, metadata))

    def _fill(self, buffers: dict[str, Plane], signal: npt.NDArray[np.float64], gain: float) -> None:
        lores = self.camera_config["lores"]
        (width, height), stride = lores["size"], lores["stride"]
        rows = np.arange(height) * signal.shape[0] // height
        columns = np.arange(width) * signal.shape[1] // width
        small = signal[rows][:, columns]
        small = small + self._rng.normal(0.0, 1.0 + 0.3 * gain, small.shape)
        buffers["lores"][:] = 0xAA  # what stands in the padding is nobody's
        buffers["lores"][: height * stride].reshape(height, stride)[:, :width] = np.clip(small, 0, 255)
        chroma = buffers["lores"][height * stride : height * stride * 3 // 2].reshape(height, stride // 2)
        chroma[: height // 2, : width // 2] = 120
        chroma[height // 2 :, : width // 2] = 136
        buffers["main"][:] = int(np.clip(small.mean(), 0, 255))

    def _process(self, request: FakeRequest) -> None:
        """As `process_requests`: jobs first, then the callback, then one request is kept and the others go back."""
        request.acquire()
        self.completed_requests.append(request)
        self._work_off()
        if self.post_callback is not None:
            self.post_callback(request)
        request.release()
        while len(self.completed_requests) > 1:
            self.completed_requests.pop(0).release()

    def _work_off(self) -> None:
        while self._jobs:
            done, result = self._jobs[0].work()
            if not done:
                return
            job = self._jobs.pop(0)
            job.done, job.result = True, result
