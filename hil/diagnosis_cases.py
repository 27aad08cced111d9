"""Cases for the diagnosis matrix: simulated boards, sound or with one fault at one of three severities.

Faults of the signal are put into what the simulator made (codes and times); faults of reading come out of the model in
`drivers.hx711.chip` with its own faults (`hil.diagnosis_chip`). Even seeds draw boards as the simulator does,
odd ones as `hil.shelves` and `hil.physics` do for the bench's reporting split.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Iterator
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from calibration.diagnosis import physics as hx711
from calibration.diagnosis.faults import Fault
from calibration.diagnosis.samples import BoardSamples, Cell, Slot
from calibration.record import BoardCalibration
from drivers.samples import SampleBlock
from drivers.simulated.batch import simulate
from drivers.simulated.physics import BoardPhysics, FaultRates
from drivers.simulated.scene import Action, Pick, Put
from drivers.simulated.shopper import RandomShopper
from drivers.simulated.stage import Scene, Stage, seeded
from drivers.simulated.world import World
from edge.config.setup import Setup
from edge.node.simulate import world_for
from hil import layouts, physics, shelves

Floats = npt.NDArray[np.float64]
LISTEN_S = 20.0
CAPACITY_G = 10_000.0
MAINS_HZ = (50.0, 60.0)
Alter = Callable[[BoardPhysics, np.random.Generator], BoardPhysics]


@dataclass(frozen=True)
class Case:
    """Boards to diagnose and what is wrong with them.

    Attributes:
        expected: names that count as right; empty for sound ones. part: where it must be told.
    """

    boards: list[BoardSamples]
    expected: tuple[Fault, ...]
    part: str


@dataclass(frozen=True)
class Bay:
    """A simulated node, run for a while, ready to be spoilt."""

    setup: Setup
    boards: dict[str, BoardPhysics]
    records: dict[str, BoardCalibration]
    blocks: dict[str, SampleBlock]
    seconds: float
    rng: np.random.Generator

    def samples(self, blocks: dict[str, SampleBlock] | None = None) -> list[BoardSamples]:
        """As a diagnosis takes them."""
        return [self._board(name, (blocks or self.blocks)[name]) for name in self.boards]

    def _board(self, name: str, block: SampleBlock) -> BoardSamples:
        board = self.setup.node.boards[name]
        cells = tuple(Cell(each, cell.x_mm, cell.y_mm, cell.capacity_g) for each, cell in board.cells.items())
        skus = self.setup.planogram.skus
        slots = tuple(
            Slot(each, slot.x_mm, slot.y_mm or (0.0, board.depth_mm), sku.weight_g, sku.spread_g, slot.count)
            for each, slot in self.setup.slots_on(name).items()
            for sku in [skus[slot.sku]]
        )  # fmt: skip
        record = self.records.get(name)
        return BoardSamples(
            name, board.width_mm, board.depth_mm, board.rate_hz, cells, block, self.seconds, record, slots
        )


@dataclass(frozen=True, slots=True)
class Technician:
    """Does what the diagnosis asks for: lifts a unit off one place after the other, both ends too, and puts it back.

    Attributes:
        apart_s: from one touch to the next.
    """

    seed: int
    apart_s: tuple[float, float] = (3.2, 4.2)
    places: int = 5

    def __call__(self, world: World) -> Iterator[Action]:
        """Actions in order of time."""
        rng = seeded(self.seed, "technician")
        by_place = sorted(world.places.values(), key=lambda place: place.x_mm[0])
        by_place = [place for place in by_place if world.lying[place.slot]]
        parts = np.array_split(np.arange(len(by_place)), min(self.places, len(by_place)))
        at_s = 7.0
        for part in parts:  # of each stretch of the shelf what weighs most: it shows best
            place = by_place[max(part, key=lambda k: world.items[by_place[k].sku].weight_g)]
            yield Pick(at_s, place.slot, tries=True)
            at_s += float(rng.uniform(*self.apart_s))
            yield Put(at_s, place.slot, tries=True)
            at_s += float(rng.uniform(*self.apart_s))


def bay(
    seed: int,
    *,
    rate_hz: int | None = None,
    least_cells: int = 1,
    seconds: float = LISTEN_S,
    visits: bool | None = None,
    scene: Scene | None = None,
    alter: Alter | None = None,
    drawn: tuple[Setup, physics.Rig] | None = None,
) -> Bay:
    """Shelves from a seed with people, footsteps and vibration; ``visits`` None: in most, somebody moves things.

    True: a technician does what the diagnosis asks for; False: nobody moves anything. ``scene``: this instead.
    ``alter``: what it makes of each board's physics. ``drawn``: these boards.
    """
    rng = seeded(seed, "diagnosis")
    rate = rate_hz or int(rng.choice([10, 80]))
    setup, rig = drawn or _drawn(seed, rate, least_cells)
    sound = {name: dataclasses.replace(board, faults=FaultRates()) for name, board in rig.boards.items()}
    if alter is not None:
        sound = {name: alter(board, seeded(seed, "alter", name)) for name, board in sound.items()}
    busy = bool(rng.random() < 0.7) if visits is None else visits
    gap_s = (float(rng.uniform(1.8, 3.5)), float(rng.uniform(3.6, 6.0))) if busy else None
    people: Scene = RandomShopper(
        seed, first_s=1.0, gap_s=gap_s, leans_per_minute=1.0, footsteps_per_minute=2.0, vibrations_per_minute=2.0
    )
    if visits:
        people = Technician(seed)
    stage = Stage(world_for(setup, seed), scene or people, seed, manner=rig.manner)
    begin_s = float(rng.uniform(2.0, 6.0))
    parts: dict[str, list[SampleBlock]] = {name: [] for name in sound}
    for blocks in simulate(sound, stage, seed, begin_s + seconds):
        for block in blocks:
            parts[block.board].append(block)
    whole = {name: SampleBlock.join(each) for name, each in parts.items()}
    cut = {
        name: block.part(int(np.searchsorted(block.time_ns, round(begin_s * 1e9))), len(block))
        for name, block in whole.items()
    }
    return Bay(setup, sound, dict(rig.calibration), cut, seconds, rng)


def _drawn(seed: int, rate: int, least_cells: int) -> tuple[Setup, physics.Rig]:
    if seed % 2 == 0:
        kinds: list[Callable[..., Setup]] = [layouts.corner_boards, layouts.two_cell_board, layouts.one_cell_board]
        kinds = kinds[: 1 if least_cells > 2 else 2 if least_cells > 1 else 3]
        setup = kinds[seed // 2 % len(kinds)](seed, rate_hz=rate)
        return setup, physics.as_drawn(setup, seed)
    wider = [shelves.corners, shelves.two, shelves.one]
    wider = wider[: 1 if least_cells > 2 else 2 if least_cells > 1 else 3]
    setup = wider[seed // 2 % len(wider)](seed, float(rate)).setup
    return setup, physics.wider(setup, seed)


Spoil = Callable[[Floats, Floats, np.random.Generator, float], Floats]
"""Codes of one cell from its times in s, its codes, and the severity's amount."""


def one_cell(expected: tuple[Fault, ...], spoil: Spoil, amount: float, seed: int, **wanted: int) -> Case:
    """One cell of a board, its codes changed."""
    there = bay(seed, **wanted)  # type: ignore[arg-type]
    name, block = next(iter(there.blocks.items()))
    index = int(there.rng.integers(len(there.boards[name].cells)))
    mine = np.flatnonzero(block.cell == index)
    time_s = (block.time_ns[mine] - block.time_ns[0]).astype(np.float64) / 1e9
    codes = spoil(time_s, block.counts[mine].astype(np.float64), there.rng, amount)
    counts = block.counts.copy()
    counts[mine] = np.clip(np.rint(codes), -0x800000, 0x7FFFFF).astype(np.int32)
    spoilt = dataclasses.replace(block, counts=counts)
    return Case(there.samples({**there.blocks, name: spoilt}), expected, cell_name(there, name, index))


def without(expected: tuple[Fault, ...], drop: Spoil, amount: float, seed: int, **wanted: int) -> Case:
    """One cell of a board, some of its samples gone: where ``drop`` gives 0."""
    there = bay(seed, **wanted)  # type: ignore[arg-type]
    name, block = next(iter(there.blocks.items()))
    index = int(there.rng.integers(len(there.boards[name].cells)))
    mine = np.flatnonzero(block.cell == index)
    time_s = (block.time_ns[mine] - block.time_ns[0]).astype(np.float64) / 1e9
    gone = drop(time_s, block.counts[mine].astype(np.float64), there.rng, amount) == 0.0
    kept = np.ones(len(block), np.bool_)
    kept[mine[gone]] = False
    return Case(there.samples({name: kept_of(block, kept)}), expected, cell_name(there, name, index))


def flagged(expected: tuple[Fault, ...], flag: int, share: float, seed: int) -> Case:
    """One cell of a board, a share of its samples flagged by its reader."""
    there = bay(seed)
    name, block = next(iter(there.blocks.items()))
    index = int(there.rng.integers(len(there.boards[name].cells)))
    hit = (block.cell == index) & (there.rng.random(len(block)) < share)
    flags = np.where(hit, block.flags | np.uint16(flag), block.flags).astype(np.uint16)
    spoilt = dataclasses.replace(block, flags=flags)
    return Case(there.samples({name: spoilt}), expected, cell_name(there, name, index))


def wrong_rate(nominal: float, true: int, seed: int) -> Case:
    """The node file says another rate than the strap."""
    there = bay(seed, rate_hz=true)
    boards = [dataclasses.replace(board, rate_hz=nominal) for board in there.samples()]
    return Case(boards, (Fault.WRONG_RATE,), f"{boards[0].board} {boards[0].cells[0].name}")


def brown_out(times: int, seed: int) -> Case:
    """All chips of a board lose their supply together and come back after 4.45 periods."""
    there = bay(seed, least_cells=2)
    name, block = next(iter(there.blocks.items()))
    kept, shift_ns = np.ones(len(block), np.bool_), np.zeros(len(block), np.int64)
    span_ns = int(block.time_ns[-1] - block.time_ns[0])
    for at in np.sort(there.rng.uniform(0.1, 0.9, times)):
        from_ns = int(block.time_ns[0]) + round(at * span_ns)
        for index in range(len(there.boards[name].cells)):
            restart(block, index, from_ns, kept, shift_ns, there.rng)
    return Case(there.samples({name: shifted(block, kept, shift_ns)}), (Fault.BROWN_OUT,), name)


def restarts(times: int, seed: int) -> Case:
    """One chip restarts now and then."""
    there = bay(seed)
    name, block = next(iter(there.blocks.items()))
    index = int(there.rng.integers(len(there.boards[name].cells)))
    kept, shift_ns = np.ones(len(block), np.bool_), np.zeros(len(block), np.int64)
    span_ns = int(block.time_ns[-1] - block.time_ns[0])
    for at in (np.arange(times) + there.rng.uniform(0.2, 0.8, times)) / times:
        restart(block, index, int(block.time_ns[0]) + round(at * span_ns), kept, shift_ns, there.rng)
    return Case(there.samples({name: shifted(block, kept, shift_ns)}), (Fault.RESTARTS,), cell_name(there, name, index))


def restart(
    block: SampleBlock,
    index: int,
    from_ns: int,
    kept: npt.NDArray[np.bool_],
    shift_ns: npt.NDArray[np.int64],
    rng: np.random.Generator,
) -> None:
    """4.45 periods from the last edge to the next (facts/loadcell.md 1): three conversions go, the rest come late."""
    mine = np.flatnonzero(block.cell == index)
    period_ns = float(np.median(np.diff(block.time_ns[mine])))
    after = mine[block.time_ns[mine] >= from_ns]
    kept[after[:3]] = False
    shift_ns[after[3:]] += round(float(rng.normal(0.45, 0.002)) * period_ns)


def shifted(block: SampleBlock, kept: npt.NDArray[np.bool_], shift_ns: npt.NDArray[np.int64]) -> SampleBlock:
    return kept_of(dataclasses.replace(block, time_ns=block.time_ns + shift_ns), kept)


def kept_of(block: SampleBlock, kept: npt.NDArray[np.bool_]) -> SampleBlock:
    order = np.argsort(block.time_ns[kept], kind="stable")
    return SampleBlock(
        block.board,
        block.time_ns[kept][order],
        block.cell[kept][order],
        block.counts[kept][order],
        block.flags[kept][order],
    )


def cell_name(there: Bay, board: str, index: int) -> str:
    return f"{board} {list(there.setup.node.boards[board].cells)[index]}"


def gain_of_cell(expected: tuple[Fault, ...], factor: float, seed: int, level: bool = False) -> Case:
    """One cell of four answers with ``factor`` times what it should: 0 a dead corner, -1 turned over, 2 another gain.

    ``level``: the load it carries already is scaled too, as a wrong gain does; else only what changes, as one that
    hangs does.
    """
    there = bay(seed, least_cells=3, visits=True, seconds=45.0)
    name, block = next(iter(there.blocks.items()))
    cells = there.boards[name].cells
    index = int(there.rng.integers(len(cells)))
    mine = np.flatnonzero(block.cell == index)
    codes = block.counts[mine].astype(np.float64)
    zero = cells[index].zero_counts if level else float(np.median(codes[:40]))
    noise = codes - smooth(codes)
    counts = block.counts.copy()
    counts[mine] = np.clip(np.rint(zero + factor * (codes - noise - zero) + noise), -0x800000, 0x7FFFFF)
    spoilt = dataclasses.replace(block, counts=counts)
    return Case(there.samples({name: spoilt}), expected, name)


def wrong_record(factor: float, expected: Fault, seed: int) -> Case:
    """A board whose calibration record has all gains off by a factor."""
    there = bay(seed, visits=True, seconds=45.0)
    name = next(iter(there.blocks))
    record = there.records[name]
    cells = {
        each: cell.model_copy(update={"counts_per_gram": cell.counts_per_gram / factor})
        for each, cell in record.cells.items()
    }
    there.records[name] = record.model_copy(update={"cells": cells})
    return Case(there.samples(), (expected,), name)


def swapped_boards(apart: tuple[float, float], seed: int) -> Case:
    """The plugs of two boards of one node are exchanged; their cells are alike, their stock isn't.

    ``apart``: by how much what lies there differs, as shares of the heavier board's. Below 3 % of some 6 kg it is
    less than what a calibration, a planogram's weights and a unit sold since leave open: nobody could tell.
    """
    tried = seed
    while True:
        rng = seeded(tried, "diagnosis")
        setup = layouts.corner_boards(tried, boards=2, rate_hz=int(rng.choice([10, 80])))
        one, other = (_stock(setup, name) for name in setup.node.boards)
        if apart[0] <= abs(one - other) / max(one, other) < apart[1]:
            break
        tried += 100_000_000
    there = bay(tried, visits=False, drawn=(setup, physics.as_drawn(setup, tried)))
    first, second = list(there.blocks)
    by_name = {board.board: board for board in there.samples()}
    exchanged = [
        dataclasses.replace(by_name[a], block=dataclasses.replace(by_name[b].block, board=a), record=_as(by_name[b], a))
        for a, b in ((first, second), (second, first))
    ]
    return Case(exchanged, (Fault.SWAPPED_BOARDS,), first)


def _stock(setup: Setup, board: str) -> float:
    """What the planogram says lies there, in g."""
    skus = setup.planogram.skus
    return sum(slot.count * skus[slot.sku].weight_g for slot in setup.slots_on(board).values())


def _as(board: BoardSamples, name: str) -> BoardCalibration | None:
    return None if board.record is None else board.record.model_copy(update={"board": name})


def shaken(rms_g: float, seed: int) -> Case:
    """Something shakes a board all the time, all its cells in step."""
    there = bay(seed, rate_hz=80, visits=False, least_cells=2)
    name, block = next(iter(there.blocks.items()))
    hz = float(there.rng.uniform(6.0, 25.0))
    time_s = block.time_ns.astype(np.float64) / 1e9
    counts = block.counts.astype(np.float64)
    cells = there.boards[name].cells
    for index, cell in enumerate(cells):
        mine = block.cell == index
        wave = np.sqrt(2.0) * rms_g / len(cells) * np.sin(2 * np.pi * hz * time_s[mine])
        counts[mine] += cell.counts_per_gram * wave
    spoilt = dataclasses.replace(block, counts=np.rint(counts).astype(np.int32))
    return Case(there.samples({name: spoilt}), (Fault.VIBRATION,), name)


def smooth(codes: Floats) -> Floats:
    """What the load does, without the converter's noise: a running median."""
    padded = np.pad(codes, 4, mode="edge")
    smooth: Floats = np.median(np.lib.stride_tricks.sliding_window_view(padded, 9), axis=1)
    return smooth


def datasheet_counts(time_s: Floats) -> float:
    """What the datasheet allows at these samples' rate, in counts at 2.7 V, the most."""
    rate_hz = 1.0 / float(np.median(np.diff(time_s)))
    return hx711.datasheet_noise_nv(rate_hz) / hx711.nv_per_count(hx711.SUPPLIES_V[0])


def chip_noise(n: int, rms: float, rng: np.random.Generator) -> Floats:
    """White noise as a sinc^4 decimator gives it."""
    taps = np.array((0.830455654, 0.553900419, 0.0594767517, 0.000498409858))
    noise: Floats = np.convolve(rng.standard_normal(n + 3), taps, mode="valid") * rms
    return noise
