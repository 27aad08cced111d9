"""What a shelf camera makes of a bench scene: rendered frames through the node's own watcher, spoilt on demand."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterable, Iterator, Sequence

import numpy as np

from calibration.plane_map import PlaneMap
from drivers.camera.scenes.shelf_stage import StageCamera, StageView, stage_frames
from drivers.camera.scenes.spoilt import Spoil, spoilt
from drivers.camera.watch import PictureWatch
from drivers.frames import Frame
from drivers.simulated.scene import Handling
from drivers.simulated.stage import seeded
from edge.fusion.engine import Fusion
from edge.trace.event import Event
from edge.trace.sighting import ShelfLook
from edge.vision.floor import FloorMap
from edge.vision.shelf import ItemNamer, ShelfWatcher
from edge.vision.shelf_regions import SlotBox
from hil.shelf_camera_cases import ShelfScene

FAULTS = {
    "good": "nothing wrong",
    "dirty": "a smear on the lens: blurred all the time",
    "late": "times 1 s late",
    "offset": "times 0.3 s early",
    "dark": "dark from the second minute on",
    "gone": "no frames from the second minute on",
    "covered": "covered from the second minute on",
    "frozen": "frozen from the second minute on",
    "moved": "turned by a tenth of the picture in the second minute",
    "nudged": "turned by a slot or so before anything began: calibrated elsewhere",
    "passers": "other people's hands before the shelf, 6 a minute",
    "lights": "light that changes, and exposure that swings",
}
FAULT_FROM_S = 60.0
RENDERED_ANEW = ("passers", "lights")


def board_map(scene: ShelfScene, view: StageView) -> FloorMap:
    """The map that a good calibration of the camera would have found."""
    matrix = StageCamera(*scene.board_mm, view).board_map
    return FloorMap(PlaneMap((view.width, view.height), matrix, np.zeros(2), 0.0, np.zeros((9, 9))))


def slot_boxes(scene: ShelfScene) -> dict[str, SlotBox]:
    """The board's slots."""
    slots = scene.case.setup.slots_on(scene.board)
    return {name: SlotBox(slot.x_mm, slot.y_mm or (0.0, scene.board_mm[1]), slot.sku) for name, slot in slots.items()}


def rendered(scene: ShelfScene, view: StageView, fault: str = "good") -> list[Frame]:
    """The scene as a good camera sees it: the same for most faults, which spoil it afterwards."""
    seed, seconds = scene.case.seed, scene.case.duration_s
    handlings = scene.handlings
    if fault == "passers":
        handlings = (*handlings, *_passers(scene))
    if fault == "lights":
        rng = seeded(seed, "lights")
        view = dataclasses.replace(
            view, exposure_s=float(rng.uniform(20, 60)), switches_s=tuple(np.sort(rng.uniform(20, seconds, 6)).tolist())
        )
    return list(stage_frames(view, scene.board_mm, scene.items, handlings, scene.looks, seconds, seed))


def frames_of(scene: ShelfScene, fault: str, view: StageView, made: Sequence[Frame] | None = None) -> Iterator[Frame]:
    """The scene's frames with that fault, as a driver gives them, flags and all; ``made``: `rendered` for it."""
    seed, seconds = scene.case.seed, scene.case.duration_s
    if made is None or fault in RENDERED_ANEW:
        made = rendered(scene, view, fault)
    frames: Iterable[Frame] = made
    if fault == "dirty":
        frames = spoilt(made, [Spoil("blurred", 0.0, seconds, 0.03)], seed)
    elif fault in ("dark", "covered", "frozen", "moved"):
        frames = spoilt(made, [Spoil(fault, FAULT_FROM_S, seconds, 0.1)], seed)  # type: ignore[arg-type]
    elif fault == "nudged":
        frames = spoilt(made, [Spoil("moved", 0.0, seconds, 0.12)], seed)
    elif fault == "gone":
        frames = spoilt(made, [Spoil("stall", FAULT_FROM_S, seconds)], seed)
    watch = PictureWatch("eye", view.rate_hz)
    for frame in frames:
        yield watch.see(frame)


def looks_of(
    scene: ShelfScene,
    fault: str = "good",
    view: StageView | None = None,
    namer: ItemNamer | None = None,
    made: Sequence[Frame] | None = None,
) -> list[ShelfLook]:
    """What the watcher tells."""
    view = StageView() if view is None else view
    watcher = ShelfWatcher("eye", scene.board, board_map(scene, view), slot_boxes(scene), namer)
    late_ns = {"late": 1_000_000_000, "offset": -300_000_000}.get(fault, 0)
    found = []
    for frame in frames_of(scene, fault, view, made):
        if late_ns:
            frame = dataclasses.replace(frame, time_ns=frame.time_ns + late_ns)
        look = watcher.push(frame)
        if look is not None:
            found.append(look)
    return found


def decide(scene: ShelfScene, looks: Iterable[ShelfLook], fusion: Fusion | None = None) -> list[Event]:
    """All revisions of a scene's events, with what the camera told beside what the scale felt."""
    fusion = fusion or Fusion(scene.case.setup)
    told = list(looks)
    events: list[Event] = []
    given = 0
    for blocks in scene.case.blocks:
        newest = max(int(block.time_ns[-1]) for block in blocks)
        upto = given
        while upto < len(told) and told[upto].time_ns <= newest:
            upto += 1
        events += fusion.push(blocks, newest, told[given:upto])
        given = upto
    return events + fusion.finish()


def _passers(scene: ShelfScene) -> list[Handling]:
    """Hands that touch nothing, before any slot, at any time."""
    rng = seeded(scene.case.seed, "passers")
    seconds = scene.case.duration_s
    found = []
    for _ in range(int(rng.poisson(6.0 * seconds / 60.0))):
        begin, x_mm = float(rng.uniform(1.0, seconds - 3.0)), float(rng.uniform(0.05, 0.95)) * scene.board_mm[0]
        end = begin + float(rng.uniform(0.3, 2.0))
        found.append(Handling(scene.board, 0, (), x_mm, float(rng.uniform(0.0, 0.6)) * scene.board_mm[1], begin, end))
    return found
