"""Shelves for the bench: boards, slots and SKUs drawn from a seed, so that no figure is tuned to one planogram."""

from __future__ import annotations

import numpy as np

from edge.config.setup import Setup, setup_from_texts

MARGIN_MM = 30.0  # of the cells from the board's edges
WEIGHT_G = (30.0, 1100.0)  # what stands on such shelves; AutoCheckout's products weigh 30 to 1572 g
SPREAD_SHARE = 0.008  # unit to unit, as weighed in a real store (median 0.8 %)
NEAREST_SHARE = 0.03  # SKUs of one board differ by at least this in weight; closer ones are another scene family


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


def _weights(rng: np.random.Generator, count: int) -> list[float]:
    """Weights, log-uniform, none within `NEAREST_SHARE` of another."""
    found: list[float] = []
    while len(found) < count:
        weight = float(np.exp(rng.uniform(*np.log(WEIGHT_G))))
        if all(abs(weight - other) > NEAREST_SHARE * other for other in found):
            found.append(weight)
    return found
