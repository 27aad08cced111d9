"""What lies where: the simulated shelves' stock, unit by unit. A unit keeps its weight wherever it goes."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field

import numpy as np

from firmware_bridge.errors import ShelfedgeError

FOREIGN = "foreign object"


class SceneError(ShelfedgeError, ValueError):
    """A scene asks for what can't be done. Examples: a pick from an empty slot, a slot that doesn't exist."""


@dataclass(frozen=True, slots=True)
class Item:
    """What is sold: unit weight and its standard deviation from unit to unit (FR 1.1: median 2.1 g, CV 0.8 %).

    Attributes:
        weighed_g: weights of real units. Where there are any, a new unit is one of these, give or take `spread_g`
            (a smoothed bootstrap: Silverman and Young 1987), and `weight_g` is not used.
    """

    sku: str
    weight_g: float
    spread_g: float
    weighed_g: tuple[float, ...] = ()


@dataclass(frozen=True, slots=True)
class Place:
    """A slot: its extent on a board and what belongs there."""

    slot: str
    board: str
    sku: str
    x_mm: tuple[float, float]
    y_mm: tuple[float, float]
    count: int

    @property
    def footprint_mm(self) -> float:
        """Side of the square that one unit covers, if the slot is full with `count` of them."""
        width, depth = self.x_mm[1] - self.x_mm[0], self.y_mm[1] - self.y_mm[0]
        return min(0.85 * math.sqrt(width * depth / max(self.count, 1)), 0.9 * width, 0.9 * depth)


@dataclass(slots=True, eq=False)
class Unit:
    """One thing that can be picked up.

    Attributes:
        slot: None while it is in somebody's hands.
        left_s: when it was off the shelf the last time it was taken; it can't be put down before that.
        free_s: when the hand that put it down let go of it; others lying there are taken rather than it until then.
    """

    sku: str
    grams: float
    slot: str | None = None
    x_mm: float = 0.0
    y_mm: float = 0.0
    left_s: float = -math.inf
    free_s: float = -math.inf


@dataclass(slots=True)
class World:
    """All slots and units of a node's boards, and what is out in shoppers' hands.

    Attributes:
        boards: width and depth of each board in mm.
        hands: units taken from the shelves, in the order they were taken.
        touched_until_s: when the last of the hands that came so far leaves the shelves.
    """

    boards: Mapping[str, tuple[float, float]]
    items: Mapping[str, Item]
    places: Mapping[str, Place]
    rng: np.random.Generator
    lying: dict[str, list[Unit]] = field(default_factory=dict)
    hands: list[Unit] = field(default_factory=list)
    foreign: list[tuple[str, Unit]] = field(default_factory=list)
    touched_until_s: float = -math.inf

    def __post_init__(self) -> None:
        for place in self.places.values():
            self.lying[place.slot] = list(self._stocked(place))

    def new_unit(self, sku: str) -> Unit:
        """A unit that nobody has seen before, of the item's weight give or take its spread."""
        item = self.items[sku]
        away = float(np.clip(self.rng.standard_normal(), -3.5, 3.5)) * item.spread_g
        weight_g = item.weight_g
        if item.weighed_g:
            weight_g = item.weighed_g[int(self.rng.integers(len(item.weighed_g)))]
        return Unit(sku, max(weight_g + away, 0.2 * weight_g))

    def place(self, slot: str) -> Place:
        """The slot of that name. Raises SceneError where there is none."""
        if slot not in self.places:
            raise SceneError(f"no slot {slot!r}; there are {', '.join(sorted(self.places))}")
        return self.places[slot]

    def take(self, slot: str, quantity: int, sku: str | None = None, at_s: float = math.inf) -> list[Unit]:
        """Take units out of a slot into the hands, mostly from the front. Raises SceneError if it has too few."""
        self.place(slot)
        there = [unit for unit in self.lying[slot] if sku in (None, unit.sku)]
        if len(there) < quantity:
            of = f" of {sku}" if sku else ""
            raise SceneError(f"can't take {quantity}{of} from slot {slot}: {len(there)} there")
        first = there[int(self.rng.integers(len(there)))]
        if self.rng.random() < 0.7:  # shoppers take what is in front; from any place now and then
            first = min(there, key=lambda unit: unit.y_mm)
        alike = (unit for unit in there if unit.sku == first.sku)
        taken = sorted(alike, key=lambda u: (u.free_s > at_s, math.dist(_at(u), _at(first))))[:quantity]
        if len(taken) < quantity:
            raise SceneError(f"can't take {quantity} of one kind from slot {slot}: {len(taken)} there")
        for unit in taken:
            self.lying[slot].remove(unit)
            unit.slot = None
        self.hands.extend(taken)
        return taken

    def put(self, units: Iterable[Unit], slot: str) -> None:
        """Lay units down in a slot, anywhere in it: uniform in its extent less half an item at either end."""
        place = self.place(slot)
        half = place.footprint_mm / 2
        for unit in units:
            if unit in self.hands:
                self.hands.remove(unit)
            unit.slot = slot
            unit.x_mm = float(self.rng.uniform(place.x_mm[0] + half, place.x_mm[1] - half))
            unit.y_mm = float(self.rng.uniform(place.y_mm[0] + half, place.y_mm[1] - half))
            self.lying[slot].append(unit)

    def home_of(self, sku: str) -> list[Place]:
        """The slots that the planogram gives a SKU."""
        return [place for place in self.places.values() if place.sku == sku]

    def _stocked(self, place: Place) -> Iterable[Unit]:
        """The first units, in rows from the back to the front as a merchandiser lays them, a few mm off."""
        size = place.footprint_mm
        width = place.x_mm[1] - place.x_mm[0]
        columns = max(1, int(width / size))
        rows = math.ceil(place.count / columns)
        depth = place.y_mm[1] - place.y_mm[0]
        for k in range(place.count):
            row, column = divmod(k, columns)
            unit = self.new_unit(place.sku)
            unit.slot = place.slot
            unit.x_mm = place.x_mm[0] + (column + 0.5) * width / columns + float(self.rng.uniform(-3, 3))
            unit.y_mm = place.y_mm[1] - (row + 0.5) * depth / rows + float(self.rng.uniform(-3, 3))
            yield unit


def _at(unit: Unit) -> tuple[float, float]:
    return (unit.x_mm, unit.y_mm)
