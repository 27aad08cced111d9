"""People before a wall of boards: where each stands and walks, what each takes and puts back, and when.

Places are along the wall (mm, to the right of a shopper who looks at it) and out from its front edge. Nothing here is
taken from `edge.fusion.who_reach`: `TUNING` and `Manners.drawn` have habits of their own.
"""

from __future__ import annotations

import itertools
import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field

import numpy as np
import numpy.typing as npt

from drivers.simulated.scene import Action, Pick, Put
from drivers.simulated.world import Unit, World

Floats = npt.NDArray[np.float64]
STEP_S = 0.1
AISLE_MM = 1100.0  # out from the wall, where people walk
FROM_MM = 3500.0  # along, where they come into sight
CLEARLY_MM = 150.0  # nearer to one than to another


@dataclass(frozen=True, slots=True)
class Manners:
    """How people stand, reach and walk.

    Attributes:
        reach_mm: scale along the wall between somebody and what they reach for. shape: of its distribution.
        wide_share, wide_mm: of the reaches that go far to the side.
        out_mm, out_sd_mm: of somebody's middle from the front edge.
        lean: share of the way to the item that a body goes along with the hand.
        walk_mm_s: speeds. pause_s: between two things that one person does.
        gives_share: of what is put back: by somebody else who was handed it.
    """

    reach_mm: float = 170.0
    shape: str = "normal"
    wide_share: float = 0.08
    wide_mm: float = 420.0
    out_mm: float = 420.0
    out_sd_mm: float = 90.0
    sway_mm: float = 35.0
    lean: float = 0.15
    walk_mm_s: tuple[float, float] = (800.0, 1400.0)
    pause_s: tuple[float, float] = (0.8, 4.0)
    gives_share: float = 0.03

    @staticmethod
    def drawn(rng: np.random.Generator) -> Manners:
        """Of another town: other bodies, arms and habits in each scene."""
        return Manners(
            reach_mm=float(rng.uniform(110.0, 240.0)),
            shape=("normal", "even", "peaked")[int(rng.integers(3))],
            wide_share=float(rng.uniform(0.0, 0.12)),
            wide_mm=float(rng.uniform(300.0, 500.0)),
            out_mm=float(rng.uniform(340.0, 520.0)),
            out_sd_mm=float(rng.uniform(50.0, 140.0)),
            sway_mm=float(rng.uniform(15.0, 60.0)),
            lean=float(rng.uniform(0.0, 0.4)),
            walk_mm_s=(float(rng.uniform(500.0, 800.0)), float(rng.uniform(1000.0, 1700.0))),
            pause_s=(float(rng.uniform(0.6, 1.2)), float(rng.uniform(2.0, 6.0))),
            gives_share=float(rng.uniform(0.0, 0.08)),
        )

    def likely(self, along_mm: float) -> float:
        """How likely somebody reaches for what lies so far along the wall, up to a factor."""
        z = along_mm / self.reach_mm
        near = {
            "normal": math.exp(-0.5 * z * z),
            "even": 1.0 / (1.0 + (abs(z) / 1.6) ** 8),
            "peaked": math.exp(-1.2 * abs(z)),
        }[self.shape]
        wide = self.wide_share * self.reach_mm / self.wide_mm * math.exp(-0.5 * (along_mm / self.wide_mm) ** 2)
        return (1.0 - self.wide_share) * near + wide


@dataclass(frozen=True, slots=True)
class Crowd:
    """What kind of visits a scene has.

    Attributes:
        together: how many stand before the wall at once, least and most.
        apart_mm: between any two of them.
        at_once: share of what is done within 0.4 s of what somebody else does.
        put_share: of what is done: something is put back, by who holds it.
        passers: people a minute who walk by without stopping.
        same: how much likelier somebody takes what one of them holds already.
        crosses: how readily people reach for what isn't clearly before them, but before another one or between them,
            beside what is: 1 with crossing arms (as far as arms go), 0 never.
    """

    together: tuple[int, int] = (1, 3)
    apart_mm: tuple[float, float] = (600.0, 1600.0)
    at_once: float = 0.3
    put_share: float = 0.3
    passers: float = 2.0
    same: float = 1.0
    crosses: float = 1.0


@dataclass(frozen=True, slots=True)
class Shelf:
    """One slot on the wall: where its middle is along, and how many units lie there at first."""

    slot: str
    board: str
    sku: str
    along_mm: float
    count: int


@dataclass(slots=True)
class Person:
    """Somebody's way: places at times, straight between them; nobody before the first and after the last."""

    times_s: list[float] = field(default_factory=list)
    along_mm: list[float] = field(default_factory=list)
    out_mm: list[float] = field(default_factory=list)
    holds: dict[str, list[float]] = field(default_factory=dict)  # slots that things were taken from, and when

    def goes(self, at_s: float, along_mm: float, out_mm: float) -> None:
        """To be there then."""
        self.times_s.append(max(at_s, self.times_s[-1] + 0.01) if self.times_s else at_s)
        self.along_mm.append(along_mm)
        self.out_mm.append(out_mm)


@dataclass(frozen=True, slots=True)
class Deed:
    """Something that a person does: takes a unit out of a slot, or puts one there. ``moved_s``: when it left or came.

    ``owner``: whose unit it is that is put back.
    """

    person: int
    at_s: float
    moved_s: float
    slot: Shelf
    put: bool
    owner: int
    touch_s: float
    lift_s: float


@dataclass(frozen=True, slots=True)
class Visits:
    """A whole scene."""

    people: list[Person]
    deeds: list[Deed]


def visits(crowd: Crowd, manners: Manners, shelves: Sequence[Shelf], seed: int, seconds: float) -> Visits:
    """Groups that come one after the other, do something, and go; and people who pass."""
    rng = np.random.default_rng([seed, 0x3A10])
    plan = _Plan(crowd, manners, list(shelves), rng)
    at_s = 3.0
    while at_s < seconds - 22.0:
        at_s = plan.group(at_s, seconds - 5.0) + float(rng.uniform(0.5, 3.0))
    at_s = 2.0
    while crowd.passers and (at_s := at_s + float(rng.exponential(60.0 / crowd.passers))) < seconds - 10.0:
        plan.passer(at_s)
    return Visits(plan.people, sorted(plan.deeds, key=lambda deed: deed.at_s))


@dataclass(slots=True)
class _Plan:
    crowd: Crowd
    manners: Manners
    shelves: list[Shelf]
    rng: np.random.Generator
    people: list[Person] = field(default_factory=list)
    deeds: list[Deed] = field(default_factory=list)
    stock: dict[str, int] = field(default_factory=dict)

    def group(self, at_s: float, until_s: float) -> float:
        """Some people come, stand near each other, act and go; when the last has gone from the wall."""
        rng, crowd = self.rng, self.crowd
        if not self.stock:
            self.stock = {shelf.slot: shelf.count for shelf in self.shelves}
        stands = self._stands(int(rng.integers(crowd.together[0], crowd.together[1] + 1)))
        first = len(self.people)
        arrive = []
        for along, out in stands:
            person = Person()
            side = 1.0 if rng.random() < 0.5 else -1.0
            speed = float(rng.uniform(*self.manners.walk_mm_s))
            come_s = at_s + FROM_MM / speed + float(rng.uniform(0.0, 2.0))
            person.goes(come_s - 0.9 - FROM_MM / speed, along + side * FROM_MM, AISLE_MM + float(rng.normal(0, 120)))
            person.goes(come_s - 0.9, along + side * 250.0, AISLE_MM)
            person.goes(come_s, along, out)
            self.people.append(person)
            arrive.append(come_s)
        busy_s = [come_s + float(rng.uniform(0.3, 1.2)) for come_s in arrive]
        last_s = min(max(arrive) + float(rng.uniform(6.0, 14.0)), until_s - 8.0)
        previous: tuple[float, int] | None = None
        for _ in range(40):
            weights = np.array([self._acts(out) for _, out in stands])
            who = int(rng.choice(len(stands), p=weights / weights.sum()))
            begin_s = busy_s[who]
            if previous is not None and rng.random() < crowd.at_once:
                wanted_s, other = previous
                if other != who and wanted_s + 0.4 > begin_s:
                    begin_s = max(begin_s, wanted_s + float(rng.uniform(-0.4, 0.4)))
            if begin_s > last_s:
                break
            done_s = self._deed(first + who, begin_s, stands, first)
            if done_s is None:
                continue
            previous = begin_s, who
            busy_s[who] = done_s + float(rng.uniform(*self.manners.pause_s))
        gone_s = 0.0
        for k, (along, out) in enumerate(stands):
            person = self.people[first + k]
            leave_s = max(busy_s[k], arrive[k] + 1.0) + float(rng.uniform(0.2, 2.0))
            person.goes(leave_s, along, out)
            side = 1.0 if rng.random() < 0.5 else -1.0
            person.goes(leave_s + 0.9, along + side * 250.0, AISLE_MM)
            person.goes(
                leave_s + 0.9 + FROM_MM / float(rng.uniform(*self.manners.walk_mm_s)), along + side * FROM_MM, AISLE_MM
            )
            gone_s = max(gone_s, leave_s)
        return gone_s

    def passer(self, at_s: float) -> None:
        """Somebody walks along the aisle without stopping."""
        rng = self.rng
        middle = float(np.mean([shelf.along_mm for shelf in self.shelves]))
        side = 1.0 if rng.random() < 0.5 else -1.0
        out = float(rng.uniform(700.0, 1300.0))
        person = Person()
        person.goes(at_s, middle - side * FROM_MM, out)
        person.goes(at_s + 2.0 * FROM_MM / float(rng.uniform(*self.manners.walk_mm_s)), middle + side * FROM_MM, out)
        self.people.append(person)

    def _acts(self, out_mm: float) -> float:
        """How likely somebody acts from there rather than from where it is handier."""
        z = (out_mm - self.manners.out_mm) / max(1.5 * self.manners.out_sd_mm, 120.0)
        return math.exp(-0.5 * z * z) + 1e-4

    def _stands(self, count: int) -> list[tuple[float, float]]:
        rng, manners = self.rng, self.manners
        low, high = min(s.along_mm for s in self.shelves), max(s.along_mm for s in self.shelves)
        for _ in range(2000):
            out = float(np.clip(rng.normal(manners.out_mm, manners.out_sd_mm), 230.0, 750.0))
            stands = [(float(rng.uniform(low, high)), out)]
            while len(stands) < count:
                away = float(rng.uniform(*self.crowd.apart_mm))
                turn = float(rng.normal(0.0, 0.35)) + (math.pi if rng.random() < 0.5 else 0.0)
                along, out = stands[-1][0] + away * math.cos(turn), stands[-1][1] + away * math.sin(turn)
                if not 230.0 <= out <= 800.0 or not low - 200.0 <= along <= high + 200.0:
                    break
                stands.append((along, out))
            apart = [math.dist(a, b) for a, b in itertools.combinations(stands, 2)]
            if len(stands) == count and all(each >= self.crowd.apart_mm[0] for each in apart):
                return stands
        return stands[:1]

    def _reach(self, shelf: Shelf, who: int, stands: Sequence[tuple[float, float]]) -> float:
        """How likely that one reaches for it, up to a factor."""
        away = [abs(shelf.along_mm - along) for along, _ in stands]
        nearest = min((each for k, each in enumerate(away) if k != who), default=math.inf)
        others = self.crowd.crosses if away[who] > nearest - CLEARLY_MM else 1.0
        return others * self.manners.likely(shelf.along_mm - stands[who][0])

    def _deed(self, who: int, at_s: float, stands: Sequence[tuple[float, float]], first: int) -> float | None:
        """One pick or put by that person from there; when the hand has gone. None if there is nothing to do."""
        rng, person, stand = self.rng, self.people[who], stands[who - first]
        owner, holds = who, person.holds
        if rng.random() < self.manners.gives_share and len(self.people) - first > 1:
            owner = first + int(rng.integers(len(self.people) - first))
            holds = self.people[owner].holds
        shelf = None
        put = bool(holds) and rng.random() < self.crowd.put_share
        if put:
            homes = [shelf for shelf in self.shelves if min(holds.get(shelf.slot, []), default=math.inf) < at_s]
            reach = [self._reach(home, who - first, stands) for home in homes] or [0.0]
            best = int(np.argmax(reach))
            if rng.random() < reach[best]:  # else they'd have to go there first
                shelf = homes[best]
        if shelf is None:
            put, owner = False, who
            held = {slot for other in self.people[first:] for slot in other.holds}
            there = [s for s in self.shelves if self.stock[s.slot] > 1]
            weights = np.array(
                [self._reach(s, who - first, stands) * (self.crowd.same if s.slot in held else 1.0) for s in there]
            )
            if weights.max(initial=0.0) < 0.02:
                return None
            shelf = there[int(rng.choice(len(there), p=weights / weights.sum()))]
        touch_s, lift_s = float(rng.uniform(0.3, 1.6)), float(rng.uniform(0.12, 0.6))
        self.stock[shelf.slot] += 1 if put else -1
        if put:
            holds[shelf.slot].remove(min(holds[shelf.slot]))
            if not holds[shelf.slot]:
                del holds[shelf.slot]
        else:
            person.holds.setdefault(shelf.slot, []).append(at_s + touch_s + lift_s)
        moved_s = at_s + (0.05 if put else touch_s + 0.5 * lift_s)
        self.deeds.append(Deed(who, at_s, moved_s, shelf, put, owner, touch_s, lift_s))
        along, out = stand
        shift = self.manners.lean * (shelf.along_mm - along)
        person.goes(at_s - 0.25, along, out)
        person.goes(at_s, along + shift, out - 0.1 * self.manners.lean * out)
        person.goes(at_s + touch_s + lift_s, along + shift, out - 0.1 * self.manners.lean * out)
        person.goes(at_s + touch_s + lift_s + 0.3, along, out)
        return at_s + touch_s + lift_s


def way(person: Person, manners: Manners, seed: int) -> tuple[Floats, Floats]:
    """Times (s) every `STEP_S`, and places float64[n, 2], along and out, with a body's sway."""
    rng = np.random.default_rng([seed, 0x3A11])
    first, last = math.ceil(person.times_s[0] / STEP_S), math.floor(person.times_s[-1] / STEP_S)
    times = np.arange(first, last).astype(np.float64) * STEP_S
    places = np.stack([np.interp(times, person.times_s, axis) for axis in (person.along_mm, person.out_mm)], axis=1)
    return times, places + _wander(len(times), manners.sway_mm, 1.5, rng)


def _wander(count: int, sd: float, tau_s: float, rng: np.random.Generator) -> Floats:
    """A random process float64[count, 2] with that standard deviation and correlation time."""
    keep = math.exp(-STEP_S / tau_s)
    steps = rng.normal(0.0, sd * math.sqrt(1.0 - keep * keep), (count, 2))
    found = np.zeros((count, 2))
    state = rng.normal(0.0, sd, 2)
    for k in range(count):
        state = keep * state + steps[k]
        found[k] = state
    return found


@dataclass(frozen=True, slots=True)
class Played:
    """The visits as a scene for the simulated boards: the hands' own units go back, one by one."""

    deeds: tuple[Deed, ...]

    def __call__(self, world: World) -> Iterator[Action]:
        """Actions in order of time."""
        has: dict[tuple[int, str], list[Unit]] = {}
        for deed in self.deeds:
            slot = deed.slot.slot
            if not deed.put:
                yield Pick(deed.at_s, slot, touch_s=deed.touch_s, lift_s=deed.lift_s)
                has.setdefault((deed.person, slot), []).append(world.hands[-1])
                continue
            unit = has[deed.owner, slot].pop(0)
            world.hands.remove(unit)
            world.hands.append(unit)
            yield Put(deed.at_s, slot, sku=unit.sku, contact_s=deed.touch_s + deed.lift_s)
