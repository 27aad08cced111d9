"""The AutoCheckout winner (CMU team, CPS-IoT Week 2020) without its cameras, from its published rule and constants.

facts/field.md 1.2 and 3. Events, per shelf at 60 samples/s: moving standard deviation of 60 samples above 20 g for at
least 30 samples, means before and after differing by more than 10 g (a step of less than about 46 g isn't long enough
above 20 g by itself). Plates with at least a third of the lightest product's weight are active; active plates that
share no product are events of their own. Picks: 0.8 x place (the plates' share of the change, added over the
product's plates) + 0.2 x overlap of two Gaussians of 10 g, the maximum; as many units as ``round(dW / w)``, at least
one; dropped if ``dW < 0.4 w``. Put-backs: out of what was taken before the product and count nearest in weight; dropped
if ``dW < 0.75 w``; the product is then also expected where it was put ("dynamic planogram", worth 6.7 points of F1).

What had to be carried over: who stands where came from cameras, so here everybody shares one basket. Boards on several
cells have no plates, see `Shelf.shares`; their changes can't be split.
Nothing is known of restocking: a put of what nobody took is dropped, as there. A pick is of three units at most, as for
all peers here: the competition's F1 asked for the right product, ours counts every unit, and a change that the rule
misplaces onto something light would be twenty.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

from edge.trace.event import Event
from hil.peers.gaussians import overlap_area
from hil.peers.naming import MOST_UNITS
from hil.peers.recording import Floats, Frames, Recording, frames_of
from hil.peers.shelf import Shelf, shelves_of
from hil.peers.verdicts import Verdict, events_of
from hil.peers.windows import active_runs, moving_mean, moving_variance

RATE_HZ = 60.0
WINDOW = 60
ACTIVE_SD_G = 20.0
RUN = 30
MIN_SHELF_G = 10.0
PLACE_SHARE = 0.8
WEIGHT_SD_G = 10.0
ACTIVE_PLATE_SHARE = 1 / 3
LEAST_PICK = 0.4
LEAST_PUT = 0.75
HOME_SHARE = 0.5  # a put-back lies in its product's own slot, unless another one is twice as likely


@dataclass(frozen=True, slots=True)
class _Change:
    """Cells' change in grams, and its time and that of its decision in ns."""

    cells_g: Floats
    time_ns: int
    decided_ns: int


def detect(recording: Recording) -> list[Event]:
    """The rule on all shelves together: a basket is filled from all of them."""
    store = _Store()
    shelves = shelves_of(recording)
    found = [
        (change.time_ns, number, change)
        for number, shelf in enumerate(shelves)
        for change in _changes(shelf, frames_of(recording, shelf.boards, RATE_HZ))
    ]
    found.sort(key=lambda entry: entry[:2])
    decided = [store.decide(shelves[number], change) for _, number, change in found]
    return events_of("autocheckout", [verdict for verdict in decided if verdict])


def _changes(shelf: Shelf, frames: Frames) -> Iterator[_Change]:
    if not shelf.spots:
        return
    means = moving_mean(frames.grams, WINDOW)
    spread = np.sqrt(moving_variance(frames.sum_g, WINDOW))
    for begin, end in active_runs(spread > ACTIVE_SD_G, RUN - 1, RUN - 1):
        before, after = max(begin - RUN, 0), min(end + RUN, means.shape[1] - 1)
        cells_g = means[:, after] - means[:, before]
        if abs(float(cells_g.sum())) <= MIN_SHELF_G:
            continue
        time_ns, decided_ns = frames.time_ns((begin + end) / 2), frames.time_ns(end + RUN + WINDOW // 2)
        for part_g in _split(shelf, cells_g):
            yield _Change(part_g, time_ns, decided_ns)


def _split(shelf: Shelf, cells_g: Floats) -> list[Floats]:
    """A change of a shelf of plates in parts that share no product; anything else stays whole."""
    active = np.abs(cells_g) >= ACTIVE_PLATE_SHARE * shelf.lightest_g
    if not shelf.lanes or active.sum() < 2:
        return [cells_g]
    products = {board: {spot.sku for spot in shelf.spots if spot.board == board} for board in shelf.boards}
    groups: list[tuple[set[str], list[int]]] = []
    for plate in np.flatnonzero(active).tolist():
        skus, plates = set(products[shelf.boards[plate]]), [plate]
        for group in [group for group in groups if group[0] & skus]:
            groups.remove(group)
            skus, plates = skus | group[0], plates + group[1]
        groups.append((skus, plates))
    parts = []
    for _, plates in groups:
        part = np.zeros_like(cells_g)
        part[plates] = cells_g[plates]
        parts.append(part)
    return parts


class _Store:
    """What was taken, and where products were put that don't belong there."""

    def __init__(self) -> None:
        self._basket: Counter[str] = Counter()
        self._weight_g: dict[str, float] = {}
        self._strays: set[tuple[str, str, str]] = set()  # board, slot, SKU

    def decide(self, shelf: Shelf, change: _Change) -> Verdict | None:
        """Name a change; None if it is dropped."""
        for spot in shelf.spots:
            self._weight_g[spot.sku] = spot.weight_g
        shares = shelf.shares(change.cells_g)
        place = shares / shares.sum() if shares.sum() > 0.0 else np.full(shares.size, 1.0 / shares.size)
        return self._put(shelf, change, place) if change.cells_g.sum() > 0.0 else self._pick(shelf, change, place)

    def _pick(self, shelf: Shelf, change: _Change, place: Floats) -> Verdict | None:
        total_g = -float(change.cells_g.sum())
        lying = [(index, spot.sku) for index, spot in enumerate(shelf.spots)]
        lying += [
            (index, sku)
            for index, spot in enumerate(shelf.spots)
            for board, slot, sku in sorted(self._strays)
            if (board, slot) == (spot.board, spot.slot) and sku != spot.sku
        ]
        everywhere: dict[str, float] = {}
        for index, sku in lying:  # a product's places add up
            everywhere[sku] = everywhere.get(sku, 0.0) + float(place[index])
        overlap = {
            sku: overlap_area(total_g, WEIGHT_SD_G, self._weight_g[sku], WEIGHT_SD_G) for sku in sorted(everywhere)
        }
        score = {sku: PLACE_SHARE * everywhere[sku] + (1.0 - PLACE_SHARE) * overlap[sku] for sku in overlap}
        best = max(score, key=lambda sku: score[sku])
        weight_g = self._weight_g[best]
        if total_g < LEAST_PICK * weight_g:
            return None
        quantity = min(max(round(total_g / weight_g), 1), MOST_UNITS)
        self._basket[best] += quantity
        index = max((index for index, sku in lying if sku == best), key=lambda index: place[index])
        return _verdict(shelf, index, best, quantity, change, score[best])

    def _put(self, shelf: Shelf, change: _Change, place: Floats) -> Verdict | None:
        total_g = float(change.cells_g.sum())
        taken = [(sku, count) for sku, most in sorted(self._basket.items()) for count in range(1, most + 1)]
        if not taken:
            return None
        sku, quantity = min(taken, key=lambda item: abs(item[1] * self._weight_g[item[0]] - total_g))
        weight_g = self._weight_g[sku]
        if total_g < LEAST_PUT * weight_g:
            return None
        self._basket[sku] -= quantity
        index = max(
            range(place.size), key=lambda i: (place[i] > HOME_SHARE * place.max(), shelf.spots[i].sku == sku, place[i])
        )
        self._strays.add((shelf.spots[index].board, shelf.spots[index].slot, sku))
        return _verdict(
            shelf, index, sku, quantity, change, overlap_area(total_g, WEIGHT_SD_G, quantity * weight_g, WEIGHT_SD_G)
        )


def _verdict(shelf: Shelf, index: int, sku: str, quantity: int, change: _Change, confidence: float) -> Verdict:
    return Verdict(
        spot=shelf.spots[index],
        sku=sku,
        quantity=quantity,
        grams=float(change.cells_g.sum()),
        place_mm=shelf.place(change.cells_g),
        time_ns=change.time_ns,
        decided_ns=change.decided_ns,
        confidence=confidence,
    )
