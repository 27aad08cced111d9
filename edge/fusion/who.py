"""Who it was: a distribution over the people that ceiling cameras follow, for each movement of a board.

Each person near is a source of movements whose rate hangs on where they stand from the item (`who_reach`), on whether
they stand at all, on whether they are there (`who_tracks`), and, of a put, on what they hold (`who_holds`). Somebody
whom no camera follows is a source like them, everywhere alike. Which of several Poisson sources an event came from has
the probability of its share of the rates at that time. Two people at one distance are two at a half each.

While nobody has been tracked anywhere for `SILENT_NS`, cameras may as well be off: nothing is known, or said.
How many aren't tracked is learnt only where somebody near is, so that an outage teaches nothing.
"""

from __future__ import annotations

import math
from collections import deque
from collections.abc import Mapping, Sequence
from dataclasses import replace

from edge.fusion.memory import Guess, Hands, HandUnit
from edge.fusion.model import BoardModel, SkuTable
from edge.fusion.movement import Movement
from edge.fusion.sightings import KEPT_NS, Sightings
from edge.fusion.who_holds import Put, Shares, holding
from edge.fusion.who_place import SEEN_SD_MM, Front, Spot, Stand, spot_of
from edge.fusion.who_reach import Reach
from edge.fusion.who_tracks import At, speed_mm_s, where
from edge.trace.event import Event, Kind
from edge.trace.sighting import TrackPoint

Who = tuple[tuple[str, float], ...]

TIME_SD_S, TIME_SD_SHARE = 0.15, 0.05  # of an event's time: at the least, and of how long the board was at unrest
HERMITE = ((-(3.0**0.5), 1 / 6), (0.0, 2 / 3), (3.0**0.5, 1 / 6))  # Gauss-Hermite points and weights
LOOK_NS = 6_000_000_000  # as far around an event as a track's points may tell something
FAR_MM = 3000.0
SILENT_NS = 30_000_000_000  # without a point of anybody, however empty the aisles: whether a camera works isn't known
PACE_BEFORE_NS, PACE_AFTER_NS = 500_000_000, 300_000_000  # a hand is on the shelf for 0.5 to 3 s
# Share and scale (mm/s) of speeds, each Rayleigh's: of those who take or put something, and of all who are near.
REACHES = ((0.95, 130.0), (0.05, 450.0))
IS_NEAR = ((0.60, 130.0), (0.40, 700.0))
FASTEST_MM_S = 4000.0  # what is faster is a track that jumped
PEOPLE_PER_M2 = 1.0  # before a shelf where something is taken, besides those who do it: people come in groups
UNSEEN, UNSEEN_EVENTS = 0.02, 30.0  # of those who take something: not tracked; worth so many events
# A tracker that misses more than this beside those it follows isn't one; rather is a camera knocked or covered, or sees
# only what is beside this board. That ends some day, and whoever then stands right there must soon be named again.
MOST_UNSEEN = 0.3
MOST_EVENTS = 400.0  # older ones are forgotten
NAMES_MOST, LEAST_TOLD = 5, 0.001
PARTS = 1_000_000  # a probability is told in so many
HAND_S = 1.0  # a hand that takes something is at it for about this long
BOTH_HANDS = 0.2  # at the least: how often one person does with both hands what two do who reach at once
RECENT = 8  # movements of one board in some seconds
LEAST_LEARNT = 0.02


class Namer:
    """Says who it was before one board. Movements are given to `remember` once they are settled, in order of time."""

    def __init__(self, model: BoardModel, skus: SkuTable, front: Front, hands: Hands, sightings: Sightings) -> None:
        self._model, self._skus, self._front = model, skus, front
        self._hands, self._sightings = hands, sightings
        self._reach = Reach()
        self._recent: deque[tuple[int, Shares]] = deque(maxlen=RECENT)
        self._unseen, self._events = UNSEEN * UNSEEN_EVENTS, UNSEEN_EVENTS

    def named(self, events: Sequence[Event], movements: Sequence[Movement], decided_ns: int) -> list[Event]:
        """The same events with `Event.who`, all of one reading together: what one took, one may have put back."""
        if not events or not self._sightings.tracked_by(decided_ns):
            return list(events)
        told = [
            _shared(self._rates(movement, _time_sd_ns(event))[0]) if self._anybody(movement.time_ns) else {}
            for event, movement in zip(events, movements, strict=True)
        ]
        told = self._one_at_a_time(told, movements)
        if any(event.kind is Kind.PUT for event in events):
            self._by_hands(told, movements, self._tracks(decided_ns))
        return [replace(event, who=_told(shares)) for event, shares in zip(events, told, strict=True)]

    def returned(self, movement: Movement, event: Event) -> dict[int, float]:
        """Which of the units in hands a settled put has brought back, by their place in `Hands.units`."""
        if not event.who:
            return {}
        tracks = self._tracks(event.decided_ns)
        held = holding(_put_of(movement, self._model.board), self._hands.units, (), self._skus, tracks)
        return held.returned(dict(event.who))

    def remember(self, movement: Movement, event: Event) -> None:
        """Learn from a settled movement how people stand before this board, and how many aren't tracked."""
        if not event.who:
            return
        who = dict(event.who)
        self._recent.append((movement.time_ns, who))
        stands = self._rates(movement, _time_sd_ns(event))[1]
        if stands:  # else cameras may be off here; and with nobody to choose from, the share isn't asked for
            self._count(who.get("", 0.0))
        spot = self._spot(movement)
        if spot.x_sd_mm <= SEEN_SD_MM:  # a place as wide as a slot says little of how people stand
            for name, stand in stands.items():
                if who.get(name, 0.0) >= LEAST_LEARNT:
                    self._reach.learn(self._front, spot, stand, who[name])

    def _count(self, unseen: float) -> None:
        """One more event, with the chance that it was somebody who isn't tracked."""
        keep = min(MOST_EVENTS / (self._events + 1.0), 1.0)
        self._events = (self._events + 1.0) * keep
        self._unseen = min((self._unseen + unseen) * keep, MOST_UNSEEN * self._events)

    def _anybody(self, time_ns: int) -> bool:
        """Whether anybody was tracked anywhere about then."""
        return bool(self._sightings.tracks(time_ns - SILENT_NS, time_ns + LOOK_NS))

    def _one_at_a_time(self, told: list[Shares], movements: Sequence[Movement]) -> list[Shares]:
        """Two movements at nearly the same time are rarely one person's: who surely made one hardly made the other."""
        times = [movement.time_ns for movement in movements]
        everything = [*zip(times, told, strict=True), *self._recent]
        found = []
        for k, shares in enumerate(told):
            free = dict.fromkeys(shares, 1.0)
            for other, (time_ns, theirs) in enumerate(everything):
                apart_s = abs(time_ns - times[k]) * 1e-9
                if other != k and apart_s < 3.0 * HAND_S:
                    busy = math.exp(-((apart_s / HAND_S) ** 2))
                    free |= {name: free[name] * (1.0 - busy * theirs.get(name, 0.0)) for name in shares if name}
            found.append(_shared({name: share * max(free[name], BOTH_HANDS) for name, share in shares.items()}))
        return found

    def _tracks(self, decided_ns: int) -> Mapping[str, Sequence[TrackPoint]]:
        return self._sightings.tracks(decided_ns - KEPT_NS, decided_ns)

    def _spot(self, movement: Movement) -> Spot:
        return spot_of(self._model, movement.move[2], movement.x_mm, movement.y_mm)

    def _rates(self, movement: Movement, time_sd_ns: int) -> tuple[Shares, dict[str, Stand]]:
        """Of each person near, and of nobody tracked (""): the rate by place and pace. And where they stand."""
        spot, time_ns = self._spot(movement), movement.time_ns
        missed = self._unseen / self._events
        rates: Shares = {"": PEOPLE_PER_M2 * missed / (1.0 - missed)}
        stands: dict[str, Stand] = {}
        for name, points in self._sightings.tracks(time_ns - LOOK_NS, time_ns + LOOK_NS).items():
            now = where(points, time_ns)
            if now is None:
                continue
            stand = self._stand(spot, now)
            if math.hypot(stand.along_mm, stand.out_mm) > FAR_MM + spot.x_sd_mm:
                continue
            pace = _pace(speed_mm_s(points, time_ns - PACE_BEFORE_NS, time_ns + PACE_AFTER_NS))
            rate = pace * self._mean_density(spot, points, time_ns, time_sd_ns)
            if math.isfinite(rate):  # another node may send anything
                stands[name], rates[name] = stand, rate
        return rates, stands

    def _mean_density(self, spot: Spot, points: Sequence[TrackPoint], time_ns: int, sd_ns: int) -> float:
        """Over the times at which it may have been."""
        found = 0.0
        for place, weight in HERMITE:
            at = where(points, time_ns + round(place * sd_ns))
            if at is not None:
                found += weight * at.there * self._reach.density(self._front, spot, self._stand(spot, at))
        return found

    def _stand(self, spot: Spot, at: At) -> Stand:
        return Stand(*self._front.offset(spot, at.x_mm, at.y_mm), *self._front.variances(at.xx, at.xy, at.yy))

    def _by_hands(
        self, told: list[Shares], movements: Sequence[Movement], tracks: Mapping[str, Sequence[TrackPoint]]
    ) -> None:
        """Go through picks and puts in order of time; changes ``told``.

        A put is likelier of somebody who holds its product. And the other way round, while both are open: a pick is
        likelier of somebody who is then there to put it back.
        """
        out: list[tuple[HandUnit, int]] = [(unit, -1) for unit in self._hands.units]  # with the pick it is from
        for k in sorted(range(len(movements)), key=lambda k: (movements[k].time_ns, k)):
            movement = movements[k]
            sign, sku, slot, quantity = movement.move
            if sign < 0:
                guesses = (Guess(sku, slot, quantity, 1.0),)
                grams, var = abs(movement.grams) / quantity, movement.grams_var / quantity**2
                unit = HandUnit(guesses, grams, var, self._model.board, movement.time_ns)
                out += [(unit, k)] * quantity
                continue
            put, by_place = _put_of(movement, self._model.board), told[k]
            units = [replace(unit, who=tuple(told[pick].items())) if pick >= 0 else unit for unit, pick in out]
            held = holding(put, units, by_place, self._skus, tracks)
            told[k] = _shared({name: share * held.factor[name] for name, share in by_place.items()})
            returned = held.returned(told[k])
            for pick in sorted({out[j][1] for j in returned} - {-1}) if by_place else ():
                told[pick] = self._looked_back(pick, told[pick], by_place, put, out, units, tracks)
            for _ in range(min(quantity, len(returned))):
                gone = max(returned, key=lambda j: (returned[j], -j))
                del returned[gone]
                out[gone] = (replace(out[gone][0], guesses=()), -1)

    def _looked_back(
        self, pick: int, by_place: Shares, puts: Shares, put: Put, out: Sequence[tuple[HandUnit, int]],
        units: Sequence[HandUnit], tracks: Mapping[str, Sequence[TrackPoint]],
    ) -> Shares:  # fmt: skip
        """Who picked, knowing where everybody stood when it was put back."""
        found = {}
        for name, share in by_place.items():
            if share < LEAST_TOLD:
                continue
            surely = [
                replace(unit, who=((name, 1.0),)) if origin == pick else unit
                for unit, (_, origin) in zip(units, out, strict=True)
            ]
            held = holding(put, surely, puts, self._skus, tracks)
            found[name] = share * sum(p * held.factor[other] for other, p in puts.items())
        return _shared(found)


def _time_sd_ns(event: Event) -> int:
    """Of when it moved: after a long unrest, or in the dark, hardly anybody knows."""
    unrest_ns = 0 if event.evidence is None else max(event.evidence.end_ns - event.evidence.begin_ns, 0)
    return round(TIME_SD_S * 1e9 + TIME_SD_SHARE * unrest_ns)


def _put_of(movement: Movement, board: str) -> Put:
    quantity = movement.move[3]
    grams = abs(movement.grams) if quantity == 1 else math.nan
    return Put(movement.move[1], grams, movement.grams_var, board, movement.time_ns)


def _pace(speed_mm_s: float) -> float:
    """How likely somebody who takes or puts something is as fast as that, beside anybody who is near."""
    speed = min(speed_mm_s, FASTEST_MM_S)
    return _rayleigh(speed, REACHES) / _rayleigh(speed, IS_NEAR)


def _rayleigh(speed: float, parts: tuple[tuple[float, float], ...]) -> float:
    """Density of a mixture, without the factor ``speed`` that all have."""
    return sum(share / (scale * scale) * math.exp(-0.5 * (speed / scale) * (speed / scale)) for share, scale in parts)


def _shared(rates: Shares) -> Shares:
    total = sum(rates.values())
    return {name: rate / total for name, rate in rates.items()}


def _told(shares: Shares) -> Who:
    """Best first, rounded down; what is too little to be told is nobody's, and all together are 1. None of none."""
    if not shares:
        return ()
    best = sorted(((p, name) for name, p in shares.items() if name), key=lambda entry: (-entry[0], entry[1]))
    kept = [(name, math.floor(p * PARTS) / PARTS) for p, name in best[:NAMES_MOST] if p >= LEAST_TOLD]
    nobody = round(1.0 - sum(p for _, p in kept), 6)
    if nobody > 0.0:
        kept.append(("", nobody))
    return tuple(sorted(kept, key=lambda entry: (-entry[1], entry[0])))
