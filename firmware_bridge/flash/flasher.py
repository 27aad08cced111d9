"""The whole of flashing one MCU: look at the port, ask who is there, write, ask again, and compare."""

from __future__ import annotations

import time
from dataclasses import dataclass
from typing import Protocol

from firmware_bridge.flash.avrdude import Limits, find_avrdude
from firmware_bridge.flash.errors import CancelledError, FlashError, FlashPortError, ImageError, NotProvenError
from firmware_bridge.flash.image import Image
from firmware_bridge.flash.interview import Answer, Interview
from firmware_bridge.flash.port_check import check_port
from firmware_bridge.flash.writing import Progress, Writer
from firmware_bridge.protocol.identity import Identity

_LOOK_AGAIN_S = 0.1


class Watcher(Protocol):
    """Who is told how flashing goes on."""

    def step(self, text: str) -> None:
        """A step has begun, or has come to this."""

    def progress(self, progress: Progress) -> None:
        """Writing has moved on; comes often."""


@dataclass(frozen=True, slots=True)
class Patience:
    """How long an MCU may take to say who it is, in seconds, before (it may be blank) and after flashing (it must)."""

    before_s: float = 3.0
    after_s: float = 15.0


@dataclass(frozen=True, slots=True)
class Flashed:
    """An MCU that was flashed and has proven it.

    ``before`` is None where no firmware of ours answered; then nothing can be said about what was kept.
    """

    port: str
    baud: int
    image: Image
    before: Identity | None
    after: Identity
    took_s: float

    @property
    def settings_kept(self) -> bool | None:
        """Whether the settings are those of before; None where nobody said what they were."""
        return None if self.before is None else _settings(self.before) == _settings(self.after)


def flash_mcu(
    port: str,
    image: Image,
    watcher: Watcher,
    name: str | None = None,
    patience: Patience | None = None,
    limits: Limits | None = None,
) -> Flashed:
    """Flash the MCU on a port with a checked image, and give it the serial ``name`` if there is one.

    Raises the errors of this room; each says what happened, what the MCU holds now and what to do.
    """
    patience = patience or Patience()
    started_s = time.monotonic()
    find_avrdude()
    check_port(port)
    watcher.step(f"asking the MCU on {port} who it is")
    before = _before(port, image, patience.before_s)
    watcher.step("no shelfedge firmware answers there" if before is None else "found " + describe(before.identity))
    watcher.step(f"writing {image.path.name}: firmware {image.version}, {len(image.memory)} bytes")
    baud = Writer(port, image, watcher.progress, limits).write()
    watcher.step("written and read back; asking the MCU who it is now")
    answer = _after(port, image, patience.after_s)
    prove(port, image, before, answer)
    after = answer.identity
    if answer.settings_damaged:
        watcher.step("its memory of settings holds nothing of ours, or damage: it uses the defaults")
    if name is not None and name != after.serial:
        after = _named(port, name, patience.after_s)
    was = None if before is None else before.identity
    return Flashed(port, baud, image, was, after, time.monotonic() - started_s)


def describe(identity: Identity) -> str:
    """One MCU in a few words."""
    return f"{identity.board or 'an MCU'}, serial '{identity.serial}', firmware {identity.firmware}"


def _settings(identity: Identity) -> str:
    """Clock mode and a gain per chip, as CONFIGURE takes them."""
    return f"{identity.clock_mode}: {identity.settings.hex(' ')}"


def prove(port: str, image: Image, before: Answer | None, answer: Answer) -> None:
    """Compare what the MCU says of itself with what was written and with what it was. Raises NotProvenError."""
    after = answer.identity
    wrong = []
    if after.protocol != image.protocol:
        wrong.append(f"it speaks protocol {after.protocol}, expected {image.protocol}")
    if after.firmware != image.version:
        wrong.append(f"it runs firmware {after.firmware}, expected {image.version}")
    if after.image_crc32 != image.crc32:
        wrong.append(f"its image has the CRC {after.image_crc32:08x}, expected {image.crc32:08x}")
    if wrong:
        raise NotProvenError(
            f"{port}: the image was written and read back, but the MCU that answers isn't what it should be: "
            f"{', '.join(wrong)}. Check that no other MCU took over the port, then run this again"
        )
    if before is None:  # its EEPROM may hold what some other program left there: nothing of ours is lost
        return
    was, lost = before.identity, []
    if answer.settings_damaged and not before.settings_damaged:
        lost.append("it found its settings damaged and took the defaults")
    if was.serial != after.serial:
        lost.append(f"its serial was '{was.serial}' and is now '{after.serial}'")
    if _settings(was) != _settings(after):
        lost.append(f"the settings of its chips were {_settings(was)} and are now {_settings(after)}")
    if lost:
        raise NotProvenError(
            f"{port}: firmware {after.firmware} runs, but not everything was kept: {'; '.join(lost)}. Give it its "
            "serial again (shelfedge flash --name) and restart the node, which sets the chips up"
        )


def _before(port: str, image: Image, timeout_s: float) -> Answer | None:
    try:
        with Interview(port) as interview:
            answer = interview.identity(timeout_s)
    except FlashPortError as error:
        raise FlashPortError(f"{error}. Nothing was written") from error
    except KeyboardInterrupt:
        raise CancelledError(f"{port}: stopped by Ctrl-C. Nothing was written") from None
    if answer is None:
        return None
    if answer.identity.board and not answer.identity.board.startswith(image.chip.mcu):
        raise ImageError(
            f"{port}: the MCU there is a '{answer.identity.board}' and {image.path.name} is for an {image.chip.mcu}. "
            "Nothing was written. Take the image for this board, or another port"
        )
    return answer


def _after(port: str, image: Image, timeout_s: float) -> Answer:
    written = f"Firmware {image.version} is written and was read back"
    ends_s = time.monotonic() + timeout_s
    try:
        while True:
            try:
                with Interview(port) as interview:
                    answer = interview.identity(max(ends_s - time.monotonic(), 0.0))
                    break
            except FlashPortError:  # a hub may take the port away for a moment after a reset
                if time.monotonic() + _LOOK_AGAIN_S > ends_s:
                    raise
                time.sleep(_LOOK_AGAIN_S)
    except FlashPortError as error:
        raise NotProvenError(f"{error}. {written}; it wasn't seen running. Plug it in and run this again") from error
    except KeyboardInterrupt:
        raise CancelledError(f"{port}: stopped by Ctrl-C. {written}; it wasn't seen running yet") from None
    if answer is None:
        raise NotProvenError(
            f"{port}: {written}, but the MCU says nothing within {timeout_s:g} s. Press its reset button and run this "
            "again; if it stays silent, its crystal isn't the 16 MHz that this image is for: change the board"
        )
    return answer


def _named(port: str, name: str, timeout_s: float) -> Identity:
    """Give the MCU its serial, and see after a restart that it has kept it."""
    runs = "The new firmware runs"
    try:
        with Interview(port) as interview:
            if interview.identity(timeout_s) is not None:
                interview.name_it(name, timeout_s)
        with Interview(port) as interview:
            answer = interview.identity(timeout_s)
    except FlashError as error:
        raise NotProvenError(f"{error}. {runs}, only its serial may not be set. Run this again") from error
    except KeyboardInterrupt:
        raise CancelledError(f"{port}: stopped by Ctrl-C. {runs}, only its serial may not be set") from None
    if answer is None or answer.identity.serial != name:
        said = "it says nothing" if answer is None else f"it says '{answer.identity.serial}'"
        raise NotProvenError(
            f"{port}: it didn't keep the serial '{name}' ({said}). {runs}. Run this again; if it happens again, its "
            "EEPROM is worn out: take another board"
        )
    return answer.identity
