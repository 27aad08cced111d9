"""Simulated boards for a node that runs on and on: one shopper in front of all of them, in bounded memory."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Iterator

from calibration.record import BoardCalibration
from drivers.errors import DriverError
from drivers.notices import Notice
from drivers.samples import SampleBlock
from drivers.simulated.driver import SimulatedDriver
from drivers.simulated.scene import Action
from drivers.simulated.stage import Scene, Stage
from drivers.simulated.world import World
from edge.config.setup import Setup
from edge.node.simulate import calibration_for, live_drivers, physics_for

KEPT = 200
"""Units in shoppers' hands, and movements of the past: an endless scene forgets what came before."""
LONGEST_PAUSE_NS = 10 * 10**9
"""A node that was stopped for longer doesn't make up for it: nobody came meanwhile, and nothing was converted."""


class SimulatedBoards:
    """Those boards of a setup whose driver is `simulated`.

    Attributes:
        boards: their names.
        calibration: the setup's, with what a calibration of these boards would have found.
        stage: what happens in front of them.
    """

    def __init__(self, setup: Setup, seed: int, scene: Scene, clock: Callable[[], int]) -> None:
        ours = _simulated_part(setup)
        self.boards = tuple(ours.node.boards)
        physics = physics_for(ours, seed)
        self.calibration: dict[str, BoardCalibration] = {
            **setup.calibration,
            **calibration_for(ours, physics, seed),
        }
        self._pause = _Pause(clock())
        self._clock = clock
        self.stage: Stage
        self._drivers, self.stage = live_drivers(ours, seed, self._forgetting(scene), physics, clock)

    def scene_s(self) -> float:
        """The boards' own time: since they were started, less the time that they stood still."""
        begun_ns = self._pause.begun_ns
        return 0.0 if begun_ns is None else (self._clock() - self._pause.skipped_ns - begun_ns) / 1e9

    def driver(self, board: str) -> PausingDriver:
        """A board's driver; each board has one, once. Raises DriverError for the second."""
        if board not in self._drivers:
            raise DriverError(f"{board}: a simulated board is made once")
        return PausingDriver(self._drivers.pop(board), self._pause, self._clock)

    def _forgetting(self, scene: Scene) -> Scene:
        def play(world: World) -> Iterator[Action]:
            for action in scene(world):
                yield action  # and now it has been played
                del world.hands[:-KEPT]
                del self.stage.movements[:-KEPT]
                del self.stage.disturbances[:-KEPT]

        return play


class _Pause:
    """How long the boards stood still because nobody asked for their samples: the same for all of them."""

    def __init__(self, now_ns: int) -> None:
        self.skipped_ns = 0
        self.begun_ns: int | None = None  # when the first board was started
        self._asked_ns = now_ns

    def asked(self, until_ns: int) -> int:
        """How long they have stood still until now, given that samples until then are asked for."""
        late_ns = until_ns - self._asked_ns
        if late_ns > LONGEST_PAUSE_NS:
            self.skipped_ns += late_ns - LONGEST_PAUSE_NS
        self._asked_ns = max(self._asked_ns, until_ns)
        return self.skipped_ns


class PausingDriver:
    """Keeps `drivers.contract.LoadCellDriver`: a simulated board that stands still while the node does."""

    def __init__(self, driver: SimulatedDriver, pause: _Pause, clock: Callable[[], int]) -> None:
        self._clock = clock
        self.board = driver.board
        self._driver = driver
        self._pause = pause

    def start(self) -> None:
        """As the contract says."""
        if self._pause.begun_ns is None:
            self._pause.begun_ns = self._clock()
        self._driver.start()

    def read(self, until_ns: int) -> SampleBlock:
        """As the contract says."""
        skipped_ns = self._pause.asked(until_ns)
        block = self._driver.read(until_ns - skipped_ns)
        return dataclasses.replace(block, time_ns=block.time_ns + skipped_ns) if skipped_ns else block

    def take_notices(self) -> list[Notice]:
        """As the contract says."""
        return self._driver.take_notices()

    def stop(self) -> None:
        """As the contract says."""
        self._driver.stop()


def _simulated_part(setup: Setup) -> Setup:
    """The setup without its other boards: nobody would ask for what happens to those."""
    boards = {name: board for name, board in setup.node.boards.items() if board.driver.type == "simulated"}
    slots = {name: slot for name, slot in setup.planogram.slots.items() if slot.board in boards}
    return dataclasses.replace(
        setup,
        node=setup.node.model_copy(update={"boards": boards}),
        planogram=setup.planogram.model_copy(update={"slots": slots}),
        calibration={name: record for name, record in setup.calibration.items() if name in boards},
    )
