"""The contract that every camera driver keeps."""

from __future__ import annotations

from typing import Protocol

from drivers.frames import Frame
from drivers.notices import Notice

MOST_AT_ONCE = 64
"""Frames in one answer of `CameraDriver.read`: a reader that was held up doesn't get a minute of pictures at once."""


class CameraDriver(Protocol):
    """One camera, whatever it is.

    A driver is started once, read until stopped, and silent after `stop`: no thread, no open file. Every frame of the
    sensor is delivered with its time and its evidence (`Frame.flags`), or its loss is told by a notice.
    """

    camera: str

    def start(self) -> None:
        """Open the camera and let it run. Raises DriverError with what to do, and when called twice."""

    def read(self, until_ns: int) -> list[Frame]:
        """All frames exposed before ``until_ns`` (monotonic) and not yet delivered, in order of time.

        Never waits for a frame. Where there are more than `MOST_AT_ONCE`, those first and the rest with the next call.
        Empty where there is nothing, and after `stop`. Raises DriverError before `start`.
        """

    def still(self) -> bytes:
        """A JPEG of what the camera sees now (a file: the frame read last), as large as it has it, for evidence.

        May wait for the next frame, a second at most. Raises DriverError where there is none.
        """

    def take_notices(self) -> list[Notice]:
        """What happened since the last call, in order of time. Never raises; bounded, so ask now and then."""

    def stop(self) -> None:
        """Let go of the camera. Calling it twice does no harm."""
