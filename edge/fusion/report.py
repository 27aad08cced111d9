"""Movements to events: the words, the confidence, what else it could have been, and the evidence."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from edge.fusion.activity import BatchesBetween
from edge.fusion.clean import FAULT_NAMES
from edge.fusion.doubt import trust
from edge.fusion.lattice import Reading
from edge.fusion.likelihood import FOREIGN_PUT
from edge.fusion.links import Move, Story
from edge.fusion.model import BoardModel, SkuTable
from edge.fusion.movement import Movement
from edge.fusion.moves import FOREIGN
from edge.fusion.plateau import Plateau
from edge.fusion.sharing import complaint
from edge.trace.event import Alternative, Event, Evidence, Kind, Status

BLIND_S = 2.0  # a board that couldn't see for longer than this sends what it finds afterwards to review
LIGHT_G = 15.0  # something unknown, lighter than this, may be creep, a crumb or a cable that pulls
ALIKE_SIGMAS = 3.0  # something unknown that weighs what a product of this board does, may be that
STAYS_S = 4.4  # longer than most arms rest
_LEAST_PROBABLE = 1e-4  # alternatives below that aren't told
_ALTERNATIVES = 4


@dataclass(frozen=True, slots=True)
class Reporter:
    """Makes the events of one board. Events come out provisional and without an id; `Announcer` gives both."""

    model: BoardModel
    skus: SkuTable
    review_below: float
    between: BatchesBetween

    def event(
        self,
        reading: Reading,
        told: Story,
        chain: Sequence[Plateau],
        movement: Movement,
        new_faults: npt.NDArray[np.int64],
        decided_ns: int,
        times: int = 1,
    ) -> Event:
        """One movement of the story ``told`` as an event.

        ``new_faults`` [cells, FAULT_KINDS] came since the last settled state. ``times``: how often the very same
        movement has been told by now, this one included.
        """
        sign, sku, slot, quantity = movement.move
        confidence = reading.confidence(movement.move, times) * trust(told, chain, movement)
        edge = movement.step.edge
        before, after = chain[edge.i], chain[edge.j]
        mask = before.mask & after.mask
        dark_s = (
            self.between(before.end_ns, after.begin_ns, (1 << len(self.model.cell_ids)) - 1)[2]
            * self.model.batch_ns
            * 1e-9
        )
        wrong = complaint(self.model, before, after, len(movement.step.moves))
        blind = mask != (1 << len(self.model.cell_ids)) - 1 or dark_s > BLIND_S
        return Event(
            event_id="",
            revision=0,
            status=Status.PROVISIONAL,
            kind=Kind.PUT if sign > 0 else Kind.PICK,
            board=self.model.board,
            slot=self._slot(slot),
            sku=self._sku(sku),
            quantity=quantity,
            grams=movement.grams,
            x_mm=movement.x_mm,
            y_mm=movement.y_mm,
            time_ns=movement.time_ns,
            decided_ns=decided_ns,
            confidence=confidence,
            needs_review=blind
            or self._unsettling(movement, before, after)
            or self._out_of_place(movement)
            or wrong is not None
            or confidence < self.review_below,
            alternatives=self._alternatives(reading, told, movement.move),
            evidence=Evidence(
                change_g=tuple(float(value) for value in after.level_g - before.level_g),
                sd_g=float(np.sqrt(edge.var[0] + edge.gain_var)),
                before_ms=before.batches * self.model.batch_ns * 1e-6,
                after_ms=after.batches * self.model.batch_ns * 1e-6,
                begin_ns=before.end_ns,
                end_ns=after.begin_ns,
                faults=self._faults(mask, new_faults, wrong),
            ),
        )

    def _unsettling(self, movement: Movement, before: Plateau, after: Plateau) -> bool:
        """Whether something unknown may be no thing at all: too light, there too shortly (an arm), or never seen come
        (a shelf that isn't as the planogram says). Or a known one, of which something was misread: it weighs as much.
        """
        sign, sku, _, _ = movement.move
        if sku != FOREIGN:
            return False
        own = np.unique(self.model.slot_sku)
        off_g = np.abs(self.skus.weight_g[own] - abs(movement.grams))
        if bool((off_g < ALIKE_SIGMAS * np.sqrt(self.skus.spread_var[own] + movement.grams_var)).any()):
            return True
        if movement.step.rows == (FOREIGN_PUT,):
            return sign < 0 or movement.grams < LIGHT_G or after.seconds < STAYS_S
        return movement.step.undoes is not None and before.seconds < STAYS_S

    def _out_of_place(self, movement: Movement) -> bool:
        """Whether it moved at a place outside of its slot: near enough to be it, but it may be something else's."""
        slot = movement.move[2]
        if slot < 0:
            return False
        x_from, x_to, y_from, y_to = self.model.slot_box_mm[slot]
        x_mm, y_mm = movement.x_mm, movement.y_mm
        return bool(
            (x_mm is not None and not x_from <= x_mm <= x_to) or (y_mm is not None and not y_from <= y_mm <= y_to)
        )

    def _sku(self, sku: int) -> str | None:
        return self.skus.ids[sku] if sku != FOREIGN else None

    def _slot(self, slot: int) -> str | None:
        return self.model.slot_ids[slot] if slot >= 0 else None

    def _alternatives(self, reading: Reading, told: Story, move: Move) -> tuple[Alternative, ...]:
        """What could have happened instead of this movement, best first."""
        others = [(other, p) for other, p in reading.in_place_of(move, told) if other != move and p >= _LEAST_PROBABLE]
        return tuple(self._alternative(other, p) for other, p in others[:_ALTERNATIVES])

    def _alternative(self, move: Move | None, probability: float) -> Alternative:
        if move is None:
            return Alternative(None, None, None, 0, probability)
        sign, sku, slot, quantity = move
        return Alternative(Kind.PUT if sign > 0 else Kind.PICK, self._sku(sku), self._slot(slot), quantity, probability)

    def _faults(self, mask: int, new_faults: npt.NDArray[np.int64], wrong: str | None) -> tuple[str, ...]:
        cells = self.model.cell_ids
        names = [f"cell {cell}: no data" for i, cell in enumerate(cells) if mask >> i & 1 == 0]
        for i, kind in np.argwhere(new_faults > 0):
            names.append(f"cell {cells[i]}: {FAULT_NAMES[kind]} ({new_faults[i, kind]})")
        if wrong is not None:
            names.append(wrong)
        return tuple(names)
