"""A bench file binds what tests ask for, a *rig*, to the emulator or to real boards on serial ports."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Final, Literal

from pydantic import AfterValidator, BaseModel, ConfigDict, Field

from edge.config.errors import ConfigError, Problem
from edge.config.piece import Piece, read_named, read_piece
from edge.config.text_file import read_text
from edge.config.yaml_source import parse_yaml
from hil.rig.errors import BenchOnlyError
from hil.rig.port import PtyRig

MOST_CHIPS = 8
EMULATED: Final = "emulated"


def _wired(chips: list[int]) -> list[int]:
    if not chips or len(set(chips)) != len(chips) or not all(0 <= chip < MOST_CHIPS for chip in chips):
        raise ValueError(f"expected different numbers from 0 to {MOST_CHIPS - 1}, at least one")
    return chips


class BenchRig(BaseModel):
    """One board on the bench."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    kind: Literal["emulated", "serial"] = Field(description="'emulated', or 'serial' for a real board")
    port: str | None = Field(default=None, description="The serial port of a real board, for example /dev/ttyUSB0")
    chips: Annotated[list[int], AfterValidator(_wired)] = Field(
        default=list(range(MOST_CHIPS)), description="The HX711s that are wired, by number, for example [0, 1, 2, 3]"
    )


class Bench(BaseModel):
    """A bench file."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    rigs: dict[str, BenchRig] = Field(description="An entry per board, each with its name as the key")


EMULATOR_ONLY = Bench(rigs={EMULATED: BenchRig(kind=EMULATED)})
"""The bench of a desk without hardware."""


@dataclass(frozen=True, slots=True)
class Rig:
    """A board that tests talk to through its port, real or not.

    Attributes:
        name: from the bench file.
        port: what to open.
        chips: the HX711s that are wired, by number.
    """

    name: str
    port: str
    chips: tuple[int, ...]
    _emulator: PtyRig | None = None

    @property
    def is_emulated(self) -> bool:
        """Whether faults can be made and the truth is known."""
        return self._emulator is not None

    @property
    def emulator(self) -> PtyRig:
        """The levers of the emulator. Raises BenchOnlyError when this is a real board."""
        if self._emulator is None:
            raise BenchOnlyError(
                f"Rig '{self.name}' is a real board on {self.port}: only the emulator makes faults and knows the truth"
            )
        return self._emulator


def load_bench(path: Path) -> Bench:
    """Read a bench file. Raises ConfigError with every problem, each with its line."""
    problems: list[Problem] = []
    text = read_text(path)
    if isinstance(text, Problem):
        raise ConfigError([text])
    root, problems = parse_yaml(text, str(path))
    rigs: dict[str, BenchRig] = {}
    if root is not None:
        bench = read_piece(Bench, str(path), (), root, problems, nested=("rigs",))
        for name, node in read_named(bench, "rigs", "rig").items():
            piece = read_piece(BenchRig, str(path), ("rigs", name), node, problems)
            _check_port(piece)
            if not problems:
                rigs[name] = BenchRig(**piece.values)
        if not rigs and not problems:
            bench.add("rigs", "expected at least one rig")
    elif not problems:
        problems.append(Problem(str(path), 1, "", "", "the file is empty; expected a bench file (rigs)"))
    if problems:
        raise ConfigError(problems)
    return Bench(rigs=rigs)


def _check_port(piece: Piece) -> None:
    kind, port = piece.values.get("kind"), piece.values.get("port")
    if kind == "serial" and not port:
        piece.add(None, "expected its port, for example 'port: /dev/serial/by-id/usb-1a86_USB_Serial-if00-port0'")
    if kind == EMULATED and port:
        piece.add("port", "expected no port: an emulated rig makes its own")


@contextmanager
def open_rig(
    name: str, board: BenchRig, folder: Path, firmware: Path | None = None, bootloader: Path | None = None
) -> Iterator[Rig]:
    """A rig of a bench, ready to be opened through its port.

    Args:
        folder: where an emulated rig keeps its port and memories.
        firmware, bootloader: hex files that an emulated rig begins with; a real board keeps what it has.
    """
    if board.kind == "serial":
        yield Rig(name, str(board.port), tuple(board.chips))
        return
    with PtyRig(
        folder / f"tty-{name}",
        firmware,
        bootloader=bootloader,
        flash=folder / f"{name}.flash",
        eeprom=folder / f"{name}.eeprom",
        chips=max(board.chips) + 1,
    ) as emulator:
        yield Rig(name, str(emulator.port), tuple(board.chips), emulator)
