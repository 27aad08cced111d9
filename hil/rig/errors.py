"""What goes wrong with a rig itself, as opposed to what is made to go wrong on it."""

from __future__ import annotations

from firmware_bridge.errors import ShelfedgeError


class RigError(ShelfedgeError, RuntimeError):
    """The rig can't be built, started or told what to do; the text says why and what to do about it."""


class BenchOnlyError(RigError):
    """This can only be done by the emulator (a fault, a truth), and the bench is a real one."""
