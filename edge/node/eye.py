"""One camera at work: its driver is started, read, and brought back when it fails; its pictures become sightings.

`step` does a little and says how long to wait; a thread that does nothing else calls it again and again, so that a
driver that waits, or a slow picture, holds up nobody but this camera.
"""

from __future__ import annotations

import contextlib
import logging
import queue
import threading
import time
from collections.abc import Callable, Sequence
from typing import Protocol

from drivers.camera.contract import CameraDriver
from drivers.errors import DriverError
from drivers.frames import Frame
from drivers.notices import Notice
from edge.node.eye_facts import EyeFacts
from edge.trace.sighting import Sighting, TrackPoint
from firmware_bridge.errors import ShelfedgeError

log = logging.getLogger("shelfedge.cameras")

FIRST_WAIT_S, LONGEST_WAIT_S = 1.0, 60.0
"""Between two attempts to start a driver; doubled each time. Never given up: a cable may be mended tomorrow."""
GOOD_FOR_S = 60.0  # a driver that has read for so long begins with the first wait again when it fails
READ_EVERY_S = 0.02
MOST_BEHIND = 8
"""Pictures that may wait to be looked at; of more than these only the newest are, so that the present isn't missed."""
NOTICES_EVERY_NS = 500_000_000
MOST_ASKING = 8  # for a still at the same time
_Answer = queue.SimpleQueue[bytes | DriverError]


class Looking(Protocol):
    """From frames to sightings (`edge.vision.look.Look`). ``problems`` only ever grows."""

    problems: list[str]

    def push(self, frame: Frame) -> list[Sighting]:
        """What this frame tells. Raises ShelfedgeError for one that can't be used."""


class Told(Protocol):
    """Where an eye's finds go. None of these may wait or raise."""

    def pictures(self, frames: Sequence[Frame]) -> None:
        """All frames as they came, in order of time, before they are looked at."""

    def sightings(self, frame: Frame, sightings: Sequence[Sighting]) -> None:
        """What one frame has told."""

    def noticed(self, notice: Notice) -> None:
        """What the driver told of."""


class Eye:
    """One camera, for one thread.

    Args:
        make: its driver; may raise what `build_camera` does.
        look: what looks at its pictures; made in this thread, since a model may take its time to be loaded.
        floor: whether it looks at the floor.
        clock: monotonic nanoseconds.
    Attributes:
        facts: for health.
        busy_since_ns: when the driver, or a picture, was begun with that isn't done yet; None between two steps.
    """

    def __init__(
        self,
        camera: str,
        make: Callable[[str], CameraDriver],
        look: Callable[[str], Looking],
        floor: bool,
        told: Told,
        clock: Callable[[], int],
        facts: EyeFacts | None = None,
    ) -> None:
        self.camera = camera
        self.facts = facts or EyeFacts()
        self.busy_since_ns: int | None = None
        self._make = make
        self._make_look = look
        self._floor = floor
        self._told = told
        self._clock = clock
        self._look: Looking | None = None
        self._driver: CameraDriver | None = None
        self._started_ns = 0
        self._wait_s = FIRST_WAIT_S
        self._asked_ns = 0
        self._said = ""
        self._gone = self._anew = False
        self._asking: list[_Answer] = []  # who waits for a still; nobody who has given up
        self._asking_lock = threading.Lock()

    def step(self) -> float:
        """Start the driver, or take what it has; how many seconds to wait before the next step. Never raises."""
        self.busy_since_ns = self._clock()
        try:
            if self._driver is None:
                self._bring_up()
            else:
                self._read(self._driver)
        except Exception as error:  # noqa: BLE001  # whatever a camera has, the boards and other cameras go on
            return self._fail(error)
        finally:
            self.busy_since_ns = None
        return READ_EVERY_S

    def still(self, timeout_s: float) -> bytes:
        """A JPEG of what the camera sees now, from any thread. Raises DriverError where there is none in time."""
        answer: _Answer = queue.SimpleQueue()
        with self._asking_lock:
            if len(self._asking) >= MOST_ASKING:
                raise DriverError(f"{self.camera}: {MOST_ASKING} others wait for a picture of it; ask again later")
            self._asking.append(answer)
        try:
            found = answer.get(timeout=timeout_s)
        except queue.Empty:
            raise DriverError(f"{self.camera}: it gave no picture within {timeout_s:g} s") from None
        finally:
            with self._asking_lock:
                self._asking = [each for each in self._asking if each is not answer]
        if isinstance(found, DriverError):
            raise found
        return found

    def look_anew(self) -> None:
        """With the next picture, through a new look: what the old one knew of the shelf is no longer so; any thread."""
        self._anew = True

    def leave(self) -> EyeFacts:
        """Nothing is told from now on, whatever still comes out of a driver that hangs; from any thread.

        The facts are for the eye that takes its place.
        """
        self._gone = True
        facts, self.facts = self.facts, EyeFacts()
        return facts

    def close(self) -> None:
        """Let go of the camera; in the thread that steps."""
        self._gone = True
        self.facts.state = "stopped"
        self._let_go()

    def _bring_up(self) -> None:
        self.facts.starts += 1
        if self._look is None:
            self._open_look()
        driver = self._make(self.camera)
        try:
            driver.start()
        except BaseException:
            with contextlib.suppress(Exception):
                driver.stop()
            raise
        self._driver, self._started_ns = driver, self._clock()
        self.facts.state = "silent"
        if self._gone:
            self._let_go()

    def _open_look(self) -> None:
        look = self._make_look(self.camera)
        if self._look is not None:
            self.facts.problems = ()
        self._look = look
        self._tell_problems(look)

    def _read(self, driver: CameraDriver) -> None:
        if self._look is None or self._anew:
            self._anew = False
            self._open_look()
        assert self._look is not None
        now_ns = self._clock()
        frames = driver.read(now_ns)
        self.facts.asked_ns = now_ns
        if frames and not self._gone:
            self._told.pictures(frames)
        if len(frames) > MOST_BEHIND:
            self.facts.left_out(len(frames) - MOST_BEHIND, now_ns)
            frames = frames[-MOST_BEHIND:]
        looked_at = [self._see(self._look, frame) for frame in frames]
        if any(looked_at) and self._said:
            log.info("%s: pictures come again", self.camera)
            self._said = ""
        if not frames and getattr(driver, "finished", False) and self.facts.state != "ended":
            self.facts.state = "ended"
            log.info("%s: the video has been played to its end", self.camera)
        if self._wait_s > FIRST_WAIT_S and now_ns - self._started_ns > GOOD_FOR_S * 1e9:
            self._wait_s = FIRST_WAIT_S
        if self._asking:
            self._answer_stills(driver)
        if now_ns - self._asked_ns >= NOTICES_EVERY_NS:
            self._asked_ns = now_ns
            self._hear(driver)

    def _see(self, look: Looking, frame: Frame) -> bool:
        """Whether it was a usable picture."""
        self.busy_since_ns = self._clock()
        begun_ns = time.thread_time_ns()
        try:
            sightings = look.push(frame)
        except ShelfedgeError as error:
            self.facts.refused += 1
            self._say(str(error))
            return False
        if self._gone:
            return False
        if len(look.problems) > len(self.facts.problems):
            self._tell_problems(look)
        self._told.sightings(frame, sightings)
        people = sum(isinstance(each, TrackPoint) for each in sightings) if self._floor else None
        self.facts.saw(frame, people, time.thread_time_ns() - begun_ns)
        self.facts.told(frame.time_ns, self._clock())
        return True

    def _answer_stills(self, driver: CameraDriver) -> None:
        """One for all who ask; whatever it fails with is their affair, and the camera goes on."""
        with self._asking_lock:
            asking, self._asking = self._asking, []
        found: bytes | DriverError
        try:
            found = driver.still()
        except DriverError as error:
            found = error
        except Exception as error:  # noqa: BLE001
            found = DriverError(f"{self.camera}: no picture could be made of what it sees: {error!r}")
        for answer in asking:
            answer.put(found)

    def _tell_problems(self, look: Looking) -> None:
        new = look.problems[len(self.facts.problems) :]
        self.facts.problems = tuple(look.problems)
        for problem in () if self._gone else new:
            log.error("%s", problem)

    def _hear(self, driver: CameraDriver) -> None:
        for notice in driver.take_notices():
            self.facts.noticed(notice)
            if not self._gone:
                self._told.noticed(notice)

    def _fail(self, error: Exception) -> float:
        driver = self._driver
        if driver is not None:
            with contextlib.suppress(Exception):  # what it told before it failed says why
                self._hear(driver)
        self._let_go()
        self.facts.state = "failed"
        self.facts.failures += 1
        self.facts.text = str(error) or type(error).__name__
        wait_s, self._wait_s = self._wait_s, min(2 * self._wait_s, LONGEST_WAIT_S)
        if isinstance(error, (ShelfedgeError, OSError)):
            self._say(f"{error}; it is tried again, the rest of the node goes on")
        elif self.facts.text != self._said and not self._gone:
            self._said = self.facts.text
            log.error("%s: the camera failed; it is started again", self.camera, exc_info=error)
        return wait_s

    def _say(self, text: str) -> None:
        if text != self._said and not self._gone:
            self._said = text
            log.error("%s", text)

    def _let_go(self) -> None:
        driver, self._driver = self._driver, None
        if driver is not None:
            with contextlib.suppress(Exception):  # it is given up anyway
                driver.stop()
