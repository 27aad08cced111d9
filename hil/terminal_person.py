"""Somebody at a board who has only the screen to go by: reads what it says, does it, a little off and a little late."""

from __future__ import annotations

import re
import threading
from collections.abc import Mapping
from dataclasses import dataclass, field

import numpy as np

from calibration.prompts import Prompt, Step
from drivers.simulated import hands
from drivers.simulated.forces import Force, Shake
from drivers.simulated.scene import Put
from drivers.simulated.world import Unit
from hil.installer import Installer

_PLACE = re.compile(r"([A-Z][A-Z ]*[A-Z]):  (\d+) mm from the left, (\d+) mm from the front")
_NUMBER = re.compile(r"(\d+) of (\d+)")
_UNIT_S = (1.0, 2.5)


@dataclass(slots=True)
class Reader:
    """Turns what stands on the screen into what to do, once for each new thing that is asked for.

    Attributes:
        weight_g: the one in the hand.
    """

    weight_g: float
    _last: tuple[object, ...] = ()
    prompts: list[Prompt] = field(default_factory=list)

    def read(self, rows: list[str]) -> Prompt | None:
        """The new request on it, if there is one."""
        text = "\n".join(rows)
        number = _NUMBER.search(rows[0])
        prompt = self._prompt(text, int(number[1]) if number else 0, int(number[2]) if number else 0)
        if prompt is None:
            return None
        key = (prompt.step, prompt.x_mm, prompt.y_mm, prompt.number, prompt.mistake)
        if key == self._last:
            return None
        self._last = key
        self.prompts.append(prompt)
        return prompt

    def _prompt(self, text: str, number: int, of: int) -> Prompt | None:
        rows = text.splitlines()
        if place := _PLACE.search(text):
            at = next(k for k, row in enumerate(rows) if place[0] in row)
            mistake = rows[at + 1].strip() if at + 1 < len(rows) else ""
            where = (float(place[2]), float(place[3]))
            return Prompt(Step.PUT, "", place[1].lower(), *where, self.weight_g, number, of, mistake)
        if "Take the weight off." in text or "Take it off again." in text or "Take everything off the board." in text:
            return Prompt(Step.TAKE_OFF, "", number=number, of=of)
        if "units so far" in text or "Put a unit down" in text:
            return Prompt(Step.PUT, "", "unit", number=number, of=of)
        return None


class AtTheBoard:
    """An `Installer` who may be told what to do from another thread, and who can put units of a product down too.

    Keeps what `BoardSimulator` asks of a stage.
    """

    def __init__(self, installer: Installer, rng: np.random.Generator) -> None:
        self._installer = installer
        self._rng = rng
        self._lock = threading.Lock()
        self._units: list[Force] = []
        self.settled_g: Mapping[str, list[tuple[float, float, float]]] = installer.settled_g

    def acting(self, board: str, until_s: float) -> tuple[list[Force], list[Shake]]:
        """As a stage's."""
        with self._lock:
            forces, shakes = self._installer.acting(board, until_s)
            now = [force for force in self._units if force.begin_s < until_s]
            self._units = [force for force in self._units if force.begin_s >= until_s]
            return forces + now, shakes

    def follow(self, prompt: Prompt, now_s: float) -> None:
        """Do what a prompt says."""
        with self._lock:
            self._installer.follow(prompt, now_s)

    def put_unit(self, grams: float, x_mm: float, y_mm: float, now_s: float) -> None:
        """Put a unit of a product down."""
        at_s = now_s + float(self._rng.uniform(*_UNIT_S))
        forces, _ = hands.put([Unit("unit", grams, None, x_mm, y_mm)], Put(at_s, "", contact_s=0.6), self._rng)
        with self._lock:
            self._units += forces
