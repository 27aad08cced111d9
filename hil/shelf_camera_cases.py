"""Scenes that a scale and a shelf camera see together: shelves on which weight alone doesn't tell what was taken.

* *pairs*: a board on four corner cells; products side by side weigh the same within 1 to 2 g, two by two;
* *candy*: the real candy gondola, whose products weigh nearly the same and share plates (needs the recordings);
* *one cell*: a board that tells the weight and no place, its products within 1 to 2 g, two by two.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from drivers.camera.scenes.products import CATALOGUE, ProductLook, random_look
from drivers.camera.scenes.shelf_stage import TALLEST_MM, StageItem
from drivers.simulated.scene import Handling
from drivers.simulated.stage import seeded
from edge.config.setup import Setup
from edge.node.simulate import labels_of
from hil.families import Case, Recipe
from hil.layouts import MARGIN_MM
from hil.physics import as_drawn, wider
from hil.real_shelves import CANDY, real_shelf, shelves_of
from hil.recorded import require_recordings, why_missing
from hil.setup_text import BoardText, SkuText, SlotText, setup_of
from hil.shoppers import scene_of

KINDS = {
    "pairs": "neighbours within 1-2 g, four cells",
    "candy": "a real candy gondola, overlapping",
    "one-cell": "within 1-2 g, one cell, no place",
}
FIRST_SEED = {"tuning": 20_000, "reporting": 95_000_000}
SPREAD_SHARE = 0.008
FILLED = 0.9  # of its footprint that an item covers


@dataclass(frozen=True)
class ShelfScene:
    """One scene for both senses.

    Attributes:
        case: what the scale sees, and the truth.
        items: what stands on the board at the beginning; handlings: what hands do there; looks: of each SKU.
    """

    case: Case
    board: str
    board_mm: tuple[float, float]
    items: tuple[StageItem, ...]
    handlings: tuple[Handling, ...]
    looks: Mapping[str, ProductLook]


def why_no_scene(kind: str) -> str | None:
    """Why scenes of this kind can't be made here; None if they can."""
    return why_missing() if kind == "candy" else None


def shelf_scene(kind: str, split: str, index: int, minutes: float = 5.0) -> ShelfScene:
    """One scene, the same for the same arguments."""
    seed = FIRST_SEED[split] + 1000 * list(KINDS).index(kind) + index
    setup, items = _shelf(kind, split, seed, index)
    duration_s = 60.0 * minutes
    rig = as_drawn(setup, seed) if split == "tuning" else wider(setup, seed)
    recipe = Recipe(setup, items, rig, scene_of("calm", seed, duration_s), seed, duration_s)
    played = recipe.stage()
    looks = _looks(setup, seed, split)
    standing = tuple(
        _item(unit.sku, unit.x_mm, unit.y_mm, FILLED * place.footprint_mm, looks)
        for place in played.world.places.values()
        for unit in played.world.lying[place.slot]
    )
    played.play(duration_s)
    movements = [movement for movement in played.movements if movement.end_s < duration_s]
    case = Case(
        kind,
        "one" if kind == "one-cell" else "corners",
        seed,
        dataclasses.replace(setup, calibration=rig.calibration),
        labels_of(movements),
        duration_s,
        list(recipe),
        tuple(movement.grams for movement in movements),
        tuple((each.board, each.start_s, each.end_s) for each in played.disturbances),
    )
    name, board = next(iter(setup.node.boards.items()))
    return ShelfScene(case, name, (board.width_mm, board.depth_mm), standing, tuple(played.handlings), looks)


def _item(sku: str, x_mm: float, y_mm: float, side_mm: float, looks: Mapping[str, ProductLook]) -> StageItem:
    return StageItem(sku, x_mm, y_mm, side_mm, side_mm, TALLEST_MM * looks[sku].tall)


def _looks(setup: Setup, seed: int, split: str) -> dict[str, ProductLook]:
    """Known products for tuning, unknown ones for reporting."""
    rng = seeded(seed, "looks")
    known = list(CATALOGUE.values())
    order = rng.permutation(len(known)).tolist()
    skus = list(setup.planogram.skus)
    if split == "tuning" and len(skus) <= len(known):
        return {sku: known[k] for sku, k in zip(skus, order, strict=False)}
    return {sku: random_look(rng) for sku in skus}


def _shelf(kind: str, split: str, seed: int, index: int):  # type: ignore[no-untyped-def]
    rng = seeded(seed, "shelf")
    if kind == "candy":
        require_recordings()
        numbers = shelves_of(CANDY)
        depth_mm, count = 400.0, 10
        if split == "reporting":
            depth_mm, count = float(round(rng.uniform(350, 550))), int(rng.integers(6, 14))
        shelf = real_shelf(CANDY, numbers[index % len(numbers)], count, 80, depth_mm)
        return shelf.setup, shelf.items
    depth = float(round(rng.uniform(300, 500)))
    if kind == "pairs":
        width, slots, count = float(round(rng.uniform(700, 1300))), int(rng.choice([6, 8])), 6
        xs, ys = (MARGIN_MM, width - MARGIN_MM), (MARGIN_MM, depth - MARGIN_MM)
        cells = {"fl": (xs[0], ys[0]), "fr": (xs[1], ys[0]), "bl": (xs[0], ys[1]), "br": (xs[1], ys[1])}
    else:
        width, slots, count = float(round(rng.uniform(350, 600))), 4, 6
        cells = {"c": (width / 2, depth / 2)}
    if split == "reporting":
        count = int(rng.integers(4, 9))
    weights: list[float] = []
    for _ in range(slots // 2):
        while True:
            first = float(np.exp(rng.uniform(*np.log((40.0, 600.0)))))
            if all(abs(first - other) > 0.08 * other for other in weights):
                break
        weights += [first, first + float(rng.uniform(1.0, 2.0)) * (1 if rng.random() < 0.5 else -1)]
    edges = np.linspace(0, width, slots + 1)
    skus = [SkuText(f"sku-{k}", f"Item {k}", round(w, 1), SPREAD_SHARE * w) for k, w in enumerate(weights, 1)]
    places = [
        SlotText(f"s{k + 1}", "b1", sku.sku, (float(edges[k]), float(edges[k + 1])), None, count)
        for k, sku in enumerate(skus)
    ]
    return setup_of(f"{kind}-{seed}", [BoardText("b1", width, depth, 80, cells)], skus, places), {}
