"""Shelves with the planogram of a real store: the plates and unit weights that AIM3S published.

Products 1-33 are a gondola of cleaning goods, 34-81 one of candy, whose 48 products weigh nearly the same. A shelf is
twelve plates of 4 inches; a product's slot is the plates it was given, and neighbours share plates.
"""

from __future__ import annotations

import functools
import json
from dataclasses import dataclass

import numpy as np

from drivers.simulated.world import Item
from edge.config.setup import Setup
from hil.layouts import LANE_MM, LANES, MARGIN_MM
from hil.recorded import PRODUCTS, require_recordings
from hil.setup_text import BoardText, SkuText, SlotText, setup_of

CLEANING, CANDY = range(1, 34), range(34, 82)
LEAST_SPREAD_G = 0.5  # two or three units that weigh the same don't say that all do
UNKNOWN_SPREAD_SHARE = 0.008  # of a product of which one unit was weighed: the median of the others
BETWEEN_WEIGHED_SHARE = 0.3  # of the spread: how far an unweighed unit lies from a weighed one
DEPTH_MM = 400.0  # not published


@dataclass(frozen=True)
class RealShelf:
    """A setup, and what its products really are: units drawn around the weighed ones."""

    setup: Setup
    items: dict[str, Item]


@dataclass(frozen=True, slots=True)
class _Product:
    number: int
    name: str
    weighed_g: tuple[float, ...]
    plates: tuple[tuple[int, int], ...]  # first and last, from 1

    @property
    def spread_g(self) -> float:
        if len(self.weighed_g) < 2:
            return UNKNOWN_SPREAD_SHARE * self.weighed_g[0]
        return max(float(np.std(self.weighed_g, ddof=1)), LEAST_SPREAD_G)


def shelves_of(products: range) -> list[int]:
    """Numbers of the shelves on which these products lie. Raises RecordingsMissingError."""
    return sorted(_shelves(products))


def real_shelf(products: range, shelf: int, count: int, rate_hz: int = 80, depth_mm: float = DEPTH_MM) -> RealShelf:
    """One board of 1219 mm on four corner cells with the products of a shelf, ``count`` units of each.

    Raises RecordingsMissingError.
    """
    width_mm = LANES * LANE_MM
    right, back = width_mm - MARGIN_MM, depth_mm - MARGIN_MM
    cells = {"fl": (MARGIN_MM, MARGIN_MM), "fr": (right, MARGIN_MM), "bl": (MARGIN_MM, back), "br": (right, back)}
    skus, slots, items = [], [], {}
    for product in _shelves(products)[shelf]:
        sku, spread_g = f"p{product.number}", product.spread_g
        skus.append(SkuText(sku, product.name, float(np.mean(product.weighed_g)), spread_g))
        items[sku] = Item(sku, skus[-1].weight_g, BETWEEN_WEIGHED_SHARE * spread_g, product.weighed_g)
        for k, (first, last) in enumerate(product.plates):
            extent = ((first - 1) * LANE_MM, last * LANE_MM)
            slots.append(SlotText(f"s{product.number}" + "b" * k, "b1", sku, extent, None, count))
    board = BoardText("b1", width_mm, depth_mm, rate_hz, cells)
    return RealShelf(setup_of(f"aim3s-{products.start}-shelf-{shelf}", [board], skus, slots), items)


@functools.cache
def _shelves(products: range) -> dict[int, list[_Product]]:
    """The products by shelf. One whose weight is given as 0 was never weighed and is left out."""
    require_recordings()
    found: dict[int, list[_Product]] = {}
    for entry in json.loads(PRODUCTS.read_text(encoding="utf-8"))["products"]:
        weighed = tuple(float(grams) for grams in entry["weights"] if grams > 0.0)
        if entry["id"] not in products or not weighed:
            continue
        for shelf in {place["shelf_id"] for place in entry["arrangement"]}:
            plates = tuple(
                (min(place["plate_ids"]), max(place["plate_ids"]))
                for place in entry["arrangement"]
                if place["shelf_id"] == shelf
            )
            found.setdefault(shelf, []).append(_Product(entry["id"], entry["name"], weighed, plates))
    return found
