"""A simulated board under the chips of a rig: loads, plate, cells and noise are made while the rig runs, so that what
somebody does now is what the chips convert a moment later.
"""

from __future__ import annotations

import dataclasses

import numpy as np
import numpy.typing as npt

from drivers.hx711.chip_faults import ChipFault, PlannedFault
from drivers.simulated.board import BoardSimulator
from drivers.simulated.physics import BoardPhysics, FaultRates
from drivers.simulated.stage import Stage
from hil.rig.controls import ChipSetup, Controls

WINDOW_S = 0.25  # what is made at a time: how long before it is felt an action must be known at least
_KEPT_NS = 1_000_000_000  # of what was handed over before: a chip may not have converted it yet


class LiveBoard:
    """One board's physics, one conversion of its cells for each of the chips', until the rig is closed.

    Chips run at the rates of the cells' own converters, without jitter, so that they pass on one code after the other,
    whatever their phase is: noise and lag are the simulation's. What firmware and line do to them is the rig's.

    Args:
        physics: cell k hangs on chip k. Its chips' own faults (spikes, resets) are left out: the rig makes those.
        stage: what acts on the board (anything with `settled_g` and `acting`).
        origin_ns: the simulation's beginning, in the rig's true time.
    """

    def __init__(
        self, rig: Controls, physics: BoardPhysics, stage: Stage, board: str, seed: int, origin_ns: int = 0
    ) -> None:
        cells = tuple(dataclasses.replace(cell, jitter=0.0, dies_at_s=None) for cell in physics.cells)
        quiet = dataclasses.replace(physics, cells=cells, faults=FaultRates.none(), cold_start=False)
        self._rig = rig
        self._simulator = BoardSimulator(board, quiet, stage, seed, WINDOW_S)
        self._origin_ns = origin_ns
        self._times: list[npt.NDArray[np.int64]] = [np.empty(0, np.int64) for _ in cells]
        self._counts: list[npt.NDArray[np.float64]] = [np.empty(0) for _ in cells]
        for chip, cell in enumerate(physics.cells):
            rig.setup(chip, ChipSetup(rate_hz=physics.rate_hz * (1.0 + cell.rate_error), jitter=0.0, noise_counts=0.0))
            if cell.dies_at_s is not None:
                begin_ns = origin_ns + round(cell.dies_at_s * 1e9)
                rig.inject(chip, PlannedFault(ChipFault.DEAD, begin_ns))

    @property
    def made_until_s(self) -> float:
        """The simulation's time up to which everything is settled: what begins later is still felt in full."""
        return self._simulator.made_until_s

    def feed(self, until_ns: int) -> None:
        """Hand the chips what they convert up to that true time."""
        made = []
        while self._origin_ns + round(self._simulator.made_until_s * 1e9) < until_ns:
            made.append(self._simulator.next_window())
        if not made:
            return
        oldest_ns = self._origin_ns + round((self._simulator.made_until_s - len(made) * WINDOW_S) * 1e9) - _KEPT_NS
        for chip in range(len(self._times)):
            times, counts = [self._times[chip]], [self._counts[chip]]
            for block in made:
                mine = block.cell == chip
                times.append(block.time_ns[mine] + self._origin_ns)
                counts.append(block.counts[mine].astype(np.float64))
            time_ns, count = np.concatenate(times), np.concatenate(counts)
            kept = max(int(np.searchsorted(time_ns, oldest_ns)) - 1, 0)
            self._times[chip], self._counts[chip] = time_ns[kept:], count[kept:]
            self._rig.levels(chip, self._times[chip], self._counts[chip])
