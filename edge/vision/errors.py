"""What vision refuses."""

from __future__ import annotations

from firmware_bridge.errors import ShelfedgeError


class FrameShapeError(ShelfedgeError, ValueError):
    """A frame hasn't the shape, or the type of pixels, that the camera's frames have."""


class FrameTimeError(ShelfedgeError, ValueError):
    """A frame is older than the one before it."""


class FloorPointsError(ShelfedgeError, ValueError):
    """The floor points given don't make a floor map."""
