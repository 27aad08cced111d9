"""What tests need of the rig: the tools, or a reason why they skip; and a compiler for small programs of their own.

Never skipped in CI, nor with SHELFEDGE_REQUIRE_RIG=1: there what is missing is a failure.
"""

from __future__ import annotations

import os
import shutil
import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest

import firmware_bridge
from hil.rig.bench import EMULATOR_ONLY, Bench, load_bench
from hil.rig.build import missing

PACKAGES = "gcc make gcc-avr avr-libc avrdude libsimavr-dev"
FIRMWARE = Path(firmware_bridge.__file__).parent / "firmware" / "shelfedge-atmega328p.hex"

CompileAvr = Callable[..., Path]
"""Gives the hex of a C program's text (and options of the compiler), for the ATmega328P at 16 MHz."""


def needed(*names: str) -> None:
    """Skip (in CI: fail) unless these are here: ``simavr``, ``avr-gcc``, ``avrdude``, any other program."""
    gone = missing() if "simavr" in names else []
    gone += [name for name in names if name != "simavr" and shutil.which(name) is None]
    if not gone:
        return
    reason = f"missing: {', '.join(gone)}; on Debian: sudo apt-get install {PACKAGES}"
    if os.environ.get("CI") or os.environ.get("SHELFEDGE_REQUIRE_RIG") == "1":
        pytest.fail(reason)
    pytest.skip(reason)


def the_bench() -> Bench:
    """The bench that the environment variable BENCH names; without it, the emulator alone."""
    named = os.environ.get("BENCH", "")
    return load_bench(Path(named)) if named else EMULATOR_ONLY


def compile_avr(source: Path, hex_file: Path, *options: str) -> Path:
    """A C file as a hex for the ATmega328P at 16 MHz."""
    needed("avr-gcc", "avr-objcopy")
    elf = hex_file.with_suffix(".elf")
    compiler = ["avr-gcc", "-mmcu=atmega328p", "-DF_CPU=16000000UL", "-Os", "-std=gnu99", *options]
    subprocess.run([*compiler, "-o", str(elf), str(source)], check=True)
    subprocess.run(["avr-objcopy", "-O", "ihex", "-R", ".eeprom", str(elf), str(hex_file)], check=True)
    return hex_file
