"""What a node's boards hang on: the drivers of its node file, and the setup that goes with them.

Simulated boards and cameras get a calibration that fits them, played recordings the one they were recorded with, where
the node file names none: with that, fusion runs and the recording is made.
"""

from __future__ import annotations

import dataclasses
import logging
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING

from drivers.build import build_driver
from drivers.contract import LoadCellDriver
from drivers.samples import SampleBlock
from drivers.simulated.scene import Action
from drivers.simulated.shopper import RandomShopper
from edge.config.setup import Setup
from edge.node.simulated_boards import SimulatedBoards
from edge.trace.calibration_file import with_stored_records
from edge.trace.errors import TraceError
from edge.trace.format import CALIBRATION
from edge.trace.loss import losses_text
from edge.trace.reader import TraceReader

if TYPE_CHECKING:
    from drivers.camera.contract import CameraDriver
    from edge.node.simulated_aisle import SimulatedAisle

log = logging.getLogger("shelfedge.boards")

USUAL_VISIT_S, LATEST_FIRST_S = 4.0, 5.0


class Hardware:
    """Makes the drivers of a setup's boards and cameras.

    Attributes:
        setup: as given, with the calibration of boards and cameras that bring their own.
        problems: a sentence for each recording that should have brought one and couldn't be read.

    Args:
        node_path: files that drivers name are relative to it.
        seed: of simulated boards. visit_every_s: how often, about, somebody comes to them.
    """

    def __init__(
        self,
        setup: Setup,
        node_path: Path,
        seed: int,
        clock: Callable[[], int],
        visit_every_s: float = USUAL_VISIT_S,
    ) -> None:
        self._folder = node_path.parent
        self._clock = clock
        self._simulated: SimulatedBoards | None = None
        self._aisle: SimulatedAisle | None = None
        self.problems: list[str] = []
        setup = self._with_recorded_calibration(setup)
        if any(board.driver.type == "simulated" for board in setup.node.boards.values()):
            first_s = min(LATEST_FIRST_S, 1.0 + visit_every_s)  # the boards must be seen at rest before
            shopper = RandomShopper(
                seed, first_s=first_s, gap_s=(0.75 * visit_every_s, 1.25 * visit_every_s), foreseen=self._foreseen
            )
            self._simulated = SimulatedBoards(setup, seed, shopper, clock)
            setup = dataclasses.replace(setup, calibration=self._simulated.calibration)
        if any(camera.driver.type == "simulated" for camera in setup.node.cameras.values()):
            from edge.node.simulated_aisle import SimulatedAisle  # a node without cameras doesn't need it
            from edge.node.simulated_cameras import simulated_records

            setup = dataclasses.replace(setup, cameras={**setup.cameras, **simulated_records(setup)})
            if self._simulated is not None:
                self._aisle = SimulatedAisle(setup, seed, self._simulated.scene_s)
        self.setup = setup

    def make(self, name: str) -> LoadCellDriver:
        """A new driver for a board. Raises what `build_driver` does."""
        board = self.setup.node.boards[name]
        if self._simulated is not None and name in self._simulated.boards:
            return self._simulated.driver(name)
        return build_driver(
            name,
            list(board.cells),
            board.rate_hz,
            board.driver.type,
            board.driver.options,
            clock=self._clock,
            open_trace=self._recorded,
        )

    def make_camera(self, name: str) -> CameraDriver:
        """A new driver for a camera; a simulated one over the floor shows the shoppers of the simulated boards.

        Files that drivers name are relative to the node file. Raises what `build_camera` does.
        """
        from drivers.camera.build import build_camera

        camera = self.setup.node.cameras[name]
        if self._aisle is not None and self._aisle.shows(camera):
            return self._aisle.camera(name, self._clock)
        options = dict(camera.driver.options)
        if camera.driver.type == "video" and isinstance(options.get("file"), str):
            options["file"] = str(self._folder / str(options["file"]))
        if camera.driver.type == "simulated":
            from edge.node.simulated_cameras import scene_options

            options = scene_options(camera)
        return build_camera(name, camera.driver.type, options, clock=self._clock)

    def _foreseen(self, action: Action) -> None:
        if self._aisle is not None:
            self._aisle.happens(action)

    def _recorded(self, file: str, board: str) -> Iterator[SampleBlock]:
        """Blocks of a board out of a recording. Raises TraceError, TraceFileError at once."""
        reader = TraceReader(self._folder / file, self.setup)
        return _blocks_of(reader, board)

    def _with_recorded_calibration(self, setup: Setup) -> Setup:
        for name, board in setup.node.boards.items():
            file = board.driver.options.get("file")
            if board.driver.type != "trace" or name in setup.calibration or not isinstance(file, str):
                continue
            try:
                with TraceReader(self._folder / file) as reader:
                    recorded = with_stored_records(setup, reader.attachments.get(CALIBRATION))
            except (TraceError, OSError) as error:
                self.problems.append(
                    f"{name}: its recording, which has its calibration too, can't be read: {_reason(error)}; check "
                    "`driver: {type: trace, file: ...}` in the node file"
                )
                continue
            if name in recorded.calibration:
                setup = dataclasses.replace(setup, calibration={**setup.calibration, name: recorded.calibration[name]})
        return setup


def _blocks_of(reader: TraceReader, board: str) -> Iterator[SampleBlock]:
    with reader:
        for epoch in reader.epochs():
            yield from (block for block in epoch if block.board == board)
        if reader.losses:
            log.warning("%s", losses_text(str(reader.path), reader.losses))
        log.info("%s: the recording %s has been played to its end", board, reader.path)


def _reason(error: TraceError | OSError) -> str:
    if isinstance(error, OSError) and error.filename is not None:
        return f"{error.filename}: {error.strerror}"
    return str(error)
