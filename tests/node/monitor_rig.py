"""Simulated boards with somebody in front of them who does what is scripted, and a monitor that watches them."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Sequence
from typing import Any

from drivers.contract import LoadCellDriver
from drivers.simulated.scene import Action
from edge.config.demo import demo_node_path
from edge.config.setup import Setup, load_setup
from edge.node.monitor import Monitor
from edge.node.monitor_data import BoardView, MonitorView
from edge.node.monitor_feed import ROUND_S, HardwareFeed
from edge.node.simulate import calibration_for, live_drivers, physics_for

BOARD = "shelf-1"


class Clock:
    """Told nanoseconds."""

    def __init__(self) -> None:
        self.ns = 10**12

    def __call__(self) -> int:
        return self.ns


class Bench:
    """One board of the demo, calibrated unless told otherwise, with this done to it.

    ``wrap``: what becomes of the board's driver each time it is made.
    """

    problems = ()

    def __init__(
        self,
        actions: Sequence[Action] = (),
        seed: int = 3,
        calibrated: bool = True,
        wrap: Callable[[LoadCellDriver], LoadCellDriver] = lambda driver: driver,
    ) -> None:
        self.clock = Clock()
        demo = load_setup(demo_node_path())
        node = demo.node.model_copy(update={"boards": {BOARD: demo.node.boards[BOARD]}})
        slots = {name: slot for name, slot in demo.planogram.slots.items() if slot.board == BOARD}
        setup = Setup(node, demo.planogram.model_copy(update={"slots": slots}), {}, "", "")
        physics = physics_for(setup, seed)
        if calibrated:
            setup = dataclasses.replace(setup, calibration=calibration_for(setup, physics, seed))
        self.setup = setup
        self._drivers, self.stage = live_drivers(setup, seed, lambda world: iter(actions), physics, self.clock)
        self._wrap = wrap
        self.feed = HardwareFeed(self, None, self.clock, threaded=False)  # type: ignore[arg-type]
        self.monitor = Monitor(self.feed)
        self.seen: list[MonitorView] = []

    def make(self, board: str) -> LoadCellDriver:
        """As `Hardware.make`."""
        return self._wrap(self._drivers[board])

    def run(self, seconds: float) -> BoardView:
        """Let time pass, looking every fifth of a second; the board at the end."""
        for number in range(round(seconds / ROUND_S)):
            self.clock.ns += round(ROUND_S * 1e9)
            self.feed.round()
            if number % 10 == 9:
                self.monitor.update()
                self.seen.append(self.monitor.view(self.clock.ns))
        return self.seen[-1].boards[0]

    def states(self) -> list[Any]:
        """Whether it moved, each time that was looked."""
        return [view.boards[0].moving for view in self.seen if view.boards]
