"""Explanations of one change by one to three movements: which are found, and in which order they are believed."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
import pytest

from edge.fusion.likelihood import FOREIGN_PUT, NOTHING, TOP, explain
from edge.fusion.moves import Moves

Floats = npt.NDArray[np.float64]
SEES = np.array([True, True, True])
BOARD_MM = np.array([-450.0, 450.0, -200.0, 200.0])
VAR = np.array([0.3, 30_000.0, 8_000.0])
SLOT_MM = 112.5
TAKE, PUT = -1, 1


def _moves(*moves: tuple[int, int, int, float, float]) -> Moves:
    """Movements as sign, SKU, slot, grams of a unit and their spread; all as likely beforehand."""
    sign, sku, slot = (np.array([move[k] for move in moves], np.int64) for k in range(3))
    grams, spread = (np.array([move[k] for move in moves], np.float64) for k in (3, 4))
    left = -450.0 + SLOT_MM * slot
    box = np.stack([left, left + SLOT_MM, np.full(slot.size, -200.0), np.full(slot.size, 200.0)], axis=1)
    yes, no = np.ones(slot.size, np.bool_), np.zeros(slot.size, np.bool_)
    prior = np.full(slot.size, np.log(0.05))
    return Moves(sign, sku, slot, np.ones(slot.size, np.int64), sign * grams, spread**2, box, prior, yes, no)


def _explained(moves: Moves, *loads: tuple[float, int]) -> dict[tuple[int, ...], float]:
    """Explanations of loads (grams, slot in whose middle), best first: rows and log of prior times density."""
    z = np.zeros(3)
    for grams, slot in loads:
        z += grams * np.array([1.0, -450.0 + SLOT_MM * (slot + 0.5), 10.0])
    top_log, top = np.empty(TOP), np.empty((TOP, 3), np.int64)
    evidence = explain(z, VAR, 0.0, SEES, BOARD_MM, moves, top_log, top)
    found = top_log > -1e8
    assert np.all(np.diff(top_log[found]) <= 0)
    assert evidence >= top_log[0] - 1e-9
    rows = [(first, *(row for row in others if row >= 0)) for first, *others in top[found].tolist()]
    assert len(set(rows)) == len(rows), "none twice"
    for first, second, third in top[found].tolist():
        assert (first >= 0 and (second >= first or second == -1)) or (second, third) == (-1, -1)
        assert third == -1 or third >= second >= 0
    return dict(zip(rows, top_log[found].tolist(), strict=True))


def test_nothing_and_something_unknown_are_always_among_them() -> None:
    found = _explained(_moves(), (-352.0, 2))
    assert list(found) == [(FOREIGN_PUT,), (NOTHING,)]
    assert next(iter(_explained(_moves()))) == (NOTHING,)


@pytest.mark.parametrize("rows", [(0,), (1,), (0, 1), (0, 2), (1, 2), (0, 1, 2), (0, 2, 3)])
def test_one_two_and_three_movements_are_found(rows: tuple[int, ...]) -> None:
    """Weights that no other few of them add up to, each at its place."""
    units = ((TAKE, 0, 0, 352.0, 2.0), (TAKE, 1, 3, 521.0, 3.0), (PUT, 2, 5, 187.0, 1.5), (TAKE, 3, 7, 941.0, 4.0))
    found = _explained(_moves(*units), *((units[row][0] * units[row][3], units[row][2]) for row in rows))
    assert next(iter(found)) == rows


def test_the_same_movement_again_is_a_movement_of_its_own() -> None:
    """Two units of one SKU, one after the other."""
    found = _explained(_moves((TAKE, 0, 0, 352.0, 2.0), (TAKE, 1, 3, 521.0, 3.0)), (-704.0, 0))
    assert next(iter(found)) == (0, 0)


def test_a_unit_that_is_moved_weighs_what_it_weighs() -> None:
    """From slot to slot of a SKU whose units differ by 20 g: that both changes cancel to a gram speaks for one unit,
    while two SKUs of the same weight would cancel so well by chance only. Two units aren't ruled out."""
    one_sku = _moves((TAKE, 0, 1, 500.0, 20.0), (PUT, 0, 6, 500.0, 20.0))
    two_skus = _moves((TAKE, 0, 1, 500.0, 20.0), (PUT, 1, 6, 500.0, 20.0))
    gain = [_explained(moves, (-500.0, 1), (500.5, 6))[0, 1] for moves in (one_sku, two_skus)]
    assert gain[0] > gain[1] + 2.0
    loss = [_explained(moves, (-500.0, 1), (525.0, 6))[0, 1] for moves in (one_sku, two_skus)]
    assert -3.0 < loss[0] - loss[1] < 0.0


@pytest.mark.parametrize("rows", [(0, 1, 2), (0, 0, 1)])
def test_of_three_one_may_be_the_return_of_another(rows: tuple[int, ...]) -> None:
    """Something is taken, something of its kind is put back, and a third thing is taken, perhaps of that kind, too: the
    first two cancel, and what is left is the third one's weight, known as well as that one is."""
    gain = []
    for returned in (0, 1):
        third = (TAKE, 2, 4, 210.0, 2.0)
        moves = _moves((TAKE, 0, 1, 500.0, 20.0), (PUT, returned, 6, 500.0, 20.0), third)
        last = (-210.0, 4) if 2 in rows else (-500.0, 1)
        gain.append(_explained(moves, (-500.0, 1), (500.0, 6), last)[rows])
    assert gain[0] > gain[1] + 0.2


def test_movements_that_may_not_pair_dont() -> None:
    moves = _moves((TAKE, 0, 0, 352.0, 2.0), (TAKE, 1, 3, 521.0, 3.0))
    moves.pairable[1] = False
    assert all(len(rows) < 2 or rows == (0, 0) for rows in _explained(moves, (-352.0, 0), (-521.0, 3)))


def test_there_may_be_more_explanations_than_are_kept() -> None:
    """Thirty alike: the best are kept, and the evidence is of all."""
    moves = _moves(*((TAKE, sku, 4, 400.0 + 0.01 * sku, 4.0) for sku in range(30)))
    found = _explained(moves, (-400.0, 4))
    assert len(found) == TOP
    z = np.array([-400.0, -400.0 * (-450.0 + SLOT_MM * 4.5), -4000.0])
    top_log, top = np.empty(TOP), np.empty((TOP, 3), np.int64)
    evidence = explain(z, VAR, 0.0, SEES, BOARD_MM, moves, top_log, top)
    assert evidence - np.logaddexp.reduce(top_log) == pytest.approx(np.log(30 / TOP), abs=0.05)
