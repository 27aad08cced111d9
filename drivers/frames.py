"""What a camera driver delivers: frames of one camera, each with its own time and its own evidence.

A frame is YUV 4:2:0 as cameras and video files give it (BT.601: luma in full resolution, the two colour differences in
half, 128 is no colour), because that is what costs nothing: no conversion to RGB is made on a node.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import IntFlag

import numpy as np
import numpy.typing as npt

Plane = npt.NDArray[np.uint8]


class FrameFlag(IntFlag):
    """Evidence that travels with a frame. Zero is a good frame."""

    GOOD = 0
    DROPPED_BEFORE = 1 << 0  # one or more frames between the one before and this one never arrived
    FROZEN = 1 << 1  # the same picture again, bit for bit: the camera or its decoder hangs; a live sensor has noise
    DARK = 1 << 2  # too dark to see anything in
    COVERED = 1 << 3  # a hand, paint or a box right before the lens: no edges left where there used to be some
    MOVED = 1 << 4  # the camera looks somewhere else than it used to: what was calibrated no longer holds


BLIND = FrameFlag.FROZEN | FrameFlag.DARK | FrameFlag.COVERED


@dataclass(frozen=True, slots=True)
class Frame:
    """One picture.

    Attributes:
        camera: the camera's id in the node file.
        time_ns: monotonic nanoseconds of the exposure, from the sensor, never decreasing within a camera.
        sequence: counts the sensor's frames; a step of more than one means that some were lost.
        y: uint8[H, W], luma.
        u, v: uint8[(H + 1) // 2, (W + 1) // 2], colour differences (U is blue, V is red); None in a grey picture.
        flags: `FrameFlag` bits.
    """

    camera: str
    time_ns: int
    sequence: int
    y: Plane
    u: Plane | None = None
    v: Plane | None = None
    flags: FrameFlag = FrameFlag.GOOD


def planes_of_yuv420(packed: Plane, height: int, width: int) -> tuple[Plane, Plane, Plane]:
    """The three planes of a packed picture, uint8[H * 3 / 2, W], as PyAV and picamera2 hand it out, without padding.

    Height and width must be even. Raises ValueError if the size doesn't fit.
    """
    if height % 2 or width % 2 or packed.size != height * width * 3 // 2:
        raise ValueError(f"a YUV420 picture of {width} x {height} has even sides and {height * width * 3 // 2} bytes")
    flat = np.ascontiguousarray(packed).reshape(-1)
    luma, half = height * width, (height // 2, width // 2)
    chroma = luma // 4
    return (
        flat[:luma].reshape(height, width),
        flat[luma : luma + chroma].reshape(half),
        flat[luma + chroma :].reshape(half),
    )


def planes_of_rgb(rgb: npt.NDArray[np.uint8]) -> tuple[Plane, Plane, Plane]:
    """Luma and colour differences of a rendered picture uint8[H, W, 3] with even sides (BT.601, full range)."""
    r, g, b = (rgb[..., channel].astype(np.float32) for channel in range(3))
    y = 0.299 * r + 0.587 * g + 0.114 * b
    u, v = (128.0 + 0.564 * (b - y)), (128.0 + 0.713 * (r - y))
    half = [plane.reshape(plane.shape[0] // 2, 2, plane.shape[1] // 2, 2).mean(axis=(1, 3)) for plane in (u, v)]
    y8, u8, v8 = (np.clip(np.rint(plane), 0, 255).astype(np.uint8) for plane in (y, *half))
    return y8, u8, v8


def rgb_of(frame: Frame) -> npt.NDArray[np.uint8]:
    """The picture to look at, uint8[H, W, 3] (BT.601, full range)."""
    height, width = frame.y.shape
    y = frame.y.astype(np.float32)
    u, v = (
        np.zeros((height, width), np.float32)
        if plane is None
        else plane.repeat(2, axis=0).repeat(2, axis=1)[:height, :width].astype(np.float32) - 128.0
        for plane in (frame.u, frame.v)
    )
    rgb = np.stack([y + v / 0.713, y - 0.344 * u - 0.714 * v, y + u / 0.564], axis=-1)
    clipped: npt.NDArray[np.uint8] = np.clip(np.rint(rgb), 0, 255).astype(np.uint8)
    return clipped
