"""Flashing, interrupted at every percent, and flashed again: `python -m hil.flash_soak`. 50 times take some 5 minutes.

In the emulator, in real time, with the real firmware and the real avrdude. Each round flashes another version over the
one that runs, is cut off at its percent of all bytes there and back, and must leave a chip (P10) that holds something
harmless (the old firmware whole, or a standstill, or the new firmware whole: never a mixture that runs) and that takes
the next flash, with serial and settings kept.
"""

from __future__ import annotations

import argparse
import os
import signal
import sys
import tempfile
import time
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from enum import Enum
from pathlib import Path

from firmware_bridge.flash.errors import FlashError
from firmware_bridge.flash.flasher import Flashed, Patience, flash_mcu
from firmware_bridge.flash.image import Image, bundled_image, load_image
from firmware_bridge.flash.interview import Interview
from firmware_bridge.flash.writing import Holds, Progress
from firmware_bridge.protocol.codes import PROTOCOL_VERSION
from hil.flash_images import as_version, write_image
from hil.rig.bootloader import Bootloader, build_bootloader
from hil.rig.errors import RigError
from hil.rig.port import PtyRig

ROUNDS = 50
PARALLEL = 2
OTHER_VERSION = "0.9.9"
# What a machine that is busy may need; it is waited for in full only by an MCU that stands still (before).
CALM = Patience(before_s=3.0, after_s=60.0)


class Cut(Enum):
    """What interrupts."""

    UNPLUGGED = "cable pulled"  # and with it the MCU's power
    KILLED = "avrdude killed"
    CANCELLED = "Ctrl-C"


@dataclass(frozen=True, slots=True)
class Outcome:
    """One round. ``left``: what the interrupted try left in the flash; ``told``: the error's text."""

    percent: float
    cut: Cut
    left: str
    told: str
    recovered: Flashed


class Bench:
    """One emulated board with its files, flashed with the bundled image and named. Use as a context."""

    def __init__(self, folder: Path, name: str, kind: Bootloader = Bootloader.NEW) -> None:
        self.name = name
        self.port = folder / f"tty-{name}"
        self.flash_file = folder / f"{name}.flash"
        bundled = load_image(bundled_image(), PROTOCOL_VERSION)
        other = write_image(folder / f"{name}.hex", as_version(bundled.memory, OTHER_VERSION))
        self.images = (bundled, load_image(other, PROTOCOL_VERSION))
        self.rig = PtyRig(
            self.port,
            bundled.path,
            bootloader=build_bootloader(kind),
            flash=self.flash_file,
            eeprom=folder / f"{name}.eeprom",
        )
        try:
            with Interview(str(self.port)) as interview:
                if interview.identity(CALM.after_s) is None:
                    raise RigError(f"{self.port}: the firmware in the rig says nothing")
                interview.name_it(name, CALM.after_s)
        except BaseException:
            self.rig.close()
            raise

    def holds(self, image: Image) -> bool:
        """Whether the flash holds an image, whole."""
        return self.flash_file.read_bytes()[: len(image.memory)] == image.memory

    def left(self, old: Image, new: Image) -> str:
        """What the flash holds, in a word; raises RigError for what must never be."""
        if self.flash_file.read_bytes().startswith(new.chip.standstill):
            return "standstill"
        for word, image in (("old", old), ("new", new)):
            if self.holds(image):
                return word
        raise RigError(f"{self.port}: the flash holds a mixture that starts")

    def plug(self) -> None:
        """Put the cable in again, and wait until the port is there."""
        self.rig.plug()
        ends_s = time.monotonic() + CALM.after_s
        while not self.port.exists():
            if time.monotonic() > ends_s:
                raise RigError(f"{self.port}: doesn't come back after plugging in")
            time.sleep(0.01)

    def __enter__(self) -> Bench:
        return self

    def __exit__(self, *_: object) -> None:
        self.rig.close()


class Interrupting:
    """The watcher of a flash that cuts it off at a share of its bytes."""

    def __init__(self, bench: Bench, share: float, cut: Cut) -> None:
        self._bench, self._share, self._cut = bench, share, cut

    def step(self, text: str) -> None:
        """Steps aren't cut."""

    def progress(self, progress: Progress) -> None:
        """Cut here, once the share is reached; also again, when it starts over by itself."""
        if progress.share < self._share:
            return
        if self._cut is Cut.CANCELLED:
            raise KeyboardInterrupt
        if self._cut is Cut.UNPLUGGED:
            self._bench.rig.unplug()
        else:
            kill_avrdude(str(self._bench.port))


class Silent:
    """A watcher that doesn't look."""

    def step(self, text: str) -> None:
        """Nothing."""

    def progress(self, progress: Progress) -> None:
        """Nothing."""


def kill_avrdude(port: str) -> None:
    """End, as a crash would, the avrdude that this process has started for a port."""
    for stat in Path("/proc").glob("[0-9]*/stat"):
        try:
            parent = int(stat.read_text().rsplit(")", 1)[1].split()[1])
            words = (stat.parent / "cmdline").read_bytes().split(b"\0")
        except (OSError, ValueError):
            continue  # it has ended
        if parent == os.getpid() and words[0].endswith(b"avrdude") and port.encode() in words:
            os.kill(int(stat.parent.name), signal.SIGKILL)


def interrupt_and_recover(bench: Bench, number: int, share: float, cut: Cut) -> Outcome:
    """One round. Raises AssertionError or RigError for a broken promise, FlashError where it doesn't recover."""
    old, new = bench.images[number % 2], bench.images[(number + 1) % 2]
    try:
        flash_mcu(str(bench.port), new, Interrupting(bench, share, cut), patience=CALM)
    except FlashError as error:
        told = str(error)
    else:
        raise AssertionError(f"{cut.value} at {share:.0%} didn't interrupt")
    left = bench.left(old, new)
    claims = {Holds.OLD: ("old",), Holds.STANDSTILL: ("old", "standstill"), Holds.NEARLY: ("standstill", "new")}
    claimed = next((words for holds, words in claims.items() if holds.sentence in told), None)
    if claimed is None or left not in claimed:
        raise AssertionError(f"{cut.value} at {share:.0%} left {left}, but the text says: {told}")
    if cut is Cut.UNPLUGGED:
        bench.plug()
    recovered = flash_mcu(str(bench.port), new, Silent(), patience=CALM)
    if not bench.holds(new) or recovered.after.serial != bench.name:
        raise AssertionError(f"after {cut.value} at {share:.0%}: flashed again, but not what should be there")
    return Outcome(100.0 * share, cut, left, told, recovered)


def soak(rounds: int = ROUNDS, parallel: int = PARALLEL) -> list[Outcome]:
    """``rounds`` interruptions at shares spread from 1 to 99 %, on ``parallel`` boards at a time."""
    shares = [(1 + 98 * k / max(rounds - 1, 1)) / 100 for k in range(rounds)]
    cuts = list(Cut)
    with tempfile.TemporaryDirectory(prefix="shelfedge-soak-") as folder, ThreadPoolExecutor(parallel) as pool:

        def one_board(board: int) -> list[Outcome]:
            with Bench(Path(folder), f"soak-{board}") as bench:
                mine = range(board, rounds, parallel)
                return [interrupt_and_recover(bench, n, shares[k], cuts[k % 3]) for n, k in enumerate(mine)]

        return sorted((o for board in pool.map(one_board, range(parallel)) for o in board), key=lambda o: o.percent)


def main(arguments: Sequence[str] | None = None) -> int:
    """Run it and print a line for each round; 0 when every one has recovered."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rounds", type=int, default=ROUNDS)
    parser.add_argument("--parallel", type=int, default=PARALLEL)
    chosen = parser.parse_args(arguments)
    started_s = time.monotonic()
    outcomes = soak(chosen.rounds, chosen.parallel)
    for outcome in outcomes:
        sys.stdout.write(
            f"{outcome.percent:5.1f} %  {outcome.cut.value:<14}  left: {outcome.left:<10}  "
            f"flashed again in {outcome.recovered.took_s:4.1f} s\n"
        )
    sys.stdout.write(
        f"{len(outcomes)} of {chosen.rounds} interruptions recovered, in {time.monotonic() - started_s:.0f} s\n"
    )
    return 0


if __name__ == "__main__":
    sys.exit(main())
