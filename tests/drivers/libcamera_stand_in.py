"""What picamera2 itself needs of libcamera, standing in for it: so that its own code runs off a Raspberry Pi.

Real threads, real time, 100 frames a second. Everything above libcamera is the package's: configuration, controls,
the event loop, jobs, requests that are given back.
"""

from __future__ import annotations

import enum
import importlib
import importlib.util
import os
import sys
import threading
import time
from contextlib import suppress
from types import ModuleType, SimpleNamespace
from typing import Any
from unittest.mock import MagicMock

import numpy as np

_BESIDE = (
    "prctl",
    "pidng",
    "pidng.camdefs",
    "pidng.core",
    "libarchive",
    "OpenEXR",
    "Imath",
    "kms",
    "piexif",
    "videodev2",
)
_CONTROLS = ("AeEnable", "AwbEnable", "ExposureTime", "AnalogueGain", "ColourGains", "FrameDurationLimits")


class Status(enum.Enum):
    Valid = Success = 0
    Adjusted = Complete = 1
    Invalid = Error = 2


class Role(enum.Enum):
    StillCapture, Raw, VideoRecording, Viewfinder = range(4)


class Kind(enum.Enum):
    Rectangle, Size, Int = range(3)


Orientation = enum.Enum(
    "Orientation",
    "Rotate0 Rotate0Mirror Rotate180Mirror Rotate180 Rotate90Mirror Rotate270 Rotate90 Rotate270Mirror",
)


class Plain:
    """Values by name; hashable, as picamera2 keeps some in sets."""

    def __init__(self, *_: Any, **values: Any) -> None:
        self.__dict__.update({"hflip": 0, "vflip": 0, "transpose": 0, "primaries": 0, "range": 0}, **values)
        self.transferFunction = self.ycbcrEncoding = 0

    def __str__(self) -> str:
        return type(self).__name__


class Transform(Plain):
    def __hash__(self) -> int:
        return hash((self.hflip, self.vflip, self.transpose))


class ColorSpace(Plain):
    YcbcrEncoding, Range = SimpleNamespace(Null=0), SimpleNamespace(Full=0)

    def __hash__(self) -> int:
        return 1


for _name in ("Sycc", "Smpte170m", "Rec709", "Raw"):
    setattr(ColorSpace, _name, staticmethod(lambda: ColorSpace()))


class Size:
    def __init__(self, width: int, height: int) -> None:
        self.width, self.height = width, height


class Named:
    """A control's or property's id, or a pixel format."""

    def __init__(self, name: str) -> None:
        self.name, self.type = name, Kind.Int

    def __str__(self) -> str:
        return self.name


_IDS = {name: Named(name) for name in _CONTROLS}


class Stream:
    """One stream's configuration."""

    def __init__(self) -> None:
        self.size, self.pixel_format, self.color_space = Size(2304, 1296), Named("SRGGB10_CSI2P"), ColorSpace()
        self.stride = self.frame_size = 0
        self.buffer_count = 4
        self.stream = object()
        sizes = [Size(2304, 1296), Size(4608, 2592)]
        self.formats = SimpleNamespace(pixel_formats=[Named("SRGGB10_CSI2P")], sizes=lambda _: sizes)


class Config:
    def __init__(self, roles: list[Role]) -> None:
        self.streams = [Stream() for _ in roles]
        self.orientation, self.sensor_config = Orientation.Rotate0, None

    def at(self, index: int) -> Stream:
        return self.streams[index]

    def __iter__(self):
        return iter(self.streams)

    def validate(self) -> Status:
        """Rows in multiples of 64 bytes, as on a Pi 4."""
        for each in self.streams:
            name = str(each.pixel_format)
            wide = each.size.width * {"YUV420": 1, "RGB888": 3}.get(name, 2)
            each.stride = -(-wide // 64) * 64
            each.frame_size = each.stride * each.size.height * (3 if name == "YUV420" else 2) // 2
        return Status.Valid


class Request:
    def __init__(self, cookie: int) -> None:
        self.cookie, self.status = cookie, Status.Valid
        self.buffers: dict[Any, Any] = {}
        self.metadata: dict[Named, Any] = {}
        self.wanted: dict[str, Any] = {}

    def add_buffer(self, stream: Any, buffer: Any) -> None:
        self.buffers[stream] = buffer

    def reuse(self) -> None:
        self.status = Status.Valid

    def set_control(self, control: Named, value: Any) -> None:
        self.wanted[control.name] = value


class Camera:
    """A sensor that sees grey, with noise; `set_to` are the controls that reached it."""

    id = "/base/soc/i2c0mux/i2c@1/imx708@1a"

    def __init__(self) -> None:
        limits = SimpleNamespace(min=0, max=10**9, default=0)
        self.controls = dict.fromkeys(_IDS.values(), limits)
        properties = {"Model": "imx708", "Location": 2, "Rotation": 180, "ColorFilterArrangement": 0}
        self.properties = {Named(name): value for name, value in properties.items()}
        self.queue: list[Request] = []
        self.ready: list[Request] = []
        self.event_fd, self._bell = os.pipe2(os.O_NONBLOCK)
        self.lock = threading.Lock()
        self.acquired = False
        self.set_to: dict[str, Any] = {}
        self._halt = threading.Event()

    def generate_configuration(self, roles: list[Role]) -> Config:
        return Config(roles)

    def acquire(self) -> None:
        if self.acquired:
            raise RuntimeError("Failed to acquire camera: Device or resource busy")
        self.acquired = True

    def release(self) -> None:
        self.acquired = False

    def configure(self, config: Config) -> int:
        self.config = config
        return 0

    def create_request(self, cookie: int) -> Request:
        return Request(cookie)

    def queue_request(self, request: Request) -> None:
        with self.lock:
            self.queue.append(request)

    def start(self, controls: dict[Named, Any]) -> None:
        self.set_to.update({control.name: value for control, value in controls.items()})
        self._halt.clear()
        self._thread = threading.Thread(target=self._run, name="sensor", daemon=True)
        self._thread.start()

    def stop(self) -> None:
        self._halt.set()
        self._thread.join()
        self.queue = []

    def get_ready_requests(self) -> list[Request]:
        with suppress(BlockingIOError):
            os.read(self.event_fd, 4096)
        with self.lock:
            ready, self.ready = self.ready, []
        return ready

    def _run(self) -> None:
        rng = np.random.default_rng(1)
        lores = self.config.at(1)
        width, height, stride = lores.size.width, lores.size.height, lores.stride
        while not self._halt.wait(self.set_to["FrameDurationLimits"][0] / 1e6):
            with self.lock:
                if not self.queue:
                    continue
                request = self.queue.pop(0)
            self.set_to.update(request.wanted)
            request.wanted = {}
            rows = request.buffers[lores.stream].data
            rows[:] = 0xAA
            rows[: height * stride].reshape(height, stride)[:, :width] = rng.normal(100, 5, (height, width))
            chroma = rows[height * stride : height * stride * 3 // 2].reshape(height, stride // 2)
            chroma[: height // 2, : width // 2], chroma[height // 2 :, : width // 2] = 120, 136
            told = {
                "SensorTimestamp": time.monotonic_ns(),
                "ExposureTime": 8000,
                "AnalogueGain": 1.5,
                "ColourGains": (2.0, 1.5),
                "FrameDuration": self.set_to["FrameDurationLimits"][0],
                "AeLocked": True,
            }
            request.metadata = {Named(name): value for name, value in told.items()}
            request.status = Status.Complete
            with self.lock:
                self.ready.append(request)
            os.write(self._bell, b"x")


class Allocator:
    """Buffers in plain memory instead of DMA heaps."""

    def __init__(self) -> None:
        self.mapped_buffers: dict[Any, Any] = {}
        self._of: dict[Any, list[Any]] = {}

    def allocate(self, config: Config, _: Any) -> None:
        for each in config:
            self._of[each.stream] = [_Buffer(each.frame_size) for _ in range(each.buffer_count)]
            self.mapped_buffers.update({buffer: buffer.data for buffer in self._of[each.stream]})

    def buffers(self, stream: Any) -> list[Any]:
        return self._of[stream]

    def acquire(self, _: Any) -> None: ...

    def release(self, _: Any) -> None: ...

    class sync:  # noqa: N801  # its name there
        def __init__(self, _: Any, buffer: Any, __: bool) -> None:
            self._buffer = buffer

        def __enter__(self) -> Any:
            return self._buffer.data

        def __exit__(self, *_: object) -> None: ...


class _Buffer:
    def __init__(self, size: int) -> None:
        self.data = np.zeros(size, np.uint8)
        self.metadata = SimpleNamespace(status=Status.Success)


def picamera2_is_here() -> bool:
    """Whether the package's files are installed (`pip install --no-deps picamera2` is enough)."""
    return importlib.util.find_spec("picamera2") is not None


def picamera2_itself(monkeypatch: Any) -> tuple[ModuleType, Camera]:
    """The package, on a camera that stands in. What it can't find beside libcamera is left empty."""
    camera = Camera()
    manager = SimpleNamespace(cameras=[camera], event_fd=camera.event_fd, get_ready_requests=camera.get_ready_requests)
    controls = MagicMock(**_IDS)
    stub = MagicMock(
        ControlType=Kind, Size=Size, Rectangle=type("Rectangle", (), {}), Transform=Transform, ColorSpace=ColorSpace,
        Orientation=Orientation, PixelFormat=Named, StreamRole=Role, SensorConfiguration=SimpleNamespace,
        CameraConfiguration=SimpleNamespace(Status=Status), Request=SimpleNamespace(Status=Status),
        FrameMetadata=SimpleNamespace(Status=Status), controls=controls,
        CameraManager=SimpleNamespace(singleton=lambda: manager),
        _libcamera=SimpleNamespace(ColorSpace=ColorSpace, Transform=Transform),
    )  # fmt: skip
    for name in [name for name in sys.modules if name.partition(".")[0] == "picamera2"]:
        monkeypatch.delitem(sys.modules, name)
    monkeypatch.setitem(sys.modules, "libcamera", stub)
    monkeypatch.setitem(sys.modules, "libcamera.controls", controls)
    missing = [name for name in _BESIDE if importlib.util.find_spec(name.partition(".")[0]) is None]
    for name in missing:
        monkeypatch.setitem(sys.modules, name, MagicMock(dump=lambda _: b""))
    if importlib.util.find_spec("simplejpeg") is None:
        jpeg = MagicMock(encode_jpeg=lambda *_: b"\xff\xd8 stands for a JPEG \xff\xd9")
        monkeypatch.setitem(sys.modules, "simplejpeg", jpeg)
    package = importlib.import_module("picamera2")
    monkeypatch.setattr(sys.modules["picamera2.picamera2"], "DmaAllocator", Allocator)
    return package, camera
