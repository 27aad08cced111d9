"""Shelves of the reporting split: another way of drawing boards, slots and SKUs than `hil.layouts`, and a wider one.

Slots aren't equally wide and have dividers between them, some stand one behind the other, a SKU may have two slots,
weights come from kinds of goods and may lie as near to each other as they like, and what the planogram says of a SKU is
what somebody found who weighed a few units: the mean is off, the spread is wrong or isn't given at all.
"""

from __future__ import annotations

import itertools
import math
from dataclasses import dataclass

import numpy as np

from drivers.simulated.world import Item
from edge.config.setup import Setup
from hil.setup_text import BoardText, SkuText, SlotText, setup_of

WEIGHT_G = (25.0, 1600.0)
KINDS_G = ((45.0, 0.4), (110.0, 0.5), (270.0, 0.4), (350.0, 0.15), (520.0, 0.3), (1040.0, 0.25))  # median, log sd
NARROWEST_MM = 50.0
MOST_SLOTS = 12
SPREAD_SHARE = (0.002, 0.015)
LEAST_SPREAD_G = 0.3
APART_SHARE = 0.04  # of weights that nothing but their weight tells apart (a board on one cell)


@dataclass(frozen=True)
class Shelf:
    """A setup, and what its SKUs really weigh."""

    setup: Setup
    items: dict[str, Item]


def corners(seed: int, rate_hz: float) -> Shelf:
    """One board of 600 to 1300 mm; four cells near its corners, each a bit elsewhere."""
    rng = np.random.default_rng([seed, 0xC04])
    width, depth = _size(rng)
    inset = rng.uniform(15.0, 80.0, (4, 2))
    cells = {
        name: (float(at_x * width + (1 - 2 * at_x) * dx), float(at_y * depth + (1 - 2 * at_y) * dy))
        for (name, at_x, at_y), (dx, dy) in zip(
            (("a", 1, 1), ("b", 0, 0), ("c", 1, 0), ("d", 0, 1)), inset.tolist(), strict=True
        )
    }
    return _shelf(f"corners-{seed}", BoardText("shelf", width, depth, rate_hz, cells), rng, rows=True)


def two(seed: int, rate_hz: float) -> Shelf:
    """One board on two cells, left and right."""
    rng = np.random.default_rng([seed, 0x2C])
    width, depth = _size(rng)
    left, right = rng.uniform(15.0, 80.0, 2).tolist()
    cells = {"left": (left, depth / 2), "right": (width - right, depth / 2)}
    return _shelf(f"two-{seed}", BoardText("shelf", width, depth, rate_hz, cells), rng, rows=False)


def one(seed: int, rate_hz: float) -> Shelf:
    """A board on one cell with three to five SKUs that differ in weight by 4 % or more."""
    rng = np.random.default_rng([seed, 0x1C])
    width, depth = float(round(rng.uniform(250, 600))), float(round(rng.uniform(200, 450)))
    board = BoardText("shelf", width, depth, rate_hz, {"only": (width / 2, depth / 2)})
    extents = _extents(width, int(rng.integers(3, 6)), rng)
    skus, items = _skus(len(extents), rng, apart=APART_SHARE)
    slots = [
        SlotText(f"k{k}", "shelf", sku.sku, extent, None, int(rng.integers(3, 11)))
        for k, (sku, extent) in enumerate(zip(skus, extents, strict=True))
    ]
    return Shelf(setup_of(f"one-{seed}", [board], skus, slots), items)


def lanes(seed: int, rate_hz: float) -> Shelf:
    """Twelve lanes of different widths, each a board on one cell."""
    rng = np.random.default_rng([seed, 0x1A])
    depth = float(round(rng.uniform(280, 600)))
    widths = rng.uniform(65.0, 140.0, 12).round().tolist()
    skus, items = _skus(12, rng)
    boards, slots = [], []
    for k, (width, sku) in enumerate(zip(widths, skus, strict=True)):
        boards.append(BoardText(f"l{k:02d}", width, depth, rate_hz, {"cell": (width / 2, depth / 2)}))
        slots.append(SlotText(f"k{k:02d}", f"l{k:02d}", sku.sku, (0.0, width), None, int(rng.integers(3, 11))))
    return Shelf(setup_of(f"lanes-{seed}", boards, skus, slots), items)


def _size(rng: np.random.Generator) -> tuple[float, float]:
    return float(round(600 + 700 * rng.beta(0.8, 0.8))), float(round(rng.uniform(250, 600)))


def _shelf(node: str, board: BoardText, rng: np.random.Generator, rows: bool) -> Shelf:
    columns = min(int(rng.integers(6, MOST_SLOTS + 1)), int(board.width_mm // (NARROWEST_MM + 15.0)))
    places: list[tuple[tuple[float, float], tuple[float, float] | None]] = []
    for k, extent in enumerate(_extents(board.width_mm, columns, rng)):
        if rows and len(places) + columns - k < MOST_SLOTS and extent[1] - extent[0] >= 90.0 and rng.random() < 0.12:
            middle = float(rng.uniform(0.4, 0.6)) * board.depth_mm
            places += [(extent, (0.0, middle)), (extent, (middle, board.depth_mm))]
        else:
            places.append((extent, None))
    twice = rng.random() < 0.3
    skus, items = _skus(len(places) - twice, rng)
    order = rng.permutation([*range(len(skus)), *([int(rng.integers(len(skus)))] if twice else [])]).tolist()
    slots = [
        SlotText(f"k{k}", board.board, skus[order[k]].sku, x_mm, y_mm, int(rng.integers(3, 11)))
        for k, (x_mm, y_mm) in enumerate(places)
    ]
    return Shelf(setup_of(node, [board], skus, slots), items)


def _extents(width_mm: float, columns: int, rng: np.random.Generator) -> list[tuple[float, float]]:
    """Slots side by side, some twice or three times as wide as others, dividers of 0 to 8 mm between them."""
    shares = rng.dirichlet(np.full(columns, 4.0))
    free_mm = width_mm - columns * NARROWEST_MM
    ends = np.concatenate([[0.0], np.cumsum(NARROWEST_MM + free_mm * shares)]).tolist()
    divider = float(rng.uniform(0.0, 4.0))
    return [(round(left + divider, 1), round(right - divider, 1)) for left, right in itertools.pairwise(ends)]


def _skus(count: int, rng: np.random.Generator, apart: float = 0.0) -> tuple[list[SkuText], dict[str, Item]]:
    said: list[SkuText] = []
    items: dict[str, Item] = {}
    while len(said) < count:
        median_g, log_sd = KINDS_G[int(rng.integers(len(KINDS_G)))]
        weight_g = float(np.clip(median_g * math.exp(rng.normal(0.0, log_sd)), *WEIGHT_G))
        if any(abs(weight_g - item.weight_g) < apart * item.weight_g for item in items.values()):
            continue
        spread_g = max(weight_g * math.exp(rng.uniform(*np.log(SPREAD_SHARE))), LEAST_SPREAD_G)
        sku = f"g{len(said)}"
        items[sku] = Item(sku, weight_g, spread_g)
        weighed_g = weight_g + float(rng.normal(0.0, 0.4)) * spread_g
        stated_g = None if rng.random() < 0.15 else max(spread_g * float(rng.uniform(0.8, 1.4)), LEAST_SPREAD_G)
        said.append(SkuText(sku, f"Goods {len(said)}", weighed_g, stated_g))
    return said, items
