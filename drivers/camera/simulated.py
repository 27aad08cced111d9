"""The `simulated` camera: a rendered scene as if it were seen now."""

from __future__ import annotations

import dataclasses
import time
from collections.abc import Callable, Iterator

from drivers.camera.contract import MOST_AT_ONCE
from drivers.camera.stills import jpeg_of
from drivers.camera.watch import PictureWatch
from drivers.errors import DriverError
from drivers.frames import Frame
from drivers.notices import Notice


class SimulatedCamera:
    """Keeps `drivers.camera.contract.CameraDriver`: frames are the scene's, its time 0 is that of `start`.

    Args:
        frames: in order of time; pulled as they are needed. Faults are `drivers.camera.scenes.spoilt`'s.
    """

    def __init__(
        self, camera: str, frames: Iterator[Frame], rate_hz: float, clock: Callable[[], int] = time.monotonic_ns
    ) -> None:
        self.camera = camera
        self._frames: Iterator[Frame] | None = frames
        self._clock = clock
        self._watch = PictureWatch(camera, rate_hz)
        self._state = "new"
        self._origin_ns = self._last_ns = 0
        self._next: Frame | None = None
        self._shown: Frame | None = None

    def start(self) -> None:
        """The scene begins now. Raises DriverError when it was started before."""
        if self._state != "new":
            raise DriverError(f"{self.camera}: a simulated camera is started once; make a new one")
        self._state = "started"
        self._origin_ns = self._clock()
        self._watch.begin(self._origin_ns)

    def read(self, until_ns: int) -> list[Frame]:
        """As the contract says; renders as far as it is asked to."""
        if self._state == "new":
            raise DriverError(f"{self.camera}: start the simulated camera before reading it")
        ready: list[Frame] = []
        while self._state == "started" and len(ready) < MOST_AT_ONCE:
            if self._next is None and not self._pull():
                break
            if self._next is None or self._next.time_ns >= until_ns:
                break
            self._watch.tick(self._next.time_ns)
            ready.append(self._watch.see(self._next))
            self._shown, self._next = ready[-1], None
        if self._state == "started" and len(ready) < MOST_AT_ONCE:
            self._watch.tick(min(until_ns, self._clock()))
        return ready

    def still(self) -> bytes:
        """The frame read last. Raises DriverError before the first, and without PyAV."""
        if self._state != "started" or self._shown is None:
            raise DriverError(f"{self.camera}: no frame has been read yet; read one before asking for a still")
        return jpeg_of(self._shown.y, self._shown.u, self._shown.v, self.camera, "simulated")

    def take_notices(self) -> list[Notice]:
        """As the contract says."""
        return self._watch.take_notices()

    def stop(self) -> None:
        """No more frames. Calling it twice does no harm."""
        self._state = "stopped"
        self._frames = self._next = self._shown = None
        self._watch.finish()

    def _pull(self) -> bool:
        frame = None if self._frames is None else next(self._frames, None)
        if frame is None:
            self._frames = None
            return False
        self._last_ns = max(self._last_ns, self._origin_ns + frame.time_ns)  # frames that were late stay in order
        self._next = dataclasses.replace(frame, camera=self.camera, time_ns=self._last_ns)
        return True
