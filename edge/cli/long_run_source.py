"""What creep and temperature runs have in common on the command line: whose board, its source, its record."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from rich.text import Text

from calibration.record import BoardCalibration
from edge.config.setup import Setup
from edge.node.board_source import BoardSource, HardwareSource, MachineClock, hold_node
from edge.node.calibrate import CalibrateError, store_of, with_current_record
from edge.node.simulate import calibration_for, physics_for
from edge.node.simulated_installer import Installer, SimulatedClock, SimulatedSource


@dataclass(frozen=True, slots=True)
class LongRun:
    """What the command line asks for.

    Attributes:
        sensor: 'tmp36', 'lm35' or a file; None: the node file's thermometer, or what is found.
        simulate: seed of a simulated board in place of what the node file says; None for that.
    """

    board: str
    node_path: Path
    setup: Setup
    sensor: str | None
    who: str
    as_json: bool
    simulate: int | None
    speed: float

    @property
    def is_simulated(self) -> bool:
        """There is no hardware behind it."""
        return self.simulate is not None or self.setup.node.boards[self.board].driver.type == "simulated"

    @property
    def practises(self) -> bool:
        """With ``--simulate`` nothing is saved. A board whose driver is `simulated` is saved like any other without."""
        return self.simulate is not None

    @property
    def seed(self) -> int:
        """Of the simulated board."""
        return 1 if self.simulate is None else self.simulate


def open_source(asked: LongRun) -> BoardSource:
    """The board's hardware, or a simulated board in a room, with somebody in front of it."""
    if not asked.is_simulated:
        return HardwareSource(asked.setup, asked.node_path, asked.board, MachineClock())
    setup = with_current_record(asked.setup, store_of(asked.setup, asked.node_path), asked.board)
    board = setup.node.boards[asked.board]
    person = Installer(asked.board, (board.width_mm / 2, board.depth_mm / 2), asked.seed)
    held = None if asked.practises else hold_node(asked.node_path, asked.setup)
    return SimulatedSource(setup, asked.board, asked.seed, SimulatedClock(asked.speed), person, room=True, held=held)


def record_to_add_to(asked: LongRun) -> BoardCalibration:
    """The board's record in use, which a run's figures are added to; for practice one that fits the simulated board.

    Raises CalibrateError where there is none, CalibrationError, StoreError for one that can't be read, or for a folder
    that nothing can be saved in.
    """
    store = store_of(asked.setup, asked.node_path)
    record = store.current(asked.board)
    if record is not None:
        if not asked.practises:
            store.check_writable(asked.board)
        return record
    if asked.practises:
        return calibration_for(asked.setup, physics_for(asked.setup, asked.seed), asked.seed)[asked.board]
    raise CalibrateError(
        f"{asked.board} was never calibrated, and what this run finds is kept with that; calibrate it first: "
        f"shelfedge calibrate {asked.board} {asked.node_path}"
    )


def banner(text: str) -> Text:
    """A verdict's line."""
    return Text(f"  {text}  ", "bold black on green", no_wrap=True)
