"""Shelves for the bench: boards, slots and SKUs drawn from a seed, so that no figure is tuned to one planogram.

These are the shelves of the tuning split; those of the reporting split come out of `hil.shelves`.
"""

from __future__ import annotations

import numpy as np

from edge.config.setup import Setup, setup_from_texts
from hil.setup_text import BoardText, SkuText, SlotText, setup_of

MARGIN_MM = 30.0  # of the cells from the board's edges
WEIGHT_G = (30.0, 1100.0)  # what stands on such shelves; AutoCheckout's products weigh 30 to 1572 g
SPREAD_SHARE = 0.008  # unit to unit, as weighed in a real store (median 0.8 %)
NEAREST_SHARE = 0.03  # SKUs of one board differ by at least this in weight; closer ones are another scene family
LANES = 12
LANE_MM = 101.6  # a plate of the AIM3S and AutoCheckout shelves: 4 inches


def corner_boards(seed: int, boards: int = 1, slots: int = 8, rate_hz: int = 80) -> Setup:
    """A node with ``boards`` boards of 600 to 1300 mm on four corner cells each, ``slots`` slots side by side."""
    rng = np.random.default_rng([seed, 0x5E1F])
    node = [f"node: bench-{seed}", "planogram: planogram.yaml", "boards:"]
    skus, places = ["skus:"], ["slots:"]
    for board in range(1, boards + 1):
        width, depth = round(rng.uniform(600, 1300)), round(rng.uniform(300, 500))
        node += [f"  b{board}:", f"    width: {width} mm", f"    depth: {depth} mm", f"    rate: {rate_hz} Hz"]
        node += ["    driver: simulated", "    cells:"]
        for name, x, y in (("fl", 0, 0), ("fr", 1, 0), ("bl", 0, 1), ("br", 1, 1)):
            at_x, at_y = MARGIN_MM + x * (width - 2 * MARGIN_MM), MARGIN_MM + y * (depth - 2 * MARGIN_MM)
            node.append(f"      {name}: {{x: {at_x:g} mm, y: {at_y:g} mm}}")
        edges = np.linspace(0, width, slots + 1)
        for slot, weight in enumerate(_weights(rng, slots)):
            sku = f"sku-{board}-{slot + 1}"
            skus.append(
                f"  {sku}: {{name: Item {slot + 1}, weight: {weight:.1f} g, spread: {SPREAD_SHARE * weight:.2f} g}}"
            )
            extent = f"[{edges[slot]:.0f} mm, {edges[slot + 1]:.0f} mm]"
            places.append(f"  s{board}-{slot + 1}: {{board: b{board}, sku: {sku}, x: {extent}, count: 6}}")
    return setup_from_texts("\n".join(node), "\n".join(skus + places), "", f"bench layout {seed}")


def two_cell_board(seed: int, slots: int = 8, rate_hz: int = 80) -> Setup:
    """One board on two cells, left and right: they tell the weight and the place along the shelf."""
    rng = np.random.default_rng([seed, 0x2CE1])
    width, depth = round(rng.uniform(600, 1300)), round(rng.uniform(300, 500))
    cells = {"l": (MARGIN_MM, depth / 2), "r": (width - MARGIN_MM, depth / 2)}
    return _side_by_side(f"two-{seed}", BoardText("b1", width, depth, rate_hz, cells), slots, rng)


def one_cell_board(seed: int, slots: int = 4, rate_hz: int = 80) -> Setup:
    """A small board on one cell, which tells the weight and nothing else."""
    rng = np.random.default_rng([seed, 0x1CE1])
    width, depth = round(rng.uniform(300, 500)), round(rng.uniform(250, 400))
    return _side_by_side(
        f"one-{seed}", BoardText("b1", width, depth, rate_hz, {"c": (width / 2, depth / 2)}), slots, rng
    )


def lane_boards(seed: int, lanes: int = LANES, rate_hz: int = 80) -> Setup:
    """A shelf of twelve lanes, each a board of its own on one cell, with one SKU."""
    rng = np.random.default_rng([seed, 0x1A9E])
    depth = round(rng.uniform(300, 500))
    names = [f"lane-{lane:02d}" for lane in range(1, lanes + 1)]
    boards = [BoardText(name, LANE_MM, depth, rate_hz, {"c": (LANE_MM / 2, depth / 2)}) for name in names]
    skus = [
        SkuText(f"sku-{lane}", f"Item {lane}", weight, SPREAD_SHARE * weight)
        for lane, weight in enumerate(_weights(rng, lanes), 1)
    ]
    slots = [
        SlotText(f"s-{name}", name, sku.sku, (0.0, LANE_MM), None, 6) for name, sku in zip(names, skus, strict=True)
    ]
    return setup_of(f"lanes-{seed}", boards, skus, slots)


def _side_by_side(node: str, board: BoardText, slots: int, rng: np.random.Generator) -> Setup:
    edges = np.linspace(0, board.width_mm, slots + 1)
    skus = [
        SkuText(f"sku-{k}", f"Item {k}", weight, SPREAD_SHARE * weight)
        for k, weight in enumerate(_weights(rng, slots), 1)
    ]
    places = [
        SlotText(f"s{k + 1}", board.board, sku.sku, (float(edges[k]), float(edges[k + 1])), None, 6)
        for k, sku in enumerate(skus)
    ]
    return setup_of(node, [board], skus, places)


def _weights(rng: np.random.Generator, count: int) -> list[float]:
    """Weights, log-uniform, none within `NEAREST_SHARE` of another."""
    found: list[float] = []
    while len(found) < count:
        weight = float(np.exp(rng.uniform(*np.log(WEIGHT_G))))
        if all(abs(weight - other) > NEAREST_SHARE * other for other in found):
            found.append(weight)
    return found
