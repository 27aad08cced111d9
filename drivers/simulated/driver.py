"""The `simulated` driver: a live board without hardware."""

from __future__ import annotations

import dataclasses
import time
from collections.abc import Callable

import numpy as np

from drivers.errors import DriverError
from drivers.notices import Notice
from drivers.samples import SampleBlock
from drivers.simulated.board import BoardSimulator


class SimulatedDriver:
    """Keeps `drivers.contract.LoadCellDriver`: samples are those of the simulation, counted from `start`."""

    def __init__(self, simulator: BoardSimulator, clock: Callable[[], int] = time.monotonic_ns) -> None:
        self.board = simulator.board
        self._simulator = simulator
        self._clock = clock
        self._origin_ns: int | None = None
        self._stopped = False
        self._made = SampleBlock.empty(self.board)

    def start(self) -> None:
        """Begin converting now. Raises DriverError when it was started before."""
        if self._origin_ns is not None:
            raise DriverError(f"{self.board}: a simulated board is started once; make a new one")
        self._origin_ns = self._clock()

    def read(self, until_ns: int) -> SampleBlock:
        """All samples converted before `until_ns` and not yet delivered, in order of time; empty after `stop`.

        Never waits: the simulation is as far as it is asked to be. Raises DriverError when it wasn't started.
        """
        if self._stopped:
            return SampleBlock.empty(self.board)
        if self._origin_ns is None:
            raise DriverError(f"{self.board}: start the simulated board before reading it")
        until = until_ns - self._origin_ns
        parts = [self._made]
        while round(self._simulator.made_until_s * 1e9) < until:
            parts.append(self._simulator.next_window())
        made = SampleBlock.join(parts)
        count = int(np.searchsorted(made.time_ns, until))
        self._made = made.part(count, len(made))
        ready = made.part(0, count)
        return dataclasses.replace(ready, time_ns=ready.time_ns + self._origin_ns)

    def take_notices(self) -> list[Notice]:
        """Nothing: what happens to a simulated cell is in its samples, flagged or missing as on a real one."""
        return []

    def stop(self) -> None:
        """No more samples. Calling it twice does no harm."""
        self._stopped = True
        self._made = SampleBlock.empty(self.board)
