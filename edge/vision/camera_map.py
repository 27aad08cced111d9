"""From a camera's calibration record to the map that vision works with, in the pixels of the frames that come."""

from __future__ import annotations

import numpy as np

from calibration.camera_record import CameraRecord
from calibration.plane_map import PlaneMap
from edge.vision.errors import FrameShapeError
from edge.vision.floor import FloorMap

SHAPE_TOLERANCE = 0.01
"""Sides are even numbers of pixels, or multiples of 16: the same view has nearly the same shape in another size."""


def map_of(record: CameraRecord, width: int, height: int) -> FloorMap:
    """The map for frames of this size; they show what the calibration's picture showed.

    Raises FrameShapeError where their shape says that they don't.
    """
    plane = plane_of(record)
    across, down = width / plane.size[0], height / plane.size[1]
    if abs(across / down - 1.0) > SHAPE_TOLERANCE:
        raise FrameShapeError(
            f"{record.camera}: it was calibrated in a picture of {plane.size[0]} x {plane.size[1]} and gives frames of "
            f"{width} x {height}, which can't show the same view; give both the same shape and calibrate it again: "
            f"shelfedge calibrate camera {record.camera}"
        )
    return FloorMap(plane.scaled(width, height), pixel_sd=record.pixel_sd * across)


def plane_of(record: CameraRecord) -> PlaneMap:
    """The map as it was calibrated."""
    return PlaneMap(
        record.size,
        np.array(record.to_pixels),
        np.array(record.origin_mm),
        record.radial,
        np.array(record.covariance),
    )
