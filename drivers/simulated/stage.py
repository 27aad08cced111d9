"""Plays a scene: actions come in, forces on boards and the truth about movements come out."""

from __future__ import annotations

import threading
import zlib
from collections.abc import Callable, Iterable, Iterator, Sequence

import numpy as np

from drivers.simulated import hands
from drivers.simulated.forces import Force, Shake, Shock
from drivers.simulated.scene import (
    Action,
    Disturbance,
    Footsteps,
    ForeignPut,
    ForeignTake,
    Handling,
    Lean,
    Movement,
    Pick,
    Put,
    Restock,
    Shaken,
    Vibration,
)
from drivers.simulated.world import FOREIGN, SceneError, Unit, World

Scene = Callable[[World], Iterable[Action]]
"""Makes the actions in order of time; may look at what lies where, as it is when the next action is asked for."""

# The brief: footsteps are small bursts of 5-20 Hz; bursts of 10-15 Hz and 5-40 g rms when neighbours are handled.
STEP_HZ, STEP_G, STEP_APART_S = (5.0, 20.0), (1.0, 8.0), (0.45, 0.65)
BURST_HZ, BURST_RMS_G, BURST_S = (10.0, 15.0), (5.0, 40.0), (0.3, 2.5)
BURST_SHOCKS_PER_S = 6.0
NEIGHBOUR_RMS_G = (2.0, 12.0)  # FR 4, AIM3S: other shelves of a rack stray by this much while one is handled


def seeded(seed: int, *names: object) -> np.random.Generator:
    """A random stream of its own for each purpose, so that a change of one leaves the others as they were."""
    return np.random.default_rng([seed, *(zlib.crc32(str(name).encode()) for name in names)])


class Stage:
    """The shelves, the people and what has happened so far.

    Attributes:
        world: what lies where at the end of what has been played.
        movements: truth in order of start, complete up to what has been played.
        disturbances: the same of what moved nothing. Neither recorded shaking, which goes on all the time, nor what a
            board feels of its neighbours being handled.
        handlings: what a camera would see of the movements and leans, in the same order.
        settled_g: board to (x_mm, y_mm, grams) of each unit that lay there at the beginning.

    Args:
        manner: how people handle things.
    """

    def __init__(
        self,
        world: World,
        scene: Scene,
        seed: int,
        manner: hands.Manner = hands.AS_MEASURED,
    ) -> None:
        self.world = world
        self.movements: list[Movement] = []
        self.disturbances: list[Disturbance] = []
        self.handlings: list[Handling] = []
        self._manner = manner
        self._forces: dict[str, list[Force]] = {board: [] for board in world.boards}
        self._shakes: dict[str, list[Shake]] = {board: [] for board in world.boards}
        self.settled_g = {
            board: [(u.x_mm, u.y_mm, u.grams) for place in world.places.values() if place.board == board
                    for u in world.lying[place.slot]]
            for board in world.boards
        }  # fmt: skip
        self._lock = threading.Lock()
        self._rng = seeded(seed, "stage")
        self._actions = iter(scene(world))
        self._next: Action | None = None
        self._waiting: list[Action] = []
        self._now_s = -np.inf

    def acting(self, board: str, until_s: float) -> tuple[list[Force], list[Shake]]:
        """What acts on a board from actions that begin before `until_s` and wasn't asked for before."""
        self.play(until_s)
        with self._lock:
            forces, self._forces[board] = self._forces[board], []
            shakes, self._shakes[board] = self._shakes[board], []
        return forces, shakes

    def play(self, until_s: float) -> None:
        """Play all actions that begin before `until_s`. Raises SceneError for one that can't be done."""
        with self._lock:
            self._play(until_s)

    def _play(self, until_s: float) -> None:
        while True:
            action = self._peek()
            if action is None or action.at_s >= until_s:
                return
            self._take()
            if action.at_s < self._now_s:
                raise SceneError(f"actions must be in order of time: {action} comes after {self._now_s:g} s")
            self._now_s = action.at_s
            self._act(action)

    def _peek(self) -> Action | None:
        if self._next is None:
            self._next = next(self._actions, None)
        if self._waiting and (self._next is None or self._waiting[0].at_s < self._next.at_s):
            return self._waiting[0]
        return self._next

    def _take(self) -> None:
        if self._waiting and (self._next is None or self._waiting[0].at_s < self._next.at_s):
            self._waiting.pop(0)
        else:
            self._next = None

    def _act(self, action: Action) -> None:
        match action:
            case Pick():
                self._pick(action)
            case Put():
                self._put(action)
            case Restock():
                self._waiting.extend(self._restocked(action))
                self._waiting.sort(key=lambda waiting: waiting.at_s)
            case Lean():
                forces, knocks = hands.lean(*self._size(action.board), action, self._rng, self._manner)
                self._add(action.board, forces, knocks)
                end_s, push = max(force.end_s for force in forces), forces[0]
                self._disturbed(action.board, action.at_s, end_s)
                self.handlings.append(Handling(action.board, 0, (), push.x_mm, push.y_mm, action.at_s, end_s))
            case Footsteps():
                self._footsteps(action)
            case Vibration():
                for board in self.world.boards if action.board is None else (action.board,):
                    last_s = self._burst(board, action.at_s, action.lasts_s, action.rms_g)
                    self._disturbed(board, action.at_s, last_s)
            case Shaken():
                self._size(action.board)
                self._add(action.board, [], [action.shake])
            case ForeignPut():
                self._foreign_put(action)
            case ForeignTake():
                self._foreign_take(action)

    def _pick(self, action: Pick) -> None:
        board = self.world.place(action.slot).board
        try:
            units = self.world.take(action.slot, action.quantity, action.sku, action.at_s)
        except SceneError:
            if action.tries:
                return
            raise
        forces, end_s = hands.pick(units, action, self._rng, self._manner)
        for unit in units:
            unit.left_s = end_s
        self._moved("pick", board, action.slot, units, forces, action.at_s, end_s)

    def _put(self, action: Put) -> None:
        place = self.world.place(action.slot)
        units = self._units_to_put(action)
        if not units:
            return
        self.world.put(units, action.slot)
        forces, end_s = hands.put(units, action, self._rng, self._manner)
        for unit in units:
            unit.free_s = end_s
        self._moved("put", place.board, action.slot, units, forces, action.at_s, end_s)

    def _units_to_put(self, action: Put) -> list[Unit]:
        """Units for a put, all of one kind; empty where the scene only tries and nobody holds any."""
        if action.fresh:
            sku = action.sku or self.world.place(action.slot).sku
            return [self.world.new_unit(sku) for _ in range(action.quantity)]
        out = self.world.hands
        kind = action.sku or (out[-1].sku if out else None)
        there = [unit for unit in reversed(out) if unit.sku == kind]
        units = sorted(there, key=lambda unit: unit.left_s > action.at_s)[: action.quantity]
        if len(units) < action.quantity:
            if action.tries:
                return []
            raise SceneError(
                f"can't put {action.quantity} of {kind or 'anything'} into slot {action.slot} at {action.at_s:g} s: "
                f"{len(units)} in shoppers' hands (say fresh for new stock)"
            )
        return units

    def _moved(
        self, kind: str, board: str, slot: str | None, units: list[Unit], forces: list[Force], start: float, end: float
    ) -> None:
        self._add(board, forces, [])
        self.world.touched_until_s = max(self.world.touched_until_s, end)
        grams = sum(unit.grams for unit in units) * (1 if kind == "put" else -1)
        sku = None if slot is None else units[0].sku
        seen, sign = tuple((unit.sku, unit.x_mm, unit.y_mm) for unit in units), 1 if kind == "put" else -1
        self.handlings.append(Handling(board, sign, seen, units[0].x_mm, units[0].y_mm, start, end))
        self.movements.append(Movement(kind, board, slot, sku, len(units), grams, start, end))
        for other in self.world.boards:
            if other != board and self._rng.random() < 0.5:
                self._burst(other, start, end - start, _log_uniform(self._rng, NEIGHBOUR_RMS_G))

    def _add(self, board: str, forces: Sequence[Force], shakes: Sequence[Shake]) -> None:
        self._forces[board].extend(forces)
        self._shakes[board].extend(shakes)

    def _disturbed(self, board: str, start_s: float, end_s: float) -> None:
        self.disturbances.append(Disturbance(board, start_s, end_s))

    def _restocked(self, action: Restock) -> Iterator[Put]:
        at_s = action.at_s
        for _ in range(action.quantity):
            contact_s = min(hands.contact_s(self._rng, self._manner), 0.7 * action.gap_s[0])
            yield Put(at_s, action.slot, fresh=True, contact_s=contact_s)
            at_s += float(self._rng.uniform(*action.gap_s))

    def _footsteps(self, action: Footsteps) -> None:
        peak = action.peak_g if action.peak_g is not None else _log_uniform(self._rng, STEP_G)
        at_s = last_s = action.at_s
        for _ in range(action.steps):
            last_s = at_s
            hz, decay_s = float(self._rng.uniform(*STEP_HZ)), float(self._rng.uniform(0.05, 0.2))
            for board in self.world.boards:
                self._shock(board, at_s, peak * float(self._rng.uniform(0.4, 1.0)), hz, decay_s)
            at_s += float(self._rng.uniform(*STEP_APART_S))
        for board in self.world.boards:
            self._disturbed(board, action.at_s, last_s)

    def _burst(self, board: str, at_s: float, lasts_s: float | None, rms_g: float | None) -> float:
        """A train of shocks with heavy-tailed peaks; when the last of them comes.

        ``rms² = shocks per second · peak² · decay / 4``.
        """
        lasts = lasts_s if lasts_s is not None else _log_uniform(self._rng, BURST_S)
        rms = rms_g if rms_g is not None else _log_uniform(self._rng, BURST_RMS_G)
        hz, decay_s = float(self._rng.uniform(*BURST_HZ)), float(self._rng.uniform(0.15, 0.5))
        count = max(1, int(self._rng.poisson(BURST_SHOCKS_PER_S * lasts)))
        typical = 2.0 * rms / np.sqrt(count / lasts * decay_s)
        last_s = at_s
        for _ in range(count):
            peak = typical * float(np.clip(self._rng.standard_t(4), -5, 5)) / np.sqrt(2.0)  # t(4) has variance 2
            shock_hz = hz * float(self._rng.uniform(0.97, 1.03))
            begin_s = at_s + float(self._rng.uniform(0, lasts))
            self._shock(board, begin_s, peak, shock_hz, decay_s)
            last_s = max(last_s, begin_s)
        return last_s

    def _shock(self, board: str, at_s: float, peak_g: float, hz: float, decay_s: float) -> None:
        width, depth = self._size(board)
        x, y = float(self._rng.uniform(0, width)), float(self._rng.uniform(0, depth))
        self._add(board, [], [Shock(x, y, at_s, peak_g, hz, decay_s)])

    def _foreign_put(self, action: ForeignPut) -> None:
        width, depth = self._size(action.board)
        x = action.x_mm if action.x_mm is not None else float(self._rng.uniform(0.1, 0.9)) * width
        y = action.y_mm if action.y_mm is not None else float(self._rng.uniform(0.1, 0.9)) * depth
        unit = Unit(FOREIGN, action.grams, None, x, y)
        self.world.foreign.append((action.board, unit))
        forces, end_s = hands.put([unit], Put(action.at_s, ""), self._rng, self._manner)
        self._moved("put", action.board, None, [unit], forces, action.at_s, end_s)

    def _foreign_take(self, action: ForeignTake) -> None:
        self._size(action.board)
        there = [entry for entry in self.world.foreign if entry[0] == action.board]
        if not there:
            if action.tries:
                return
            raise SceneError(f"no foreign object lies on {action.board} at {action.at_s:g} s")
        self.world.foreign.remove(there[0])
        forces, end_s = hands.pick([there[0][1]], Pick(action.at_s, ""), self._rng, self._manner)
        self._moved("pick", action.board, None, [there[0][1]], forces, action.at_s, end_s)

    def _size(self, board: str) -> tuple[float, float]:
        if board not in self.world.boards:
            raise SceneError(f"no board {board!r}; there are {', '.join(sorted(self.world.boards))}")
        return self.world.boards[board]


def _log_uniform(rng: np.random.Generator, between: tuple[float, float]) -> float:
    return float(np.exp(rng.uniform(*np.log(between))))
