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

from edge.fusion.memory import FOREIGN_MOST, HANDS_MOST, Contents, Hands
from edge.fusion.model import BoardModel, SkuTable

Floats = npt.NDArray[np.float64]
Ints = npt.NDArray[np.int64]
Bools = npt.NDArray[np.bool_]

# 1, 2, ... units at once: 8 of 237 AutoCheckout events had several products.
QUANTITY_PRIOR = (0.86, 0.10, 0.025, 0.008, 0.004, 0.003)
EMPTY_SLOT = 0.02  # chance, beside a stocked slot's, that a slot we hold for empty wasn't
MISPLACED = 0.5  # chance, beside a unit's in its own slot, that a misplaced one is taken
RETURN_WITH_HANDS = 0.7  # of the puts while something is out in hands: it comes back
RETURN_HOME = 0.8  # ... to its own slot (24 % of AutoCheckout's events were returns, a good part misplaced)
WRONG_SLOT = 0.02  # a unit nobody saw taken, put in a slot that isn't its own
HANDS_NS = 90e9  # time constant with which a return becomes unlikely
FOREIGN_AGAIN = 0.05  # a known foreign object is taken
FOREIGN_MM = 15.0  # how far from where it was put its place may be read
REWEIGHED_VAR = 0.25  # grams squared between two weighings of one unit on one board

FOREIGN = -1


class Moves(NamedTuple):
    """Candidate movements, a row each. Weights in grams with sign (negative: taken)."""

    sign: Ints
    sku: Ints  # FOREIGN for the taking of a known foreign object
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
        room = slots * (len(skus.ids) * quantities + HANDS_MOST + quantities + here.size) + FOREIGN_MOST
        self._rows = _new_moves(room)
        self._origin = np.array([model.statics.x0_mm] * 2 + [model.statics.y0_mm] * 2)
        self._box_mm = model.slot_box_mm - self._origin
        self._here = here

    def at(self, contents: Contents, hands: Hands, now_ns: int) -> Moves:
        """All candidates at a time. The arrays are reused by the next call."""
        model, rows, n = self._model, self._rows, 0
        if len(model.slot_ids):
            n = _fill(
                contents.count, self._skus.weight_g, self._skus.spread_var, self._skus.mean_var, model.slot_sku,
                self._box_mm, self._here, self._out(hands, now_ns), rows,
            )  # fmt: skip
        for thing in contents.foreign:
            place = np.array([thing.x_mm, thing.x_mm, thing.y_mm, thing.y_mm]) - self._origin
            rows.sign[n], rows.sku[n], rows.slot[n], rows.quantity[n] = -1, FOREIGN, -1, 1
            rows.weight_g[n] = -thing.weight_g
            rows.weight_var[n] = thing.weight_var + (0.01 * thing.weight_g) ** 2
            rows.box_mm[n] = place + FOREIGN_MM * np.array([-1.0, 1.0, -1.0, 1.0])
            rows.log_prior[n] = math.log(FOREIGN_AGAIN)
            rows.pairable[n], rows.weighed_here[n] = False, True
            n += 1
        return Moves(
            rows.sign[:n], rows.sku[:n], rows.slot[:n], rows.quantity[:n], rows.weight_g[:n], rows.weight_var[:n],
            rows.box_mm[:n], rows.log_prior[:n], rows.pairable[:n], rows.weighed_here[:n],
        )  # fmt: skip

    def _out(self, hands: Hands, now_ns: int) -> _Out:
        units = hands.units
        fresh = np.exp(-np.maximum(now_ns - np.array([unit.taken_ns for unit in units], np.float64), 0.0) / HANDS_NS)
        returning = RETURN_WITH_HANDS * (1.0 - float(np.prod(1.0 - fresh)))
        return _Out(
            np.array([unit.sku for unit in units], np.int64),
            np.array([unit.weight_g for unit in units], np.float64),
            np.array([unit.weight_var for unit in units], np.float64),
            returning * fresh / max(float(fresh.sum()), 1e-300),
            np.array([unit.board == self._model.board for unit in units], np.bool_),
        )


@njit(cache=True)
def _row(
    rows: Moves, n: int, sign: int, sku: int, slot: int, quantity: int, grams: float, var: float, prior: float,
    box_mm: Floats, pairable: bool, weighed_here: bool,
) -> int:  # fmt: skip
    """Write one candidate; what can't be (prior 0) is left out."""
    if prior <= 0.0:
        return n
    rows.sign[n], rows.sku[n], rows.slot[n], rows.quantity[n] = sign, sku, slot, quantity
    rows.weight_g[n], rows.weight_var[n], rows.log_prior[n] = sign * grams, var, math.log(prior)
    rows.box_mm[n] = box_mm[slot]
    rows.pairable[n], rows.weighed_here[n] = pairable, weighed_here
    return n + 1


@njit(cache=True)
def _fill(
    count: Ints, weight_g: Floats, spread_var: Floats, mean_var: Floats, slot_sku: Ints, box_mm: Floats, here: Ints,
    out: _Out, rows: Moves,
) -> int:  # fmt: skip
    """Fill in picks and puts; returns how many rows.

    The weight of n units has variance ``n spread^2 + n^2 mean_var``: spreads add up, the error of the mean multiplies.
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
            base = (1.0 if sku == own else MISPLACED) / slots
            for k in range(len(QUANTITY_PRIOR)):
                units = k + 1
                prior = base * QUANTITY_PRIOR[k] * (1.0 if units <= there else EMPTY_SLOT)
                var = units * spread_var[sku] + units * units * mean_var[sku]
                n = _row(rows, n, -1, sku, slot, units, units * weight_g[sku], var, prior, box_mm, units <= 2, False)
        out_here, out_prior = 0, 0.0
        for unit in range(out.sku.size):
            sku = out.sku[unit]
            homes = 0
            for other in range(slots):
                homes += slot_sku[other] == sku
            if sku == own:
                share = RETURN_HOME / homes
                out_here += 1
                out_prior += out.prior[unit]
            else:
                share = (1.0 - RETURN_HOME if homes else 1.0) / slots
            prior = out.prior[unit] * share * QUANTITY_PRIOR[0]
            var = out.weight_var[unit] + REWEIGHED_VAR
            at_home = sku == own
            n = _row(rows, n, 1, sku, slot, 1, out.weight_g[unit], var, prior, box_mm, at_home, out.here[unit])
        for k in range(len(QUANTITY_PRIOR)):
            units = k + 1
            prior = (1.0 - returning) / slots * QUANTITY_PRIOR[k]
            if out_here >= units > 1:
                prior += out_prior * RETURN_HOME * QUANTITY_PRIOR[k]
            var = units * spread_var[own] + units * units * mean_var[own]
            n = _row(rows, n, 1, own, slot, units, units * weight_g[own], var, prior, box_mm, units <= 2, False)
        for sku in here:
            if sku != own:
                prior = (1.0 - returning) * WRONG_SLOT / (slots * here.size)
                var = spread_var[sku] + mean_var[sku]
                n = _row(rows, n, 1, sku, slot, 1, weight_g[sku], var, prior, box_mm, False, False)
    return n
