"""What a node's boards are, for whoever watches them: size, cells and their places, nominal rates, gains."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from calibration.record import CalibrationError
from drivers.hx711.codes import RAW
from drivers.kind_options import BridgeOptions
from edge.config.schema import Board
from edge.config.setup import Setup
from edge.trace.cell_kind import kind_of


def facts_of(setup: Setup) -> dict[str, Any]:
    """JSON-able: `{"node": name, "boards": {name: {width_mm, depth_mm, rate_hz, calibrated, cells}}}`.

    A cell is {x_mm, y_mm, capacity_g, gain, raw, counts_per_gram}: the place is where the channel really stands, by its
    calibration; `raw`: its numbers are a converter's codes, so they have nV; the counts per gram have no sign, and are
    None without a calibration.
    """
    return {
        "node": setup.node.node,
        "boards": {name: _board(setup, name, board) for name, board in setup.node.boards.items()},
    }


def _board(setup: Setup, name: str, board: Board) -> dict[str, Any]:
    record = setup.calibration.get(name)
    names = list(board.cells)
    carried = list(range(len(names)))
    if record is not None:
        try:
            carried = record.carried(names)
        except CalibrationError:  # a record of other cells: the node says so, and weighs with none of them
            record = None
    gains = gains_of(board)
    cells = {}
    for channel, cell in enumerate(names):
        place = board.cells[names[carried[channel]]]
        known = None if record is None else record.cells[cell]
        cells[cell] = {
            "x_mm": place.x_mm,
            "y_mm": place.y_mm,
            "capacity_g": board.cells[cell].capacity_g,
            "gain": gains.get(cell, 128),
            "raw": kind_of(known) == RAW,
            "counts_per_gram": None if known is None else abs(known.counts_per_gram),
        }
    return {
        "width_mm": board.width_mm,
        "depth_mm": board.depth_mm,
        "rate_hz": board.rate_hz,
        "calibrated": record is not None,
        "cells": cells,
    }


def gains_of(board: Board) -> Mapping[str, int]:
    """Of each cell's converter, where the node file's driver says it; 128 is every driver's own."""
    given = board.driver.options.get("gain", BridgeOptions.model_fields["gain"].default)
    if isinstance(given, Mapping):
        return {str(cell): gain for cell, gain in given.items() if isinstance(gain, int)}
    return dict.fromkeys(board.cells, given if isinstance(given, int) else 128)
