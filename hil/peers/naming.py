"""Nearest-weight naming: what a change detector that knows nothing of shelves is given to say what moved.

The sign says which way. Of all slots of the board and one to three units, the nearest in weight; whoever is about as
near is told apart by the place, where the board sees one.
"""

from __future__ import annotations

import math

from hil.peers.recording import Floats
from hil.peers.shelf import Shelf, Spot

MOST_UNITS = 3
NEAR_G = 3.0
NEAR_SHARE = 0.4  # of the change; chosen on tuning scenes: levels are often taken with a hand still on the board
SAME_MM = 5.0  # what the place can't tell apart


def nearest(shelf: Shelf, change_g: Floats) -> tuple[Spot, int]:
    """Slot and quantity for a change of the cells, float64[cells]. The shelf has at least one slot.

    About as near: not farther off than the nearest by more than ``NEAR_G + NEAR_SHARE x change``. Of those the slot
    that the change lies in, or nearest to; of several the nearest in weight.
    """
    total_g = abs(float(change_g.sum()))
    place = shelf.place(change_g)
    choices = [
        (abs(total_g - quantity * spot.weight_g), spot, quantity)
        for spot in shelf.spots
        for quantity in range(1, MOST_UNITS + 1)
    ]
    least_g = min(choice[0] for choice in choices)
    near = [choice for choice in choices if choice[0] <= least_g + NEAR_G + NEAR_SHARE * total_g]
    _, spot, quantity = min(near, key=lambda choice: (_off(choice[1], place), choice[0]))
    return spot, quantity


def _off(spot: Spot, place: tuple[float | None, float | None]) -> int:
    """How far a place lies outside a slot, in steps of `SAME_MM`; zero where the board doesn't see it."""
    off_mm = 0.0
    for at, (begin, end) in zip(place, (spot.x_mm, spot.y_mm), strict=True):
        if at is not None:
            off_mm = math.hypot(off_mm, max(begin - at, at - end, 0.0))
    return round(off_mm / SAME_MM)
