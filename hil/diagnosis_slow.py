"""Cases of what goes slowly: creep, warming up, temperature. The simulator's own physics, more of it than is sound."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

from calibration.diagnosis.faults import Fault
from drivers.simulated.physics import BoardPhysics, CellPhysics
from drivers.simulated.scene import Action, ForeignPut, ForeignTake
from drivers.simulated.stage import seeded
from drivers.simulated.world import World
from hil.diagnosis_cases import Alter, Case, bay, cell_name

MINUTES_S = 240.0  # a curve of minutes takes minutes to see
CREEP_TAU_S = (8.0, 30.0)


@dataclass(frozen=True, slots=True)
class HeavyLoad:
    """What a diagnosis asks for where creep is in doubt: a crate onto the middle, half a minute, and off again."""

    seed: int
    grams: float

    def __call__(self, world: World) -> Iterator[Action]:
        """Actions in order of time."""
        rng = seeded(self.seed, "heavy")
        board = next(iter(world.boards))
        width, depth = world.boards[board]
        x, y = width * float(rng.uniform(0.4, 0.6)), depth * float(rng.uniform(0.4, 0.6))
        at_s = float(rng.uniform(9.0, 12.0))
        yield ForeignPut(at_s, board, self.grams, x, y)
        yield ForeignTake(at_s + float(rng.uniform(28.0, 34.0)), board)


def creeping(share: float, seed: int) -> Case:
    """One cell goes on by a share of each load change, with a time constant of 8 to 30 s.

    Sound cells settle to 0.1 % of a load (facts/field.md 4.1.9). 0.5 % of what a crate puts on one of four cells is
    5 g: a third is over before hand and crate are at rest and another isn't yet when it goes: half are seen.
    """
    chosen = 0

    def alter(board: BoardPhysics, rng: np.random.Generator) -> BoardPhysics:
        nonlocal chosen
        chosen = int(rng.integers(len(board.cells)))
        tau_s = float(np.exp(rng.uniform(*np.log(CREEP_TAU_S))))
        bad = dataclasses.replace(board.cells[chosen], creep=((tau_s, share), *board.cells[chosen].creep))
        return _with_cells(board, {chosen: bad})

    rng = seeded(seed, "crate")
    there = bay(seed, seconds=75.0, scene=HeavyLoad(seed, float(rng.uniform(3_000.0, 6_000.0))), alter=alter)
    name = next(iter(there.blocks))
    return Case(there.samples(), (Fault.CREEP,), cell_name(there, name, chosen))


def warming_up(counts_per_min: float, seed: int) -> Case:
    """All cells of a board just switched on: an exponential of 4 to 14 min, so fast at its beginning."""

    def cell(one: CellPhysics, share: float, tau_s: float) -> CellPhysics:
        return dataclasses.replace(one, warm_up_counts=share * counts_per_min / 60.0 * tau_s, warm_up_s=tau_s)

    there = bay(seed, rate_hz=10, visits=False, seconds=MINUTES_S, alter=_all_cells(cell, (250.0, 800.0)))
    return Case(there.samples(), (Fault.WARM_UP,), next(iter(there.blocks)))


def in_a_draught(counts_per_min: float, seed: int) -> Case:
    """All cells of a board while the air's temperature goes on changing, each with its own coefficient."""

    def cell(one: CellPhysics, share: float, tau_s: float) -> CellPhysics:
        return dataclasses.replace(one, drift_g_per_h=60.0 * share * counts_per_min / abs(one.counts_per_gram))

    there = bay(seed, rate_hz=10, least_cells=2, visits=False, seconds=MINUTES_S, alter=_all_cells(cell, (1.0, 2.0)))
    return Case(there.samples(), (Fault.TEMPERATURE,), next(iter(there.blocks)))


def _all_cells(make: object, tau_s: tuple[float, float]) -> Alter:
    def alter(board: BoardPhysics, rng: np.random.Generator) -> BoardPhysics:
        tau = float(rng.uniform(*tau_s))
        shares = rng.uniform(0.4, 1.0, len(board.cells)) * rng.choice([-1.0, 1.0], len(board.cells))
        shares[int(rng.integers(shares.size))] = float(rng.choice([-1.0, 1.0]))
        cells = {
            k: make(cell, float(share), tau)  # type: ignore[operator]
            for k, (cell, share) in enumerate(zip(board.cells, shares, strict=True))
        }
        return _with_cells(board, cells)

    return alter


def _with_cells(board: BoardPhysics, changed: dict[int, CellPhysics]) -> BoardPhysics:
    cells = tuple(changed.get(k, cell) for k, cell in enumerate(board.cells))
    return dataclasses.replace(board, cells=cells)
