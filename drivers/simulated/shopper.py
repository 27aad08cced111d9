"""Random shoppers: scenes without end, from a seed."""

from __future__ import annotations

import heapq
from collections.abc import Callable, Iterator
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
        after_s: the next action doesn't come before the hand of the one before has been gone for so long; None: hands
            may overlap, where `gap_s` is shorter than they stay (0.5-3.0 s).
        put_back_share: an action is a put of something that was taken, as far as there is any.
        wrong_slot_share: a put goes into a slot of another SKU (from where it may be taken later).
        stray_share: a pick takes what lies in a slot of another SKU, if anything does.
        grab_share: two or three units at once. put_grab_share: the same for what is put down.
        second_hand_share: a second hand comes `second_hand_s` after the first, into another slot of the same board.
        look_share: what was taken is put back right after, as the next action.
        hold_share: the item is held half lifted over its place for `hold_s` before it leaves.
        slow_share: the lift takes `slow_s`.
        foreign_share: something unknown of `foreign_g` is put down; it is taken away two to six actions later.
        refill_below: share of its first stock below which a slot is refilled, a unit per action.
        restock_share: instead of an action, `restock_units` new units go into one slot, one after the other.
        restock_gap_s: time between them, from start to start. restock_most_g: what they may weigh in all; where there
            is nothing so light it is the lightest.
        leans_per_minute, footsteps_per_minute, vibrations_per_minute: disturbances, at any time.
        foreseen: told of each action once it is known that it comes, which is when the one before has been played.
    """

    seed: int
    first_s: float = 5.0
    until_s: float = float("inf")
    gap_s: tuple[float, float] | None = (3.0, 5.0)
    after_s: tuple[float, float] | None = None
    put_back_share: float = 0.3
    wrong_slot_share: float = 0.0
    stray_share: float = 0.0
    grab_share: float = 0.0
    put_grab_share: float = 0.0
    second_hand_share: float = 0.0
    second_hand_s: tuple[float, float] = (0.05, 0.7)
    look_share: float = 0.0
    hold_share: float = 0.0
    hold_s: tuple[float, float] = (2.0, 6.0)
    slow_share: float = 0.0
    slow_s: tuple[float, float] = (1.0, 3.0)
    foreign_share: float = 0.0
    foreign_g: tuple[float, float] = (50.0, 1500.0)
    refill_below: float = 0.35
    restock_share: float = 0.0
    restock_units: int = 20
    restock_gap_s: tuple[float, float] = (2.0, 3.0)
    restock_most_g: float = 6_000.0
    leans_per_minute: float = 0.5
    footsteps_per_minute: float = 4.0
    vibrations_per_minute: float = 2.0
    foreseen: Callable[[Action], None] | None = None

    def __call__(self, world: World) -> Iterator[Action]:
        """Actions in order of time."""
        rng = seeded(self.seed, "leans")
        boards = list(world.boards)
        streams: list[Iterator[Action]] = [
            self._told(self._handling(world)),
            (Lean(at_s, boards[int(rng.integers(len(boards)))]) for at_s in self._times(self.leans_per_minute, "lean")),
            (Footsteps(at_s) for at_s in self._times(self.footsteps_per_minute, "footsteps")),
            (Vibration(at_s) for at_s in self._times(self.vibrations_per_minute, "vibration")),
        ]
        return heapq.merge(*streams, key=lambda action: action.at_s)

    def _told(self, actions: Iterator[Action]) -> Iterator[Action]:
        for action in actions:
            if self.foreseen is not None:
                self.foreseen(action)
            yield action

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
            if self.restock_share and rng.random() < self.restock_share:
                for put in self._restock(world, at_s, rng):
                    yield put
                    at_s = put.at_s
                at_s = self._wait(world, at_s, self.gap_s, rng)
                continue
            action = self._foreign(world, at_s, foreign_left, rng) or self._next(world, at_s, rng)
            yield action
            if isinstance(action, Pick) and rng.random() < self.look_share:
                at_s = self._wait(world, at_s, self.gap_s, rng)
                looked_at = world.hands[-1] if world.hands else None
                home = looked_at.sku if looked_at else None
                at_s = max(at_s, looked_at.left_s if looked_at else at_s)
                yield Put(at_s, self._put_slot(world, home, rng), action.quantity, home, tries=True)
            elif rng.random() < self.second_hand_share:
                second = at_s + float(rng.uniform(*self.second_hand_s))
                yield self._next(world, second, rng, near=action)
                at_s = max(self._wait(world, at_s, self.gap_s, rng), second)  # what comes third comes after it
                continue
            at_s = self._wait(world, at_s, self.gap_s, rng)

    def _wait(self, world: World, at_s: float, gap_s: tuple[float, float], rng: np.random.Generator) -> float:
        """When the next action begins, if the last began at `at_s`."""
        next_s = at_s + float(rng.uniform(*gap_s))
        if self.after_s is None:
            return next_s
        return max(next_s, world.touched_until_s + float(rng.uniform(*self.after_s)))

    def _restock(self, world: World, at_s: float, rng: np.random.Generator) -> Iterator[Put]:
        """A merchandiser fills one of the emptier slots."""
        weights_g = {slot: self.restock_units * world.items[place.sku].weight_g for slot, place in world.places.items()}
        most_g = max(self.restock_most_g, min(weights_g.values()))
        light = [slot for slot, grams in weights_g.items() if grams <= most_g]
        emptier = sorted(light, key=lambda slot: len(world.lying[slot]))[: max(1, len(light) // 2)]
        slot = emptier[int(rng.integers(len(emptier)))]
        for unit in range(self.restock_units):
            if unit:
                at_s = self._wait(world, at_s, self.restock_gap_s, rng)
            if at_s >= self.until_s:
                return
            yield Put(at_s, slot, fresh=True)

    def _next(self, world: World, at_s: float, rng: np.random.Generator, near: Action | None = None) -> Action:
        """A pick, a put back, or a refill where stock runs low."""
        low = [p for p in world.places.values() if len(world.lying[p.slot]) < self.refill_below * p.count]
        if low and near is None and rng.random() < 0.7:
            return Put(at_s, low[int(rng.integers(len(low)))].slot, self._put_quantity(3, rng), fresh=True)
        out = [unit for unit in world.hands if unit.left_s <= at_s]
        if out and rng.random() < self.put_back_share:
            unit = out[int(rng.integers(len(out)))]
            if near is None or any(p.board == _board(world, near) for p in world.home_of(unit.sku)):
                quantity = self._put_quantity(sum(other.sku == unit.sku for other in out), rng)
                return Put(at_s, self._put_slot(world, unit.sku, rng), quantity, unit.sku)
        slots = [slot for slot, lying in world.lying.items() if lying]
        if near is not None:
            taken = near.slot if isinstance(near, Pick | Put) else None
            slots = [s for s in slots if world.places[s].board == _board(world, near) and s != taken] or slots
        if not slots:
            places = list(world.places)
            return Put(at_s, places[int(rng.integers(len(places)))], fresh=True)
        if self.stray_share and rng.random() < self.stray_share:
            strays = [(slot, u.sku) for slot in slots for u in world.lying[slot] if u.sku != world.places[slot].sku]
            if strays:
                slot, sku = strays[int(rng.integers(len(strays)))]
                return Pick(at_s, slot, sku=sku)
        slot = slots[int(rng.integers(len(slots)))]
        return self._pick(world, at_s, slot, rng)

    def _put_quantity(self, most: int, rng: np.random.Generator) -> int:
        """One, or two or three at once, but not more than there are."""
        if self.put_grab_share and rng.random() < self.put_grab_share:
            return min(int(rng.integers(2, 4)), most)
        return 1

    def _pick(self, world: World, at_s: float, slot: str, rng: np.random.Generator) -> Pick:
        quantity, sku = 1, None
        if rng.random() < self.grab_share:
            quantity, sku = int(rng.integers(2, 4)), world.places[slot].sku
            quantity = min(quantity, sum(unit.sku == sku for unit in world.lying[slot]))
            if quantity < 1:
                quantity, sku = 1, None
        hold_s = float(rng.uniform(*self.hold_s)) if rng.random() < self.hold_share else 0.0
        lift_s = float(rng.uniform(*self.slow_s)) if rng.random() < self.slow_share else None
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
