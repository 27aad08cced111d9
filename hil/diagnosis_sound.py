"""Sound boards for the diagnosis matrix: nothing is wrong with them, and much goes on around them.

One to eight cells of 0.5 to 2 mV/V, at 10 or 80 SPS and 2.7 to 5 V; people who take things, lean and bump into the
rack; compressors and ventilation that shake it all the time, but no more than real shelves are shaken (1.2 to 2.4 g
rms: facts/field.md 4); a warm store, whose cells drift as far as sound ones do. On a third of the boards all cells
stand within 0.03 mV/V of zero, where small codes are doubled, halved and turned over by whatever moves.
"""

from __future__ import annotations

import dataclasses
import heapq
from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

from calibration.diagnosis import physics as hx711
from drivers.simulated.forces import RecordedShake
from drivers.simulated.physics import CellPhysics
from drivers.simulated.scene import Action, Shaken
from drivers.simulated.shopper import RandomShopper
from drivers.simulated.stage import seeded
from drivers.simulated.world import World
from edge.config.setup import Setup
from hil import physics, shelves
from hil.diagnosis_cases import LISTEN_S, Bay, Case, Floats, bay

CELLS = (1, 2, 3, 4, 4, 6, 8)
SENSITIVITY_MV_PER_V = (0.5, 2.0)
NOISE_SHARE = (0.8, 2.5)  # of the datasheet's: 2.5 was measured on a good board (facts/loadcell.md 1)
SHAKEN_G = (0.2, 2.2)  # and a hum of 0.1 to 0.8 g comes on top
DRIFT_G_PER_H = 25.0
NEAR_ZERO_SHARE, NEAR_ZERO_MV_PER_V = 1 / 3, 0.03
_PLACES = {
    3: ((0.0, 0.0), (1.0, 0.0), (0.5, 1.0)),
    6: tuple((x, y) for y in (0.0, 1.0) for x in (0.0, 0.5, 1.0)),
    8: tuple((x, y) for y in (0.0, 1.0) for x in (0.0, 1 / 3, 2 / 3, 1.0)),
}
_INSET_MM = 40.0


@dataclass(frozen=True, slots=True)
class BusyStore:
    """Shoppers, and machines that shake the rack all the time."""

    seed: int
    busy: bool

    def __call__(self, world: World) -> Iterator[Action]:
        """Actions in order of time."""
        rng = seeded(self.seed, "store")
        gap_s = (float(rng.uniform(1.8, 3.5)), float(rng.uniform(3.6, 6.0))) if self.busy else None
        people = RandomShopper(
            self.seed, first_s=1.0, gap_s=gap_s, grab_share=0.1, wrong_slot_share=0.05, leans_per_minute=3.0,
            footsteps_per_minute=4.0, vibrations_per_minute=3.0,
        )  # fmt: skip
        shakes = [Shaken(0.0, board, _machine(world.boards[board], rng)) for board in world.boards]
        return heapq.merge(shakes if rng.random() < 0.7 else [], people(world), key=lambda action: action.at_s)


def sound(seed: int) -> Case:
    """Nothing is wrong."""
    rng = seeded(seed, "sound")
    rate_hz = float(rng.choice([10.0, 80.0]))
    supply_v = float(rng.uniform(*hx711.SUPPLIES_V))
    drawn = _drawn(seed, rate_hz, supply_v, int(rng.choice(CELLS)), rng)
    scene = BusyStore(seed, bool(rng.random() < 0.7))
    there = bay(seed, seconds=LISTEN_S, scene=scene, drawn=drawn)
    if seeded(seed, "near zero").random() < NEAR_ZERO_SHARE:
        there = near_zero(seed, scene, there, drawn)
    known_v = supply_v if rng.random() < 0.5 else None
    return Case([dataclasses.replace(board, supply_v=known_v) for board in there.samples()], (), "")


def near_zero(seed: int, scene: BusyStore, there: Bay, drawn: tuple[Setup, physics.Rig]) -> Bay:
    """The same once more, each cell's zero, and its record's, moved so that it stands near zero with its load."""
    rng = seeded(seed, "zeros")
    setup, rig = drawn
    boards, records = dict(rig.boards), dict(rig.calibration)
    for name, board in rig.boards.items():
        block, cells, kept = there.blocks[name], [], {}
        for k, (cell, (each, record)) in enumerate(zip(board.cells, records[name].cells.items(), strict=True)):
            wanted = float(rng.uniform(-1.0, 1.0)) * NEAR_ZERO_MV_PER_V / hx711.mv_per_v(1.0)
            moved = wanted - float(np.median(block.counts[block.cell == k]))
            cells.append(dataclasses.replace(cell, zero_counts=cell.zero_counts + moved))
            kept[each] = record.model_copy(update={"zero_counts": record.zero_counts + moved})
        boards[name] = dataclasses.replace(board, cells=tuple(cells))
        records[name] = records[name].model_copy(update={"cells": kept})
    return bay(seed, seconds=LISTEN_S, scene=scene, drawn=(setup, physics.Rig(boards, records, rig.manner)))


def _drawn(
    seed: int, rate_hz: float, supply_v: float, cells: int, rng: np.random.Generator
) -> tuple[Setup, physics.Rig]:
    make = shelves.one if cells == 1 else shelves.two if cells == 2 else shelves.corners
    setup = make(seed, rate_hz).setup
    if cells in _PLACES:
        setup = _with_places(setup, _PLACES[cells])
    rig = physics.wider(setup, seed)
    boards, records = {}, {}
    for name, board in rig.boards.items():
        sensitivity = float(rng.uniform(*SENSITIVITY_MV_PER_V))
        noise_nv = hx711.datasheet_noise_nv(rate_hz) * rng.uniform(*NOISE_SHARE, len(board.cells))
        noise_counts = noise_nv / hx711.nv_per_count(supply_v)
        made = [
            _cell(cell, sensitivity, float(noise), rng) for cell, noise in zip(board.cells, noise_counts, strict=True)
        ]
        boards[name] = dataclasses.replace(board, cells=tuple(made))
        records[name] = rig.calibration[name].model_copy(
            update={
                "cells": {
                    each: record.model_copy(update={
                        "counts_per_gram": record.counts_per_gram * new.counts_per_gram / old.counts_per_gram
                    })
                    for (each, record), new, old in zip(
                        rig.calibration[name].cells.items(), made, board.cells, strict=True
                    )
                }
            }
        )  # fmt: skip
    return setup, physics.Rig(boards, records, rig.manner)


def _cell(cell: CellPhysics, mv_per_v: float, noise_counts: float, rng: np.random.Generator) -> CellPhysics:
    gain = physics.FULL_SCALE_COUNTS * mv_per_v * float(rng.uniform(0.85, 1.15)) / cell.capacity_g
    return dataclasses.replace(
        cell,
        counts_per_gram=float(np.copysign(gain, cell.counts_per_gram)),
        noise_counts=noise_counts,
        drift_g_per_h=float(rng.uniform(-1.0, 1.0)) * DRIFT_G_PER_H,
    )


def _with_places(setup: Setup, places: tuple[tuple[float, float], ...]) -> Setup:
    """The setup with its board on so many cells."""
    name, board = next(iter(setup.node.boards.items()))
    one = next(iter(board.cells.values()))
    wide, deep = board.width_mm - 2 * _INSET_MM, board.depth_mm - 2 * _INSET_MM
    cells = {
        f"c{k}": one.model_copy(update={"x_mm": _INSET_MM + x * wide, "y_mm": _INSET_MM + y * deep})
        for k, (x, y) in enumerate(places)
    }
    node = setup.node.model_copy(update={"boards": {name: board.model_copy(update={"cells": cells})}})
    return dataclasses.replace(setup, node=node)


def _machine(size: tuple[float, float], rng: np.random.Generator) -> RecordedShake:
    """A compressor (a line, a little below half or all of the mains' frequency), or the air of a ventilation."""
    rate_hz, seconds = 500.0, 30.0
    time_s = np.arange(round(rate_hz * seconds)) / rate_hz
    rms_g = float(np.exp(rng.uniform(*np.log(SHAKEN_G))))
    if rng.random() < 0.5:
        hz = float(rng.choice([25.0, 30.0, 50.0, 60.0])) * float(rng.uniform(0.955, 0.985))
        wave: Floats = np.sqrt(2.0) * np.sin(2 * np.pi * round(hz * seconds) / seconds * time_s)
    else:
        wave = _band(time_s.size, rate_hz, float(rng.uniform(6.0, 25.0)), rng)
    at = (float(rng.uniform(0.0, size[0])), float(rng.uniform(0.0, size[1])))
    return RecordedShake(*at, 0.0, 1e9, rate_hz, rms_g * wave)


def _band(n: int, rate_hz: float, middle_hz: float, rng: np.random.Generator) -> Floats:
    """Noise around a frequency, rms 1."""
    spectrum = np.fft.rfft(rng.standard_normal(n))
    hz = np.fft.rfftfreq(n, 1.0 / rate_hz)
    wave = np.fft.irfft(spectrum * np.exp(-0.5 * ((hz - middle_hz) / (0.15 * middle_hz)) ** 2), n)
    found: Floats = wave / wave.std()
    return found
