"""Simulated boards for a setup: physics from its node file, stock from its planogram; as a labelled trace or live."""

from __future__ import annotations

import bisect
import dataclasses
import time
from collections.abc import Callable, Iterable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING

from calibration.record import BoardCalibration, CellCalibration
from drivers.simulated.batch import simulate
from drivers.simulated.board import BoardSimulator
from drivers.simulated.draw import CellPlace, draw_board
from drivers.simulated.driver import SimulatedDriver
from drivers.simulated.physics import BoardPhysics, FaultRates
from drivers.simulated.scene import Movement
from drivers.simulated.shopper import RandomShopper
from drivers.simulated.stage import Scene, Stage, seeded
from drivers.simulated.world import Item, Place, SceneError, World
from edge.config.setup import Setup
from edge.node.scene_file import ScriptedScene
from edge.node.simulate_people import people_of
from edge.trace.event import Kind, Label

if TYPE_CHECKING:
    from collections.abc import Iterator

    from drivers.samples import SampleBlock

QUIET_END_S = 4.0  # nothing is begun so shortly before the end of a trace: the last movement shall settle
GAIN_RELATIVE_SD = 0.001  # what a careful calibration leaves (facts/loadcell.md section 6: "finish within 0.1 %")
ZERO_SD_G = 1.0  # the zero drifts after it was taken (same place: 0.5 g per °C on a 10 kg cell)


def world_for(setup: Setup, seed: int) -> World:
    """The stock that the planogram says lies there, each unit with a weight of its own."""
    boards = {name: (board.width_mm, board.depth_mm) for name, board in setup.node.boards.items()}
    items = {name: Item(name, sku.weight_g, sku.spread_g) for name, sku in setup.planogram.skus.items()}
    places = {
        name: Place(name, slot.board, slot.sku, slot.x_mm, slot.y_mm or (0.0, boards[slot.board][1]), slot.count)
        for name, slot in setup.planogram.slots.items()
    }
    return World(boards, items, places, seeded(seed, "world"))


def physics_for(setup: Setup, seed: int, faults: FaultRates | None = None) -> dict[str, BoardPhysics]:
    """A board at random for each of the node's; one that has a calibration record fits it, within its doubt."""
    boards = {}
    for name, board in setup.node.boards.items():
        rng = seeded(seed, "physics", name)
        record = setup.calibration.get(name)
        places = []
        for cell_name, cell in board.cells.items():
            known = record.cells.get(cell_name) if record else None
            off_gain, off_zero = rng.standard_normal(2)
            places.append(
                CellPlace(
                    cell.x_mm,
                    cell.y_mm,
                    cell.capacity_g,
                    known.counts_per_gram * (1.0 + GAIN_RELATIVE_SD * float(off_gain)) if known else None,
                    known.zero_counts + known.zero_sd_counts * float(off_zero) if known else None,
                )
            )
        boards[name] = draw_board(board.width_mm, board.depth_mm, board.rate_hz, places, rng, faults)
    return boards


def calibration_for(setup: Setup, physics: Mapping[str, BoardPhysics], seed: int) -> dict[str, BoardCalibration]:
    """What a calibration of these boards would have found: the truth with some error; known records are kept."""
    found = dict(setup.calibration)
    for name, board in physics.items():
        if name in found:
            continue
        rng = seeded(seed, "calibration", name)
        cells = {}
        for cell_name, cell in zip(setup.node.boards[name].cells, board.cells, strict=True):
            zero_sd = abs(ZERO_SD_G * cell.counts_per_gram)
            cells[cell_name] = CellCalibration(
                zero_counts=round(cell.zero_counts + zero_sd * float(rng.standard_normal()), 1),
                counts_per_gram=cell.counts_per_gram * (1.0 + GAIN_RELATIVE_SD * float(rng.standard_normal())),
                zero_sd_counts=round(zero_sd, 1),
                gain_relative_sd=GAIN_RELATIVE_SD,
            )
        found[name] = BoardCalibration(board=name, made=f"simulated, seed {seed}", cells=cells)
    return found


def labels_of(movements: Iterable[Movement]) -> tuple[Label, ...]:
    """The truth in the trace's words. A foreign object has neither SKU nor slot."""
    return tuple(
        Label(Kind(m.kind), m.board, m.sku, m.slot, m.quantity, m.start_s, m.end_s, foreign=m.sku is None)
        for m in movements
    )


def stage_for(setup: Setup, scene: Scene, seed: int) -> Stage:
    """The node's shelves with people in front of them."""
    return Stage(world_for(setup, seed), scene, seed)


def simulated_blocks(
    setup: Setup, physics: Mapping[str, BoardPhysics], scene: Scene, seed: int, duration_s: float
) -> tuple[Setup, tuple[Label, ...], Iterator[list[SampleBlock]]]:
    """A scene without a file: the setup with its calibration, the labels, and an iterator of blocks in order of time.

    Raises SceneError for an action that can't be done (ConfigError with its line, if the scene is a file's).
    """
    stage = stage_for(setup, scene, seed)
    try:
        stage.play(duration_s)
    except SceneError as error:
        if isinstance(scene, ScriptedScene):
            raise scene.impossible(error) from None
        raise
    labels = tuple(label for label in labels_of(stage.movements) if label.end_s < duration_s)
    calibrated = dataclasses.replace(setup, calibration=calibration_for(setup, physics, seed))
    return calibrated, labels, simulate(physics, stage, seed, duration_s)


def simulate_trace(
    setup: Setup,
    path: Path,
    seed: int,
    duration_s: float,
    scene: Scene | None = None,
    physics: Mapping[str, BoardPhysics] | None = None,
    progress: Callable[[float], None] | None = None,
    people: int = 0,
) -> tuple[Label, ...]:
    """Write a labelled trace; give its labels back.

    Args:
        people: so many at a time make the movements, and a ceiling camera follows them; 0: nobody is seen.
        scene: a shopper of that seed if none is given.
        physics: drawn from the seed if none is given.
        progress: told the seconds of the trace that have been written.
    Raises:
        SceneError, ConfigError: an action that can't be done. TraceFileError: the file can't be written.
        TraceError: people are wanted, and no board has a place.
    """
    from edge.trace.writer import TraceWriter

    scene = scene or RandomShopper(seed, until_s=duration_s - QUIET_END_S)
    physics = physics or physics_for(setup, seed)
    calibrated, labels, blocks = simulated_blocks(setup, physics, scene, seed, duration_s)
    seen = people_of(calibrated, labels, people, seed) if people else []
    told = 0
    with TraceWriter(path, calibrated, labels) as writer:
        for together in blocks:
            for block in together:
                writer.write(block)
            newest_ns = max((int(block.time_ns[-1]) for block in together), default=0)
            until = bisect.bisect_right(seen, newest_ns, lo=told, key=lambda point: point.time_ns)
            writer.see(seen[told:until])
            told = until
            if progress and together:
                progress(newest_ns / 1e9)
    return labels


def live_drivers(
    setup: Setup,
    seed: int,
    scene: Scene | None = None,
    physics: Mapping[str, BoardPhysics] | None = None,
    clock: Callable[[], int] = time.monotonic_ns,
) -> tuple[dict[str, SimulatedDriver], Stage]:
    """A driver for each board, all in front of the same endless shopper, and the stage that knows the truth."""
    stage = stage_for(setup, scene or RandomShopper(seed), seed)
    physics = physics or physics_for(setup, seed)
    return {
        name: SimulatedDriver(BoardSimulator(name, board, stage, seed), clock) for name, board in physics.items()
    }, stage
