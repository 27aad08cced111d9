"""Does the stock come out right? A node's book of what lies in each slot after a thousand visits, against the truth."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from edge.config.setup import Setup
from edge.trace.event import Event, Kind, Label, Status

Place = tuple[str, str]
"""Slot and SKU."""


@dataclass(frozen=True, slots=True)
class Inventory:
    """Slots of a board (or of several) by how their counts came out; a slot's counts are of every SKU in it.

    Attributes:
        visits: movements that really happened.
        sure_right: right, and no doubt was raised. doubted_right, doubted_wrong: a person was asked about it.
        silently_wrong: wrong, and nobody knows.
        units_off: units by which the silently wrong slots are off, SKU by SKU.
    """

    family: str
    visits: int
    sure_right: int
    doubted_right: int
    doubted_wrong: int
    silently_wrong: int
    units_off: int

    @property
    def slots(self) -> int:
        """How many slots there are."""
        return self.sure_right + self.doubted_right + self.doubted_wrong + self.silently_wrong


@dataclass(frozen=True, slots=True)
class InventoryJob:
    """One long scene to keep the books of."""

    family: str
    split: str
    index: int
    minutes: float


def run_inventory(job: InventoryJob) -> Inventory:
    """Make the scene, decide it, and compare the books."""
    from edge.fusion.replay import replay
    from hil.families import make_case

    case = make_case(job.family, "corners", job.split, job.index, minutes=job.minutes)
    return take_stock(job.family, case.setup, case.labels, replay(case.blocks, case.setup))


def take_stock(family: str, setup: Setup, labels: Iterable[Label], events: Iterable[Event]) -> Inventory:
    """Book every final event by its first hypothesis, doubt each slot that a reviewed one names, compare with truth.

    Named are the event's own slot and those of its alternatives. Objects that aren't in the planogram aren't stock.
    """
    stock = Counter({(name, slot.sku): slot.count for name, slot in setup.planogram.slots.items()})
    truth, booked = stock.copy(), stock.copy()
    visits = 0
    for label in labels:
        visits += 1
        if label.slot is not None and label.sku is not None:
            truth[label.slot, label.sku] += _signed(label.kind, label.quantity)
    doubted: set[str | None] = set()
    for event in events:
        if event.status is not Status.FINAL:
            continue
        if event.slot is not None and event.sku is not None:
            booked[event.slot, event.sku] += _signed(event.kind, event.quantity)
        if event.needs_review:
            doubted.add(event.slot)
            doubted.update(other.slot for other in event.alternatives)
    wrong = _off_by_slot(truth, booked)
    slots = set(setup.planogram.slots)
    silent = {slot for slot in slots if slot in wrong and slot not in doubted}
    return Inventory(
        family=family,
        visits=visits,
        sure_right=len(slots - set(wrong) - doubted),
        doubted_right=len((slots & doubted) - set(wrong)),
        doubted_wrong=len(slots & doubted & set(wrong)),
        silently_wrong=len(silent),
        units_off=sum(wrong[slot] for slot in silent),
    )


def together(family: str, found: Iterable[Inventory]) -> Inventory:
    """Several boards' books as one."""
    parts = list(found)
    return Inventory(
        family,
        sum(part.visits for part in parts),
        sum(part.sure_right for part in parts),
        sum(part.doubted_right for part in parts),
        sum(part.doubted_wrong for part in parts),
        sum(part.silently_wrong for part in parts),
        sum(part.units_off for part in parts),
    )


def _signed(kind: Kind, quantity: int) -> int:
    return quantity if kind is Kind.PUT else -quantity


def _off_by_slot(truth: Mapping[Place, int], booked: Mapping[Place, int]) -> dict[str, int]:
    """Slots whose counts differ, and by how many units."""
    off: dict[str, int] = {}
    for slot, sku in {*truth, *booked}:
        apart = abs(truth.get((slot, sku), 0) - booked.get((slot, sku), 0))
        if apart:
            off[slot] = off.get(slot, 0) + apart
    return off
