"""What a calibration run measures: cells by their place, and a known weight at guided places."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from firmware_bridge.errors import ShelfedgeError

Floats = npt.NDArray[np.float64]

MV_PER_V_PER_COUNT = 1000.0 / 2**24 / 128  # at gain 128, whatever the supply (facts/loadcell.md 1)
NV_PER_COUNT = MV_PER_V_PER_COUNT * 5.0 * 1e6  # at the input, with 5 V


class CalibrationInputError(ShelfedgeError, ValueError):
    """A run is asked for with what can't be: a weight of nothing, a place off the board, no cells."""


@dataclass(frozen=True, slots=True)
class CellSite:
    """A cell as the node file and its label have it.

    Attributes:
        capacity_g, rated_mv_per_v: rated load, and output there; None where nobody knows.
    """

    name: str
    x_mm: float
    y_mm: float
    capacity_g: float | None = None
    rated_mv_per_v: float | None = None

    @property
    def label_counts_per_gram(self) -> float | None:
        """Gain by the label: ``rated / capacity / (mV/V per count)``."""
        if not self.capacity_g or not self.rated_mv_per_v:
            return None
        return self.rated_mv_per_v / self.capacity_g / MV_PER_V_PER_COUNT


@dataclass(frozen=True, slots=True)
class BoardSite:
    """A board: its size and its cells in the node file's order, which may not be the order of the channels."""

    board: str
    width_mm: float
    depth_mm: float
    rate_hz: float
    cells: tuple[CellSite, ...]

    def __post_init__(self) -> None:
        if not 1 <= len(self.cells) <= 8:
            raise CalibrationInputError(f"{self.board}: a board has 1 to 8 cells, got {len(self.cells)}")
        if not (self.width_mm > 0 and self.depth_mm > 0):
            raise CalibrationInputError(
                f"{self.board}: expected a width and a depth in mm, got {self.width_mm:g} x {self.depth_mm:g}"
            )

    @property
    def xy_mm(self) -> Floats:
        """Places of the cells, float64[cells, 2]."""
        return np.array([(cell.x_mm, cell.y_mm) for cell in self.cells])


@dataclass(frozen=True, slots=True)
class Placement:
    """A known weight, put down and (where there is a ``down``) taken off again.

    Attributes:
        place: name of the guided place, for people.
        x_mm, y_mm: the guided place; the weight lies some millimetres off it.
        weight_g: all that lay on the board beyond the empty one.
        up: float64[channels], change in counts against the rest of the empty board before it.
        up_cov: float64[channels, channels].
        down: the same against the empty board after it; it counts as up does (weight on less empty), None if it is not
            known.
        begin_ns, end_ns: when the weight rested.
        leg: "down" for a load that was reached by taking a larger one off, else "up".
    """

    place: str
    x_mm: float
    y_mm: float
    weight_g: float
    up: Floats
    up_cov: Floats
    down: Floats | None = None
    down_cov: Floats | None = None
    begin_ns: int = 0
    end_ns: int = 0
    leg: str = "up"

    @property
    def change(self) -> Floats:
        """Mean of up and down: a steady drift of the zero falls out."""
        return self.up if self.down is None else (self.up + self.down) / 2.0

    @property
    def cov(self) -> Floats:
        """Of `change`: up and down share the level with the weight on, so they gain less than half."""
        if self.down_cov is None:
            return self.up_cov
        return (self.up_cov + self.down_cov) / 2.0 * 0.75


def changes(placements: Sequence[Placement]) -> Floats:
    """float64[placements, channels], counts."""
    return np.array([placement.change for placement in placements])
