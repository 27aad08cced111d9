"""The benchmark's scene families: for each, scenes from seeds, in two splits that share nothing but the family.

What is tuned is tuned on the tuning split; figures are reported on the reporting split, which has other seeds, other
physics (`hil.physics`) and shelves drawn in another way (`hil.shelves`).
"""

from __future__ import annotations

import dataclasses
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass

from drivers.samples import SampleBlock
from drivers.simulated.batch import simulate
from drivers.simulated.physics import BoardPhysics, FaultRates
from drivers.simulated.stage import Scene, Stage, seeded
from drivers.simulated.world import Item, World
from edge.config.setup import Setup
from edge.node.simulate import labels_of, world_for
from edge.trace.event import Label
from hil import layouts, shelves
from hil.physics import Rig, as_drawn, drifting, failing, faulty, noisier, wider
from hil.real_shelves import CANDY, CLEANING, real_shelf, shelves_of
from hil.recorded import require_recordings, why_missing
from hil.shoppers import scene_of

FIRST_SEED = {"tuning": 10_000, "reporting": 90_000_000}
LAYOUTS = ("corners", "two", "lanes", "one")
KEPT_MINUTES = 30.0  # longer scenes aren't kept in memory but simulated again each time somebody goes through them
NOISE_G, DRIFT_G_PER_H = 1.0, 20.0  # of each cell: the sum of four has twice the noise


@dataclass(frozen=True)
class Family:
    """A kind of scene.

    Attributes:
        title: one phrase for the table.
        needs_recordings: can't be made without the AIM3S recordings (`why_skipped` says so).
    """

    name: str
    title: str
    needs_recordings: bool = False


FAMILIES: dict[str, Family] = {
    family.name: family
    for family in (
        Family("calm", "picks and puts 3-5 s apart"),
        Family("busy", "2 s apart, one pair of hands"),
        Family("overlapping", "busy, hands overlapping (2 s apart)"),
        Family("grabs", "2-3 units at once, 60 %"),
        Family("near-equal", "near-equal weights: a real candy gondola", needs_recordings=True),
        Family("heavy", "heavy goods: a real cleaning gondola", needs_recordings=True),
        Family("two-at-once", "a second hand 0.05-0.7 s after the first, 60 %"),
        Family("leans", "bumps and leans, 6 a minute, up to 4 kg for 4 s"),
        Family("look", "take, look, put back"),
        Family("wrong-slot", "40 % of returns into a wrong slot, later taken from there"),
        Family("vibration", "shaken as recorded in a real store, 0.5-1.5 times", needs_recordings=True),
        Family("noise-drift", "each cell: noise 1 g rms, drift 20 g/h"),
        Family("faults", "spikes, gaps, and in half the scenes a cell that dies or sticks"),
        Family("slow-rate", "10 samples/s"),
        Family("held", "held on the shelf for 2-6 s before it leaves, 40 %; slow lifts"),
        Family("restocking", "20 puts in a row"),
        Family("foreign", "objects that aren't in the planogram come and go, 15 %"),
        Family("nothing", "nobody moves anything: drift, vibration, steps, bumps"),
        Family("everything", "everything at once"),
    )
}
ADDED_LATER = ("overlapping",)  # their seeds come after those of all others, which stay what they were


@dataclass(frozen=True)
class Case:
    """One scene: what the node is told (`setup`, calibrated), what it sees (`blocks`) and what was true (the rest).

    Attributes:
        blocks: for each 10 s, a block per board; can be gone through any number of times.
        grams: of each label, by how much the board's weight really changed; negative when taken.
        disturbances: board, begin and end in seconds of what acted on it and moved nothing; see `Disturbance`.
    """

    family: str
    layout: str
    seed: int
    setup: Setup
    labels: tuple[Label, ...]
    duration_s: float
    blocks: Iterable[list[SampleBlock]]
    grams: tuple[float, ...] = ()
    disturbances: tuple[tuple[str, float, float], ...] = ()


@dataclass(frozen=True)
class Recipe:
    """A scene that hasn't been played yet; going through it simulates it."""

    setup: Setup
    items: Mapping[str, Item]
    rig: Rig
    scene: Scene
    seed: int
    duration_s: float

    def stage(self) -> Stage:
        """The shelves with people in front of them, at the beginning."""
        world = world_for(self.setup, self.seed)
        if self.items:
            world = World(world.boards, self.items, world.places, seeded(self.seed, "world"))
        return Stage(world, self.scene, self.seed, manner=self.rig.manner)

    def __iter__(self) -> Iterator[list[SampleBlock]]:
        return simulate(self.rig.boards, self.stage(), self.seed, self.duration_s)


def why_skipped(family: str) -> str | None:
    """Why scenes of this family can't be made here; None if they can."""
    return why_missing() if FAMILIES[family].needs_recordings else None


def case_seed(family: str, split: str, seed_index: int) -> int:
    """The seed of a scene. Raises ValueError for an unknown split or an index beyond the family's hundred seeds."""
    if split not in FIRST_SEED:
        raise ValueError(f"split must be one of {', '.join(FIRST_SEED)}, got {split}")
    if not 0 <= seed_index < 100:
        raise ValueError(f"seed_index must be 0 to 99, got {seed_index}")
    order = (*(name for name in FAMILIES if name not in ADDED_LATER), *ADDED_LATER)
    return FIRST_SEED[split] + 100 * order.index(family) + seed_index


def make_case(family: str, layout: str, split: str, seed_index: int, minutes: float = 5.0) -> Case:
    """One scene, the same for the same arguments.

    Scenes of up to `KEPT_MINUTES` are simulated here and now; of longer ones the blocks are simulated while they are
    asked for. Raises KeyError or ValueError for what there isn't, RecordingsMissingError where recordings are needed.
    """
    seed, duration_s = case_seed(family, split, seed_index), 60.0 * minutes
    if FAMILIES[family].needs_recordings:
        require_recordings()
    rate_hz = 10 if family == "slow-rate" else 80
    setup, items = _shelf(family, layout, split, seed, seed_index, rate_hz)
    rig = as_drawn(setup, seed) if split == "tuning" else wider(setup, seed)
    rig = dataclasses.replace(rig, boards=_with_faults(family, rig, seed, seed_index, duration_s))
    recipe = Recipe(setup, items, rig, scene_of(family, seed, duration_s), seed, duration_s)
    calibrated = dataclasses.replace(setup, calibration=rig.calibration)
    blocks: Iterable[list[SampleBlock]] = list(recipe) if minutes <= KEPT_MINUTES else recipe
    played = recipe.stage()
    played.play(duration_s)
    movements = [movement for movement in played.movements if movement.end_s < duration_s]
    return Case(
        family,
        layout,
        seed,
        calibrated,
        labels_of(movements),
        duration_s,
        blocks,
        tuple(movement.grams for movement in movements),
        tuple((each.board, each.start_s, each.end_s) for each in played.disturbances),
    )


def _shelf(
    family: str, layout: str, split: str, seed: int, seed_index: int, rate_hz: int
) -> tuple[Setup, Mapping[str, Item]]:
    """The shelf, and what its SKUs really are where that isn't what the planogram says."""
    if layout not in LAYOUTS:
        raise ValueError(f"layout must be one of {', '.join(LAYOUTS)}, got {layout}")
    if family in ("near-equal", "heavy"):
        if layout != "corners":
            raise ValueError(f"{family} is a real shelf on four corner cells; expected layout corners, got {layout}")
        return _real_shelf(family, split, seed, seed_index, rate_hz)
    if split == "reporting":
        draw = {"corners": shelves.corners, "two": shelves.two, "lanes": shelves.lanes, "one": shelves.one}
        shelf = draw[layout](seed, rate_hz)
        return shelf.setup, shelf.items
    if layout == "corners":
        return layouts.corner_boards(seed, rate_hz=rate_hz), {}
    small = {"two": layouts.two_cell_board, "lanes": layouts.lane_boards, "one": layouts.one_cell_board}
    return small[layout](seed, rate_hz=rate_hz), {}


def _real_shelf(family: str, split: str, seed: int, seed_index: int, rate_hz: int) -> tuple[Setup, Mapping[str, Item]]:
    """The gondola's shelves in turn, so that a few seeds already see all of them."""
    products, count = (CANDY, 10) if family == "near-equal" else (CLEANING, 4)
    numbers = shelves_of(products)
    depth_mm = 400.0
    if split == "reporting":
        rng = seeded(seed, "real shelf")
        depth_mm, count = float(round(rng.uniform(350, 550))), int(rng.integers(count // 2 + 1, count + 4))
    shelf = real_shelf(products, numbers[seed_index % len(numbers)], count, rate_hz, depth_mm)
    return shelf.setup, shelf.items


def _with_faults(family: str, rig: Rig, seed: int, seed_index: int, duration_s: float) -> Mapping[str, BoardPhysics]:
    """The boards with what the family does to them. Which scenes lose a cell goes by the index."""
    boards = dict(rig.boards)
    if family == "noise-drift":
        boards = drifting(noisier(boards, NOISE_G), DRIFT_G_PER_H, seed, steady=True)
    elif family == "nothing":
        boards = drifting(boards, DRIFT_G_PER_H, seed, steady=False)
    elif family == "faults":
        boards = faulty(boards, FaultRates.worst())
        if seed_index % 2 == 1:
            boards = failing(boards, seed_index % 4 == 1, duration_s, seed)
    elif family == "everything":
        boards = faulty(drifting(boards, DRIFT_G_PER_H / 2, seed, steady=False), FaultRates(0.5, 20.0, 20.0))
        if seed_index % 10 == 7:
            boards = failing(boards, seed_index % 20 == 7, duration_s, seed)
    return boards
