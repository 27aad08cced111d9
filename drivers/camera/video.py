"""The `video` camera: a file through PyAV (any format that FFmpeg reads), as if its frames came in now, or unpaced.

A file is played once, never in a loop. Planes are taken as the file has them: no picture is made into RGB and back.
What is damaged is left out and told; the intact part is delivered. It isn't judged for stalls: a file just ends.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any

from drivers.camera.contract import MOST_AT_ONCE
from drivers.camera.options import VideoOptions
from drivers.camera.planes import planes_of_picture
from drivers.camera.stills import encoded
from drivers.camera.watch import PictureWatch
from drivers.errors import DriverError
from drivers.extras import need
from drivers.frames import Frame
from drivers.notices import Notice
from drivers.options import checked

_USUAL_HZ = 25.0  # where the file doesn't tell
_LONGEST_STEP_S = 60.0  # between two frames; beyond, the times are damaged
_SHORT_SHARE, _SHORT_S = 0.02, 1.0  # a file that ends sooner than it says, by more than the larger of both


class VideoCamera:
    """Keeps `drivers.camera.contract.CameraDriver`.

    Times: paced, the first frame is exposed at `start` and the others after it as in the file, divided by the speed.
    Unpaced, they count from 0 at the first frame, and `read(until_ns)` means that time.
    """

    def __init__(
        self, camera: str, options: Mapping[str, object], clock: Callable[[], int] = time.monotonic_ns
    ) -> None:
        self.camera = camera
        self.options = checked(VideoOptions, camera, "video", options, (), None)
        self._clock = clock
        self._state = "new"
        self._watch = PictureWatch(camera, _USUAL_HZ, stalls=False)
        self._frames: Iterator[Frame] | None = None
        self._next: Frame | None = None
        self._shown: Any = None
        self._ahead: Any = None
        self._av: Any = None
        self._container: Any = None
        self._errors: tuple[type[Exception], ...] = ()

    @property
    def finished(self) -> bool:
        """Everything was delivered."""
        return self._state == "stopped" or (self._state == "started" and self._frames is None and self._next is None)

    def start(self) -> None:
        """Open the file; its first frame comes now. Raises DriverError with what to do, and when called twice."""
        if self._state != "new":
            raise DriverError(f"{self.camera}: a video camera is started once; make a new one")
        self._av = need("av", self.camera, "video", "camera")
        self._errors = (self._av.FFmpegError, OSError, ValueError, EOFError)
        stream = self._open()
        rate_hz = float(stream.average_rate or _USUAL_HZ)
        self._watch = PictureWatch(self.camera, rate_hz * self.options.speed, stalls=False)
        self._state = "started"
        self._frames = self._decoded(stream, rate_hz, self._clock() if self.options.paced else 0)

    def read(self, until_ns: int) -> list[Frame]:
        """As the contract says; empty after the file's end."""
        if self._state == "new":
            raise DriverError(f"{self.camera}: start the video camera before reading it")
        ready: list[Frame] = []
        while self._state == "started" and len(ready) < MOST_AT_ONCE:
            if self._next is None and self._frames is not None:
                self._next = next(self._frames, None)
                if self._next is None:
                    self._frames = None
                    self._watch.finish()
            if self._next is None or self._next.time_ns >= until_ns:
                break
            ready.append(self._watch.see(self._next))
            self._watch.tick(self._next.time_ns)
            self._shown, self._next = self._ahead, None
        return ready

    def still(self) -> bytes:
        """The frame decoded last, in the file's own size. Raises DriverError before the first."""
        if self._state != "started" or self._shown is None:
            raise DriverError(f"{self.camera}: no frame has been read yet; read one before asking for a still")
        return encoded(self._av, self._shown, self.camera)

    def take_notices(self) -> list[Notice]:
        """As the contract says: what of the file is damaged, and what the picture shows."""
        return self._watch.take_notices()

    def stop(self) -> None:
        """Close the file. Calling it twice does no harm."""
        self._state = "stopped"
        self._frames = self._next = self._shown = self._ahead = None
        container, self._container = self._container, None
        if container is not None:
            container.close()
        self._watch.finish()

    def _open(self) -> Any:
        path = Path(self.options.file)
        if not path.is_file():
            raise DriverError(f"{self.camera}: no file {path}; expected a video, for example one recorded with a phone")
        try:
            self._container = self._av.open(str(path))
        except self._errors as error:
            raise DriverError(
                f"{self.camera}: {path} can't be read as a video ({_why(error)}); expected one that "
                f"`ffprobe {path}` can read; if it was cut off while it was recorded, record it as .mkv or .ts"
            ) from error
        streams = self._container.streams.video
        if not streams:
            self._container.close()
            raise DriverError(f"{self.camera}: {path} has no video stream, only sound or nothing; give another file")
        if streams[0].codec_context is None:
            self._container.close()
            raise DriverError(
                f"{self.camera}: {path} is coded in a way that this FFmpeg doesn't know; convert it to H.264"
            )
        streams[0].thread_type = "NONE"  # one core is enough, and the others have work of their own
        return streams[0]

    def _decoded(self, stream: Any, rate_hz: float, begin_ns: int) -> Iterator[Frame]:
        step_ns = 1e9 / rate_hz
        first_ns: int | None = None
        last_ns, number = -step_ns, -1
        for picture in self._pictures(stream, begin_ns):
            number += 1
            if picture is None:
                continue
            told_ns = None if picture.time is None else round(picture.time * 1e9)
            if first_ns is None:
                first_ns = told_ns or 0
            since_ns = last_ns + step_ns if told_ns is None else float(told_ns - first_ns)
            if not 0 < since_ns - last_ns <= _LONGEST_STEP_S * 1e9:
                since_ns = last_ns + step_ns  # backwards, or off by minutes: as if there were no time
            last_ns = since_ns
            wide, high = self.options.size or (picture.width, picture.height)
            y, u, v = planes_of_picture(picture, wide, high, self.options.grey)
            self._ahead = picture
            yield Frame(self.camera, begin_ns + round(since_ns / self.options.speed), number, y, u, v)

    def _pictures(self, stream: Any, begin_ns: int) -> Iterator[Any]:
        """PyAV's pictures; None for each that is damaged. Tells what was lost, at the end."""
        lost = whole = 0
        reached_s, why = 0.0, ""
        try:
            for packet in self._container.demux(stream):
                try:
                    pictures = packet.decode()
                except self._errors as error:
                    lost, why = lost + 1, _why(error)
                    yield None
                    continue
                for picture in pictures:
                    if picture.is_corrupt:
                        lost, why = lost + 1, "a frame builds on one that is damaged"
                        yield None
                        continue
                    whole += 1
                    reached_s = picture.time if picture.time is not None else reached_s
                    yield picture
        except self._errors as error:
            why = _why(error)
        self._tell_damage(stream, begin_ns, whole, lost, reached_s, why)

    def _tell_damage(self, stream: Any, begin_ns: int, whole: int, lost: int, reached_s: float, why: str) -> None:
        rate_hz = float(stream.average_rate or _USUAL_HZ)
        lengths_s = (
            float((stream.duration or 0) * stream.time_base),
            (self._container.duration or 0) / 1e6,
            (stream.frames or 0) / rate_hz,
        )
        length_s = max(lengths_s)  # of a file that was cut off, some formats tell what is left, others what was
        missing_s = length_s - reached_s - 1.0 / rate_hz
        cut = missing_s > max(_SHORT_S, _SHORT_SHARE * length_s)
        if not (lost or cut or why):
            return
        end_ns = begin_ns + round(reached_s * 1e9 / self.options.speed)
        ends = f"; it ends after {reached_s:.1f} of {length_s:.1f} s" if cut else ""
        because = f" ({why})" if why else ""
        self._watch.tell(
            "damaged",
            end_ns,
            end_ns,
            lost + (round(missing_s * rate_hz) if cut else 0),
            f"{self.options.file} is damaged{because}: {whole} frames are whole, {lost} were left out{ends}; "
            f"copy or record it again if you need the rest",
        )


def _why(error: Exception) -> str:
    """FFmpeg's words alone."""
    return str(getattr(error, "strerror", None) or error)
