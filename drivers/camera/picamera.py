"""The `picamera2` camera: a Raspberry Pi's own, through picamera2 and libcamera.

The small stream (lores, YUV 4:2:0) is what is delivered; the large one (main) is only touched for stills. Frames come
from picamera2's thread, in which their planes are copied and the request is given back at once.

Times: SensorTimestamp is when the frame's first row was read out, that is, when its exposure ended; the middle of the
exposure lies half an ExposureTime (us) before. Frames that never arrived are counted by the time between two stamps
and FrameDuration (us).
"""

from __future__ import annotations

import threading
import time
from collections import deque
from collections.abc import Callable, Mapping
from typing import Any

from drivers.camera.contract import MOST_AT_ONCE
from drivers.camera.exposure import ExposureHold
from drivers.camera.options import PicameraOptions
from drivers.camera.picamera_device import PicameraDevice, load_picamera2
from drivers.camera.planes import planes_of_buffer
from drivers.camera.watch import PictureWatch
from drivers.errors import DriverError
from drivers.frames import Frame
from drivers.host_time import HostTime, MachineTime, Worker
from drivers.notices import Notice
from drivers.options import checked

_KEPT_S = 2.0  # of frames, for a reader that is held up
_FIRST_PAUSE_S, _LONGEST_PAUSE_S = 5.0, 60.0  # between two attempts to open it again
_WELL_S = 60.0  # of frames, after which attempts count from the beginning
_SLEPT_NS = 1_000_000_000


def _boot_ahead_ns() -> int:
    """How long this computer has slept since it was booted: CLOCK_BOOTTIME counts that, the monotonic clock doesn't."""
    return time.clock_gettime_ns(time.CLOCK_BOOTTIME) - time.monotonic_ns()


class PicameraDriver:
    """Keeps `drivers.camera.contract.CameraDriver`.

    Args:
        module: picamera2; left out, it is imported by `start`.
        boot_ahead_ns: how far CLOCK_BOOTTIME, in which libcamera may give its stamps, is ahead of the monotonic clock.
    """

    def __init__(
        self,
        camera: str,
        options: Mapping[str, object],
        machine: HostTime | None = None,
        module: Any = None,
        boot_ahead_ns: Callable[[], int] = _boot_ahead_ns,
    ) -> None:
        self.camera = camera
        self.options = checked(PicameraOptions, camera, "picamera2", options, (), None)
        self._machine = machine or MachineTime()
        self._module = module
        self._boot_ahead_ns = boot_ahead_ns
        self._watch = PictureWatch(camera, self.options.rate_hz)
        self._state = "new"
        self._lock = threading.Lock()  # of the frames and words that come from other threads
        self._frames: deque[Frame] = deque(maxlen=max(8, round(_KEPT_S * self.options.rate_hz)))
        self._words: deque[tuple[str, str]] = deque(maxlen=50)
        self._device: PicameraDevice | None = None
        self._hold: ExposureHold | None = None
        self._worker: Worker | None = None
        self._sensor_ns: int | None = None
        self._sequence = -1
        self._last_ns = 0
        self._tries = 0
        self._try_ns = 0
        self._well_since_ns: int | None = None
        self._gave_up = False
        self._stuck = False

    def start(self) -> None:
        """Open the camera and let it run. Raises DriverError with what to do, and when called twice."""
        if self._state != "new":
            raise DriverError(f"{self.camera}: a picamera2 camera is started once; make a new one")
        if self._module is None:
            self._module = load_picamera2(self.camera)
        self._device = PicameraDevice(self._module, self.camera, self.options, self._take)
        self._state = "started"
        self._watch.begin(self._machine.now_ns())

    def read(self, until_ns: int) -> list[Frame]:
        """As the contract says. A camera that gives no more frames is opened again meanwhile, now and then."""
        if self._state == "new":
            raise DriverError(f"{self.camera}: start the picamera2 camera before reading it")
        ready: list[Frame] = []
        if self._state == "stopped":
            return ready
        with self._lock:
            while self._frames and self._frames[0].time_ns < until_ns and len(ready) < MOST_AT_ONCE:
                ready.append(self._frames.popleft())
            waiting = bool(self._frames)
        ready = [self._watch.see(frame) for frame in ready]
        now_ns = self._machine.now_ns()
        if ready or waiting:
            self._is_well(now_ns)
        else:
            self._watch.tick(now_ns)
            if self._watch.stalled:
                self._open_again(now_ns)
        return ready

    def still(self) -> bytes:
        """As the contract says, from the main stream."""
        device = self._device
        if self._state != "started" or device is None:
            raise DriverError(f"{self.camera}: the camera isn't running; a still can be had while it gives frames")
        return device.still()

    def take_notices(self) -> list[Notice]:
        """As the contract says."""
        with self._lock:
            words = list(self._words)
            self._words.clear()
        now_ns = self._machine.now_ns()
        for cause, text in words:
            self._watch.tell(cause, now_ns, now_ns, 0, text)
        return self._watch.take_notices()

    def stop(self) -> None:
        """Let go of the camera; waits 3 s at most for one that hangs. Calling it twice does no harm."""
        self._state = "stopped"
        worker, self._worker = self._worker, None
        if worker is not None:
            worker.join(5.0)
        self._close()
        with self._lock:
            self._frames.clear()
        self._watch.finish()

    def _take(self, device: PicameraDevice, request: Any) -> None:
        """One frame, in picamera2's thread. Whatever is wrong with it, that thread must go on."""
        try:
            metadata = request.get_metadata()
            y, u, v = planes_of_buffer(request.make_buffer("lores"), device.width, device.height, device.stride)
            self._keep(metadata, y, u, v)
            if self.options.lock:
                if self._hold is None:
                    self._hold = ExposureHold(self.options.settle_s, device.known_controls)
                controls = self._hold.step(self._last_ns, metadata, float(y[::8, ::8].mean()))
                if controls:
                    device.set_controls(controls)
        except (RuntimeError, ValueError, LookupError, OSError) as error:
            self._say("damaged", f"a frame was left out ({error}); if that goes on, restart the node")

    def _keep(self, metadata: Mapping[str, Any], y: Any, u: Any, v: Any) -> None:
        sensor_ns = int(metadata["SensorTimestamp"])
        period_ns = 1e3 * float(metadata.get("FrameDuration") or 1e6 / self.options.rate_hz)
        steps = 1 if self._sensor_ns is None else max(1, round((sensor_ns - self._sensor_ns) / period_ns))
        self._sensor_ns = sensor_ns
        self._sequence += steps
        ahead_ns = self._boot_ahead_ns()
        if ahead_ns > _SLEPT_NS and sensor_ns > self._machine.now_ns():
            sensor_ns -= ahead_ns
        middle_ns = sensor_ns - round(500.0 * float(metadata.get("ExposureTime") or 0.0))
        self._last_ns = max(middle_ns, self._last_ns)
        with self._lock:
            self._frames.append(Frame(self.camera, self._last_ns, self._sequence, y, u, v))

    def _is_well(self, now_ns: int) -> None:
        if self._well_since_ns is None:
            self._well_since_ns = now_ns
        elif now_ns - self._well_since_ns > _WELL_S * 1e9:
            self._tries, self._gave_up = 0, False

    def _open_again(self, now_ns: int) -> None:
        self._well_since_ns = None
        if self._gave_up or now_ns < self._try_ns or (self._worker is not None and self._worker.is_alive()):
            return
        if self._stuck or self._tries >= self.options.restarts:
            self._gave_up = True
            why = "it doesn't let go of the hardware" if self._stuck else f"{self._tries} attempts didn't help"
            self._say("restart", f"given up opening the camera again: {why}; mend its cable, then reboot")
            return
        pause_s = min(_FIRST_PAUSE_S * 2.0**self._tries, _LONGEST_PAUSE_S)
        self._tries += 1
        self._try_ns = now_ns + round(pause_s * 1e9)
        self._worker = self._machine.spawn(f"picamera2-{self.camera}", self._reopen)

    def _reopen(self) -> None:
        attempt = f"attempt {self._tries} of {self.options.restarts}"
        if not self._close():
            self._stuck = True
            return
        try:
            device = PicameraDevice(self._module, self.camera, self.options, self._take)
        except DriverError as error:
            self._say("restart", f"opening it again failed, {attempt}: {str(error).removeprefix(self.camera + ': ')}")
            return
        self._device = device
        if self._state == "stopped":
            self._close()
            return
        self._say("restart", f"the camera was opened again, {attempt}, as it gave no pictures")

    def _close(self) -> bool:
        device, self._device = self._device, None
        self._hold = None
        if device is None or device.close():
            return True
        self._say("restart", "the camera doesn't let go of the hardware; its cable may be loose: mend it, then reboot")
        return False

    def _say(self, cause: str, text: str) -> None:
        with self._lock:
            self._words.append((cause, text))
