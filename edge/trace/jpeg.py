"""Frames to JPEGs and back, by PyAV, whose encoder and decoder stay open: opening one takes longer than using it."""

from __future__ import annotations

from fractions import Fraction
from typing import Any

import numpy as np

from drivers.extras import need
from drivers.frames import Frame, Plane
from edge.trace.errors import TraceError
from edge.trace.frame_codec import RecordedFrame

QUALITY = 4
"""The codec's quantiser, 2 (best) to 31: at 4 a picture of 320 x 240 takes 6 to 8 kB, its error is that of noise."""


class JpegEncoder:
    """Makes JPEGs of one camera's frames."""

    def __init__(self) -> None:
        self._codec: Any = None
        self._picture: Any = None
        self._shape = (0, 0)
        self._count = 0

    def encoded(self, frame: Frame) -> RecordedFrame:
        """The frame with its picture as a JPEG. Raises DriverError without PyAV, TraceError where that refuses."""
        av = need("av", frame.camera, "recording", "camera")
        height, width = frame.y.shape
        try:
            if self._codec is None or self._shape != frame.y.shape:
                self._open(av, width, height)
            for plane, rows in zip(self._picture.planes, (frame.y, frame.u, frame.v), strict=True):
                _fill(plane, rows)
            self._picture.pts = self._count
            self._count += 1
            data = b"".join(bytes(packet) for packet in self._codec.encode(self._picture))
        except (av.FFmpegError, OSError, ValueError) as error:
            self._codec = None
            raise TraceError(f"{frame.camera}: a frame of {width} x {height} can't be recorded: {error}") from None
        grey = frame.u is None or frame.v is None
        return RecordedFrame(frame.camera, frame.time_ns, frame.sequence, frame.flags, width, height, grey, data)

    def _open(self, av: Any, width: int, height: int) -> None:
        codec = av.CodecContext.create("mjpeg", "w")
        codec.width, codec.height = width, height
        codec.pix_fmt, codec.time_base = "yuvj420p", Fraction(1, 1000)
        codec.qmin = codec.qmax = QUALITY
        codec.thread_count = 1  # with more of them frames come out later than they went in
        self._codec, self._shape = codec, (height, width)
        self._picture = av.VideoFrame(width, height, "yuvj420p")


class JpegDecoder:
    """Gives recorded frames back. The same JPEG gives the same picture, bit for bit, on any machine."""

    def __init__(self) -> None:
        self._codec: Any = None

    def decoded(self, recorded: RecordedFrame) -> Frame:
        """The frame. Raises DriverError without PyAV, TraceError for a JPEG that can't be decoded."""
        av = need("av", recorded.camera, "recording", "camera")
        if self._codec is None:
            self._codec = av.CodecContext.create("mjpeg", "r")
            self._codec.thread_count = 1
            # Integer arithmetic that is the same in every build, not what is fastest on this processor.
            self._codec.options = {"idct": "simple", "flags": "+bitexact"}
        try:
            pictures = self._codec.decode(av.Packet(recorded.jpeg))
        except (av.FFmpegError, OSError, ValueError) as error:
            self._codec = None
            raise TraceError(f"{recorded.camera}: a recorded frame can't be decoded: {error}") from None
        if len(pictures) != 1 or pictures[0].format.name not in ("yuvj420p", "yuv420p"):
            raise TraceError(f"{recorded.camera}: a recorded frame isn't a JPEG in YUV 4:2:0")
        picture = pictures[0]
        if (picture.width, picture.height) != (recorded.width, recorded.height):
            raise TraceError(f"{recorded.camera}: a recorded frame isn't as large as it says")
        y, u, v = (_rows(plane) for plane in picture.planes)
        none = recorded.grey
        return Frame(
            recorded.camera,
            recorded.time_ns,
            recorded.sequence,
            y,
            None if none else u,
            None if none else v,
            recorded.flags,
        )


def _fill(plane: Any, rows: Plane | None) -> None:
    """A plane of PyAV's, whose lines may be longer than the picture; without colour it is 128."""
    inside = np.frombuffer(plane, np.uint8).reshape(-1, plane.line_size)[: plane.height, : plane.width]
    inside[:] = 128 if rows is None else rows


def _rows(plane: Any) -> Plane:
    lines = np.frombuffer(plane, np.uint8).reshape(-1, plane.line_size)
    return np.ascontiguousarray(lines[: plane.height, : plane.width])
