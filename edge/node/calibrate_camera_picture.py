"""The picture that a camera is calibrated with: a still that it takes now, or a file; and pictures to look at after."""

from __future__ import annotations

import itertools
import math
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from calibration.camera_verdict import SeenMark, Site
from calibration.plane_map import PlaneMap
from calibration.tags import opencv
from drivers.camera.contract import CameraDriver
from edge.vision.camera_map import SHAPE_TOLERANCE
from firmware_bridge.errors import ShelfedgeError

Floats = npt.NDArray[np.float64]
Picture = npt.NDArray[np.uint8]

PATIENCE_S = 15.0
"""A camera that gives no frame for so long gives none."""
_GREEN, _RED, _YELLOW, _BLACK = (60, 220, 60), (60, 60, 255), (0, 220, 255), (0, 0, 0)  # blue, green, red
_MOST_LINES = 80


class PictureError(ShelfedgeError, ValueError):
    """A picture can't be used. Examples: the file is none, the camera gives none, its still has another shape."""


def picture_of(data: bytes, where: str) -> Picture:
    """uint8[H, W, 3], blue, green, red, of a JPEG's or PNG's bytes. Raises PictureError, NoOpenCvError."""
    cv2 = opencv()
    try:
        picture = cv2.imdecode(np.frombuffer(data, np.uint8), cv2.IMREAD_COLOR) if data else None
    except cv2.error:
        picture = None
    if picture is None:
        raise PictureError(f"{where}: not a picture that can be read; expected a JPEG or PNG")
    if min(picture.shape[:2]) < 64:
        raise PictureError(f"{where}: {picture.shape[1]} x {picture.shape[0]} pixels; expected at least 64 x 64")
    return np.asarray(picture, np.uint8)


def grey_of(picture: Picture) -> Picture:
    """Luma, uint8[H, W]."""
    cv2 = opencv()
    return np.asarray(cv2.cvtColor(picture, cv2.COLOR_BGR2GRAY), np.uint8)


def take_still(
    camera: CameraDriver,
    settle_s: float,
    clock: Callable[[], int] = time.monotonic_ns,
    sleep: Callable[[float], None] = time.sleep,
) -> bytes:
    """A still, JPEG, of a camera that isn't started yet, once its exposure has had ``settle_s`` seconds; it is stopped.

    Raises PictureError where no frame comes, or frames have another shape than the still (then a map of the one is none
    of the other); DriverError.
    """
    shape: tuple[int, int] | None = None
    camera.start()
    try:
        begin_ns = first_ns = clock()
        while shape is None or clock() - first_ns < settle_s * 1e9:
            frames = camera.read(clock())
            if frames and shape is None:
                shape, first_ns = frames[0].y.shape, clock()
            elif shape is None and clock() - begin_ns > PATIENCE_S * 1e9:
                raise PictureError(
                    f"{camera.camera}: the camera gave no picture within {PATIENCE_S:.0f} s; check its cable, or give "
                    "a picture that it took: --picture FILE.jpg"
                )
            sleep(0.02)
        still = camera.still()
    finally:
        camera.stop()
    height, width = picture_of(still, camera.camera).shape[:2]
    if abs(width * shape[0] / (height * shape[1]) - 1.0) > SHAPE_TOLERANCE:
        raise PictureError(
            f"{camera.camera}: its still is {width} x {height} and its frames are {shape[1]} x {shape[0]}: they can't "
            "show the same view, so places would be off; give `size` and `still_size` the same shape in the node file, "
            "as [320, 240] and [1640, 1230]"
        )
    return still


def check_name(path: Path) -> None:
    """Raises PictureError for a name that says no format of pictures."""
    if path.suffix.lower() not in (".png", ".jpg", ".jpeg"):
        raise PictureError(f"{path}: expected a name that ends in .png or .jpg")


def encoded(picture: Picture, path: Path) -> bytes:
    """The picture as a file of that name has it. Raises PictureError for a name that says no format."""
    check_name(path)
    _, data = opencv().imencode(path.suffix.lower(), picture)
    return bytes(data)


def with_pixel_grid(picture: Picture) -> Picture:
    """The picture with lines to read pixels off, each tenth of its width or so a number."""
    drawn = picture.copy()
    height, width = picture.shape[:2]
    step = _round_step(width / 10.0)
    for at in range(step, width, step):
        _line(drawn, [(at, 0), (at, height)], _YELLOW)
        _write(drawn, str(at), (at + 2, _letter(picture) * 14), _YELLOW)
    for at in range(step, height, step):
        _line(drawn, [(0, at), (width, at)], _YELLOW)
        _write(drawn, str(at), (2, at - 3), _YELLOW)
    return drawn


def with_map(picture: Picture, plane: PlaneMap, site: Site, marks: Sequence[SeenMark], places_mm: Floats) -> Picture:
    """The picture with a grid of the plane in mm over ``places_mm`` (float64[n, 2], its extent), and the marks: where
    they are seen (circle) and where the map has what was said of them (cross)."""
    drawn = picture.copy()
    low, high = places_mm.min(axis=0), places_mm.max(axis=0)
    step = float(_round_step(float((high - low).max()) / 12.0))
    every = max(1, round((1000.0 if site.board_mm is None else 100.0) / step))
    begin, end = np.floor(low / step).astype(int), np.ceil(high / step).astype(int)
    end = np.minimum(end, begin + _MOST_LINES)
    for axis in (0, 1):
        other = np.linspace(begin[1 - axis] * step, end[1 - axis] * step, 120)
        for number in range(begin[axis], end[axis] + 1):
            line = np.stack([np.full_like(other, number * step), other], axis=1)[:, :: 1 if axis == 0 else -1]
            _line(drawn, plane.pixels(line), _GREEN, 2 if number % every == 0 else 1)
    for i in range(begin[0], end[0] + 1):
        for j in range(begin[1], end[1] + 1):
            if i % every == 0 and j % every == 0:
                _write(
                    drawn, f"{i * step:.0f},{j * step:.0f}", plane.pixels(np.array([[i * step, j * step]]))[0], _GREEN
                )
    for seen in marks:
        said = plane.pixels(seen.mark.places_mm)
        for pixel in seen.mark.pixels:
            _circle(drawn, pixel, _YELLOW)
        for pixel in said:
            _cross(drawn, pixel, _RED)
        _write(drawn, f"{seen.mark.name}: {seen.error_mm:.0f} mm", seen.mark.pixels.max(axis=0) + 6.0, _YELLOW)
    return drawn


def _round_step(length: float) -> int:
    """1, 2 or 5 times a power of ten, at least 1."""
    power = 10.0 ** math.floor(math.log10(max(length, 1.0)))
    return int(next(each * power for each in (1.0, 2.0, 5.0, 10.0) if each * power >= length))


def _letter(picture: Picture) -> int:
    width: int = picture.shape[1]
    return max(1, round(width / 1000.0))


def _spot(pixel: Any) -> tuple[int, int] | None:
    x, y = (float(value) for value in pixel)
    return (round(x), round(y)) if abs(x) < 1e5 and abs(y) < 1e5 else None  # nan fails too


def _line(drawn: Picture, pixels: Any, colour: tuple[int, int, int], thick: int = 1) -> None:
    cv2 = opencv()
    for first, second in itertools.pairwise(pixels):
        begin, end = _spot(first), _spot(second)
        if begin is not None and end is not None:
            cv2.line(drawn, begin, end, colour, thick, cv2.LINE_AA)


def _circle(drawn: Picture, pixel: Any, colour: tuple[int, int, int]) -> None:
    spot = _spot(pixel)
    if spot is not None:
        opencv().circle(drawn, spot, 6 * _letter(drawn), colour, _letter(drawn))


def _cross(drawn: Picture, pixel: Any, colour: tuple[int, int, int]) -> None:
    spot = _spot(pixel)
    if spot is not None:
        cv2 = opencv()
        cv2.drawMarker(drawn, spot, colour, cv2.MARKER_TILTED_CROSS, 8 * _letter(drawn), _letter(drawn))


def _write(drawn: Picture, text: str, pixel: Any, colour: tuple[int, int, int]) -> None:
    spot = _spot(pixel)
    if spot is not None:
        cv2 = opencv()
        font, size = cv2.FONT_HERSHEY_SIMPLEX, 0.45 * _letter(drawn)
        (width, height), below = cv2.getTextSize(text, font, size, 1)
        cv2.rectangle(drawn, (spot[0], spot[1] + below), (spot[0] + width, spot[1] - height), _BLACK, -1)
        cv2.putText(drawn, text, spot, font, size, colour, 1, cv2.LINE_AA)
