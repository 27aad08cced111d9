"""What can go wrong while an MCU is flashed. Each text says what happened, what the MCU holds now, and what to do."""

from __future__ import annotations

from firmware_bridge.errors import ShelfedgeError


class FlashError(ShelfedgeError):
    """An MCU wasn't flashed, or its new firmware doesn't prove itself."""


class ImageError(FlashError, ValueError):
    """An image is refused before a byte is written. Examples: another checksum than its manifest says, another MCU."""


class ImageFileError(FlashError, OSError):
    """An image or its manifest can't be read. Example: no such file."""


class ToolError(FlashError, FileNotFoundError):
    """avrdude isn't installed, or can't be run."""


class FlashPortError(FlashError, OSError):
    """The port isn't there, is busy, or this user may not open it. Nothing was written."""


class NoBootloaderError(FlashError, TimeoutError):
    """Nothing answered like a bootloader at any of its speeds. Nothing was written."""


class WrongChipError(FlashError, ValueError):
    """The chip has another signature than the image is for. Nothing was written."""


class BrokenOffError(FlashError, ConnectionError):
    """Writing or checking broke off. Examples: the cable came out, the bootloader fell silent, Ctrl-C."""


class VerifyError(FlashError, ValueError):
    """What was read back isn't what was written: the flash is worn out, or the line garbles bytes."""


class NotProvenError(FlashError, RuntimeError):
    """The image is written and verified, but the firmware doesn't answer, or not with the identity it should have."""


class CancelledError(BrokenOffError):
    """Ctrl-C while it was being written."""

    exit_code = 130
