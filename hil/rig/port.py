"""The emulated rig in real time, behind a pty that looks like a USB-serial port."""

from __future__ import annotations

import enum
from pathlib import Path
from types import TracebackType

from hil.rig.build import build
from hil.rig.controls import Controls, start_arguments
from hil.rig.errors import RigError
from hil.rig.process import Process


class Dtr(enum.Enum):
    """What resets the board when its port is opened (a pty has no DTR line of its own)."""

    OPEN = "open"  # every open: as with programs that raise DTR themselves, avrdude first of all
    HUPCL = "hupcl"  # an open after a close that let DTR drop: none after HUPCL was cleared


class PtyRig(Controls):
    """A board in real time. Its port is there when the constructor returns.

    Args:
        port: name under which the port appears, a link that goes away with `unplug` and comes back with `plug`.
            A link that is there already is replaced.
        others: as for `LockstepRig`.

    Raises RigError where something else than a link has the name of the port.
    """

    def __init__(
        self,
        port: Path,
        firmware: Path | None = None,
        *,
        bootloader: Path | None = None,
        flash: Path | None = None,
        eeprom: Path | None = None,
        chips: int = 0,
        seed: int = 1,
    ) -> None:
        if port.exists() and not port.is_symlink():
            raise RigError(
                f"{port} is there already and isn't a link, so the rig doesn't replace it: give its port another name"
            )
        arguments = start_arguments(firmware, bootloader, flash, eeprom, chips, seed)
        super().__init__(Process(build(), [*arguments, "--port", str(port)]), chips)
        self.port = port

    def unplug(self, at_ns: int | None = None, *, powered: bool = False) -> None:
        """Pull the USB cable: the port goes away, and the board's power with it unless ``powered`` from elsewhere."""
        self._order("unplug", at_ns)
        if not powered:
            self.power(False, at_ns)

    def plug(self, at_ns: int | None = None) -> None:
        """Put the cable in again: a new port under the old name, and power if there was none."""
        self.power(True, at_ns)
        self._order("plug", at_ns)

    def dtr(self, mode: Dtr) -> None:
        """What an open does from now on; at first `Dtr.OPEN`."""
        self._order(f"dtr {mode.value}", None)

    def __enter__(self) -> PtyRig:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()
