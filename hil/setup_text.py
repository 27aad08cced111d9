"""Node files and planograms written from Python, so that the bench reads its shelves the way a store does."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from edge.config.setup import Setup, setup_from_texts

Place = tuple[float, float]


@dataclass(frozen=True, slots=True)
class BoardText:
    """A board of the node file: size in mm, samples per second, cells by id with their places in mm."""

    board: str
    width_mm: float
    depth_mm: float
    rate_hz: float
    cells: Mapping[str, Place]


@dataclass(frozen=True, slots=True)
class SkuText:
    """A SKU of the planogram; ``spread_g`` None: nobody has weighed enough of them to say."""

    sku: str
    name: str
    weight_g: float
    spread_g: float | None


@dataclass(frozen=True, slots=True)
class SlotText:
    """A slot of the planogram: extents in mm, ``y_mm`` None for the board's whole depth."""

    slot: str
    board: str
    sku: str
    x_mm: Place
    y_mm: Place | None
    count: int


def setup_of(node: str, boards: Iterable[BoardText], skus: Iterable[SkuText], slots: Iterable[SlotText]) -> Setup:
    """The setup that a node would read from these files; it has no calibration yet."""
    node_lines = [f"node: {node}", "planogram: planogram.yaml", "boards:"]
    for board in boards:
        node_lines += [
            f"  {board.board}:",
            f"    width: {board.width_mm:g} mm",
            f"    depth: {board.depth_mm:g} mm",
            f"    rate: {board.rate_hz:g} Hz",
            "    driver: simulated",
            "    cells:",
        ]
        node_lines += [f"      {cell}: {{x: {x:.1f} mm, y: {y:.1f} mm}}" for cell, (x, y) in board.cells.items()]
    lines = ["skus:"]
    for sku in skus:
        spread = "" if sku.spread_g is None else f", spread: {sku.spread_g:.2f} g"
        lines.append(f"  {sku.sku}: {{name: {json.dumps(sku.name)}, weight: {sku.weight_g:.1f} g{spread}}}")
    lines.append("slots:")
    for slot in slots:
        extent = f"x: {_extent(slot.x_mm)}" + ("" if slot.y_mm is None else f", y: {_extent(slot.y_mm)}")
        lines.append(f"  {slot.slot}: {{board: {slot.board}, sku: {slot.sku}, {extent}, count: {slot.count}}}")
    return setup_from_texts("\n".join(node_lines), "\n".join(lines), "", f"bench layout {node}")


def _extent(between: Place) -> str:
    return f"[{between[0]:.1f} mm, {between[1]:.1f} mm]"
