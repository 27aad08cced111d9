"""A shelf as the published systems think of it: places with one product each, and how a change falls on them."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np

from hil.peers.gaussians import below
from hil.peers.recording import Floats, Recording

_SAME_PLACE_MM = 5.0  # cells closer than this along one axis say nothing about the place along it
FLOOR_MM = 10.0  # how far a unit's centre of gravity may be off, on a board that weighs perfectly
SENSOR_SD_G = 1.0  # AIM3S: measurement = Normal(dW, 1 g) (facts/field.md 1.1)


@dataclass(frozen=True, slots=True)
class Spot:
    """A slot with its product; extents in mm on its board."""

    board: str
    slot: str
    sku: str
    weight_g: float
    spread_g: float
    x_mm: tuple[float, float]
    y_mm: tuple[float, float]


@dataclass(frozen=True, slots=True)
class Shelf:
    """What peers decide on: one board, or the lanes of one shelf together.

    Attributes:
        boards: its boards, in the order of the rows of its frames.
        x_mm, y_mm: float64[cells], where the cells are, on their board.
        lanes: each cell is a plate of its own.
    """

    boards: tuple[str, ...]
    spots: tuple[Spot, ...]
    x_mm: Floats
    y_mm: Floats
    lanes: bool

    @property
    def lightest_g(self) -> float:
        """The lightest product's weight; 50 g on an empty planogram."""
        return min((spot.weight_g for spot in self.spots), default=50.0)

    def place(self, change_g: Floats) -> tuple[float | None, float | None]:
        """Centre of pressure of a change (float64[cells]) in mm; None along an axis that the cells don't see.

        Statics: ``x = sum(F x) / sum F``.
        """
        total = float(change_g.sum())
        if self.lanes or abs(total) < 1e-9:
            return None, None
        x = float(change_g @ self.x_mm) / total if np.ptp(self.x_mm) > _SAME_PLACE_MM else None
        y = float(change_g @ self.y_mm) / total if np.ptp(self.y_mm) > _SAME_PLACE_MM else None
        return x, y

    def shares(self, change_g: Floats) -> Floats:
        """float64[spots]: how much of the absolute change fell on each spot, as far as the cells can tell.

        Lanes: the real per-plate rule, ``|dW|`` of the plate that the product lies on.

        A board on several cells has no plates. Its nearest honest equivalent: the change lies at its centre of
        pressure with a Gaussian uncertainty, and the mass of that Gaussian over a slot is the slot's share, as if there
        were plates as fine as we like. The uncertainty is that of the centre of pressure when the total is known to
        `SENSOR_SD_G`: ``sd_x = (1 g / sqrt(cells)) sqrt(sum (x_i - x)^2) / |dW|``, at least `FLOOR_MM`. This is more
        than the original's 12 plates of 101.6 mm could see. A board on one cell doesn't know the place: equal shares.
        """
        if self.lanes:
            plate_of = {board: plate for plate, board in enumerate(self.boards)}
            return np.array([abs(change_g[plate_of[spot.board]]) for spot in self.spots])
        x, y = self.place(change_g)
        shares = np.full(len(self.spots), max(abs(float(change_g.sum())), 1e-9))
        for place, cells_mm, extents in (
            (x, self.x_mm, [spot.x_mm for spot in self.spots]),
            (y, self.y_mm, [spot.y_mm for spot in self.spots]),
        ):
            if place is not None:
                arm_mm = math.sqrt(float(((cells_mm - place) ** 2).sum()) / cells_mm.size)
                sd_mm = max(FLOOR_MM, SENSOR_SD_G * arm_mm / abs(float(change_g.sum())))
                shares *= [below((end - place) / sd_mm) - below((begin - place) / sd_mm) for begin, end in extents]
        return shares


def shelves_of(recording: Recording) -> list[Shelf]:
    """Every board is a shelf; lanes are one shelf together."""
    groups = [tuple(recording.samples)] if recording.lanes else [(board,) for board in recording.samples]
    return [_shelf(recording, boards) for boards in groups]


def lane_by_lane(recording: Recording) -> list[Shelf]:
    """Every board on its own, lanes too: what a change detector per sensor is given."""
    return [_shelf(recording, (board,)) for board in recording.samples]


def _shelf(recording: Recording, boards: tuple[str, ...]) -> Shelf:
    node, planogram = recording.setup.node, recording.setup.planogram
    cells = [cell for board in boards for cell in node.boards[board].cells.values()]
    spots = [
        Spot(
            board,
            name,
            slot.sku,
            planogram.skus[slot.sku].weight_g,
            planogram.skus[slot.sku].spread_g,
            slot.x_mm,
            slot.y_mm or (0.0, node.boards[board].depth_mm),
        )
        for board in boards
        for name, slot in recording.setup.slots_on(board).items()
    ]
    return Shelf(
        boards,
        tuple(spots),
        np.array([cell.x_mm for cell in cells]),
        np.array([cell.y_mm for cell in cells]),
        recording.lanes and len(boards) > 1,
    )
