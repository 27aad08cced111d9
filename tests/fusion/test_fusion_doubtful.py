"""What goes to a person whatever the posterior says, and what is settled late."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest

from edge.fusion.board import BoardFusion, _together
from edge.fusion.links import QUICKEST_NS
from edge.fusion.moves import FOREIGN
from edge.fusion.report import STAYS_S, Reporter
from edge.trace.event import Event, Kind, Status

MODEL: Any = SimpleNamespace(
    slot_box_mm=np.array([[0.0, 100.0, 0.0, 400.0], [100.0, 200.0, 0.0, 400.0]]),
    slot_sku=np.array([0, 1]),
    slot_ids=("s0", "s1"),
)
SKUS: Any = SimpleNamespace(ids=("cola", "bread"), weight_g=np.array([350.0, 80.0]), spread_var=np.array([9.0, 1.0]))
REPORTER = Reporter(MODEL, SKUS, 0.99, None)  # type: ignore[arg-type]  # what these rules don't ask


def moved(slot: int = 0, x_mm: float | None = 50.0, y_mm: float | None = 200.0) -> Any:
    return SimpleNamespace(move=(-1, 0, slot, 1), x_mm=x_mm, y_mm=y_mm)


@pytest.mark.parametrize(
    ("movement", "out"),
    [
        (moved(), False),
        (moved(x_mm=0.0), False),
        (moved(x_mm=-1.0), True),
        (moved(x_mm=101.0), True),
        (moved(y_mm=401.0), True),
        (moved(slot=1, x_mm=101.0), False),
        (moved(x_mm=None, y_mm=None), False),  # a board that can't tell
        (moved(slot=-1, x_mm=900.0), False),  # in no slot: nothing to be outside of
    ],
)
def test_a_movement_outside_of_its_slot_goes_to_a_person(movement: Any, out: bool) -> None:
    assert REPORTER._out_of_place(movement) is out


@pytest.mark.parametrize(("grams", "doubtful"), [(500.0, False), (352.0, True), (344.0, True), (330.0, False)])
def test_something_unknown_that_weighs_what_a_product_of_the_board_does_goes_to_a_person(
    grams: float, doubtful: bool
) -> None:
    gone = SimpleNamespace(rows=(5,), undoes=object())
    plateau: Any = SimpleNamespace(seconds=2 * STAYS_S)
    unknown: Any = SimpleNamespace(move=(-1, FOREIGN, -1, 1), grams=-grams, grams_var=0.5, step=gone)
    assert REPORTER._unsettling(unknown, plateau, plateau) is doubtful


def event(kind: Kind, needs_review: bool = False, sku: str | None = "cola", slot: str | None = "s0") -> Event:
    return Event("", 0, Status.PROVISIONAL, kind, "b", slot, sku, 1, 350.0, 50.0, 200.0, 0, 0, 0.999, needs_review)


def pair(apart_ns: int, same_step: bool = True, other_sku: int = 0) -> Any:
    step = object()
    return [
        SimpleNamespace(step=step, move=(-1, 0, 0, 1), time_ns=0),
        SimpleNamespace(step=step if same_step else object(), move=(1, other_sku, 0, 1), time_ns=apart_ns),
    ]


@pytest.mark.parametrize(
    ("movements", "put_doubtful", "expected"),
    [
        (pair(QUICKEST_NS - 1), False, [True, True]),  # no hand is as quick
        (pair(QUICKEST_NS), False, [False, False]),
        (pair(QUICKEST_NS), True, [True, True]),  # one half is believed no more than the other
        (pair(0, same_step=False), True, [False, True]),  # two activities, with a rest that tells
        (pair(0, other_sku=1), True, [False, True]),  # something else was put
    ],
)
def test_taken_and_put_back_within_one_activity_is_believed_as_a_whole(
    movements: Any, put_doubtful: bool, expected: list[bool]
) -> None:
    told = _together([event(Kind.PICK), event(Kind.PUT, put_doubtful)], movements)
    assert [each.needs_review for each in told] == expected


@pytest.mark.parametrize(
    ("told", "astray"),
    [
        (event(Kind.PUT), False),
        (event(Kind.PUT, sku="bread"), True),
        (event(Kind.PICK, sku="bread"), False),  # found again where it was put
        (event(Kind.PUT, sku=None, slot=None), False),
    ],
)
def test_a_product_put_where_another_belongs_waits_to_be_settled(told: Event, astray: bool) -> None:
    board: Any = SimpleNamespace(_skus=SKUS, model=MODEL)
    assert BoardFusion._astray(board, told) is astray
