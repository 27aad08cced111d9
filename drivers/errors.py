"""What can go wrong between a driver and its hardware."""

from __future__ import annotations

from firmware_bridge.errors import ShelfedgeError


class DriverError(ShelfedgeError, OSError):
    """A driver can't start or go on. Examples: a port that isn't there, a missing extra, options that don't fit."""
