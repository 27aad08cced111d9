"""What fusion knows of a board before the first sample: its statics, its slots and SKUs, its calibration, as arrays."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from calibration.record import BoardCalibration
from edge.config.schema import Board
from edge.config.setup import Setup
from edge.fusion.geometry import Statics, corners_of, statics_of

Floats = npt.NDArray[np.float64]
Ints = npt.NDArray[np.int64]

BATCH_NS = 50_000_000
MEAN_SHARE_OF_SPREAD = 0.3  # a planogram's weight is the mean of about ten weighed units, or as good as that


@dataclass(frozen=True, slots=True)
class SkuTable:
    """All SKUs of the node, by index. Weights in grams, variances in grams squared."""

    ids: tuple[str, ...]
    weight_g: Floats
    spread_var: Floats
    mean_var: Floats


@dataclass(frozen=True, slots=True)
class BoardModel:
    """One board. Slots by index, boxes in board coordinates."""

    board: str
    cell_ids: tuple[str, ...]
    period_ns: int
    frames_per_batch: int
    statics: Statics
    zero_counts: Floats
    grams_per_count: Floats
    gain_sd: Floats
    gain_common_sd: float
    adc_bits: Ints
    cell_x_mm: Floats
    cell_y_mm: Floats
    corners: tuple[int, int, int, int] | None  # cells front left, front right, back left, back right, if in a rectangle
    width_mm: float
    depth_mm: float
    sees: npt.NDArray[np.bool_]  # [3] whether the board sees weight (always), place along x, place along y
    edges_mm: Floats  # [4] left, right, front, back about the moment origin
    slot_ids: tuple[str, ...]
    slot_sku: Ints
    slot_box_mm: Floats  # [slots, 4]: x from, x to, y from, y to
    slot_count: Ints
    tolerance_g: float

    @property
    def batch_ns(self) -> int:
        """Length of a batch in nanoseconds."""
        return self.period_ns * self.frames_per_batch


def sku_table(setup: Setup) -> SkuTable:
    """The planogram's SKUs in its own order."""
    skus = setup.planogram.skus
    spread = np.array([sku.spread_g for sku in skus.values()], np.float64)
    weight = np.array([sku.weight_g for sku in skus.values()], np.float64)
    # A spread of 0 in a planogram means "not weighed twice", never that two packets agree to the molecule.
    spread_var = np.maximum(spread, np.maximum(0.002 * weight, 0.1)) ** 2
    return SkuTable(tuple(skus), weight, spread_var, MEAN_SHARE_OF_SPREAD**2 * spread_var)


def _tolerance_g(weights_g: Floats) -> float:
    """Change between half windows that can't be mistaken for an item: 6 % of the lightest one, within 0.5..4 g."""
    lightest = float(weights_g.min()) if weights_g.size else 50.0
    return min(max(0.06 * lightest, 0.5), 4.0)


def board_model(setup: Setup, name: str, board: Board, record: BoardCalibration, skus: SkuTable) -> BoardModel:
    """The model of one board with its calibration record (which has every cell of the board)."""
    cells = [record.cells[cell] for cell in board.cells]
    slots = setup.slots_on(name)
    index = {sku: i for i, sku in enumerate(skus.ids)}
    slot_sku = np.array([index[slot.sku] for slot in slots.values()], np.int64)
    boxes = [(*slot.x_mm, *(slot.y_mm or (0.0, board.depth_mm))) for slot in slots.values()]
    ids = list(board.cells)
    stands_at = [board.cells[ids[place]] for place in record.carried(ids)]  # where each channel's cell really is
    x = np.array([cell.x_mm for cell in stands_at], np.float64)
    y = np.array([cell.y_mm for cell in stands_at], np.float64)
    period_ns = round(1e9 / board.rate_hz)
    statics = statics_of(x, y)
    x0, y0 = statics.x0_mm, statics.y0_mm
    return BoardModel(
        board=name,
        cell_ids=tuple(board.cells),
        period_ns=period_ns,
        frames_per_batch=max(1, round(BATCH_NS / period_ns)),
        statics=statics,
        zero_counts=np.array([cell.zero_counts for cell in cells], np.float64),
        grams_per_count=np.array([1.0 / cell.counts_per_gram for cell in cells], np.float64),
        gain_sd=np.array([cell.gain_relative_sd for cell in cells], np.float64),
        gain_common_sd=record.gain_common_relative_sd,
        adc_bits=np.array([cell.adc_bits for cell in cells], np.int64),
        cell_x_mm=x,
        cell_y_mm=y,
        corners=corners_of(x, y),
        width_mm=board.width_mm,
        depth_mm=board.depth_mm,
        sees=np.array([True, statics.sees_x, statics.sees_y]),
        edges_mm=np.array([-x0, board.width_mm - x0, -y0, board.depth_mm - y0]),
        slot_ids=tuple(slots),
        slot_sku=slot_sku,
        slot_box_mm=np.array(boxes, np.float64).reshape(len(slots), 4),
        slot_count=np.array([slot.count for slot in slots.values()], np.int64),
        tolerance_g=_tolerance_g(skus.weight_g[slot_sku]),
    )
