"""Planes out of what decoders and cameras hand out: strides with padding, grey and other YUV formats."""

from __future__ import annotations

from typing import Any

import numpy as np

from drivers.frames import Plane

_YUV420 = ("yuv420p", "yuvj420p")
_GREY = ("gray", "gray8")


def planes_of_picture(picture: Any, width: int, height: int, grey: bool) -> tuple[Plane, Plane | None, Plane | None]:
    """Planes of a PyAV picture in that size, copied: the decoder goes on with its own.

    YUV 4:2:0 and grey are taken as they are; another format or size goes through FFmpeg's scaler once, from YUV to
    YUV. ``grey``: luma alone.
    """
    name = picture.format.name
    if name not in (*_YUV420, *_GREY) or (picture.width, picture.height) != (width, height):
        name = "gray" if grey and not name.startswith("yuv") else name if name in _GREY else "yuv420p"
        picture = picture.reformat(width=width, height=height, format=name)
    y = _plane(picture.planes[0])
    if grey or name in _GREY:
        return y, None, None
    return y, _plane(picture.planes[1]), _plane(picture.planes[2])


def planes_of_buffer(buffer: Plane, width: int, height: int, stride: int) -> tuple[Plane, Plane, Plane]:
    """Planes of a YUV 4:2:0 camera buffer, uint8[n]: rows `stride` bytes apart, those of U and V half of that.

    Bytes after the last row are the allocator's. Raises ValueError for a buffer that is too small.
    """
    chroma_stride = stride // 2
    luma, chroma = height * stride, (height // 2) * chroma_stride
    if buffer.size < luma + 2 * chroma or stride < width:
        raise ValueError(f"{buffer.size} bytes in rows of {stride} don't hold a YUV420 picture of {width} x {height}")
    y = buffer[:luma].reshape(height, stride)[:, :width]
    u, v = (
        buffer[luma + k * chroma : luma + (k + 1) * chroma].reshape(height // 2, chroma_stride)[:, : width // 2]
        for k in (0, 1)
    )
    return np.ascontiguousarray(y), np.ascontiguousarray(u), np.ascontiguousarray(v)


def _plane(plane: Any) -> Plane:
    rows = np.frombuffer(plane, np.uint8).reshape(-1, plane.line_size)
    return rows[: plane.height, : plane.width].copy()
