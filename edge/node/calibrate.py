"""A calibration of one of a node's boards: from its node file to the record in its store.

`follow` runs any procedure on any source; what is told goes to a callback, so that a terminal and a page show the same.
"""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

from calibration.check import CalibrationCheck
from calibration.outcome import Outcome, record_of
from calibration.placements import BoardSite, CellSite
from calibration.prompts import Progress, Prompt, Step
from calibration.record import BoardCalibration, CalibrationError
from calibration.session import CalibrationSession, RunOptions
from calibration.store import CalibrationStore, R, RecordStore
from drivers.samples import SampleBlock
from edge.config.edited_file import EditError, edit_file
from edge.config.errors import ConfigError
from edge.config.node_edit import with_calibration
from edge.config.schema import Board
from edge.config.setup import Setup
from edge.node.board_source import BoardSource
from edge.node.calibrate_gate import LEAST_G, BoardGate
from firmware_bridge.errors import ShelfedgeError

CALIBRATION_FOLDER = "calibration"
"""Beside the node file, where that doesn't name one."""
STEP_S = 0.05  # a shelf MCU wants to be read so often
_UNIFORM = math.sqrt(3.0)  # a tolerance of ± t is a standard deviation of t / √3


class CalibrateError(ShelfedgeError, ValueError):
    """A calibration can't be begun as it was asked for. Examples: a weight far beyond what the board carries."""


class Procedure(Protocol):
    """What `CalibrationSession` is: blocks in, prompts out, until there is an outcome."""

    @property
    def is_over(self) -> bool:
        """There is an outcome."""

    def push(self, blocks: Sequence[SampleBlock], now_ns: int) -> list[Prompt | Progress]:
        """What samples and time lead to."""

    def end(self) -> None:
        """Nothing more will come."""


@dataclass(frozen=True, slots=True)
class Weights:
    """What the board is calibrated with.

    Attributes:
        weight_g: the reference weight that goes around the board. more_g: what lies in the middle after that, in all.
        tolerance_g: how far the reference weight may be off, ±; None where nobody knows.
    """

    weight_g: float
    more_g: tuple[float, ...] = ()
    tolerance_g: float | None = None

    @property
    def options(self) -> RunOptions:
        """The run's options for these weights."""
        if self.tolerance_g is None:
            return RunOptions()
        return RunOptions(tolerance_share=self.tolerance_g / self.weight_g / _UNIFORM)


def site_of(name: str, board: Board) -> BoardSite:
    """A board of the node file, as calibration sees it."""
    cells = tuple(
        CellSite(cell, c.x_mm, c.y_mm, c.capacity_g, c.sensitivity_mv_per_v) for cell, c in board.cells.items()
    )
    return BoardSite(name, board.width_mm, board.depth_mm, board.rate_hz, cells)


def check_weights(board: str, setup: Setup, weights: Weights) -> None:
    """Raises CalibrateError for weights that this board can't be calibrated with."""
    cells = setup.node.boards[board].cells.values()
    capacities = [cell.capacity_g for cell in cells if cell.capacity_g is not None]
    if weights.tolerance_g is not None and weights.tolerance_g >= 0.05 * weights.weight_g:
        raise CalibrateError(
            f"a weight of {weights.weight_g:g} g that may be {weights.tolerance_g:g} g off is no reference; expected "
            f"less than {0.05 * weights.weight_g:g} g (an M1 weight of 1 kg: 0.05 g)"
        )
    if len(set(weights.more_g)) < len(weights.more_g):
        twice = next(grams for grams in weights.more_g if weights.more_g.count(grams) > 1)
        raise CalibrateError(f"{twice:g} g is given twice as an extra load: nothing would change between the two")
    if not capacities:
        if weights.weight_g < LEAST_G:
            raise CalibrateError(
                f"{weights.weight_g:g} g is too light for {board}: by less than {LEAST_G:g} g a zero moves by itself; "
                f"expected at least {LEAST_G:g} g, better 1 kg or more; if its cells are made for so little, say so "
                "with their `capacity` in the node file"
            )
        return
    if weights.weight_g > 0.9 * min(capacities):
        raise CalibrateError(
            f"{weights.weight_g:g} g at a corner nearly overloads a cell of {min(capacities):g} g on {board}; "
            f"expected at most {0.9 * min(capacities):g} g"
        )
    if max(weights.more_g, default=0.0) > sum(capacities):
        raise CalibrateError(
            f"{max(weights.more_g):g} g is more than the cells of {board} carry together ({sum(capacities):g} g)"
        )
    least_g = 0.005 * max(capacities)
    if weights.weight_g < least_g:
        raise CalibrateError(
            f"{weights.weight_g:g} g is too light for cells of {max(capacities):g} g on {board}; expected at least "
            f"{least_g:g} g, better {0.2 * max(capacities):g} g"
        )


def store_of(setup: Setup, node_path: Path) -> CalibrationStore:
    """Where the node's records lie. Raises CalibrateError for a node file that names one file for all boards."""
    folder = node_path.parent / (setup.node.calibration or CALIBRATION_FOLDER)
    if folder.is_file():
        raise CalibrateError(
            f"{node_path}: `calibration` names a file ({folder}); expected a folder, in which each board has its own: "
            f"make one and put the records in as <board>.json"
        )
    return CalibrationStore(folder)


def name_in_node_file(setup: Setup, node_path: Path) -> str:
    """Have the node file, as it is now, name the records' folder; a sentence on what was done, or is left to do."""
    if setup.node.calibration is not None:
        return ""
    try:
        kept = edit_file(node_path, lambda text: with_calibration(text, str(node_path), CALIBRATION_FOLDER))
    except (EditError, ConfigError) as error:
        return f"to do: {str(error).splitlines()[0]}"
    if kept is None:
        return ""
    return f"added to {node_path}: `calibration: {CALIBRATION_FOLDER}`; its former text is kept as {kept}"


def current_or_none(store: RecordStore[R], name: str) -> R | None:
    """The record in use; None where there is none, or it can't be read."""
    try:
        return store.current(name)
    except CalibrationError:
        return None


def with_current_record(setup: Setup, store: CalibrationStore, board: str) -> Setup:
    """The setup with the board's record in use; without one where there is none, or it can't be read."""
    record = current_or_none(store, board)
    if record is None or set(record.cells) != set(setup.node.boards[board].cells):
        return setup
    return dataclasses.replace(setup, calibration={board: record})


class CalibrationRunner:
    """A `CalibrationSession` as a `Procedure`, behind a `BoardGate`."""

    def __init__(
        self, site: BoardSite, weights: Weights, former: BoardCalibration | None = None, quick: bool = False
    ) -> None:
        """``former``: the record in use, by which a board that isn't empty is told. ``quick``: no placements more for
        the sake of places.

        Raises CalibrationInputError for a weight that isn't one.
        """
        self._site, self._weights = site, weights
        self._options = dataclasses.replace(weights.options, more_for_places=not quick)
        self.session = self._fresh_session()
        self._gate = BoardGate(site, weights.weight_g, former)
        self._refused: Outcome | None = None
        self._begun = False

    @property
    def is_over(self) -> bool:
        return self._refused is not None or self.session.outcome is not None

    def push(self, blocks: Sequence[SampleBlock], now_ns: int) -> list[Prompt | Progress]:
        """As the session's, which begins anew once the board is empty."""
        if self.is_over:
            return []
        if not self._begun:
            told = self._gate.push(blocks, now_ns)
            if self._gate.wrong_rate is not None:
                self._refused = Outcome(None, (self._gate.wrong_rate,))
                return [Prompt(Step.DONE, f"This calibration can't be used: {self._gate.wrong_rate}")]
            if self._gate.loaded:
                self.session = self._fresh_session()
                return [*([told] if told is not None else []), self._gate.progress(now_ns)]
        said = self.session.push(blocks, now_ns)
        self._begun = self._begun or any(isinstance(each, Prompt) and each.step is Step.PUT for each in said)
        return said

    def end(self) -> None:
        """Stop it, refused."""
        self.session.stop()

    @property
    def outcome(self) -> Outcome:
        """What it came to."""
        found = self._refused or self.session.stop()
        remark = self._gate.remark
        return found if remark is None else Outcome(found.fit, (*found.findings, remark))

    def _fresh_session(self) -> CalibrationSession:
        return CalibrationSession(self._site, self._weights.weight_g, self._weights.more_g, self._options)


class CheckRunner:
    """A `CalibrationCheck` of the record in use as a `Procedure`."""

    def __init__(self, site: BoardSite, store: CalibrationStore, weights: Weights) -> None:
        """Raises CalibrationError for a record that can't be read, CalibrateError where there is none."""
        record = store.current(site.board)
        if record is None:
            raise CalibrateError(
                f"{site.board} was never calibrated: there is nothing to check; calibrate it first: "
                f"shelfedge calibrate {site.board}"
            )
        self.check = CalibrationCheck(site, record, weights.weight_g, weights.options.tolerance_share)
        self._ended = False

    @property
    def is_over(self) -> bool:
        return self.check.result is not None or self._ended

    def push(self, blocks: Sequence[SampleBlock], now_ns: int) -> list[Prompt | Progress]:
        """As the check's."""
        return self.check.push(blocks, now_ns)

    def end(self) -> None:
        """Stop it without a result."""
        self._ended = True


def follow(procedure: Procedure, source: BoardSource, tell: Callable[[Prompt | Progress], None]) -> None:
    """Run a procedure to its end. Raises what the source raises: DriverError when the hardware is gone."""
    while not procedure.is_over:
        blocks = source.read(source.clock())
        now_ns = source.clock()
        for said in procedure.push(blocks, now_ns):
            if isinstance(said, Prompt):
                source.hear(said, now_ns)
            tell(said)
        if source.over:
            procedure.end()
        source.clock.sleep(STEP_S)


def record_for(
    outcome: Outcome,
    weights: Weights,
    named: Sequence[str],
    when: str,
    who: str,
    firmware: str,
    temperature_c: float | None = None,
) -> BoardCalibration:
    """The record to keep of an accepted run; ``named``: the weights as the installer calls them."""
    texts = named or [f"{grams:g} g" for grams in (weights.weight_g, *weights.more_g)]
    return record_of(outcome, when, who, texts, firmware, temperature_c)
