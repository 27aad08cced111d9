"""Small boards and scenes for the tests of the simulator."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterable
from typing import Any

import numpy as np
import numpy.typing as npt

from drivers.samples import SampleBlock
from drivers.simulated.batch import simulate
from drivers.simulated.physics import BoardPhysics, CellPhysics, FaultRates, PlatePhysics
from drivers.simulated.scene import Action
from drivers.simulated.stage import Scene, Stage, seeded
from drivers.simulated.world import Item, Place, World

WIDTH_MM, DEPTH_MM = 900.0, 400.0
CORNERS = ((30.0, 30.0), (870.0, 30.0), (30.0, 370.0), (870.0, 370.0))
STILL_CELL = {"creep": (), "walk_counts": 0.0, "daily_g": 0.0, "nonlinearity": 0.0, "noise_counts": 0.0}


def board(
    places: Iterable[tuple[float, float]] = CORNERS,
    plate: dict[str, Any] | None = None,
    faults: FaultRates | None = None,
    rate_hz: float = 80.0,
    marks_settling: bool = False,
    cold_start: bool = False,
    **cell: Any,
) -> BoardPhysics:
    """A board whose cells are all alike; `cell` and `plate` replace defaults."""
    cells = tuple(dataclasses.replace(CellPhysics(x, y), **cell) for x, y in places)
    shelf = dataclasses.replace(PlatePhysics(WIDTH_MM, DEPTH_MM), **(plate or {}))
    return BoardPhysics(shelf, cells, rate_hz, faults or FaultRates.none(), marks_settling, cold_start)


def world(
    seed: int = 1, boards: Iterable[str] = ("b",), slots: int = 8, count: int = 6, spread_g: float = 2.0
) -> World:
    """Boards with slots side by side, named A0 ... on the first board, B0 ... on the second."""
    items, places = {}, {}
    for name, letter in zip(boards, "ABCD", strict=False):
        step = WIDTH_MM / slots
        for k in range(slots):
            slot, sku = f"{letter}{k}", f"{name}-sku{k}"
            items[sku] = Item(sku, 120.0 + 75.0 * k, spread_g)
            places[slot] = Place(slot, name, sku, (k * step, (k + 1) * step), (0.0, DEPTH_MM), count)
    return World(dict.fromkeys(boards, (WIDTH_MM, DEPTH_MM)), items, places, seeded(seed, "world"))


def script(*actions: Action) -> Scene:
    return lambda _world: actions


def run(physics: BoardPhysics, scene: Scene, duration_s: float, seed: int = 1) -> tuple[SampleBlock, Stage]:
    """All samples of one board named b, and the stage afterwards."""
    stage = Stage(world(seed), scene, seed)
    blocks = [block for together in simulate({"b": physics}, stage, seed, duration_s) for block in together]
    return SampleBlock.join(blocks) if blocks else SampleBlock.empty("b"), stage


def cell_series(block: SampleBlock, cell: int) -> tuple[npt.NDArray[np.float64], npt.NDArray[np.float64]]:
    """Times in s and counts of one cell."""
    mine = block.cell == cell
    return block.time_ns[mine] / 1e9, block.counts[mine].astype(np.float64)


def settled_g(block: SampleBlock, physics: BoardPhysics, begin_s: float, end_s: float) -> npt.NDArray[np.float64]:
    """Median grams of each cell between two times, float64[cells]."""
    found = []
    for k, cell in enumerate(physics.cells):
        time_s, counts = cell_series(block, k)
        there = (time_s >= begin_s) & (time_s < end_s)
        found.append((np.median(counts[there]) - cell.zero_counts) / cell.counts_per_gram)
    return np.array(found)
