"""Why a message can't be used. The deframer counts these; whoever decodes a message of their own making sees them."""

from __future__ import annotations

from firmware_bridge.errors import ShelfedgeError


class UnknownMessageError(ShelfedgeError, ValueError):
    """A message of a type or length that this side doesn't know. Example: newer firmware sends one more kind."""


class DamagedMessageError(ShelfedgeError, ValueError):
    """A value out of range in a message whose CRC passes, or a message that breaks off within a record."""
