"""The real firmware on the emulated rig, and what tests want to know of a run."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterator
from functools import cached_property
from itertools import pairwise
from pathlib import Path
from typing import TypeVar

import numpy as np
import numpy.typing as npt

import firmware_bridge
from firmware_bridge.protocol.codes import CommandCode
from firmware_bridge.protocol.frames import Deframer, encode_frame
from firmware_bridge.protocol.messages import McuMessage, McuNotice, RawSample, Reply, Samples, Status, decode_message
from hil.rig.lockstep import LockstepRig

sys.path.append(str(Path(__file__).parents[1] / "hil"))  # the rig's own tests are next door, and so is what they need
from rig_ready import needed

FIRMWARE = Path(firmware_bridge.__file__).parent / "firmware"
HEX = FIRMWARE / "shelfedge-atmega328p.hex"
RATES_HZ = (78.0, 80.0, 82.02, 84.5, 88.0, 90.0, 92.0, 94.0)

Kind = TypeVar("Kind", bound=McuMessage)

__all__ = ["FIRMWARE", "HEX", "RATES_HZ", "McuRun", "build_firmware", "needed"]


def build_firmware(folder: Path, *options: str) -> Path:
    """The firmware's hex, built from its sources; ``options`` go to the compiler."""
    needed("make", "avr-gcc", "avr-objcopy", "avr-size")
    command = ["make", "--silent", "-C", str(FIRMWARE), "image", f"BUILD={folder}", f"PYTHON={sys.executable}"]
    subprocess.run([*command, f"OPTIONS={' '.join(options)}"], check=True, stdout=subprocess.DEVNULL)
    return folder / HEX.name


class McuRun:
    """A rig whose bytes are decoded as they come."""

    def __init__(self, rig: LockstepRig) -> None:
        self.rig = rig
        self.messages: list[McuMessage] = []
        self._deframer: Deframer[McuMessage] = Deframer(decode_message)
        self._token = 0

    @property
    def frames_lost(self) -> int:
        """Frames that weren't whole, and jumps of the sequence number."""
        counts = self._deframer.counts
        numbers = [message.seq for message in self.messages]
        jumps = sum((after - before) & 0xFFFF != 1 for before, after in pairwise(numbers))
        return counts.damaged + counts.unknown + counts.oversize + jumps

    def run(self, seconds: float) -> list[McuMessage]:
        """What the MCU said in that time; it is kept too."""
        new = [
            received.message for chunk in self.rig.run(seconds * 1e6) for received in self._deframer.feed(chunk.data)
        ]
        self.messages += new
        return new

    @cached_property
    def truth(self) -> npt.NDArray[np.void]:
        """What really happened, up to the first time it is asked for (`hil.rig.truth.TRUTH`)."""
        return self.rig.truth()

    def send(self, command: int, data: bytes = b"", token: int | None = None) -> int:
        """Send a command; gives its token."""
        self._token = self._token + 1 & 0xFF if token is None else token
        self.rig.send(encode_frame(bytes((command, self._token)) + data))
        return self._token

    def ask(self, command: CommandCode, data: bytes = b"", seconds: float = 0.06) -> Reply:
        """Send a command and wait for its one reply."""
        token = self.send(command, data)
        replies = [m for m in self.run(seconds) if isinstance(m, Reply)]
        assert [(reply.token, reply.command) for reply in replies] == [(token, command)]
        return replies[0]

    def all_of(self, kind: type[Kind]) -> list[Kind]:
        """All messages of a kind so far."""
        return [message for message in self.messages if isinstance(message, kind)]

    @property
    def status(self) -> Status:
        """The latest."""
        return self.all_of(Status)[-1]

    def notices(self, chip: int) -> list[tuple[int, int]]:
        """(cause, value) of each notice about a chip (255: the MCU)."""
        return [(notice.cause, notice.value) for notice in self.all_of(McuNotice) if notice.chip == chip]

    def samples(self, chip: int) -> Iterator[tuple[int, RawSample]]:
        """(time of the edge by the MCU's clock in µs, sample), in order."""
        for frame in self.all_of(Samples):
            for sample in frame.samples:
                if sample.chip == chip:
                    yield frame.base_us + sample.edge_us, sample

    def counts(self, chip: int, flags: int | None = None) -> npt.NDArray[np.int64]:
        """The codes of a chip's samples, of all or of those with exactly these flags."""
        return np.array([s.counts for _, s in self.samples(chip) if flags is None or s.flags == flags], np.int64)
