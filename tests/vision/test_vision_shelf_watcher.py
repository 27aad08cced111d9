"""A shelf camera of a node file: its watcher knows the board's slots and what belongs there."""

from __future__ import annotations

from typing import cast

import numpy as np
import numpy.typing as npt

from calibration.plane_map import PlaneMap
from drivers.camera.scenes.products import CATALOGUE
from drivers.camera.scenes.shelf_stage import StageCamera, StageItem, StageView, stage_frames
from drivers.frames import Frame
from drivers.simulated.scene import Action, Handling, Lean, Pick, Put
from drivers.simulated.stage import Stage
from edge.config.setup import Setup, setup_from_texts
from edge.node.simulate import world_for
from edge.vision.floor import FloorMap
from edge.vision.inference.classifier import Classifier
from edge.vision.inference.errors import ModelError
from edge.vision.inference.pictures import Box
from edge.vision.shelf import ShelfWatcher, shelf_watcher
from edge.vision.shelf_names import BoardNamer
from edge.vision.shelf_regions import SlotBox

NODE = """
node: bay
planogram: planogram.yaml
boards:
  b:
    width: 600 mm
    depth: 300 mm
    rate: 80 Hz
    driver: simulated
    cells: {c: {x: 300 mm, y: 150 mm}}
cameras:
  eye: {driver: {type: simulated, scene: shelf}, looks_at: {board: b}}
"""
PLANOGRAM = """
skus:
  cola-033: {name: Cola, weight: 350 g, spread: 2 g}
  energy-025: {name: Energy, weight: 270 g, spread: 2 g}
slots:
  left: {board: b, sku: cola-033, x: [0 mm, 300 mm], count: 4}
  right: {board: b, sku: energy-025, x: [300 mm, 600 mm], count: 4}
"""


def the_setup() -> Setup:
    return setup_from_texts(NODE, PLANOGRAM, "", "test")


class Namer:
    """Remembers what it was asked, and knows everything."""

    problem = ""

    def __init__(self) -> None:
        self.asked: list[tuple[int, int, int, int]] = []

    def name(self, frame: Frame, left: int, top: int, width: int, height: int) -> tuple[tuple[str, float], ...]:
        assert 0 <= left < left + width <= frame.y.shape[1]
        assert 0 <= top < top + height <= frame.y.shape[0]
        self.asked.append((left, top, width, height))
        return (("cola-033", 3.0), ("energy-025", -3.0))


def the_map(view: StageView) -> FloorMap:
    matrix = StageCamera((600.0), 300.0, view).board_map
    return FloorMap(PlaneMap((view.width, view.height), matrix, np.zeros(2), 0.0, np.zeros((9, 9))))


def test_a_camera_of_the_node_file_watches_its_boards_slots() -> None:
    view = StageView()
    watcher = shelf_watcher("eye", the_setup(), the_map(view))
    assert (watcher.camera, watcher.board) == ("eye", "b")
    items = [StageItem("cola-033", 150.0, 80.0, 90.0, 80.0, 120.0)]
    looks = [watcher.push(frame) for frame in stage_frames(view, (600.0, 300.0), items, (), CATALOGUE, 1.5, 1)]
    found = [look for look in looks if look is not None]
    assert [seen.slot for seen in found[-1].slots] == ["left", "right"]
    assert all(seen.hand < 0.0 for seen in found[-1].slots)


def test_a_classifier_is_asked_about_the_place_that_changed() -> None:
    view, namer = StageView(), Namer()
    slots = {"left": SlotBox((0.0, 300.0), (0.0, 300.0)), "right": SlotBox((300.0, 600.0), (0.0, 300.0))}
    watcher = ShelfWatcher("eye", "b", the_map(view), slots, namer)
    items = [StageItem("cola-033", 150.0, 80.0, 90.0, 80.0, 120.0)]
    hand = Handling("b", -1, (("cola-033", 150.0, 80.0),), 150.0, 80.0, 1.5, 2.2)
    looks = [watcher.push(frame) for frame in stage_frames(view, (600.0, 300.0), items, [hand], CATALOGUE, 4.0, 1)]
    surest = max((seen for look in looks if look is not None for seen in look.slots), key=lambda seen: seen.gone)
    assert surest.slot == "left"
    assert surest.left == (("cola-033", 3.0), ("energy-025", -3.0))
    left, top, width, height = namer.asked[0]
    x, y, _ = StageCamera(600.0, 300.0, view).see(150.0, 80.0, 60.0)
    assert left <= x <= left + width
    assert top <= y <= top + height


class KnowsTwo:
    """A classifier that sees a cola everywhere, and doesn't know every product."""

    labels = ("cola-033", "crisps-90", "energy-025", "other")

    def look(self, frame: Frame, box: Box) -> npt.NDArray[np.float64]:
        return np.asarray(np.log([0.9, 0.05, 0.03, 0.02]), np.float64)


def test_a_classifiers_word_is_a_ratio_against_what_else_is_on_the_board() -> None:
    frame = Frame("eye", 0, 0, np.zeros((20, 20), np.uint8))
    namer = BoardNamer(cast(Classifier, KnowsTwo()), ["cola-033", "energy-025", "nobody-knows-it"])
    named = dict(namer.name(frame, 2, 2, 8, 8))
    assert set(named) == {"cola-033", "energy-025"}
    assert named["cola-033"] > 0.0 > named["energy-025"]
    assert named["cola-033"] - named["energy-025"] < 4.0  # certain as it may be, it is wrong now and then
    assert BoardNamer(cast(Classifier, KnowsTwo()), ["cola-033", "nobody-knows-it"]).name(frame, 2, 2, 8, 8) == ()


class Breaks(KnowsTwo):
    """A classifier whose weights aren't numbers."""

    def look(self, frame: Frame, box: Box) -> npt.NDArray[np.float64]:
        raise ModelError("its output isn't a number")


def test_a_classifier_that_breaks_is_asked_once_and_the_camera_goes_on() -> None:
    frame = Frame("eye", 0, 0, np.zeros((20, 20), np.uint8))
    namer = BoardNamer(cast(Classifier, Breaks()), ["cola-033", "energy-025"])
    assert namer.name(frame, 2, 2, 8, 8) == ()
    assert "isn't a number" in namer.problem
    assert namer.name(frame, 2, 2, 8, 8) == ()


def test_a_simulated_stage_tells_what_a_camera_would_see() -> None:
    actions: list[Action] = [Pick(1.0, "left"), Lean(4.0, "b", force_g=500.0, lasts_s=1.0), Put(8.0, "left")]
    stage = Stage(world_for(the_setup(), 1), lambda _world: actions, 1)
    stage.play(20.0)
    taken, lean, put = stage.handlings
    assert (taken.sign, lean.sign, put.sign) == (-1, 0, 1)
    for handling, movement in zip((taken, put), stage.movements, strict=True):
        assert (handling.start_s, handling.end_s) == (movement.start_s, movement.end_s)
        assert [sku for sku, _, _ in handling.units] == ["cola-033"]
    assert lean.units == ()
    assert 0.0 <= taken.x_mm <= 300.0
