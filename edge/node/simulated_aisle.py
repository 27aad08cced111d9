"""The same people for simulated boards and simulated ceiling cameras: who takes an item is seen before its board."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator

import numpy as np

from drivers.camera.options import SimulatedCameraOptions
from drivers.camera.scenes.aisle import Aisle, Need
from drivers.camera.scenes.ceiling import CeilingPainter, Shop, ways_of
from drivers.camera.simulated import SimulatedCamera
from drivers.frames import Frame
from drivers.simulated.scene import Action, Pick, Put
from edge.config.camera_schema import Camera
from edge.config.setup import Setup

OUT_MM = 430.0  # a body's middle before a board's front edge
BEHIND_S = 0.25
SPREAD_MM = 60.0  # people don't stand straight before what they take


def is_over_floor(camera: Camera) -> bool:
    """A simulated camera that shows a ceiling's view of the floor."""
    return (
        camera.floor
        and camera.driver.type == "simulated"
        and SimulatedCameraOptions.model_validate(camera.driver.options).scene == "ceiling"
    )


class SimulatedAisle:
    """People before the simulated boards of a setup that have a place.

    Args:
        scene_s: the boards' own time, seconds.
    """

    def __init__(self, setup: Setup, seed: int, scene_s: Callable[[], float]) -> None:
        self._setup = setup
        self._scene_s = scene_s
        self._rng = np.random.default_rng((seed, 78))
        self.aisle = Aisle(ways_of(Shop()), seed)

    def shows(self, camera: Camera) -> bool:
        """Whether it looks down on these people."""
        return is_over_floor(camera) and any(board.place is not None for board in self._setup.node.boards.values())

    def happens(self, action: Action) -> None:
        """Something will happen on a board, at ``action.at_s`` of the boards' time."""
        if not isinstance(action, Pick | Put):
            return
        slot = self._setup.planogram.slots[action.slot]
        place = self._setup.node.boards[slot.board].place
        if place is None:
            return
        middle_mm = 0.5 * (slot.x_mm[0] + slot.x_mm[1]) + float(self._rng.normal(0.0, SPREAD_MM))
        x_mm, y_mm = place.on_floor(middle_mm, -OUT_MM - float(abs(self._rng.normal(0.0, SPREAD_MM))))
        towards = math.radians(place.facing_deg) + math.pi
        taken = slot.sku if isinstance(action, Pick) else ""
        given = (action.sku or slot.sku) if isinstance(action, Put) and not action.fresh else ""
        self.aisle.needed(Need(action.at_s, x_mm / 1000.0, y_mm / 1000.0, towards, taken, given))

    def camera(self, name: str, clock: Callable[[], int]) -> SimulatedCamera:
        """A camera over these people."""
        options = SimulatedCameraOptions.model_validate(self._setup.node.cameras[name].driver.options)
        return SimulatedCamera(name, self._frames(name, options), options.rate_hz, clock)

    def _frames(self, name: str, options: SimulatedCameraOptions) -> Iterator[Frame]:
        wide, high = options.size
        painter = CeilingPainter(
            Shop(wide, high, options.rate_hz), options.seed, np.random.default_rng(options.seed), name
        )
        number, begin_s = 0, self._scene_s()
        while True:
            now_s = number / options.rate_hz
            behind_s = self._scene_s() - begin_s - now_s
            if behind_s > BEHIND_S:  # a busy machine loses pictures of a real camera too, and the others aren't old
                number += max(1, int(behind_s * options.rate_hz) - 1)
                continue
            yield painter.paint(self.aisle.at(begin_s + now_s), now_s, number).frame
            number += 1
