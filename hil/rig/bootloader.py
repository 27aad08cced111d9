"""Compiles the rig's bootloader, in the kinds of board that are about."""

from __future__ import annotations

import hashlib
import shutil
import subprocess
import tempfile
from enum import Enum
from pathlib import Path

from hil.rig.build import cache_folder
from hil.rig.errors import RigError

SOURCE = Path(__file__).parent / "bootloader.c"
PACKAGES = "gcc-avr avr-libc"
_COMPILER = (
    "avr-gcc",
    "-mmcu=atmega328p",
    "-DF_CPU=16000000UL",
    "-Os",
    "-std=gnu99",
    "-fno-jump-tables",
    "-nostartfiles",
    "-Wl,--section-start=.text=0x7800",
)


class Bootloader(Enum):
    """Kinds of bootloader; the value is what sets each apart when it is compiled."""

    NEW = ()
    OLD = ("-DBAUD_RATE=57600",)
    OTHER_CHIP = ("-DCHIP_NUMBER=0x16",)  # an ATmega328PB
    WORN = ("-DWORN_CELL=0x0801",)


def build_bootloader(kind: Bootloader = Bootloader.NEW) -> Path:
    """The hex of a bootloader, compiled now or taken from the cache. Raises RigError with what to install."""
    if shutil.which("avr-gcc") is None:
        raise RigError(f"The bootloader can't be built: avr-gcc is missing. On Debian: sudo apt-get install {PACKAGES}")
    key = hashlib.sha256(SOURCE.read_bytes() + repr((_COMPILER, kind.value)).encode()).hexdigest()[:16]
    made = cache_folder() / f"bootloader-{key}.hex"
    if made.exists():
        return made
    made.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=made.parent) as fresh:
        elf, hex_file = Path(fresh, "bootloader.elf"), Path(fresh, "bootloader.hex")
        compiler = [*_COMPILER, *kind.value, "-o", str(elf), str(SOURCE)]
        for command in (compiler, ["avr-objcopy", "-O", "ihex", str(elf), str(hex_file)]):
            done = subprocess.run(command, capture_output=True, text=True, check=False)
            if done.returncode != 0:
                raise RigError(f"The bootloader doesn't compile:\n{done.stdout}{done.stderr}")
        hex_file.replace(made)  # whole or not at all, also with two test workers at it
    return made
