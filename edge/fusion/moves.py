"""Every single movement that could explain a change: which SKU, where, how many, out or in, and how likely beforehand.

The numbers below are beliefs about shoppers, not about sensors. They are weak on purpose: a gram or a millimetre of
evidence outweighs them, and they only decide where the scale can't.
"""

from __future__ import annotations

import math
from typing import NamedTuple

import numpy as np
import numpy.typing as npt
from numba import njit

from edge.fusion.memory import GUESSES_MOST, HANDS_MOST, STRAYS_MOST, Contents, Hands, Stray
from edge.fusion.model import BoardModel, SkuTable

Floats = npt.NDArray[np.float64]
Ints = npt.NDArray[np.int64]
Bools = npt.NDArray[np.bool_]

# 1, 2, ... units at once: 8 of 237 AutoCheckout events had several products.
QUANTITY_PRIOR = (0.83, 0.12, 0.04, 0.006, 0.0025, 0.0015)
EMPTY_SLOT = 0.02  # chance, beside a stocked slot's, that a slot we hold for empty wasn't
RETURN_WITH_HANDS = 0.7  # of the puts while something is out in hands: it comes back
RETURN_HOME = 0.8  # ... to its own slot (24 % of AutoCheckout's events were returns, a good part misplaced)
WRONG_SLOT = 0.02  # a unit nobody saw taken, put in a slot that isn't its own
HANDS_NS = 90e9  # time constant with which a return becomes unlikely
STRAY_MM = 15.0  # how far from where it was put a stray's place may be read
EDGE_INSET_MM = 15.0  # nothing stands with its middle on the very edge of a board
REWEIGHED_VAR = 0.25  # grams squared between two weighings of one unit on one board

FOREIGN = -1


class Moves(NamedTuple):
    """Candidate movements, a row each. Weights in grams with sign (negative: taken)."""

    sign: Ints
    sku: Ints  # FOREIGN for a foreign object that is known to lie there
    slot: Ints
    quantity: Ints
    weight_g: Floats
    weight_var: Floats
    box_mm: Floats  # [moves, 4] x from, x to, y from, y to, about the board's moment origin
    log_prior: Floats  # given that exactly one movement happened
    pairable: Bools  # whether it may be one of two movements at once
    weighed_here: Bools  # weight_g was measured by this very board: doubts about its gains cancel


class _Out(NamedTuple):
    """What is out in hands, newest last."""

    sku: Ints
    weight_g: Floats
    weight_var: Floats
    prior: Floats  # that a put is this unit's return
    here: Bools


def _new_moves(room: int) -> Moves:
    i, f, b = np.zeros(room, np.int64), np.zeros(room), np.zeros(room, np.bool_)
    box = np.zeros((room, 4))
    return Moves(i, i.copy(), i.copy(), i.copy(), f, f.copy(), box, f.copy(), b, b.copy())


class CandidateMoves:
    """Makes the candidates of one board from what lies on it and what is out in hands."""

    def __init__(self, model: BoardModel, skus: SkuTable) -> None:
        self._model, self._skus = model, skus
        slots, here = len(model.slot_ids), np.unique(model.slot_sku)
        quantities = len(QUANTITY_PRIOR)
        room = slots * (len(skus.ids) * quantities + HANDS_MOST * GUESSES_MOST + quantities + here.size)
        room += STRAYS_MOST * GUESSES_MOST * quantities
        self._rows = _new_moves(room)
        self._origin = np.array([model.statics.x0_mm] * 2 + [model.statics.y0_mm] * 2)
        self._box_mm = _inset(model) - self._origin
        self._away_mm = _away(self._box_mm, model.slot_sku, len(skus.ids))
        self._sees_place = model.statics.sees_x or model.statics.sees_y
        self._here = here
        self._versions = (-1, -1)
        self._last = self._rows

    def at(self, contents: Contents, hands: Hands, now_ns: int) -> Moves:
        """All candidates at a time: the very same as last time, unless something has moved since then."""
        if self._versions != (contents.version, hands.version):
            self._versions = (contents.version, hands.version)
            self._last = self._made(contents, hands, now_ns)
        return self._last

    def _made(self, contents: Contents, hands: Hands, now_ns: int) -> Moves:
        model, rows, n = self._model, self._rows, 0
        if len(model.slot_ids):
            n = _fill(
                contents.count, self._skus.weight_g, self._skus.spread_var, self._skus.mean_var, model.slot_sku,
                self._box_mm, self._away_mm, self._here, self._out(hands, now_ns), self._sees_place, rows,
            )  # fmt: skip
        for stray in contents.strays:
            n = self._add_stray(stray, n)
        return Moves(
            rows.sign[:n], rows.sku[:n], rows.slot[:n], rows.quantity[:n], rows.weight_g[:n], rows.weight_var[:n],
            rows.box_mm[:n], rows.log_prior[:n], rows.pairable[:n], rows.weighed_here[:n],
        )  # fmt: skip

    def _add_stray(self, stray: Stray, n: int) -> int:
        """Rows for the taking of a stray, or of some of its units."""
        rows, model = self._rows, self._model
        for guess in stray.guesses:
            for quantity in range(1, min(guess.quantity, len(QUANTITY_PRIOR)) + 1):
                part = quantity / guess.quantity
                rows.sign[n], rows.sku[n], rows.slot[n], rows.quantity[n] = -1, guess.sku, guess.slot, quantity
                rows.weight_g[n] = -part * stray.weight_g
                rows.weight_var[n] = stray.weight_var + REWEIGHED_VAR + ((1.0 - part) * 0.02 * stray.weight_g) ** 2
                rows.box_mm[n] = self._stray_box(stray, guess.slot)
                rows.log_prior[n] = math.log(guess.share / max(len(model.slot_ids), 1) / guess.quantity)
                rows.pairable[n], rows.weighed_here[n] = False, True
                n += 1
        return n

    def _stray_box(self, stray: Stray, slot: int) -> Floats:
        """Where it was put, give or take; along an axis that the board doesn't see, its slot or the whole board."""
        box = self._box_mm[slot].copy() if slot >= 0 else self._model.edges_mm.copy()
        for axis, place in enumerate((stray.x_mm, stray.y_mm)):
            if place is not None:
                middle = place - self._origin[2 * axis]
                box[2 * axis : 2 * axis + 2] = middle - STRAY_MM, middle + STRAY_MM
        return box

    def _out(self, hands: Hands, now_ns: int) -> _Out:
        units = hands.units
        fresh = [math.exp(-max(now_ns - unit.taken_ns, 0) / HANDS_NS) for unit in units]
        returning = RETURN_WITH_HANDS * (1.0 - math.prod(1.0 - share for share in fresh))
        each = returning / max(sum(fresh), 1e-300)
        entries = [
            (guess.sku, unit.weight_g, unit.weight_var, each * share * guess.share, unit.board == self._model.board)
            for unit, share in zip(units, fresh, strict=True)
            for guess in unit.guesses
        ]
        table = np.array(entries, np.float64).reshape(-1, 5)
        sku, weight, var, prior, here = (np.ascontiguousarray(table[:, i]) for i in range(5))
        return _Out(sku.astype(np.int64), weight, var, prior, here > 0.0)


def _inset(model: BoardModel) -> Floats:
    """Slot boxes, kept off the edges of the board, in board coordinates."""
    low = np.array([EDGE_INSET_MM, EDGE_INSET_MM])
    high = np.array([model.width_mm, model.depth_mm]) - EDGE_INSET_MM
    box = model.slot_box_mm.copy()
    for axis in (0, 1):
        begin, end = box[:, 2 * axis].copy(), box[:, 2 * axis + 1].copy()
        wide = end - begin > 4.0 * EDGE_INSET_MM
        box[:, 2 * axis] = np.where(wide, np.maximum(begin, low[axis]), begin)
        box[:, 2 * axis + 1] = np.where(wide, np.minimum(end, high[axis]), end)
    return box


def _away(box_mm: Floats, slot_sku: Ints, skus: int) -> Floats:
    """[skus, slots, 4] where in a slot a unit of another SKU is in the wrong one: not where its own slot reaches, too.

    Slots overlap on real shelves. A slot that lies in the unit's own all over has no such place (a box of no width).
    """
    away = np.repeat(box_mm[None], skus, axis=0)
    for slot, own in enumerate(slot_sku):
        left, right, front, back = box_mm[slot]
        for other, box in enumerate(away[own]):
            if other == slot or box[1] <= left or box[0] >= right or box[3] <= front or box[2] >= back:
                continue
            if left - box[0] >= max(box[1] - right, 1.0):
                box[1] = left
            elif box[1] - right >= 1.0:
                box[0] = right
            else:
                box[1] = box[0]
    return away


@njit(cache=True)
def _row(
    rows: Moves, n: int, sign: int, sku: int, slot: int, quantity: int, grams: float, var: float, prior: float,
    box_mm: Floats, pairable: bool, weighed_here: bool,
) -> int:  # fmt: skip
    """Write one candidate; what can't be (prior 0) is left out."""
    if prior <= 0.0 or box_mm[1] <= box_mm[0]:
        return n
    rows.sign[n], rows.sku[n], rows.slot[n], rows.quantity[n] = sign, sku, slot, quantity
    rows.weight_g[n], rows.weight_var[n], rows.log_prior[n] = sign * grams, var, math.log(prior)
    rows.box_mm[n] = box_mm
    rows.pairable[n], rows.weighed_here[n] = pairable, weighed_here
    return n + 1


@njit(cache=True)
def _fill(
    count: Ints, weight_g: Floats, spread_var: Floats, mean_var: Floats, slot_sku: Ints, box_mm: Floats,
    away_mm: Floats, here: Ints, out: _Out, sees_place: bool, rows: Moves,
) -> int:  # fmt: skip
    """Fill in picks and puts; returns how many rows.

    A board that can't see places can't tell a wrong slot from the right one, so none is proposed there. The weight of n
    units has variance ``n spread^2 + n^2 mean_var``: spreads add up, the error of the mean multiplies.
    """
    n = 0
    slots = slot_sku.size
    returning = 0.0
    for unit in range(out.sku.size):
        returning += out.prior[unit]
    for slot in range(slots):
        own = slot_sku[slot]
        for sku in range(count.shape[0]):
            there = count[sku, slot]
            if there == 0 and sku != own:
                continue
            base = 1.0 / slots
            box = box_mm[slot] if sku == own else away_mm[sku, slot]
            for k in range(len(QUANTITY_PRIOR)):
                units = k + 1
                prior = base * QUANTITY_PRIOR[k] * (1.0 if units <= there else EMPTY_SLOT)
                var = units * spread_var[sku] + units * units * mean_var[sku]
                n = _row(rows, n, -1, sku, slot, units, units * weight_g[sku], var, prior, box, units == 1, False)
        out_here, out_prior = 0, 0.0
        for unit in range(out.sku.size):
            sku = out.sku[unit]
            homes = 0
            for other in range(slots):
                homes += slot_sku[other] == sku
            if sku == own:
                share = (RETURN_HOME if sees_place else 1.0) / homes
                out_here += 1
                out_prior += out.prior[unit]
            elif homes:
                share = (1.0 - RETURN_HOME) / slots if sees_place else 0.0
            else:
                share = 1.0 / slots
            prior = out.prior[unit] * share * QUANTITY_PRIOR[0]
            var = out.weight_var[unit] + REWEIGHED_VAR
            at_home = sku == own
            box = box_mm[slot] if at_home else away_mm[sku, slot]
            n = _row(rows, n, 1, sku, slot, 1, out.weight_g[unit], var, prior, box, at_home, out.here[unit])
        for k in range(len(QUANTITY_PRIOR)):
            units = k + 1
            prior = (1.0 - returning) / slots * QUANTITY_PRIOR[k]
            if out_here >= units > 1:
                prior += out_prior * RETURN_HOME * QUANTITY_PRIOR[k]
            var = units * spread_var[own] + units * units * mean_var[own]
            n = _row(rows, n, 1, own, slot, units, units * weight_g[own], var, prior, box_mm[slot], units == 1, False)
        for sku in here:
            if sku != own and sees_place:
                prior = (1.0 - returning) * WRONG_SLOT / (slots * here.size)
                var = spread_var[sku] + mean_var[sku]
                n = _row(rows, n, 1, sku, slot, 1, weight_g[sku], var, prior, away_mm[sku, slot], False, False)
    return n
