"""A node without hardware: simulated boards through the live code, and the truth beside what was decided."""

from __future__ import annotations

import dataclasses
import time
from collections.abc import Callable
from typing import TYPE_CHECKING

from drivers.simulated.shopper import RandomShopper
from edge.config.setup import Setup
from edge.fusion.engine import Fusion
from edge.node.simulate import QUIET_END_S, calibration_for, labels_of, live_drivers, physics_for
from edge.trace.event import Event, Label

if TYPE_CHECKING:
    from drivers.samples import SampleBlock

NS_PER_S = 1_000_000_000
_WARM_UP_S = 20


class FastClock:
    """A monotonic clock that starts at 0 and runs ``speed`` times as fast as the real one."""

    def __init__(self, speed: float, clock_ns: Callable[[], int] = time.monotonic_ns) -> None:
        self._speed = speed
        self._clock_ns = clock_ns
        self._started_ns = clock_ns()

    def __call__(self) -> int:
        """Nanoseconds since it was made, at its speed."""
        return round((self._clock_ns() - self._started_ns) * self._speed)


class Demo:
    """Simulated drivers, read as they would be live, and fusion behind them. Leave it by `finish`.

    Attributes:
        setup: with the calibration that goes with these boards.
        seconds: how long the scene lasts; nothing is moved in its last seconds, so that all can settle.
        now_s: how far it has come. events: every revision so far.
    """

    def __init__(self, setup: Setup, seed: int, seconds: float, clock_ns: Callable[[], int]) -> None:
        physics = physics_for(setup, seed)
        self.setup = dataclasses.replace(setup, calibration=calibration_for(setup, physics, seed))
        self.seconds = seconds
        self.now_s = 0.0
        self.events: list[Event] = []
        self._clock_ns = clock_ns
        shopper = RandomShopper(seed, until_s=seconds - QUIET_END_S)
        self._drivers, self._stage = live_drivers(self.setup, seed, shopper, physics, clock_ns)
        self._fusion = Fusion(self.setup)
        self._origin_ns = clock_ns()
        for driver in self._drivers.values():
            driver.start()

    @property
    def over(self) -> bool:
        """Whether the scene has come to its end."""
        return self.now_s >= self.seconds

    def step(self) -> tuple[list[SampleBlock], list[Event]]:
        """Read what the boards have converted since the last step; the samples, and what they decide."""
        now_ns = min(self._clock_ns(), self._origin_ns + round(self.seconds * NS_PER_S))
        self.now_s = (now_ns - self._origin_ns) / NS_PER_S
        blocks = [block for driver in self._drivers.values() if len(block := driver.read(now_ns))]
        decided = self._fusion.push(blocks, now_ns)
        self.events += decided
        return blocks, decided

    def finish(self) -> list[Event]:
        """Stop the boards and decide what is still open."""
        for driver in self._drivers.values():
            driver.stop()
        decided = self._fusion.finish()
        self.events += decided
        return decided

    def truth(self) -> list[Label]:
        """What has really happened by now, in order of start; a movement counts once it has begun."""
        movements = [movement for movement in self._stage.movements if movement.start_s <= self.now_s]
        return sorted(labels_of(movements), key=lambda label: label.start_s)


def compile_kernels(setup: Setup, seed: int, wanted: Callable[[], bool] = lambda: True) -> None:
    """Run a short scene on a clock that is told the time, so that every kernel is compiled before somebody watches.

    Ends early, between two kernels or after a few, when it is no longer ``wanted``.
    """
    told_ns = [0]
    demo = Demo(setup, seed, _WARM_UP_S, lambda: told_ns[0])
    while not demo.over and wanted():
        told_ns[0] += NS_PER_S
        demo.step()
    demo.finish()
