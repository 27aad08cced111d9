"""Where on the store floor an item lay, and where somebody stands as seen from there: along the shelf, and out."""

from __future__ import annotations

import math
from dataclasses import dataclass

from edge.config.schema import Board
from edge.fusion.model import BoardModel

SEEN_SD_MM = 25.0  # of a place that the board tells; where a hand took hold of the item isn't its middle either
WIDE_TO_SD = 12.0**-0.5


@dataclass(frozen=True, slots=True)
class Spot:
    """Where on a board an item moved, from its front left corner, with standard deviations."""

    x_mm: float
    y_mm: float
    x_sd_mm: float
    y_sd_mm: float


@dataclass(frozen=True, slots=True)
class Stand:
    """Where a person stands, as seen from a spot: mm along the shelf to the right, mm out from the board's front edge.

    Variances in mm², of the track alone.
    """

    along_mm: float
    out_mm: float
    along_var: float
    out_var: float


@dataclass(frozen=True, slots=True)
class Front:
    """A board's front edge on the store floor.

    Attributes:
        x_mm, y_mm: its left end, as a shopper sees it who stands before it.
        right_x, right_y: unit vector along the edge, to that shopper's right.
        out_x, out_y: unit vector from the board to the shopper.
        height_mm: of the board above the floor.
    """

    x_mm: float
    y_mm: float
    right_x: float
    right_y: float
    out_x: float
    out_y: float
    height_mm: float

    def offset(self, spot: Spot, x_mm: float, y_mm: float) -> tuple[float, float]:
        """A place on the floor as seen from a spot: mm along the shelf, mm out from the front edge."""
        dx, dy = x_mm - self.x_mm, y_mm - self.y_mm
        return dx * self.right_x + dy * self.right_y - spot.x_mm, dx * self.out_x + dy * self.out_y

    def variances(self, xx: float, xy: float, yy: float) -> tuple[float, float]:
        """Of a place's covariance on the floor: along the shelf and out from it."""
        rx, ry, ox, oy = self.right_x, self.right_y, self.out_x, self.out_y
        along = rx * rx * xx + 2.0 * rx * ry * xy + ry * ry * yy
        return max(along, 0.0), max(ox * ox * xx + 2.0 * ox * oy * xy + oy * oy * yy, 0.0)


def front_of(board: Board) -> Front | None:
    """The front of a board whose place the node file tells."""
    place = board.place
    if place is None:
        return None
    turn = math.radians(place.facing_deg)
    # Multiples of 90 degrees to the last bit: what is seen of a wall shouldn't hang on the rounding of pi.
    cos, sin = round(math.cos(turn), 12), round(math.sin(turn), 12)
    return Front(place.x_mm, place.y_mm, -sin, cos, cos, sin, place.height_mm)


def spot_of(model: BoardModel, slot: int, x_mm: float | None, y_mm: float | None) -> Spot:
    """Where an item moved: as the board tells, else anywhere in its slot, else anywhere on the board (slot -1)."""
    box = model.slot_box_mm[slot].tolist() if slot >= 0 else (0.0, model.width_mm, 0.0, model.depth_mm)
    x, x_sd = _along(x_mm, box[0], box[1])
    y, y_sd = _along(y_mm, box[2], box[3])
    return Spot(x, y, x_sd, y_sd)


def _along(told_mm: float | None, begin_mm: float, end_mm: float) -> tuple[float, float]:
    if told_mm is not None:
        return told_mm, SEEN_SD_MM
    return 0.5 * (begin_mm + end_mm), max((end_mm - begin_mm) * WIDE_TO_SD, SEEN_SD_MM)
