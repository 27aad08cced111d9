"""Watchers and boards for the tests that flash in real time."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from firmware_bridge.flash.avrdude import Limits
from firmware_bridge.flash.image import Image, load_image
from firmware_bridge.flash.writing import Progress, Writer
from hil.flash_images import made_up, write_image
from hil.rig.bootloader import Bootloader, build_bootloader
from hil.rig.port import PtyRig

# A busy machine gets more time than a person would wait; none of it is used up where the bootloader answers.
PATIENT = Limits(connect_s=8.0, stall_s=20.0)


class Board:
    """A board with a bootloader and nothing else, to be flashed with a made-up image of 4000 bytes."""

    def __init__(self, folder: Path, kind: Bootloader) -> None:
        self.flash_file = folder / "flash"
        self.port = folder / "tty-board"
        self.image: Image = load_image(write_image(folder / "made-up.hex", made_up()), 1)
        self.rig = PtyRig(self.port, bootloader=build_bootloader(kind), flash=self.flash_file)

    def writer(
        self, watch: Callable[[Progress], None] = lambda _: None, limits: Limits = PATIENT, port: Path | None = None
    ) -> Writer:
        """What writes the image to this board, or to another port."""
        return Writer(str(port or self.port), self.image, watch, limits)

    def memory(self) -> bytes:
        """What its flash holds, as much as the image has."""
        return self.flash_file.read_bytes()[: len(self.image.memory)]
