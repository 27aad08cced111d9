"""What can go wrong with a trace."""

from __future__ import annotations

from firmware_bridge.errors import DataLostError, ShelfedgeError


class TraceError(ShelfedgeError, ValueError):
    """A trace, or a file that should become one, can't be used.

    Examples: not an MCAP file, no config in it, an empty CSV.
    """


class TraceFileError(ShelfedgeError, OSError):
    """The file system says no. Examples: the file isn't there, the folder can't be written, the disk is full."""


class BlockDamagedError(DataLostError, ValueError):
    """The bytes of one block of samples don't fit together. The other blocks of the trace are not affected."""


class TraceDamagedError(DataLostError, ValueError):
    """A trace was damaged, or holds more than its config knows; what is intact was used, the text lists the rest."""
