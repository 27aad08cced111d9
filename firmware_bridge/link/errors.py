"""What can go wrong between the host and a shelf MCU."""

from __future__ import annotations

from firmware_bridge.errors import ShelfedgeError


class LinkError(ShelfedgeError, OSError):
    """The link to a shelf MCU can't be made or kept. The text says what was tried, what was found, and what to do."""


class PortError(LinkError):
    """The serial port isn't there, can't be told from others, or can't be opened. Example: another program has it."""


class ProtocolVersionError(LinkError):
    """The MCU speaks another version of the protocol. Flashing it with this package's firmware mends it."""


class CommandError(LinkError):
    """The MCU refused a command, or never answered it."""
