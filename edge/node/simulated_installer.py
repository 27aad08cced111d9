"""A simulated board with somebody in front of it who does what a procedure's prompts say: for trying out and training.

Weights and items go through the simulation's hands, plate, cells and converters like everything else.
"""

from __future__ import annotations

import dataclasses
import time
from collections import deque
from collections.abc import Iterator
from typing import Protocol

from calibration.prompts import Prompt, Step
from drivers.samples import SampleBlock
from drivers.simulated.draw import in_a_room
from drivers.simulated.scene import Action, ForeignPut, ForeignTake, Put
from drivers.simulated.stage import Scene, seeded
from drivers.simulated.world import World
from edge.config.setup import Setup
from edge.node.board_source import Hold, RunClock
from edge.node.simulate import live_drivers, physics_for

REACTS_S = (2.2, 4.0)  # the simulation is made up to 2 s ahead, and a weight isn't at hand at once
OFF_MM = 6.0  # how far from the place a weight is put, along each axis (one standard deviation)
WITH_BOTH_HANDS_S = 1.2
_WATCHED = 1000.0  # faster than that isn't watched by anybody


class SimulatedClock:
    """Told time: it passes only by `sleep`, ``speed`` times as fast as real time."""

    def __init__(self, speed: float = 1.0) -> None:
        self._speed = speed
        self._now_ns = 1_000_000_000

    def __call__(self) -> int:
        return self._now_ns

    def sleep(self, seconds: float) -> None:
        """Let time pass."""
        self._now_ns += round(seconds * 1e9)
        if self._speed < _WATCHED:
            time.sleep(seconds / self._speed)


class Person(Protocol):
    """Does what prompts say."""

    def hear(self, prompt: Prompt, now_s: float) -> None:
        """What to do now; it takes them some seconds."""

    def actions(self, world: World) -> Iterator[Action]:
        """What they do, as the simulation asks for it; StopIteration while they have nothing to do."""


class _Doing:
    """What a person is about to do. An iterator that may go on after it has ended: `Stage` asks again later."""

    def __init__(self) -> None:
        self.next: deque[Action] = deque()
        self.world: World | None = None

    def __iter__(self) -> Iterator[Action]:
        return self

    def __next__(self) -> Action:
        if not self.next:
            raise StopIteration
        action = self.next.popleft()
        if isinstance(action, ForeignTake) and self.world is not None:  # all before it has happened by now
            foreign = self.world.foreign
            foreign.insert(0, foreign.pop())  # the stage takes what came first; a tower is taken from its top
        return action


class Installer:
    """Puts reference weights where the prompts say, some millimetres off, and takes them away again."""

    def __init__(self, board: str, middle_mm: tuple[float, float], seed: int) -> None:
        """``middle_mm``: where a weight goes that may lie anywhere."""
        self._board = board
        self._middle_mm = middle_mm
        self._rng = seeded(seed, "installer")
        self._doing = _Doing()
        self._on_board: list[float] = []

    def actions(self, world: World) -> Iterator[Action]:
        """As `Person` says."""
        self._doing.world = world
        return self._doing

    def hear(self, prompt: Prompt, now_s: float) -> None:
        """As `Person` says."""
        at_s = now_s + float(self._rng.uniform(*REACTS_S))
        if prompt.step in (Step.TAKE_OFF, Step.CLEAR):
            self._take_off(at_s, 0.0)
        elif prompt.step is Step.PUT:
            at_s = self._take_off(at_s, prompt.weight_g)
            missing = prompt.weight_g - sum(self._on_board)
            if missing > 1e-6:
                x_mm = self._middle_mm[0] if prompt.x_mm is None else prompt.x_mm
                y_mm = self._middle_mm[1] if prompt.y_mm is None else prompt.y_mm
                off_x, off_y = self._rng.normal(0.0, OFF_MM, 2)
                self._doing.next.append(ForeignPut(at_s, self._board, missing, x_mm + off_x, y_mm + off_y))
                self._on_board.append(missing)

    def _take_off(self, at_s: float, down_to_g: float) -> float:
        """Take the last weights off until no more than that is left; when the hands are free again."""
        while self._on_board and sum(self._on_board) > down_to_g + 1e-6:
            self._on_board.pop()
            self._doing.next.append(ForeignTake(at_s, self._board))
            at_s += WITH_BOTH_HANDS_S + float(self._rng.uniform(0.5, 1.5))
        return at_s


class Merchandiser:
    """Puts units of one SKU down in its slot, one after the other, at each prompt."""

    def __init__(self, slot: str, sku: str, seed: int, at_a_time: int = 1) -> None:
        self._slot = slot
        self._sku = sku
        self._at_a_time = at_a_time
        self._rng = seeded(seed, "merchandiser")
        self._doing = _Doing()

    def actions(self, world: World) -> Iterator[Action]:
        """As `Person` says."""
        return self._doing

    def hear(self, prompt: Prompt, now_s: float) -> None:
        """As `Person` says."""
        if prompt.step is Step.PUT:
            at_s = now_s + float(self._rng.uniform(*REACTS_S))
            self._doing.next.append(Put(at_s, self._slot, self._at_a_time, self._sku, fresh=True))


class SimulatedSource:
    """Keeps `edge.node.board_source.BoardSource`.

    Args:
        stocked: what the planogram says lies on the board; otherwise it is empty.
        room: the zeros follow the temperature of one room (`celsius`), for runs of hours.
        seed: of board and stage. A board that has a calibration record fits it.
        held: keeps node and other commands off meanwhile; released by `close`.
    """

    firmware = "simulated"
    over = False

    def __init__(
        self,
        setup: Setup,
        board: str,
        seed: int,
        clock: RunClock,
        person: Person,
        stocked: bool = False,
        room: bool = False,
        held: Hold | None = None,
    ) -> None:
        self._held = held
        slots = {name: slot for name, slot in setup.planogram.slots.items() if slot.board == board}
        if not stocked:
            slots = {name: slot.model_copy(update={"count": 0}) for name, slot in slots.items()}
        alone = dataclasses.replace(
            setup,
            node=setup.node.model_copy(update={"boards": {board: setup.node.boards[board]}}),
            planogram=setup.planogram.model_copy(update={"slots": slots}),
        )
        scene: Scene = person.actions
        physics = physics_for(alone, seed)
        if room:
            physics = {board: in_a_room(physics[board], seeded(seed, "room", board))}
        self._room = physics[board].room
        drivers, self.stage = live_drivers(alone, seed, scene, physics, clock)
        self.clock = clock
        self._driver = drivers[board]
        self._origin_ns = clock()
        self._person = person
        self._driver.start()

    def read(self, now_ns: int) -> list[SampleBlock]:
        """Samples of the board; never waits."""
        block = self._driver.read(now_ns)
        return [block] if len(block) else []

    def hear(self, prompt: Prompt, now_ns: int) -> None:
        """The person does it, a little later."""
        self._person.hear(prompt, (now_ns - self._origin_ns) / 1e9)

    def celsius(self, now_ns: int) -> float:
        """What a thermometer in the board's room says."""
        return float(self._room.celsius((now_ns - self._origin_ns) / 1e9))

    def close(self) -> None:
        """No more samples, and others may have the board."""
        self._driver.stop()
        held, self._held = self._held, None
        if held is not None:
            held.release()
