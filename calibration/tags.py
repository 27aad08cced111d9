"""AprilTags of the family 36h11 by OpenCV: what they look like, and where they are in a picture."""

from __future__ import annotations

import importlib
from typing import Any

import numpy as np
import numpy.typing as npt

from calibration.tag_sheet import CELLS
from firmware_bridge.errors import ShelfedgeError

Floats = npt.NDArray[np.float64]
Grey = npt.NDArray[np.uint8]


REACH, LEAST_REACH = 0.9, 2
"""How far around a corner its edges are looked at: cells, and pixels at least. (Measured, sd of a corner on rendered
sheets: 0.13 px at 2.5 m, 0.2 px at 4 m, of 1640 x 1232; OpenCV's own, five pixels at most, 0.17 and 0.41.)"""


class NoOpenCvError(ShelfedgeError, ImportError):
    """What reads pictures and tags isn't installed."""


def opencv() -> Any:
    """The module cv2. Raises NoOpenCvError."""
    try:
        module = importlib.import_module("cv2")
        module.aruco.ArucoDetector  # noqa: B018 - OpenCV before 4.7 has another one
    except (ImportError, AttributeError) as error:
        raise NoOpenCvError(
            f"pictures and printed tags need OpenCV 4.8 or newer ({error}); install it with: "
            "pip install 'shelfedge[calibrate-camera]'; or give points and the picture's size: --point, --size"
        ) from None
    return module


def tag_cells(tag: int) -> npt.NDArray[np.bool_]:
    """A tag's cells, bool[8, 8], True for black, as one looks at the sheet. Raises NoOpenCvError."""
    cv2 = opencv()
    picture = cv2.aruco.generateImageMarker(_family(cv2), tag, CELLS, borderBits=1)
    black: npt.NDArray[np.bool_] = np.asarray(picture) < 128
    return black


def find_tags(grey: Grey) -> dict[int, Floats]:
    """Tags in a picture uint8[H, W] by number: corners float64[4, 2] in pixels from the picture's upper left corner, in
    the order upper left, upper right, lower right, lower left of the tag as printed. A tag that is there twice (of two
    copies of a sheet) is left out. Raises NoOpenCvError.
    """
    cv2 = opencv()
    corners, tags, _ = cv2.aruco.ArucoDetector(_family(cv2)).detectMarkers(grey)
    found: dict[int, Floats] = {}
    twice = set()
    for tag, points in zip([] if tags is None else np.ravel(tags).tolist(), corners, strict=True):
        if tag in found:
            twice.add(tag)
        found[tag] = _refined(cv2, grey, points.reshape(4, 2))
    return {tag: points for tag, points in sorted(found.items()) if tag not in twice}


def _refined(cv2: Any, grey: Grey, corners: npt.NDArray[np.float32]) -> Floats:
    """Corners within what OpenCV's own refinement doesn't reach: it looks as far around as the next cell's corner."""
    cell = float(np.hypot(*(corners - np.roll(corners, 1, axis=0)).T).min()) / CELLS
    reach = max(LEAST_REACH, int(REACH * cell))
    stop = (cv2.TERM_CRITERIA_EPS + cv2.TERM_CRITERIA_COUNT, 50, 0.005)
    fine = cv2.cornerSubPix(grey, corners.reshape(4, 1, 2).copy(), (reach, reach), (-1, -1), stop)
    return np.asarray(fine, np.float64).reshape(4, 2) + 0.5  # OpenCV counts from the middles of pixels


def _family(cv2: Any) -> Any:
    return cv2.aruco.getPredefinedDictionary(cv2.aruco.DICT_APRILTAG_36h11)
