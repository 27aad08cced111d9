"""Writes an image so that whatever cuts it off, the MCU holds something known: never a mixture that runs.

Two writes, each read back before the next. The first is the whole image, but with a standstill in place of its first
page (where the reset vector is), and since avrdude writes from address 0 up, that goes in before anything else. Only
when all of it has been read back and found right, the first page makes it a firmware that starts.
"""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from enum import IntEnum

from firmware_bridge.flash.avrdude import End, Limits, run_avrdude
from firmware_bridge.flash.chips import Chip
from firmware_bridge.flash.errors import (
    BrokenOffError,
    CancelledError,
    FlashError,
    FlashPortError,
    NoBootloaderError,
    VerifyError,
    WrongChipError,
)
from firmware_bridge.flash.image import Image
from firmware_bridge.flash.intel_hex import ERASED
from firmware_bridge.flash.transcript import Doing, Transcript

_GOES = 2  # noise on the line deserves a second go; a third would hide a fault


class Holds(IntEnum):
    """What the MCU holds after a try; the sentence is for the installer."""

    OLD = 0
    STANDSTILL = 1
    NEARLY = 2

    @property
    def sentence(self) -> str:
        """What state the MCU is in."""
        return (
            "Nothing was written: the MCU holds what it held before",
            "The MCU holds only a part of the image; it stands still, harmlessly, and waits to be flashed. "
            "Its bootloader, its settings and its serial are untouched",
            "The whole image is in and was read back, only its first page may be missing: the MCU either runs the new "
            "firmware or stands still, harmlessly. Its bootloader, its settings and its serial are untouched",
        )[self]


@dataclass(frozen=True, slots=True)
class Progress:
    """Where writing is: ``share`` 0..1 of all bytes there and back, ``text`` what is being done."""

    share: float
    text: str


Watch = Callable[[Progress], None]


def parts(memory: bytes, chip: Chip) -> tuple[bytes, bytes]:
    """The two writes of an image: all of it with a standstill as its first page, then its true first page alone."""
    page = chip.page_bytes
    padded = memory + bytes([ERASED]) * (-len(memory) % page)
    standstill = chip.standstill + bytes([ERASED]) * (page - len(chip.standstill))
    return standstill + padded[page:], padded[:page]


class Writer:
    """Writes one image to one port; remembers through all tries what the MCU holds by now."""

    def __init__(self, port: str, image: Image, watch: Watch, limits: Limits | None = None) -> None:
        self.holds = Holds.OLD
        self._port = port
        self._image = image
        self._watch = watch
        self._limits = limits or Limits()
        self._writes = parts(image.memory, image.chip)
        self._baud = 0

    def write(self) -> int:
        """Write and read back; the baud that worked. Raises this room's errors, each with what the MCU holds now."""
        with self._cancelled():
            for go in range(1, _GOES + 1):
                end, transcript = self._find_bootloader()
                if end is End.DONE:
                    return self._baud
                if end not in (End.SILENT, End.MISMATCH, End.OTHER) or go == _GOES:
                    raise self._failure(end, transcript)
        raise AssertionError("the last go returns or raises")

    def _find_bootloader(self) -> tuple[End, Transcript]:
        """Each speed, then each once more with twice the time, until one is answered."""
        bauds = self._image.chip.bauds if not self._baud else (self._baud,)
        for times in (1.0, 2.0):
            limits = Limits(self._limits.connect_s * times, self._limits.stall_s)
            for baud in bauds:
                end, transcript = self._run(baud, limits)
                if end is not End.NO_ANSWER:
                    self._baud = baud
                    return end, transcript
        return end, transcript

    def _run(self, baud: int, limits: Limits) -> tuple[End, Transcript]:
        chip = self._image.chip
        sizes = [len(memory) for memory in self._writes]
        seen = Transcript()

        def look(transcript: Transcript) -> None:
            nonlocal seen
            seen = transcript
            self._note(transcript)
            if transcript.doing is Doing.CONNECTING:
                self._watch(Progress(0.0, f"connecting at {baud} baud"))
                return
            before = sum(sizes[: transcript.begun - 1]) * 2
            half = sizes[min(transcript.begun, len(sizes)) - 1]
            done = before + half * (transcript.share + (transcript.doing is Doing.READING_BACK))
            doing = transcript.doing.value if transcript.begun < len(sizes) else "finishing"
            self._watch(Progress(done / sum(sizes) / 2, doing))

        try:
            end, transcript = run_avrdude(self._port, baud, chip, self._writes, look, limits)
            self._note(transcript)
            return end, transcript
        finally:
            self._note(seen)

    def _note(self, transcript: Transcript) -> None:
        self.holds = Holds(max(self.holds, min(transcript.begun, 2)))

    @contextlib.contextmanager
    def _cancelled(self) -> Iterator[None]:
        try:
            yield
        except KeyboardInterrupt:
            raise CancelledError(f"{self._port}: stopped by Ctrl-C. {self.holds.sentence}. {_AGAIN}") from None

    def _failure(self, end: End, transcript: Transcript) -> FlashError:
        chip, port, holds = self._image.chip, self._port, self.holds.sentence
        match end:
            case End.NOT_OPENED:
                return FlashPortError(f"{port}: avrdude can't open it: {transcript.refused_open}. {holds}")
            case End.NO_ANSWER if self.holds is not Holds.OLD:
                return BrokenOffError(f"{port}: the bootloader answers no more. {holds}. {_AGAIN_CABLE}")
            case End.NO_ANSWER:
                bauds = " and ".join(map(str, chip.bauds))
                return NoBootloaderError(
                    f"{port}: no bootloader answers there (tried {bauds} baud, each twice). {holds}. Check that the "
                    "board is a Nano or another with an Arduino bootloader, and that the port is the right one. "
                    "Press its reset button, run this again. If it still doesn't answer, its bootloader is missing: "
                    "burn it with a programmer (Arduino IDE: Tools, Burn Bootloader)"
                )
            case End.WRONG_CHIP:
                return WrongChipError(
                    f"{port}: the chip there isn't an {chip.mcu}: its signature is {_spelled(transcript.signature)}, "
                    f"expected {_spelled(chip.signature)}. {holds}. Check that the port is the right one; if it is, "
                    "this board needs another image or another MCU"
                )
            case End.MISMATCH:
                where = transcript.mismatch_address
                at = "" if where is None else f" at address 0x{where:x}"
                return VerifyError(
                    f"{port}: what was read back isn't what was written{at}, twice. {holds}. Try another cable or USB "
                    "port and run this again; if it happens at the same address, the flash is worn out: take another "
                    "board"
                )
            case End.GONE:
                return BrokenOffError(
                    f"{port}: the port went away, as when the cable comes out. {holds}. Plug it in and run this again "
                    "(the port may have another name then)"
                )
            case End.SILENT:
                return BrokenOffError(f"{port}: the bootloader fell silent on the way, twice. {holds}. {_AGAIN_CABLE}")
        return BrokenOffError(f"{port}: avrdude gave up, twice: {transcript.complaint()}. {holds}. {_AGAIN_CABLE}")


_AGAIN = "Run the same command again to flash it"
_AGAIN_CABLE = "Check the cable (a short one, straight into the computer), then run this again"


def _spelled(signature: bytes) -> str:
    return signature.hex(" ").upper() or "not readable"
