"""What is wrong with a model: known when it is opened, at the start; what uses models runs without it."""

from __future__ import annotations

from firmware_bridge.errors import ShelfedgeError


class ModelError(ShelfedgeError, ValueError):
    """A model can't be used: missing, corrupt, of another kind, its labels don't fit, or no runtime is installed."""
