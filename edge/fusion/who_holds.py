"""Who has a unit in their hands: what picks have told, carried on where a track was lost and another was born.

A put of what one of the people near has taken is that person's, rather than somebody's who holds none. A unit has a
weight of its own, too: of two who took the same product, the one whose unit weighs what was put down. What is
remembered may be wrong (handed over, put away, another product, an identity that jumped): `OTHERS` is the share of
puts by people of whom nothing was known, so that a wrong memory never outweighs a place that is clear.
"""

from __future__ import annotations

import math
from bisect import bisect_right
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from edge.fusion.memory import HandUnit
from edge.fusion.model import SkuTable
from edge.fusion.moves import FOREIGN, REWEIGHED_VAR
from edge.trace.sighting import TrackPoint

OTHERS = 0.06
FORGET_S = 300.0  # in this time things are handed over, and tracks swapped unseen, with a chance of 1 - 1/e
GAIN_SD = 0.0015  # between two boards
RATIO = (1e-3, 30.0)  # of a weight's likelihood: scales creep, and packets lose a crumb
ALIVE_S = 0.8  # a track whose last point is older than this has ended
GOES_ON = 0.7  # of the tracks that end in a shop: the person is still there and gets another name
JUMP_MM, JUMP_MM_S = 300.0, 700.0  # how far from the old track's end the new one begins, for a gap of no time; growing
ROOM_M2 = 30.0  # in which people come into sight who weren't tracked before
CLOTHES_SD, CLOTHES_APART_SD = 12.0, 45.0  # of a mean colour: of one person, between two
CLOTHES_RATIO = (1e-2, 1e2)
LEAST_SHARE = 0.005
UNKNOWN = "?"  # no track's name: who has what was taken while no camera worked

Shares = dict[str, float]
Points = Sequence[TrackPoint]


@dataclass(frozen=True, slots=True)
class Holding:
    """What a put's weight and product say of who made it.

    Attributes:
        factor: by track ("" for somebody who isn't tracked): how likely to put this, beside somebody who surely holds
            any unit of the product.
        has: of each unit that is out, who has it and it is of this product; `UNKNOWN` may be anybody.
        fits: of each unit, how well its weight would be the one, beside any unit of the product.
    """

    factor: Shares
    has: tuple[Shares, ...]
    fits: tuple[float, ...]

    def returned(self, who: Shares) -> dict[int, float]:
        """Of each unit that may be it how likely it is the one that came back, if ``who`` put it down."""
        likely = [
            fit * sum(share * (OTHERS + (1.0 - OTHERS) * who.get(name, 0.0)) for name, share in has.items())
            for fit, has in zip(self.fits, self.has, strict=True)
        ]
        total = sum(likely)
        return {k: share / total for k, share in enumerate(likely) if share > LEAST_SHARE * total}


@dataclass(frozen=True, slots=True)
class Put:
    """A put as far as hands go. ``grams`` of one unit; NaN: several at once, of which only the sum was weighed."""

    sku: int
    grams: float
    grams_var: float
    board: str
    time_ns: int


def holding(
    put: Put, units: Sequence[HandUnit], names: Iterable[str], skus: SkuTable, tracks: Mapping[str, Points]
) -> Holding:
    """For a put that one of ``names`` may have made; ``tracks`` of the last minutes, until now."""
    fits = tuple(_fit(unit, put, skus) for unit in units)
    has = tuple(_has(unit, put, tracks) for unit in units)
    factor = {}
    for name in names:
        held = sum(shares.get(name, 0.0) for shares in has)
        weighed = sum(shares.get(name, 0.0) * fit for shares, fit in zip(has, fits, strict=True))
        factor[name] = OTHERS + (1.0 - OTHERS) * weighed / max(held, 1.0)
    return Holding(factor, has, fits)


def _has(unit: HandUnit, put: Put, tracks: Mapping[str, Points]) -> Shares:
    may_be = sum(guess.share for guess in unit.guesses if guess.sku == put.sku)
    may_be *= math.exp(-max(put.time_ns - unit.taken_ns, 0) * 1e-9 / FORGET_S)
    found: Shares = {}
    if may_be > 0.0:
        for old, p in unit.who:
            for name, share in heirs(old, put.time_ns, tracks).items():
                found[name] = found.get(name, 0.0) + may_be * p * share
        unknown = 1.0 - sum(p for _, p in unit.who)
        if unknown > LEAST_SHARE:
            found[UNKNOWN] = may_be * unknown
    return found


def heirs(name: str, now_ns: int, tracks: Mapping[str, Points]) -> Shares:
    """Who is now the person that was ``name`` then; "" if that can't be told any more.

    A track that ended goes on in those that were born after it, as near and as soon after its end, and as much alike
    in clothes, as may be.
    """
    found: Shares = {}
    open_shares = {name: 1.0}
    while open_shares:
        # The one that ended first: what it leaves goes to tracks that end later, so none comes twice.
        old = min(open_shares, key=lambda each: (_end_ns(each, tracks), each))
        share = open_shares.pop(old)
        points = tracks.get(old)
        if not old or not points or (now_ns - points[-1].time_ns) * 1e-9 <= ALIVE_S:
            key = old if points else ""
            found[key] = found.get(key, 0.0) + share
            continue
        begun = {other: _goes_on(points[-1], begin) for other, begin in _after(old, points[-1].time_ns, tracks).items()}
        none = 1.0 - GOES_ON
        total = none + sum(begun.values())
        found[""] = found.get("", 0.0) + share * none / total
        for other, weight in begun.items():
            if weight > 0.01 * total:
                open_shares[other] = open_shares.get(other, 0.0) + share * weight / total
            else:
                found[""] += share * weight / total
    return found


def _after(old: str, end_ns: int, tracks: Mapping[str, Points]) -> dict[str, TrackPoint]:
    """The tracks that may go on where one ended, with their first point after that.

    Of the same camera only new ones: two that it tells apart are two people. Another camera may have seen them before.
    """
    found = {}
    for other, points in tracks.items():
        if points[0].time_ns > end_ns:
            found[other] = points[0]
        elif points[-1].time_ns > end_ns and _camera(other) != _camera(old):
            found[other] = points[bisect_right(points, end_ns, key=lambda point: point.time_ns)]
    return found


def _camera(track: str) -> str:
    """Of a name as `TrackPoint.track` has it; any other name is of one and the same camera."""
    return track.rsplit(".", 2)[0] if track.count(".") >= 2 else ""


def _end_ns(name: str, tracks: Mapping[str, Points]) -> int:
    points = tracks.get(name)
    return points[-1].time_ns if points else 0


def _goes_on(end: TrackPoint, begin: TrackPoint) -> float:
    """How likely one track is the other's continuation, beside that the person came into sight anywhere."""
    gap_s = (begin.time_ns - end.time_ns) * 1e-9
    var = (JUMP_MM + JUMP_MM_S * gap_s) ** 2 + 0.5 * (end.xx_mm2 + end.yy_mm2 + begin.xx_mm2 + begin.yy_mm2)
    away_mm = math.hypot(begin.x_mm - end.x_mm, begin.y_mm - end.y_mm)
    if not (math.isfinite(away_mm) and 0.0 < var < math.inf):
        return 0.0
    ratio = ROOM_M2 * 1e6 * math.exp(-0.5 * (away_mm / var) * away_mm) / (2.0 * math.pi * var)
    return GOES_ON * ratio * _alike(end.clothes, begin.clothes)


def _alike(one: tuple[int, ...], other: tuple[int, ...]) -> float:
    """Likelihood ratio of one person's clothes against two people's. Its six numbers are worth about three."""
    if not one or len(one) != len(other):
        return 1.0
    squares = sum((a - b) ** 2 for a, b in zip(one, other, strict=True))
    log = len(one) * math.log(CLOTHES_APART_SD / CLOTHES_SD)
    log -= 0.5 * squares * (CLOTHES_SD**-2 - CLOTHES_APART_SD**-2)
    return min(max(math.exp(0.5 * log), CLOTHES_RATIO[0]), CLOTHES_RATIO[1])


def _fit(unit: HandUnit, put: Put, skus: SkuTable) -> float:
    """How much better this very unit explains the weight than just any of its product; 0 for another product."""
    if not any(guess.sku == put.sku for guess in unit.guesses):
        return 0.0
    if put.sku == FOREIGN or math.isnan(put.grams):
        return 1.0
    own_var = unit.weight_var + put.grams_var + REWEIGHED_VAR
    if unit.board != put.board:
        own_var += (GAIN_SD * put.grams) ** 2
    any_var = float(skus.spread_var[put.sku] + skus.mean_var[put.sku]) + put.grams_var
    any_off, own_off = put.grams - float(skus.weight_g[put.sku]), put.grams - unit.weight_g
    log = 0.5 * (any_off * any_off / any_var - own_off * own_off / own_var + math.log(any_var / own_var))
    return math.exp(min(max(log, math.log(RATIO[0])), math.log(RATIO[1])))
