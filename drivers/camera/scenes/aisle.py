"""The shoppers of simulated shelves as a ceiling camera sees them: who is needed at a place at a time walks there.

What happens on the shelves comes first; the people follow from it. Somebody who is there and has time does the next
thing, or somebody comes in for it; who put an item back is the one who took it, as far as that one is still there.
"""

from __future__ import annotations

import dataclasses
import math
import threading
from collections import deque
from dataclasses import dataclass, field

import numpy as np

from drivers.camera.scenes.walkers import Person, Ways, new_person

MOST_PEOPLE = 5
STAYS_S = 1.6  # with the hand on the shelf, after a movement begins
LINGERS_S = (0.3, 2.5)
SAME_SHARE = 0.6  # of the movements, by the one who did the last
EARLY_S = 0.5
SLOWEST_M_S, FASTEST_M_S = 0.7, 2.2
STEP_S = 0.05
BESIDE_M = 0.7  # so near to where somebody wants to stand one makes way
_WAYS_IN = 6  # of which the nearest is taken: there isn't much time
_MOST_VISITS = 500


@dataclass(frozen=True, slots=True)
class Need:
    """Somebody reaches into a shelf.

    Attributes:
        at_s: when. x_m, y_m: where one stands for it. towards: heading of the look, radians.
        takes, gives: names of what is taken, or put back by the one who took it; empty for neither.
    """

    at_s: float
    x_m: float
    y_m: float
    towards: float
    takes: str = ""
    gives: str = ""


@dataclass(slots=True)
class _Shopper:
    person: Person
    needs: list[Need] = field(default_factory=list)
    until_s: float = 0.0  # stands so long
    holds: list[str] = field(default_factory=list)
    leaving: bool = False


class Aisle:
    """People of one scene; several threads may ask.

    Args:
        ways: where they come in and go out.
    Attributes:
        visits: what is needed and who does it (the person's number), the last few hundred: the truth.
    """

    def __init__(self, ways: Ways, seed: int) -> None:
        self.visits: deque[tuple[Need, int]] = deque(maxlen=_MOST_VISITS)
        self._ways = ways
        self._rng = np.random.default_rng((seed, 77))
        self._shoppers: list[_Shopper] = []
        self._made = 0
        self._last: _Shopper | None = None
        self._now_s = 0.0
        self._lock = threading.Lock()

    def needed(self, need: Need) -> None:
        """Known some seconds before it happens, so that somebody can walk there."""
        with self._lock:
            shopper = self._who(need)
            shopper.needs.append(need)
            shopper.leaving = False
            if need.takes:
                shopper.holds.append(need.takes)
            if need.gives in shopper.holds:
                shopper.holds.remove(need.gives)
            self._last = shopper
            self.visits.append((need, shopper.person.identity))

    def at(self, now_s: float) -> list[Person]:
        """Everybody as they are at a time; it only goes on, never back."""
        with self._lock:
            while self._now_s < now_s:
                step_s = min(STEP_S, now_s - self._now_s)
                self._now_s = self._now_s + step_s if step_s == STEP_S else now_s
                self._step(step_s)
            return [dataclasses.replace(shopper.person) for shopper in self._shoppers]

    def _who(self, need: Need) -> _Shopper:
        able = [shopper for shopper in self._shoppers if self._can(shopper, need)]
        holders = [shopper for shopper in able if need.gives and need.gives in shopper.holds]
        if holders:
            return holders[0]
        if self._last in able and self._rng.random() < SAME_SHARE:
            return self._last
        others = [shopper for shopper in able if shopper is not self._last]
        if others and (len(self._shoppers) >= MOST_PEOPLE or self._rng.random() < 0.3):
            return others[int(self._rng.integers(len(others)))]
        if able and len(self._shoppers) >= MOST_PEOPLE:
            return able[0]
        self._made += 1
        person = new_person(self._made, self._ways, 0.0, 0.0, "any", self._rng)
        ways_in = [self._ways.outside(self._rng) for _ in range(_WAYS_IN)]
        person.x, person.y = min(ways_in, key=lambda at: math.hypot(at[0] - need.x_m, at[1] - need.y_m))
        made = _Shopper(person)
        self._shoppers.append(made)
        return made

    def _can(self, shopper: _Shopper, need: Need) -> bool:
        """Be there in time, from where they are or will be."""
        at, free_s = (shopper.person.x, shopper.person.y), self._now_s
        if shopper.needs:
            last = shopper.needs[-1]
            at, free_s = (last.x_m, last.y_m), last.at_s + STAYS_S
        way_m = math.hypot(need.x_m - at[0], need.y_m - at[1])
        return free_s + way_m / FASTEST_M_S + 0.3 < need.at_s

    def _step(self, step_s: float) -> None:
        for shopper in self._shoppers:
            self._walk(shopper, step_s)
        self._shoppers = [one for one in self._shoppers if not self._has_left(one)]

    def _walk(self, shopper: _Shopper, step_s: float) -> None:
        person = shopper.person
        while shopper.needs and self._now_s > shopper.needs[0].at_s + STAYS_S:
            shopper.needs.pop(0)
            shopper.until_s = self._now_s + float(self._rng.uniform(*LINGERS_S))
        if shopper.needs:
            need = shopper.needs[0]
            goal, left_s = (need.x_m, need.y_m), need.at_s - EARLY_S - self._now_s
            self._make_way(shopper, need)
        elif self._now_s < shopper.until_s and not shopper.leaving:
            person.wait_s = 1.0
            return
        else:
            if not shopper.leaving:
                shopper.leaving = True
                person.stops = [(*self._ways.outside(self._rng), 0.0)]
            goal, left_s = person.stops[-1][:2], math.inf
        dx, dy = goal[0] - person.x, goal[1] - person.y
        way_m = math.hypot(dx, dy)
        if way_m < 0.02:
            person.wait_s = 1.0  # who stands doesn't swing the legs
            if shopper.needs:
                person.heading = shopper.needs[0].towards
            return
        person.wait_s = 0.0
        person.heading = math.atan2(dy, dx)
        person.speed = min(max(way_m / max(left_s, 0.1), SLOWEST_M_S), FASTEST_M_S)
        share = min(1.0, person.speed * step_s / way_m)
        person.x, person.y = person.x + share * dx, person.y + share * dy

    def _make_way(self, shopper: _Shopper, need: Need) -> None:
        """Who stands there and has nothing to do any more goes."""
        for other in self._shoppers:
            near = math.hypot(other.person.x - need.x_m, other.person.y - need.y_m) < BESIDE_M
            if other is not shopper and near and not other.needs:
                other.until_s = self._now_s

    def _has_left(self, shopper: _Shopper) -> bool:
        person = shopper.person
        if shopper.needs or not shopper.leaving:
            return False
        return math.hypot(person.stops[-1][0] - person.x, person.stops[-1][1] - person.y) < 0.05
