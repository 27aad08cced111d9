"""A simulated installer: does what the prompts say, clumsily, on a simulated board whose truth is known.

He reads a prompt, takes his time, and puts the weight down up to 15 mm off its place; now and then he bumps into the
board, lifts the weight before it has been taken, or takes the wrong corner, and does it again when he is told to.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

import numpy as np

from calibration.placements import BoardSite
from calibration.prompts import Prompt, Step
from drivers.simulated import hands
from drivers.simulated.forces import Force, Shake, Shock
from drivers.simulated.scene import Lean, Pick, Put
from drivers.simulated.world import Unit

FAR_MM = 150.0
POUND_G = 453.59237
FORGOTTEN = (0.05, 0.6)  # what is left behind or lay there, as a share of the weight
NEIGHBOUR = (0.08, 0.2)  # what a board beside it takes of a weight on the near half, and half of it stays stuck


@dataclass(frozen=True, slots=True)
class Habits:
    """How clumsy somebody is. Shares are per placement.

    Attributes:
        off_mm: a weight lies anywhere within this distance of its place.
        stubborn: one way of being wrong that no prompt mends, by the name of the reason that it must be refused for.
    """

    off_mm: float = 15.0
    bumps_share: float = 0.25
    early_share: float = 0.12
    wrong_place_share: float = 0.05
    steps_per_min: float = 6.0
    stubborn: str = ""


@dataclass(slots=True)
class Installer:
    """Keeps what `BoardSimulator` asks of a stage: what lies on the board at first, and what acts on it.

    Attributes:
        settled_g: nothing lies there.
    """

    site: BoardSite
    weight_g: float
    habits: Habits
    rng: np.random.Generator
    other_board: str = ""
    settled_g: Mapping[str, list[tuple[float, float, float]]] = field(default_factory=dict)
    _forces: dict[str, list[Force]] = field(default_factory=dict)
    _shakes: dict[str, list[Shake]] = field(default_factory=dict)
    _lying: Unit | None = None
    _there: tuple[float, float, float] | None = None
    _bound_g: float = 0.0
    _next_step_s: float = 3.0
    _odd: str = ""
    _visits: int = 0

    def __post_init__(self) -> None:
        boards = [self.site.board, *([self.other_board] if self.other_board else [])]
        self.settled_g = {board: [] for board in boards}
        self._forces = {board: [] for board in boards}
        self._shakes = {board: [] for board in boards}
        if self.habits.stubborn == "something lay there":
            share, x, y = (float(v) for v in self.rng.uniform((FORGOTTEN[0], 0.2, 0.2), (FORGOTTEN[1], 0.8, 0.8)))
            self._there = (x * self.site.width_mm, y * self.site.depth_mm, share * self.weight_g)
            self.settled_g = {**self.settled_g, self.site.board: [self._there]}

    def acting(self, board: str, until_s: float) -> tuple[list[Force], list[Shake]]:
        """What begins on a board before a time and wasn't asked for before."""
        while self._next_step_s < until_s:
            self._walk(self._next_step_s)
            restless = self.habits.stubborn == "never at rest"
            per_min = 600.0 if restless else max(self.habits.steps_per_min, 1e-6)
            self._next_step_s += float(self.rng.exponential(60.0 / per_min))
        forces = [force for force in self._forces[board] if force.begin_s < until_s]
        shakes = [shake for shake in self._shakes[board] if shake.begin_s < until_s]
        self._forces[board] = [force for force in self._forces[board] if force.begin_s >= until_s]
        self._shakes[board] = [shake for shake in self._shakes[board] if shake.begin_s >= until_s]
        return forces, shakes

    def follow(self, prompt: Prompt, now_s: float) -> None:
        """Do what a prompt says, some time after ``now_s``."""
        at_s = now_s + float(self.rng.uniform(0.8, 3.0))
        if prompt.step is Step.PUT and self.habits.stubborn != "weight not moved":
            if self._lying is not None and "instead" in prompt.mistake:
                self._take(at_s)
                at_s += 6.0
            if self._lying is None:
                self._put(prompt, at_s)
        elif prompt.step is Step.TAKE_OFF and self._lying is not None:
            self._take(at_s)

    def _put(self, prompt: Prompt, at_s: float) -> None:
        habits, rng = self.habits, self.rng
        assert prompt.x_mm is not None
        assert prompt.y_mm is not None
        if rng.random() < habits.bumps_share:
            lean = Lean(at_s, self.site.board, float(rng.uniform(200, 2500)), float(rng.uniform(0.1, 0.5)))
            pushes, knocks = hands.lean(self.site.width_mm, self.site.depth_mm, lean, rng)
            self._add(self.site.board, pushes, knocks)
            at_s += 1.5
        x_mm, y_mm = self.near(prompt.x_mm, prompt.y_mm)
        grams = prompt.weight_g
        if habits.stubborn == "pounds for kilograms":
            grams *= POUND_G / 1000.0
        self._visits += 1
        if self._there is not None and self._visits == 2:  # he takes what lay there out of the way
            x_there, y_there, there_g = self._there
            self._add(self.site.board, [Force(x_there, y_there, (at_s - 0.5, at_s - 0.1), (0.0, -there_g))], [])
            self._there = None
        odd = self._odd == prompt.place
        if not self._odd and habits.stubborn and prompt.place != "middle":
            self._odd, odd = prompt.place, True
        stubborn = habits.stubborn if odd else ""
        if stubborn == "wrong place" or (not prompt.mistake and rng.random() < habits.wrong_place_share):
            x_mm, y_mm = self._far_from(prompt.x_mm, prompt.y_mm)
        if stubborn == "wrong weight":
            grams *= 0.72
        if stubborn == "half the weight":
            grams *= 0.5
        unit = Unit("weight", grams, None, x_mm, y_mm)
        board = self.other_board if habits.stubborn == "swapped boards" else self.site.board
        forces, end_s = hands.put([unit], Put(at_s, "", contact_s=float(rng.uniform(0.5, 1.6))), rng)
        self._add(board, forces, [])
        self._lying = unit
        early = habits.stubborn == "lifted too early"
        if early or (not habits.stubborn and not prompt.mistake and rng.random() < habits.early_share):
            self._take(end_s + float(rng.uniform(0.1, 1.2)))
            if not early:
                self._put_again(prompt, end_s + 5.0)
            return
        if habits.stubborn == "touches its neighbour" and x_mm > 0.6 * self.site.width_mm:
            self._bound_g = float(rng.uniform(*NEIGHBOUR)) * grams
            edge = (self.site.width_mm, y_mm)
            self._add(board, [Force(*edge, (at_s, at_s + 0.1), (0.0, -self._bound_g))], [])
            self._lying = Unit("stuck", grams, None, x_mm, y_mm)
        if stubborn == "corners apart":  # the plate's corner comes to lie on the frame
            self._bound_g = float(rng.uniform(0.07, 0.14)) * grams
            corner = (self.site.width_mm * (x_mm > self.site.width_mm / 2),
                      self.site.depth_mm * (y_mm > self.site.depth_mm / 2))  # fmt: skip
            self._add(board, [Force(*corner, (at_s, at_s + 0.1), (0.0, -self._bound_g))], [])
            self._lying = Unit("bound", grams, None, x_mm, y_mm)

    def _put_again(self, prompt: Prompt, at_s: float) -> None:
        """He noticed himself that he was too quick."""
        assert prompt.x_mm is not None
        assert prompt.y_mm is not None
        unit = Unit("weight", prompt.weight_g, None, *self.near(prompt.x_mm, prompt.y_mm))
        forces, _ = hands.put([unit], Put(at_s, "", contact_s=float(self.rng.uniform(0.5, 1.6))), self.rng)
        self._add(self.site.board, forces, [])
        self._lying = unit

    def _take(self, at_s: float) -> None:
        unit = self._lying
        assert unit is not None
        self._lying = None
        board = self.other_board if self.habits.stubborn == "swapped boards" else self.site.board
        forces, end_s = hands.pick([unit], Pick(at_s, "", touch_s=float(self.rng.uniform(0.3, 1.0))), self.rng)
        self._add(board, forces, [])
        if unit.sku == "bound":
            corner = (self.site.width_mm * (unit.x_mm > self.site.width_mm / 2),
                      self.site.depth_mm * (unit.y_mm > self.site.depth_mm / 2))  # fmt: skip
            self._add(board, [Force(*corner, (end_s - 0.1, end_s), (0.0, self._bound_g))], [])
        if unit.sku == "stuck":
            edge = (self.site.width_mm, unit.y_mm)
            self._add(board, [Force(*edge, (end_s - 0.1, end_s), (0.0, self._bound_g * 0.5))], [])
        if self.habits.stubborn == "something left behind" and self._visits == 2:
            self._visits += 1
            left = float(self.rng.uniform(*FORGOTTEN)) * self.weight_g
            at = (float(self.rng.uniform(0.2, 0.8)) * self.site.width_mm, unit.y_mm)
            self._add(board, [Force(*at, (end_s - 0.1, end_s), (0.0, left))], [])
        if self.habits.stubborn == "no return to zero":
            stays = 0.02 * self.weight_g * (1.0 if self.rng.random() < 0.5 else -1.0)
            self._add(board, [Force(unit.x_mm, unit.y_mm, (end_s - 0.1, end_s), (0.0, stays))], [])

    def add(self, forces: list[Force]) -> None:
        """What acts on the board besides."""
        self._add(self.site.board, forces, [])

    def near(self, x_mm: float, y_mm: float) -> tuple[float, float]:
        """Uniform on a disc around the place."""
        away, turn = self.habits.off_mm * float(np.sqrt(self.rng.random())), 2 * np.pi * float(self.rng.random())
        return x_mm + away * float(np.cos(turn)), y_mm + away * float(np.sin(turn))

    def _far_from(self, x_mm: float, y_mm: float) -> tuple[float, float]:
        """Somewhere else on the board."""
        while True:
            other = (
                float(self.rng.uniform(0.1, 0.9)) * self.site.width_mm,
                float(self.rng.uniform(0.15, 0.85)) * self.site.depth_mm,
            )
            if np.hypot(other[0] - x_mm, other[1] - y_mm) > FAR_MM:
                return other

    def _walk(self, at_s: float) -> None:
        for board in self._shakes:
            x, y = self.rng.uniform(0, self.site.width_mm), self.rng.uniform(0, self.site.depth_mm)
            peaks = (100.0, 400.0) if self.habits.stubborn == "never at rest" else (1.0, 8.0)
            peak, hz = self.rng.uniform(*peaks), self.rng.uniform(5.0, 20.0)
            self._shakes[board].append(
                Shock(float(x), float(y), at_s, float(peak), float(hz), float(self.rng.uniform(0.05, 0.2)))
            )

    def _add(self, board: str, forces: list[Force], shakes: list[Shock]) -> None:
        self._forces[board].extend(forces)
        self._shakes[board].extend(shakes)
