"""`python -m hil.rig`: a board to play with, until Ctrl-C: firmware, chips, and a port that any program can open."""

from __future__ import annotations

import argparse
import sys
import time
from pathlib import Path

import firmware_bridge
from firmware_bridge.errors import ShelfedgeError
from hil.rig.bootloader import build_bootloader
from hil.rig.controls import ChipSetup
from hil.rig.port import PtyRig

FIRMWARE = Path(firmware_bridge.__file__).parent / "firmware" / "shelfedge-atmega328p.hex"


def main() -> int:
    """Run a board in real time; 0 when it was ended by Ctrl-C."""
    parser = argparse.ArgumentParser(prog="python -m hil.rig", description=__doc__)
    parser.add_argument("--port", type=Path, default=Path("ttyRIG"), help="name of the port to appear (ttyRIG)")
    parser.add_argument("--firmware", type=Path, default=FIRMWARE, help="hex in the flash at the start (ours)")
    parser.add_argument("--empty", action="store_true", help="begin with an empty flash, to be flashed")
    parser.add_argument("--chips", type=int, default=4, choices=range(9), help="HX711s on the pins (4)")
    parser.add_argument("--rate", type=float, default=80.0, help="their conversions a second (80)")
    parser.add_argument("--noise", type=float, default=40.0, help="their noise, counts rms (40)")
    chosen = parser.parse_args()
    try:
        firmware = None if chosen.empty else chosen.firmware
        with PtyRig(chosen.port.absolute(), firmware, bootloader=build_bootloader(), chips=chosen.chips) as rig:
            for chip in range(chosen.chips):
                level = 100_000.0 * (chip + 1)
                rig.setup(chip, ChipSetup(rate_hz=chosen.rate, noise_counts=chosen.noise, level_counts=level))
            print(f"The board is on {rig.port}. Ctrl-C ends it.")  # noqa: T201 - a command's output
            while True:
                time.sleep(3600)
    except KeyboardInterrupt:
        return 0
    except ShelfedgeError as error:
        print(error, file=sys.stderr)  # noqa: T201 - a command's output
        return error.exit_code


if __name__ == "__main__":
    sys.exit(main())
