"""Stills: a JPEG of a picture, made by PyAV's encoder from the planes as they are."""

from __future__ import annotations

from fractions import Fraction
from typing import Any

import numpy as np

from drivers.errors import DriverError
from drivers.extras import need
from drivers.frames import Plane


def jpeg_of(y: Plane, u: Plane | None, v: Plane | None, camera: str, kind: str) -> bytes:
    """A JPEG of full-range planes as in `drivers.frames.Frame`, with even sides. Raises DriverError without PyAV."""
    av = need("av", camera, kind, "camera")
    height, width = y.shape
    chroma = (height // 2, width // 2)
    picture = av.VideoFrame(width, height, "yuvj420p")
    for plane, values in zip(picture.planes, (y, u, v), strict=True):
        rows = np.full(chroma, 128, np.uint8) if values is None else values
        padded = np.zeros((plane.height, plane.line_size), np.uint8)
        padded[: rows.shape[0], : rows.shape[1]] = rows
        plane.update(padded.tobytes())
    return encoded(av, picture, camera)


def encoded(av: Any, picture: Any, camera: str) -> bytes:
    """A JPEG of PyAV's picture, any format that it can turn into YUV 4:2:0."""
    try:
        encoder = av.CodecContext.create("mjpeg", "w")
        if picture.format.name != "yuvj420p":
            picture = picture.reformat(format="yuvj420p")
        encoder.width, encoder.height = picture.width, picture.height
        encoder.pix_fmt, encoder.time_base = "yuvj420p", Fraction(1, 25)
        picture.pts = 0
        packets = [*encoder.encode(picture), *encoder.encode(None)]
    except (av.FFmpegError, OSError, ValueError) as error:
        raise DriverError(f"{camera}: the still can't be made into a JPEG ({error}); try again") from error
    return b"".join(bytes(packet) for packet in packets)
