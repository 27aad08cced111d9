"""What lies where, and what is out in shoppers' hands: carried from event to event.

The planogram is only where the count begins. A unit that was taken is expected back with the very weight it left with.
What was put in a place of its own (the wrong slot, or something unknown) is expected to leave from there. Where an
event was in doubt, so is what is remembered of it: every guess keeps its share, and no later event can be surer.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace

import numpy as np
import numpy.typing as npt

HANDS_MOST = 16  # units remembered per node; older ones are taken to have left the store
STRAYS_MOST = 12
GUESSES_MOST = 4
LEAST_SHARE = 0.005


@dataclass(frozen=True, slots=True)
class Guess:
    """What something may be, with the share of the posterior."""

    sku: int
    slot: int
    quantity: int
    share: float


@dataclass(frozen=True, slots=True)
class HandUnit:
    """One unit in a shopper's hand, with the weight it left with. ``who``: tracks that may have it, by `Event.who`."""

    guesses: tuple[Guess, ...]
    weight_g: float
    weight_var: float
    board: str
    taken_ns: int
    who: tuple[tuple[str, float], ...] = ()


def mixed(
    one: tuple[tuple[str, float], ...], other: tuple[tuple[str, float], ...], share: float
) -> tuple[tuple[str, float], ...]:
    """One distribution over tracks with a share of another, best first."""
    found = {name: (1.0 - share) * p for name, p in one}
    for name, p in other:
        found[name] = found.get(name, 0.0) + share * p
    return tuple(sorted(found.items(), key=lambda entry: (-entry[1], entry[0])))


@dataclass(slots=True)
class Hands:
    """Units out in shoppers' hands, newest last; one for all boards of a node."""

    units: list[HandUnit] = field(default_factory=list)
    version: int = 0  # changes with every change

    def take(self, unit: HandUnit) -> None:
        """A unit left a board."""
        self.version += 1
        self.units.append(unit)
        del self.units[:-HANDS_MOST]

    def give_back(self, sku: int, grams: float, returned: Mapping[int, float] | None = None) -> None:
        """A unit of this SKU came back: forget the one that may be it and whose weight fits best, if any is out.

        ``returned``: of each that may be it, by its place in `units`, how likely it is; left out: only weights are
        known. Those who hold the others then hold what is left, to the same share.
        """
        may_be = [k for k, unit in enumerate(self.units) if any(guess.sku == sku for guess in unit.guesses)]
        if not may_be:
            return
        self.version += 1
        if not returned:
            del self.units[min(may_be, key=lambda k: abs(self.units[k].weight_g - grams))]
            return
        gone = max(returned, key=lambda k: (returned[k], -k))
        for k, share in returned.items():
            if k != gone:
                self.units[k] = replace(self.units[k], who=mixed(self.units[k].who, self.units[gone].who, share))
        del self.units[gone]


@dataclass(frozen=True, slots=True)
class Stray:
    """Something that was put where the planogram doesn't expect it, or of which it isn't certain what it is."""

    guesses: tuple[Guess, ...]
    weight_g: float
    weight_var: float
    x_mm: float | None
    y_mm: float | None


@dataclass(slots=True)
class Contents:
    """What lies on one board: units by SKU and slot, and strays."""

    count: npt.NDArray[np.int64]  # [skus, slots]
    strays: list[Stray] = field(default_factory=list)
    version: int = 0  # changes with every change

    def change(self, sku: int, slot: int, quantity: int) -> None:
        """Units put (positive) or taken. More taken than known leaves none: the planogram's count was wrong."""
        self.version += 1
        self.count[sku, slot] = max(self.count[sku, slot] + quantity, 0)

    def put_stray(self, stray: Stray) -> None:
        """Something came that isn't simply one unit more in its own slot."""
        self.version += 1
        self.strays.append(stray)
        del self.strays[:-STRAYS_MOST]

    def take_stray(self, sku: int, slot: int, grams: float) -> bool:
        """Whether what left (``grams`` > 0) was a stray; it is forgotten then."""
        fitting = [
            stray
            for stray in self.strays
            if any(guess.sku == sku and guess.slot == slot for guess in stray.guesses)
            and abs(stray.weight_g - grams) < 0.02 * stray.weight_g + 5.0 * (stray.weight_var + 1.0) ** 0.5
        ]
        if fitting:
            self.version += 1
            self.strays.remove(min(fitting, key=lambda stray: abs(stray.weight_g - grams)))
        return bool(fitting)
