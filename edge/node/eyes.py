"""All cameras of a node, each in a thread of its own; what they see waits here until the loop takes it.

Nothing here holds up the loop: it only takes what is there. A camera that hangs costs its thread, and another one is
tried; a camera that is gone comes back; whatever is too much is dropped and counted.
"""

from __future__ import annotations

import logging
import threading
from collections import deque
from collections.abc import Callable, Mapping, Sequence
from typing import Any, Protocol

from drivers.camera.contract import CameraDriver
from drivers.camera.options import OPTIONS
from drivers.errors import DriverError
from drivers.frames import BLIND, Frame
from drivers.notices import Notice
from edge.config.camera_schema import Camera
from edge.node.eye import Eye, Looking
from edge.node.eye_facts import EyeFacts
from edge.node.notice_log import NoticeLog
from edge.node.supervise import give_way
from edge.trace.sighting import Sighting, TrackPoint

log = logging.getLogger("shelfedge.cameras")

MOST_WAITING = 2048
"""Sightings: eight people before eight cameras for two seconds. The loop takes them every 20 ms."""
HANGS_S = 30.0
"""A driver that needs longer hangs; opening one may take ten seconds, loading a model as long."""
MOST_HUNG = 3  # threads of one camera that may hang before no more are tried
STILL_S = 4.0
_STOP_S = 3.0


class TrackTeller(Protocol):
    """Where tracks go that other nodes want (`edge.stream.track_publisher.TrackPublisher`)."""

    def give(self, camera: str, time_ns: int, points: Sequence[TrackPoint]) -> None:
        """The people in one picture that could show some. Never waits."""


def wanted_hz(camera: Camera) -> float | None:
    """Frames a second that its driver is asked for; None where that is a file's affair."""
    field = OPTIONS[camera.driver.type].model_fields.get("rate_hz")
    given = camera.driver.options.get("rate_hz")
    return None if field is None else float(given if isinstance(given, (int, float)) else field.default)


class Eyes:
    """Threads for a node's cameras.

    Args:
        cameras: as the node file has them. make: their drivers. look: what looks at a camera's pictures.
        keep: recording's; told of all frames, from the cameras' threads. tell: other nodes, if they want to know.
        clock: monotonic nanoseconds.
    Attributes:
        dropped: sightings that the loop didn't take in time.
    """

    def __init__(
        self,
        cameras: Mapping[str, Camera],
        make: Callable[[str], CameraDriver],
        look: Callable[[str], Looking],
        clock: Callable[[], int],
        keep: Callable[[Sequence[Frame]], None] = lambda frames: None,
        tell: TrackTeller | None = None,
    ) -> None:
        self.dropped = 0
        self._cameras = cameras
        self._make = make
        self._look = look
        self._clock = clock
        self._keep = keep
        self._tell = tell
        self._waiting: deque[Sighting] = deque()
        self._lock = threading.Lock()
        self._notice_log = NoticeLog(log)
        self._threads: dict[str, _EyeThread] = {}
        self._hung: dict[str, int] = dict.fromkeys(cameras, 0)

    def start(self) -> None:
        """Begin with all cameras; they come up in the background."""
        for camera in self._cameras:
            self._threads[camera] = self._begun(self._eye(camera))

    def stop(self) -> None:
        """Stop all cameras, at once; those that don't within a few seconds are left to the end of the process."""
        for thread in self._threads.values():
            thread.stop()
        for thread in self._threads.values():
            thread.join(_STOP_S)

    @property
    def alive(self) -> bool:
        """Whether all threads go on."""
        return all(thread.alive for thread in self._threads.values())

    def tick(self) -> None:
        """About once a second: give up waiting for a driver that hangs, and try another one."""
        for camera, thread in list(self._threads.items()):
            since_ns = thread.eye.busy_since_ns
            if since_ns is None or self._clock() - since_ns < HANGS_S * 1e9 or thread.eye.facts.state == "hung":
                continue
            self._hung[camera] += 1
            log.error("%s: its driver hasn't come back for %.0f s", camera, (self._clock() - since_ns) / 1e9)
            if self._hung[camera] <= MOST_HUNG:
                facts = thread.eye.leave()
                facts.failures += 1
                facts.state = "starting"
                thread.stop()
                self._threads[camera] = self._begun(self._eye(camera, facts))
                facts.text = f"its driver hung and was started again ({self._hung[camera]} times so far)"
            else:
                thread.eye.facts.state = "hung"
                thread.eye.facts.text = "its driver doesn't come back"

    def take(self) -> list[Sighting]:
        """What was seen since the last call; for the loop, which it never keeps waiting."""
        return [self._waiting.popleft() for _ in range(len(self._waiting))]

    def look_anew(self) -> None:
        """At boards, where something else lies now; people are followed on."""
        for camera, thread in list(self._threads.items()):
            if not self._cameras[camera].floor:
                thread.eye.look_anew()

    def still(self, camera: str) -> bytes:
        """A JPEG of what a camera sees now, for somebody who asks for it; nothing is kept.

        Raises DriverError for a camera that isn't there, or gives none.
        """
        thread = self._threads.get(camera)
        if thread is None:
            raise DriverError(f"no camera {camera!r} here; expected one of {', '.join(self._cameras) or 'none'}")
        return thread.eye.still(STILL_S)

    def report(self) -> dict[str, Any]:
        """How each camera does, JSON-able."""
        now_ns = self._clock()
        with self._lock:  # notices are written down by the cameras' threads
            return {
                name: {
                    "driver": self._cameras[name].driver.type,
                    "looks_at": self._cameras[name].board or "floor",
                    "wanted_hz": wanted_hz(self._cameras[name]),
                    **thread.eye.facts.report(now_ns),
                }
                for name, thread in list(self._threads.items())
            }

    # ---- for the eyes (edge.node.eye.Told)

    def pictures(self, frames: Sequence[Frame]) -> None:
        """See `Told`."""
        self._keep(frames)

    def sightings(self, frame: Frame, sightings: Sequence[Sighting]) -> None:
        """See `Told`."""
        if self._tell is not None and self._cameras[frame.camera].floor and not frame.flags & BLIND:
            self._tell.give(frame.camera, frame.time_ns, [each for each in sightings if isinstance(each, TrackPoint)])
        if len(self._waiting) + len(sightings) > MOST_WAITING:
            self.dropped += len(sightings)  # the loop stands still
            return
        self._waiting.extend(sightings)

    def noticed(self, notice: Notice) -> None:
        """See `Told`."""
        with self._lock:
            self._notice_log.tell(notice, self._clock())

    def _eye(self, camera: str, facts: EyeFacts | None = None) -> Eye:
        return Eye(camera, self._make, self._look, self._cameras[camera].floor, self, self._clock, facts)

    def _begun(self, eye: Eye) -> _EyeThread:
        thread = _EyeThread(eye)
        thread.start()
        return thread


class _EyeThread:
    """Steps of an eye, one after the other, with less claim to the CPU than the loop."""

    def __init__(self, eye: Eye) -> None:
        self.eye = eye
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._run, name=f"camera {eye.camera}", daemon=True)

    def start(self) -> None:
        self._thread.start()

    def stop(self) -> None:
        self._stop.set()

    def join(self, timeout_s: float) -> None:
        self._thread.join(timeout_s)

    @property
    def alive(self) -> bool:
        return self._thread.is_alive()

    def _run(self) -> None:
        give_way()
        wait_s = 0.0
        while not self._stop.wait(wait_s):
            wait_s = self.eye.step()
        self.eye.close()
