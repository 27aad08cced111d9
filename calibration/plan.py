"""Where the weight goes: guided places from a board's size and cells, in an order that suits a person."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

from calibration.placements import BoardSite, CalibrationInputError, CellSite

INSET = 0.9  # of the way from the middle to the cell: the weight stands on the board, most of it on that cell
EDGE_MM = 50.0  # a weight's own half width, and a hand's
APART_MM = 40.0  # places nearer than this are one
MIDDLE = "middle"
ORDINALS = ("1st", "2nd", "3rd", "4th", "5th", "6th", "7th", "8th")


@dataclass(frozen=True, slots=True)
class GuidedPlace:
    """A place to put the weight: its middle in mm from the board's left and front edges."""

    name: str
    x_mm: float
    y_mm: float


@dataclass(frozen=True, slots=True)
class PlanStep:
    """What shall lie on the board next: ``weight_g`` in all, at ``place``.

    Attributes:
        leg: "up", or "down" for a load reached by taking part of a larger one off.
        then_empty: the board is emptied after it.
        again: it was measured before, and is asked for again (or for more certainty).
    """

    place: GuidedPlace
    weight_g: float
    leg: str = "up"
    then_empty: bool = True
    again: bool = False


def guided_places(site: BoardSite) -> list[GuidedPlace]:
    """The middle, then once around the board, one place near each cell.

    A board on one cell is weighed at its middle and a quarter of its width to either side.
    """
    middle = _middle(site)
    if len(site.cells) == 1:
        reach = site.width_mm / 4.0
        sides = [("left", max(middle.x_mm - reach, 0.0)), ("right", min(middle.x_mm + reach, site.width_mm))]
        return [middle, *(GuidedPlace(name, x_mm, middle.y_mm) for name, x_mm in sides)]
    found = [middle]
    for x_mm, y_mm, name in _around(site, middle):
        if all(math.dist((x_mm, y_mm), (place.x_mm, place.y_mm)) > APART_MM for place in found):
            found.append(GuidedPlace(name, x_mm, y_mm))
    return found


def steps_for(site: BoardSite, weight_g: float, more_loads_g: Sequence[float] = ()) -> list[PlanStep]:
    """The steps of a run.

    Args:
        weight_g: the reference weight that goes around the board.
        more_loads_g: what lies at the middle after that, one after the other without emptying the board in between:
            up, and the same down again.
    Raises:
        CalibrationInputError: a weight that isn't one.
    """
    for grams in (weight_g, *more_loads_g):
        if not (math.isfinite(grams) and 1.0 <= grams <= 500_000.0):
            raise CalibrationInputError(f"expected a reference weight from 1 g to 500 kg, got {grams:g} g")
    places = guided_places(site)
    steps = [PlanStep(place, weight_g) for place in places]
    rising = sorted(more_loads_g)
    if rising:
        ladder = [PlanStep(places[0], grams, "up", then_empty=False) for grams in rising]
        ladder += [PlanStep(places[0], grams, "down", then_empty=False) for grams in reversed(rising[:-1])]
        last = ladder[-1]
        steps += [*ladder[:-1], PlanStep(last.place, last.weight_g, last.leg)]
    return steps


def _middle(site: BoardSite) -> GuidedPlace:
    """The middle of the cells; for a single cell, the middle of the board if that is over it, or the cell."""
    xy = site.xy_mm
    x_mm, y_mm = xy.mean(axis=0)
    return GuidedPlace(MIDDLE, float(x_mm), float(y_mm))


def _around(site: BoardSite, middle: GuidedPlace) -> list[tuple[float, float, str]]:
    """A place near each cell, front left first, then to the right and around."""
    edge_x, edge_y = min(EDGE_MM, site.width_mm / 4), min(EDGE_MM, site.depth_mm / 4)
    named = [(cell, _side(cell.x_mm, cell.y_mm, site)) for cell in site.cells]
    sides = [side for _, side in named]
    found = []
    for cell, side in named:
        x_mm = middle.x_mm + INSET * (cell.x_mm - middle.x_mm)
        y_mm = middle.y_mm + INSET * (cell.y_mm - middle.y_mm)
        x_mm = min(max(x_mm, edge_x), site.width_mm - edge_x)
        y_mm = min(max(y_mm, edge_y), site.depth_mm - edge_y)
        name = side if side != MIDDLE and sides.count(side) == 1 else _counted(cell, site)
        found.append((x_mm, y_mm, name))
    start = math.radians(-150.0)  # front left, on a board stretched to a square

    def turn(place: tuple[float, float, str]) -> float:
        across, along = (place[0] - middle.x_mm) / site.width_mm, (place[1] - middle.y_mm) / site.depth_mm
        return (math.atan2(along, across) - start) % (2 * math.pi)

    return sorted(found, key=turn)


def _counted(cell: CellSite, site: BoardSite) -> str:
    """A cell's place by counting from the left along its row, or its name where another one stands behind it."""
    row = [other for other in site.cells if _row(other.y_mm, site) == _row(cell.y_mm, site)]
    nth = sum(other.x_mm < cell.x_mm for other in row)
    if sum(other.x_mm == cell.x_mm for other in row) > 1 or nth >= len(ORDINALS):
        return f"near cell {cell.name}"
    return f"{_row(cell.y_mm, site) or MIDDLE}, {ORDINALS[nth]} from left"


def _row(y_mm: float, site: BoardSite) -> str:
    along = y_mm / site.depth_mm
    return "front" if along < 0.35 else "back" if along > 0.65 else ""


def _side(x_mm: float, y_mm: float, site: BoardSite) -> str:
    across = x_mm / site.width_mm
    words = [_row(y_mm, site)]
    words.append("left" if across < 0.35 else "right" if across > 0.65 else "middle")
    return " ".join(word for word in words if word)
