"""The book of stock against the truth: what is booked, what is doubted, and what is wrong without anybody knowing."""

from __future__ import annotations

import pytest
from bench_made_up import event, label, shelf

from edge.trace.event import Alternative, Event, Kind, Label, Status
from hil.inventory import Inventory, take_stock, together

PICKED = label(10.0, 11.0)
DOUBT = Alternative(Kind.PICK, "water", "A2", 1, 0.3)


def stock(labels: list[Label], events: list[Event]) -> tuple[int, int, int, int, int]:
    found = take_stock("calm", shelf(), labels, events)
    assert (found.slots, found.visits) == (2, len(labels))
    return found.sure_right, found.doubted_right, found.doubted_wrong, found.silently_wrong, found.units_off


@pytest.mark.parametrize(
    ("events", "expected"),
    [
        ([event("e", 10.5, 12)], (2, 0, 0, 0, 0)),
        ([], (1, 0, 0, 1, 1)),  # missed: the book is off by one and nobody knows
        ([event("e", 10.5, 12, slot="A2", sku="water")], (0, 0, 0, 2, 2)),
        ([event("e", 10.5, 12, needs_review=True)], (1, 1, 0, 0, 0)),
        ([event("e", 10.5, 12, needs_review=True, alternatives=(DOUBT,))], (0, 2, 0, 0, 0)),
        ([event("e", 10.5, 12, sku="water", slot="A2", needs_review=True)], (0, 0, 1, 1, 1)),
        ([event("e", 10.5, 12, status=Status.PROVISIONAL)], (1, 0, 0, 1, 1)),
        ([event("e", 10.5, 12, status=Status.RETRACTED)], (1, 0, 0, 1, 1)),
        ([event("e", 10.5, 12), event("f", 20, 22, sku=None, slot=None, needs_review=True)], (2, 0, 0, 0, 0)),
    ],
)
def test_one_pick_booked_in_every_way(events: list[Event], expected: tuple[int, int, int, int, int]) -> None:
    assert stock([PICKED], events) == expected


def test_a_unit_in_the_wrong_slot_is_stock_of_that_slot() -> None:
    there = label(20.0, 21.0, kind=Kind.PUT, slot="A2")
    truth = [PICKED, there]
    both = [event("e", 10.5, 12), event("f", 20.5, 22, kind=Kind.PUT, slot="A2")]
    assert stock(truth, both) == (2, 0, 0, 0, 0)
    at_home = [event("e", 10.5, 12), event("f", 20.5, 22, kind=Kind.PUT)]
    assert stock(truth, at_home) == (0, 0, 0, 2, 2)


def test_boards_add_up() -> None:
    one = Inventory("calm", 1000, 5, 2, 1, 0, 0)
    assert together("all", [one, Inventory("grabs", 900, 6, 1, 0, 1, 3)]) == Inventory("all", 1900, 11, 3, 1, 1, 3)
