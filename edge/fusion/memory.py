"""What lies where, and what is out in shoppers' hands: carried from event to event.

The planogram is only where the count begins. An item put back in the wrong slot is known to lie there; a unit that was
taken is expected back, with the very weight it left with.
"""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np
import numpy.typing as npt

HANDS_MOST = 24  # units remembered per node; older ones are taken to have left the store
FOREIGN_MOST = 8


@dataclass(frozen=True, slots=True)
class HandUnit:
    """One unit in a shopper's hand, with the weight it left with."""

    sku: int
    weight_g: float
    weight_var: float
    home_slot: str
    board: str
    taken_ns: int


@dataclass(slots=True)
class Hands:
    """Units out in shoppers' hands, newest last; one for all boards of a node."""

    units: list[HandUnit] = field(default_factory=list)

    def take(self, unit: HandUnit) -> None:
        """A unit left a board."""
        self.units.append(unit)
        del self.units[:-HANDS_MOST]

    def give_back(self, sku: int, grams: float) -> None:
        """A unit of this SKU came back: forget the one whose weight fits best, if any is out."""
        of_sku = [unit for unit in self.units if unit.sku == sku]
        if of_sku:
            self.units.remove(min(of_sku, key=lambda unit: abs(unit.weight_g - grams)))


@dataclass(frozen=True, slots=True)
class ForeignObject:
    """Something on the board that no planogram knows."""

    weight_g: float
    weight_var: float
    x_mm: float
    y_mm: float


@dataclass(slots=True)
class Contents:
    """What lies on one board: units by SKU and slot, and foreign objects."""

    count: npt.NDArray[np.int64]  # [skus, slots]
    foreign: list[ForeignObject] = field(default_factory=list)

    def change(self, sku: int, slot: int, quantity: int) -> None:
        """Units put (positive) or taken. More taken than known leaves none: the planogram's count was wrong."""
        self.count[sku, slot] = max(self.count[sku, slot] + quantity, 0)

    def put_foreign(self, thing: ForeignObject) -> None:
        """A foreign object came."""
        self.foreign.append(thing)
        del self.foreign[:-FOREIGN_MOST]

    def take_foreign(self, grams: float) -> None:
        """Something of this weight left: forget the foreign object that it was, if one fits."""
        fitting = [thing for thing in self.foreign if abs(thing.weight_g - grams) < 0.05 * thing.weight_g + 5.0]
        if fitting:
            self.foreign.remove(min(fitting, key=lambda thing: abs(thing.weight_g - grams)))
