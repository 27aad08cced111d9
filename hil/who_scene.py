"""One joint scene: people before boards on load cells, seen from the ceiling, through fusion, and who it really was."""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from drivers.samples import SampleBlock
from drivers.simulated.batch import simulate
from drivers.simulated.stage import Stage, seeded
from drivers.simulated.world import Item, World
from edge.config.camera_schema import Place
from edge.config.setup import Setup
from edge.fusion.engine import Fusion
from edge.fusion.score import Verdict, score
from edge.node.simulate import labels_of, world_for
from edge.trace.event import Event, Label, Status
from hil import layouts, shelves
from hil.physics import as_drawn, wider
from hil.who_people import Crowd, Deed, Manners, Played, Shelf, Visits, visits, way
from hil.who_sight import Seen, Sight, sight_of

Floats = npt.NDArray[np.float64]
FIRST_SEED = {"tuning": 400_000, "reporting": 95_000_000}
STOCK = 12  # units in each slot: nobody runs out of what people want
LAYOUTS = ("corners", "two", "lanes")


@dataclass(frozen=True, slots=True)
class WhoFact:
    """One final event.

    Attributes:
        told: what it said, probability by track. right: which of these it was ("": nobody who was tracked).
        apart_mm: from the one who did it to the nearest other one, then; inf: nobody else.
        at_once: somebody else did something within a second.
        by_holder: a put by the one who had taken it.
        exact: what it says has moved, and where, is right; else it may be nobody's at all.
    """

    told: tuple[tuple[str, float], ...]
    right: frozenset[str]
    apart_mm: float
    at_once: bool
    by_holder: bool
    exact: bool

    @property
    def best(self) -> tuple[str, float]:
        """Who it is most likely to have been."""
        return self.told[0] if self.told else ("", 1.0)


@dataclass(frozen=True, slots=True)
class Wall:
    """Boards side by side along one wall of the store, at different heights.

    Attributes:
        x_mm, y_mm, facing_deg: of the left end of its front edge, as `Place`.
        begins_mm: of each board, along the wall.
    """

    x_mm: float
    y_mm: float
    facing_deg: float
    begins_mm: Mapping[str, float]

    def floor(self, along_mm: Floats, out_mm: Floats) -> Floats:
        """Store coordinates float64[n, 2]."""
        place = Place(x_mm=self.x_mm, y_mm=self.y_mm, facing_deg=self.facing_deg)
        return np.array(
            [place.on_floor(a, -o) for a, o in zip(along_mm.tolist(), out_mm.tolist(), strict=True)]
        ).reshape(-1, 2)


def placed(
    setup: Setup, rng: np.random.Generator, off_mm: float, before_camera: tuple[float, float] | None = None
) -> tuple[Setup, Wall, list[Shelf]]:
    """The setup's boards on a wall; ``off_mm``: how far off the node file's places are, standard deviation.

    ``before_camera``: the middle of the wall's front edge, which then faces -y; else it is anywhere.
    """
    turn, x_mm, y_mm = float(rng.uniform(-180.0, 180.0)), float(rng.uniform(-9e3, 9e3)), float(rng.uniform(-9e3, 9e3))
    if before_camera is not None:
        wide_mm = sum(board.width_mm for board in setup.node.boards.values())
        turn, x_mm, y_mm = -90.0, before_camera[0] - 0.5 * wide_mm, before_camera[1]
    begins: dict[str, float] = {}
    boards, at_mm = {}, 0.0
    wrong = rng.normal(0.0, off_mm, 2)
    for name, board in setup.node.boards.items():
        begins[name] = at_mm
        wall = Wall(x_mm, y_mm, turn, begins)
        x, y = wall.floor(np.array([at_mm]), np.zeros(1))[0] + wrong
        height_mm = float(rng.uniform(500.0, 1500.0))
        place = Place(x_mm=float(x), y_mm=float(y), facing_deg=turn, height_mm=height_mm)
        boards[name] = board.model_copy(update={"place": place})
        at_mm += board.width_mm + float(rng.uniform(0.0, 40.0))
    slots = {name: slot.model_copy(update={"count": STOCK}) for name, slot in setup.planogram.slots.items()}
    node = setup.node.model_copy(update={"boards": boards})
    planogram = setup.planogram.model_copy(update={"slots": slots})
    found = [
        Shelf(name, slot.board, slot.sku, begins[slot.board] + 0.5 * sum(slot.x_mm), STOCK)
        for name, slot in slots.items()
    ]
    return dataclasses.replace(setup, node=node, planogram=planogram), Wall(x_mm, y_mm, turn, begins), found


@dataclass(frozen=True)
class WhoScene:
    """Everything of one scene: what the node is told, what it weighs and sees, and the truth.

    Attributes:
        labels: in the order of ``plan.deeds``.
        ways: of each person, times (s) and places on the floor (mm).
    """

    setup: Setup
    blocks: list[list[SampleBlock]]
    seen: Seen
    plan: Visits
    ways: list[tuple[Floats, Floats]]
    labels: tuple[Label, ...]
    seconds: float

    def events(self) -> list[Event]:
        """What fusion makes of it: samples and sightings as they come."""
        fusion = Fusion(self.setup)
        points = self.seen.points
        events: list[Event] = []
        given = 0
        for together in self.blocks:
            newest = max(int(block.time_ns[-1]) for block in together)
            until = given
            while until < len(points) and points[until].time_ns <= newest:
                until += 1
            events += fusion.push(together, newest, points[given:until])
            given = until
        return events + fusion.finish()


def make_scene(
    crowd: Crowd,
    split: str,
    index: int,
    seconds: float = 240.0,
    clock_s: float = 0.0,
    before_camera: tuple[float, float] | None = None,
) -> WhoScene:
    """The same for the same arguments. ``clock_s``: of the camera's node, too late. ``before_camera``: see `placed`."""
    seed, tuning = FIRST_SEED[split] + index, split == "tuning"
    rng = seeded(seed, "who scene")
    setup, items = _shelf(tuning, LAYOUTS[index % 6 // 2] if index % 2 else "corners", seed)
    off_mm = 25.0 if tuning else float(rng.uniform(0.0, 60.0))
    setup, wall, slots = placed(setup, rng, off_mm, before_camera)
    manners, sight = (Manners(), Sight()) if tuning else (Manners.drawn(rng), Sight.drawn(rng))
    plan = visits(crowd, manners, slots, seed, seconds)
    rig = as_drawn(setup, seed) if tuning else wider(setup, seed)

    def stage() -> Stage:
        world = world_for(setup, seed)
        if items:
            world = World(world.boards, items, world.places, seeded(seed, "world"))
        return Stage(world, Played(tuple(plan.deeds)), seed, manner=rig.manner)

    truth = stage()
    truth.play(seconds)
    along = [way(person, manners, seed + k) for k, person in enumerate(plan.people)]
    ways = [(times, wall.floor(places[:, 0], places[:, 1])) for times, places in along]
    return WhoScene(
        dataclasses.replace(setup, calibration=rig.calibration),
        list(simulate(rig.boards, stage(), seed, seconds, block_s=2.0)),
        sight_of(ways, dataclasses.replace(sight, clock_s=clock_s), seed),
        plan,
        ways,
        labels_of(truth.movements),
        seconds,
    )


def facts_of(scene: WhoScene, events: Sequence[Event]) -> list[WhoFact]:
    """Each final event with who it really was."""
    found = score(scene.labels, events, scene.seconds)
    facts = []
    for event in events:
        if event.status is not Status.FINAL:
            continue
        label = found.label_of_event.get(event.event_id)
        if label is None:
            facts.append(WhoFact(event.who, frozenset(), math.inf, False, False, False))
            continue
        deed = scene.plan.deeds[label]
        apart = [math.dist(a, b) for a, b in _others(scene, deed)]
        close = any(
            other.person != deed.person and abs(other.moved_s - deed.moved_s) < 1.0 for other in scene.plan.deeds
        )
        facts.append(
            WhoFact(
                event.who,
                frozenset(scene.seen.names(deed.person, deed.moved_s)),
                min(apart, default=math.inf),
                close,
                deed.put and deed.owner == deed.person,
                found.event_verdicts[event.event_id] is Verdict.RIGHT,
            )
        )
    return facts


def _others(scene: WhoScene, deed: Deed) -> list[tuple[Sequence[float], Sequence[float]]]:
    """Where the one who did it was, with where each other one was."""
    there = {}
    for person, (times, places) in enumerate(scene.ways):
        if times[0] <= deed.moved_s <= times[-1]:
            there[person] = [float(np.interp(deed.moved_s, times, places[:, axis])) for axis in (0, 1)]
    own = there.pop(deed.person, None)
    return [] if own is None else [(own, other) for other in there.values()]


def _shelf(tuning: bool, layout: str, seed: int) -> tuple[Setup, Mapping[str, Item]]:
    if tuning:
        if layout == "corners":
            return layouts.corner_boards(seed), {}
        return (layouts.two_cell_board(seed) if layout == "two" else layouts.lane_boards(seed)), {}
    draw = shelves.corners if layout == "corners" else shelves.two if layout == "two" else shelves.lanes
    shelf = draw(seed, 80.0)
    return shelf.setup, shelf.items
