"""How fast fusion is on one core: samples in memory to events, by hours and by cells, and a long file to events."""

from __future__ import annotations

import dataclasses
import tempfile
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

from drivers.samples import SampleBlock
from drivers.simulated.shopper import RandomShopper
from edge.config.setup import Setup
from edge.fusion.replay import replay
from edge.node.simulate import QUIET_END_S, physics_for, simulate_trace, simulated_blocks
from edge.trace.reader import TraceReader
from hil.layouts import corner_boards

SEED = 90_100
HOURS = (1, 2, 4)
BOARDS = (1, 2, 4)
CELLS = 4  # of a board
LONG_HOURS = 10
LONG_BOARDS = 4
PACES_S: dict[str, tuple[float, float] | None] = {
    "a movement every 3-5 s": (3.0, 5.0),
    "every 12-20 s": (12.0, 20.0),
    "none": None,
}
ENOUGH_S = 10.0  # a run of many seconds says it all at once
DENSEST = "a movement every 3-5 s"

Epochs = list[list[SampleBlock]]


@dataclass(frozen=True, slots=True)
class Speed:
    """One run: cell-samples and processor seconds (the best of the repeats: the machine is shared)."""

    pace: str
    hours: float
    cells: int
    movements: int
    samples: int
    seconds: float

    @property
    def samples_per_s(self) -> float:
        """Cell-samples per second of one core."""
        return self.samples / self.seconds


@dataclass(frozen=True, slots=True)
class LongReplay:
    """A long trace from its file to events, with everything that this takes."""

    hours: float
    cells: int
    movements: int
    events: int
    samples: int
    wall_s: float
    processor_s: float
    bytes_per_sample: float


def apart(setup: Setup, seed: int, hours: float, gap_s: tuple[float, float] | None) -> tuple[Setup, int, Epochs]:
    """The calibrated setup, how many movements, and the samples of boards each with a shopper of its own.

    So that the pace on a board doesn't depend on how many there are.
    """
    calibration = {}
    together: Epochs = []
    movements = 0
    for number, name in enumerate(setup.node.boards):
        alone = dataclasses.replace(
            setup,
            node=setup.node.model_copy(update={"boards": {name: setup.node.boards[name]}}),
            planogram=setup.planogram.model_copy(update={"slots": setup.slots_on(name)}),
        )
        seconds, own_seed = hours * 3600.0, seed + number
        shopper = RandomShopper(own_seed, until_s=seconds - QUIET_END_S, gap_s=gap_s)
        calibrated, labels, blocks = simulated_blocks(alone, physics_for(alone, own_seed), shopper, own_seed, seconds)
        calibration.update(calibrated.calibration)
        movements += len(labels)
        for place, epoch in enumerate(blocks):
            if place == len(together):
                together.append([])
            together[place] += epoch
    return dataclasses.replace(setup, calibration=calibration), movements, together


def measure(setup: Setup, epochs: Sequence[list[SampleBlock]], repeats: int) -> tuple[int, float]:
    """Samples, and the least processor seconds from samples in memory to the last event."""
    samples = sum(len(block) for epoch in epochs for block in epoch)
    took_s: list[float] = []
    while len(took_s) < repeats and sum(took_s) < ENOUGH_S:
        began = time.process_time()
        for _event in replay(epochs, setup):
            pass
        took_s.append(time.process_time() - began)
    return samples, min(took_s)


def speeds(hours: Sequence[float] = HOURS, boards: Sequence[int] = BOARDS, repeats: int = 3) -> list[Speed]:
    """One board for each of ``hours``; each of ``boards`` for the first of them; then the other paces."""
    found = []
    for pace, gap_s in PACES_S.items():
        setup, movements, epochs = apart(corner_boards(SEED), SEED, max(hours) if pace == DENSEST else hours[0], gap_s)
        for some in hours if pace == DENSEST else hours[:1]:
            part = epochs[: round(len(epochs) * some / max(hours))] if pace == DENSEST else epochs
            moved = round(movements * some / max(hours)) if pace == DENSEST else movements
            found.append(Speed(pace, some, CELLS, moved, *measure(setup, part, repeats)))
    for count in boards[1:]:
        setup, movements, epochs = apart(corner_boards(SEED, boards=count), SEED, hours[0], PACES_S[DENSEST])
        found.append(Speed(DENSEST, hours[0], CELLS * count, movements, *measure(setup, epochs, repeats)))
    return found


def long_replay(hours: float = LONG_HOURS, told: Callable[[float], None] | None = None) -> LongReplay:
    """Trace file to events, everything included, in this one process; one shopper in front of all boards."""
    setup = corner_boards(SEED, boards=LONG_BOARDS)
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "long.mcap"
        labels = simulate_trace(setup, path, SEED, hours * 3600.0, progress=told)
        size = path.stat().st_size
        began, cpu = time.perf_counter(), time.process_time()
        with TraceReader(path) as reader:
            events = sum(1 for _ in replay(reader.epochs(), reader.require_setup()))
            samples = reader.sample_count or 0
        wall_s, processor_s = time.perf_counter() - began, time.process_time() - cpu
    return LongReplay(
        hours, LONG_BOARDS * CELLS, len(labels), events, samples, wall_s, processor_s, size / max(samples, 1)
    )
