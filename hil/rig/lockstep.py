"""The emulated rig in lockstep: time passes only when it is told to, as fast as the machine can."""

from __future__ import annotations

import struct
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType

from hil.rig.build import build
from hil.rig.controls import Controls, start_arguments
from hil.rig.process import Process

_HEAD = struct.Struct("<qI")


@dataclass(frozen=True, slots=True)
class Chunk:
    """Bytes as a USB-serial chip hands them over.

    Attributes:
        time_ns: true time at which the last of them had come over the line.
        data: 1 to 32 bytes.
    """

    time_ns: int
    data: bytes


class LockstepRig(Controls):
    """A board in lockstep. It depends on its arguments and the calls alone: a run can be repeated exactly.

    Args:
        firmware: hex that is in the flash at the start.
        bootloader: hex of a bootloader; a reset then begins in it.
        flash, eeprom: files that keep the memories from one rig to the next; made where missing.
        chips: HX711s on the board's pins.
        seed: of jitter, noise and the line's chances.
    """

    def __init__(
        self,
        firmware: Path | None = None,
        *,
        bootloader: Path | None = None,
        flash: Path | None = None,
        eeprom: Path | None = None,
        chips: int = 0,
        seed: int = 1,
    ) -> None:
        arguments = start_arguments(firmware, bootloader, flash, eeprom, chips, seed)
        super().__init__(Process(build(), arguments), chips)

    def run(self, microseconds: float) -> list[Chunk]:
        """Let that much true time pass: what came from the MCU, in order."""
        answer = self._process.ask(f"run {float(microseconds)!r}")
        chunks, at = [], 0
        while at < len(answer):
            time_ns, length = _HEAD.unpack_from(answer, at)
            at += _HEAD.size
            chunks.append(Chunk(time_ns, answer[at : at + length]))
            at += length
        return chunks

    def send(self, data: bytes) -> None:
        """Put bytes on the line to the MCU, from now on one after another at the firmware's baud (8192 can wait)."""
        self._process.ask(f"send {len(data)}", data)

    def __enter__(self) -> LockstepRig:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()
