"""Random shoppers: scenes without end, from a seed."""

from __future__ import annotations

import heapq
from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

from drivers.simulated.scene import Action, Footsteps, ForeignPut, ForeignTake, Lean, Pick, Put, Vibration
from drivers.simulated.stage import seeded
from drivers.simulated.world import World


@dataclass(frozen=True, slots=True)
class RandomShopper:
    """A scene (call it with the world). Times are from start to start; shares are probabilities per action.

    Attributes:
        first_s, until_s: no action before or after.
        gap_s: time between one action and the next; None: nobody moves anything.
        put_back_share: an action is a put of something that was taken, as far as there is any.
        wrong_slot_share: a put goes into a slot of another SKU (from where it may be taken later).
        grab_share: two or three units at once.
        second_hand_share: a second hand comes `second_hand_s` after the first, into another slot of the same board.
        look_share: what was taken is put back right after, as the next action.
        hold_share: the item is held half lifted over its place for `hold_s` before it leaves.
        slow_share: the lift takes 1-3 s.
        foreign_share: something unknown of `foreign_g` is put down; it is taken away two to six actions later.
        refill_below: share of its first stock below which a slot is refilled, a unit per action.
        leans_per_minute, footsteps_per_minute, vibrations_per_minute: disturbances, at any time.
    """

    seed: int
    first_s: float = 5.0
    until_s: float = float("inf")
    gap_s: tuple[float, float] | None = (3.0, 5.0)
    put_back_share: float = 0.3
    wrong_slot_share: float = 0.0
    grab_share: float = 0.0
    second_hand_share: float = 0.0
    second_hand_s: tuple[float, float] = (0.05, 0.7)
    look_share: float = 0.0
    hold_share: float = 0.0
    hold_s: tuple[float, float] = (2.0, 6.0)
    slow_share: float = 0.0
    foreign_share: float = 0.0
    foreign_g: tuple[float, float] = (50.0, 1500.0)
    refill_below: float = 0.35
    leans_per_minute: float = 0.5
    footsteps_per_minute: float = 4.0
    vibrations_per_minute: float = 2.0

    def __call__(self, world: World) -> Iterator[Action]:
        """Actions in order of time."""
        rng = seeded(self.seed, "leans")
        boards = list(world.boards)
        streams: list[Iterator[Action]] = [
            self._handling(world),
            (Lean(at_s, boards[int(rng.integers(len(boards)))]) for at_s in self._times(self.leans_per_minute, "lean")),
            (Footsteps(at_s) for at_s in self._times(self.footsteps_per_minute, "footsteps")),
            (Vibration(at_s) for at_s in self._times(self.vibrations_per_minute, "vibration")),
        ]
        return heapq.merge(*streams, key=lambda action: action.at_s)

    def _times(self, per_minute: float, name: str) -> Iterator[float]:
        """A Poisson process."""
        rng = seeded(self.seed, name)
        at_s = self.first_s * 0.5
        while per_minute > 0.0:
            at_s += float(rng.exponential(60.0 / per_minute))
            if at_s >= self.until_s:
                return
            yield at_s

    def _handling(self, world: World) -> Iterator[Action]:
        if self.gap_s is None or not world.places:
            return
        rng = seeded(self.seed, "shopper")
        at_s = self.first_s
        foreign_left: dict[str, int] = {}
        while at_s < self.until_s:
            action = self._foreign(world, at_s, foreign_left, rng) or self._next(world, at_s, rng)
            yield action
            if isinstance(action, Pick) and rng.random() < self.look_share:
                at_s += float(rng.uniform(*self.gap_s))
                home = world.hands[-1].sku if world.hands else None
                yield Put(at_s, self._put_slot(world, home, rng), action.quantity, home, tries=True)
            elif rng.random() < self.second_hand_share:
                second = at_s + float(rng.uniform(*self.second_hand_s))
                yield self._next(world, second, rng, near=action)
            at_s += float(rng.uniform(*self.gap_s))

    def _next(self, world: World, at_s: float, rng: np.random.Generator, near: Action | None = None) -> Action:
        """A pick, a put back, or a refill where stock runs low."""
        low = [p for p in world.places.values() if len(world.lying[p.slot]) < self.refill_below * p.count]
        if low and near is None and rng.random() < 0.7:
            return Put(at_s, low[int(rng.integers(len(low)))].slot, fresh=True)
        if world.hands and rng.random() < self.put_back_share:
            unit = world.hands[int(rng.integers(len(world.hands)))]
            if near is None or any(p.board == _board(world, near) for p in world.home_of(unit.sku)):
                return Put(at_s, self._put_slot(world, unit.sku, rng), 1, unit.sku)
        slots = [slot for slot, lying in world.lying.items() if lying]
        if near is not None:
            taken = near.slot if isinstance(near, Pick | Put) else None
            slots = [s for s in slots if world.places[s].board == _board(world, near) and s != taken] or slots
        if not slots:
            places = list(world.places)
            return Put(at_s, places[int(rng.integers(len(places)))], fresh=True)
        slot = slots[int(rng.integers(len(slots)))]
        return self._pick(world, at_s, slot, rng)

    def _pick(self, world: World, at_s: float, slot: str, rng: np.random.Generator) -> Pick:
        quantity, sku = 1, None
        if rng.random() < self.grab_share:
            quantity, sku = int(rng.integers(2, 4)), world.places[slot].sku
            quantity = min(quantity, sum(unit.sku == sku for unit in world.lying[slot]))
            if quantity < 1:
                quantity, sku = 1, None
        hold_s = float(rng.uniform(*self.hold_s)) if rng.random() < self.hold_share else 0.0
        lift_s = float(rng.uniform(1.0, 3.0)) if rng.random() < self.slow_share else None
        return Pick(at_s, slot, quantity, sku, hold_s=hold_s, lift_s=lift_s)

    def _put_slot(self, world: World, sku: str | None, rng: np.random.Generator) -> str:
        """A slot where the SKU belongs, or, by chance, one where it doesn't."""
        homes = [place.slot for place in world.home_of(sku or "")]
        others = [slot for slot in world.places if slot not in homes]
        choice = others if not homes or (others and rng.random() < self.wrong_slot_share) else homes
        return choice[int(rng.integers(len(choice)))]

    def _foreign(
        self, world: World, at_s: float, left: dict[str, int], rng: np.random.Generator
    ) -> ForeignPut | ForeignTake | None:
        """Put something unknown down, or take it away when its time has come. `left`: actions until then, by board."""
        for board in list(left):
            left[board] -= 1
            if left[board] <= 0:
                del left[board]
                return ForeignTake(at_s, board)
        if rng.random() >= self.foreign_share:
            return None
        board = list(world.boards)[int(rng.integers(len(world.boards)))]
        if board in left:
            return None
        left[board] = int(rng.integers(2, 7))
        return ForeignPut(at_s, board, float(rng.uniform(*self.foreign_g)))


def _board(world: World, action: Action) -> str | None:
    if isinstance(action, Pick | Put):
        return world.places[action.slot].board
    return action.board if isinstance(action, ForeignPut | ForeignTake) else None
