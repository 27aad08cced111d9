"""How likely a load change is on a board: what a plate's statics and the planogram allow, and what neither does.

Statics: a load gives forces whose sum is its weight and whose moments give its place, which is on the board. Four cells
under the corners say one number more, the twist; a plate leaves it between 0 (stiff) and ``W u v / 4`` (soft), see
`edge.fusion.sharing`. Weight: what moves is a few units of what lies in that place, and what was lifted weighs the same
when it is put back. Whatever isn't so (two hands at once, a thing nobody knows) has a density of its own that is the
same whatever is wrong with the board, so no single change can outvote the others.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np

from calibration.diagnosis.samples import BoardSamples, CellSamples, Floats

WEIGHT_SHARE = 0.012  # what calibration, creep and a planogram that somebody weighed do to a weight
AGAIN_SHARE, AGAIN_G = 0.004, 1.0  # the same unit down again: creep, a hand that has hardly left
SPREAD = 1.3  # a planogram's spread may be too small by that
UNITS = (0.9, 0.06, 0.025, 0.015)  # one, two, three or four at a time
BESIDE_MM = 18.0  # of a place: cells stand beside where the file says, gains differ by tenths of a percent
TWIST_SHARE = 0.017  # of the weight: unequal springs and mounts, cells not quite under the corners
ELSEWHERE, UNKNOWN, ANYHOW = 0.04, 0.04, 0.12
"""Of load changes: a known thing out of its place, a thing nobody knows, and no single thing at all."""
AGAIN = 0.7  # of what comes down after something was lifted from there: the same thing
SPAN = math.log(600.0)  # of an unknown weight: 5 g to 3 kg
FULL, PARTLY, BESIDES = 0.25, 0.6, 0.15
"""Of boards: filled as planned, partly sold, and anything up to three times that."""
FULL_SHARE, FULL_G = 0.02, 30.0
LEAST_G = 1.0
FLOOR_G = 1.0  # of what a hand, a footstep or a neighbour's shelf leaves in a level
CARELESS, CARELESS_SHARE, CARELESS_G = 0.2, 0.01, 3.0
"""Of load changes: something else moved a little, or a hand hadn't quite left; and by how much that is off."""


@dataclass(frozen=True, slots=True)
class Shares:
    """What several explanations make of the load changes.

    Attributes:
        loads: float64[h, n, 3]: weight in g, and the moments in g mm.
        sd_g: float64[h, n] of the weight. place_mm: float64[h, n] of the place, by noise.
        rest: float64[h, n, r]: forces beyond statics. rest_sd: float64[h, n].
        volume: float64[h]: the determinant of what the explanation does to the forces.
    """

    loads: Floats
    sd_g: Floats
    place_mm: Floats
    rest: Floats
    rest_sd: Floats
    volume: Floats


class Plate:
    """A board's statics and its planogram. ``cells``: each with its gain known."""

    def __init__(self, board: BoardSamples, cells: list[CellSamples]) -> None:
        self.x = np.array([each.cell.x_mm for each in cells])
        self.y = np.array([each.cell.y_mm for each in cells])
        self.sees = (float(np.ptp(self.x)) > 40.0, float(np.ptp(self.y)) > 40.0)
        self.size = (board.width_mm, board.depth_mm)
        self.corners = corners_of(self.x, self.y)
        self.statics = np.column_stack([np.ones(self.x.size), self.x, self.y])
        """float64[cells, 3]: the load of forces is ``statics.T @ forces``."""
        self._product = (self.x - self.x.mean()) * (self.y - self.y.mean())
        self.rigid = self.statics @ np.linalg.pinv(self.statics.T @ self.statics, rcond=1e-9)
        """float64[cells, 3]: what a stiff plate hands its cells of a load."""
        self._twist = self._product - self.rigid @ self.statics.T @ self._product
        self.beyond = self._beyond()
        self.all_known = self.x.size == 1 + sum(self.sees) + self.beyond.shape[1]
        slots = board.slots
        self._weight = np.array([slot.weight_g for slot in slots])
        self._spread = np.array([slot.spread_g for slot in slots])
        extents = np.array([[*slot.x_mm, *slot.y_mm] for slot in slots]).reshape(len(slots), 4)
        self._full_g = sum(slot.count * slot.weight_g for slot in slots)
        self._from, self._to = extents[:, [0, 2]], extents[:, [1, 3]]

    def shares(self, forces: Floats, sd: Floats, factors: Floats) -> Shares:
        """Of explanations that multiply cells by ``factors``, float64[h, cells]; forces are float64[n, cells]."""
        true = forces[None] * factors[:, None, :]
        noise = (sd[None] * factors[:, None, :]) ** 2
        return Shares(
            true @ self.statics,
            np.sqrt(noise.sum(axis=2)),
            np.sqrt((noise * self._arms()).sum(axis=2)),
            true @ self.beyond,
            np.sqrt(noise.mean(axis=2)),
            np.abs(np.prod(factors, axis=1)),
        )

    def log_density(self, found: Shares, before: Floats) -> tuple[Floats, Floats]:
        """Of each change under each explanation, float64[h, n], and of each as no single thing, float64[n].

        ``before``: what all cells together changed by, in g, float64[n].
        """
        weight = found.loads[..., 0]
        grams = np.maximum(np.abs(weight), LEAST_G)
        places = found.loads[..., 1:] / np.where(np.abs(weight) < LEAST_G, LEAST_G, weight)[..., None]
        slack = BESIDE_MM + found.place_mm / grams
        on_board = np.ones_like(grams)
        for axis in np.flatnonzero(self.sees):
            on_board *= _within(places[..., axis], 0.0, self.size[axis], slack)
        known = self._known(grams, found.sd_g, places, slack)
        elsewhere = on_board * self._by_weight(grams, found.sd_g).mean(axis=-1) if self._weight.size else 0.0
        unknown = on_board / grams / SPAN
        here = (1.0 - ELSEWHERE - UNKNOWN) * known if self._weight.size else unknown
        shape = self._rest(found, weight, grams)
        axes = sum(self.sees)
        wide = np.maximum(before, LEAST_G)
        scale = found.volume[:, None] / grams**axes
        if not self.all_known:  # a density of the weight's logarithm and the place, which no factor favours
            scale = grams / wide ** (1 + axes)
        density = (here + ELSEWHERE * elsewhere + UNKNOWN * unknown) * shape * scale
        area = math.prod(3.0 * self.size[axis] for axis in np.flatnonzero(self.sees))
        rests = self.beyond.shape[1]
        anyhow = np.log(ANYHOW / SPAN / area) - (1 + axes + rests) * np.log(wide)
        sound = np.log(np.maximum((1.0 - ANYHOW) * density, 1e-300))
        return np.logaddexp(sound, anyhow[None]), anyhow

    def again(self, found: Shares) -> Floats:
        """float64[h, n]: by how much likelier a change is as the return of what was lifted just before; logs."""
        weight = found.loads[..., 0]
        gain = np.zeros_like(weight)
        if weight.shape[1] < 2 or not self._weight.size:
            return gain
        up, down = weight[:, :-1], weight[:, 1:]
        sd = np.sqrt(found.sd_g[:, 1:] ** 2 + found.sd_g[:, :-1] ** 2 + AGAIN_G**2 + (AGAIN_SHARE * down) ** 2)
        off = up + down
        same = (1.0 - CARELESS) * _normal(off, sd)
        same += CARELESS * _normal(off, np.sqrt(sd**2 + CARELESS_G**2 + (CARELESS_SHARE * down) ** 2))
        alone = np.maximum(self._by_weight(np.abs(down), found.sd_g[:, 1:]).mean(axis=-1), 1e-300)
        pair = (up < 0.0) & (down > 0.0)
        gain[:, 1:] = np.where(pair, np.log((1.0 - AGAIN) + AGAIN * np.minimum(same / alone, 1e6)), 0.0)
        return gain

    def standing(self, grams: float, factors: Floats) -> Floats:
        """Log-likelihood of what lies on the board, if that is ``factors`` times as much; float64[h], 0 for none."""
        full = self._full_g
        if not full:
            return np.zeros(factors.size)
        true = factors * grams
        density = FULL * _normal(true - full, np.sqrt((FULL_SHARE * full) ** 2 + FULL_G**2))
        density += np.where((true > 0) & (true < full), PARTLY / full, 0.0)
        density += np.where((true > 0) & (true < 3 * full), BESIDES / 3.0 / full, 1e-3 / full)
        found: Floats = np.log(density * factors)
        return found

    def nearest(self, found: Shares) -> tuple[int, ...]:
        """The slot of each change, by place and weight, under the first explanation; -1 where there is none."""
        if not self._weight.size:
            return (-1,) * int(found.loads.shape[1])
        weight = found.loads[0, :, 0]
        grams = np.maximum(np.abs(weight), LEAST_G)
        places = found.loads[0, :, 1:] / np.where(np.abs(weight) < LEAST_G, LEAST_G, weight)[:, None]
        off = np.zeros((grams.size, self._weight.size))
        for axis in np.flatnonzero(self.sees):
            at = places[:, axis, None]
            off += np.maximum(0.0, np.maximum(self._from[None, :, axis] - at, at - self._to[None, :, axis])) / 30.0
        off += np.abs(np.log(grams[:, None] / self._weight[None]))
        return tuple(int(row.argmin()) for row in off)

    def _arms(self) -> Floats:
        arms: Floats = (self.x - self.x.mean()) ** 2 + (self.y - self.y.mean()) ** 2
        return arms

    def _beyond(self) -> Floats:
        """float64[cells, r]: directions of forces that carry no weight and no moment that can be seen."""
        if self.corners is not None:
            twist: Floats = (self._twist / np.abs(self._twist).sum())[:, None]
            return twist
        return np.zeros(
            (self.x.size, 0)
        )  # on more cells, or in a row, a plate's own stiffness decides: nothing is known

    def _rest(self, found: Shares, weight: Floats, grams: Floats) -> Floats:
        """Density of the forces beyond statics; in units of the weight, so that all have the same dimension."""
        rests = found.rest.shape[2]
        if rests == 0:
            return np.ones_like(grams)
        # A soft plate shares bilinearly: it adds to the stiff one's shares what x y of the load is more than theirs.
        at = found.loads[..., 1:] - weight[..., None] * np.array([self.x.mean(), self.y.mean()])
        soft = at[..., 0] * at[..., 1] / np.where(weight == 0, 1.0, weight) - found.loads @ (self._product @ self.rigid)
        soft = np.clip(soft / np.abs(self._twist).sum(), -grams / 2.0, grams / 2.0)
        sd = np.sqrt((TWIST_SHARE * grams) ** 2 + found.rest_sd**2 / 4.0)
        low, high = np.minimum(soft, 0.0) - 0.5 * sd, np.maximum(soft, 0.0) + 0.5 * sd
        found_share: Floats = _within(found.rest[..., 0], low, high, sd)
        return found_share

    def _known(self, grams: Floats, sd_g: Floats, places: Floats, slack: Floats) -> Floats:
        """A few units of what lies there."""
        if not self._weight.size:
            return np.zeros_like(grams)
        by_weight = self._by_weight(grams, sd_g)
        for axis in np.flatnonzero(self.sees):
            at, wide = places[..., axis, None], slack[..., None]
            by_weight = by_weight * _within(at, self._from[:, axis], self._to[:, axis], wide)
        return np.asarray(by_weight.mean(axis=-1))

    def _by_weight(self, grams: Floats, sd_g: Floats) -> Floats:
        """float64[h, n, slots]."""
        found = np.zeros((*grams.shape, self._weight.size))
        close = (sd_g**2 + FLOOR_G**2 + (WEIGHT_SHARE * grams) ** 2)[..., None]
        wide = (CARELESS_G**2 + (CARELESS_SHARE * grams) ** 2)[..., None]
        for number, prior in enumerate(UNITS, 1):
            off, spread = grams[..., None] - number * self._weight, number * (SPREAD * self._spread) ** 2
            found += prior * (1.0 - CARELESS) * _normal(off, np.sqrt(close + spread))
            found += prior * CARELESS * _normal(off, np.sqrt(close + wide + spread))
        return found


def _normal(off: Floats, sd: Floats) -> Floats:
    found: Floats = np.exp(-0.5 * np.square(off / sd)) / (math.sqrt(2 * math.pi) * sd)
    return found


def _within(at: Floats, low: Floats | float, high: Floats | float, sd: Floats) -> Floats:
    """Density of a place that is anywhere between, smeared by ``sd``; logistic for the normal's integral (to 1 %)."""
    inside = _step((at - low) / sd) - _step((at - high) / sd)
    found: Floats = np.maximum(inside, 0.0) / np.maximum(np.subtract(high, low), 1e-9)
    return found


def _step(sigmas: Floats) -> Floats:
    found: Floats = 1.0 / (1.0 + np.exp(-np.clip(1.702 * sigmas, -60.0, 60.0)))
    return found


def corners_of(x: Floats, y: Floats) -> tuple[int, int, int, int] | None:
    """Front left, front right, back left, back right; None unless four cells stand about in a rectangle."""
    if x.size != 4 or float(np.ptp(x)) < 40.0 or float(np.ptp(y)) < 40.0:
        return None
    right, back = x > x.mean(), y > y.mean()
    corners = [np.flatnonzero((right == r) & (back == b)) for b in (False, True) for r in (False, True)]
    if any(found.size != 1 for found in corners):
        return None
    off = max(float(np.ptp(x[right])), float(np.ptp(x[~right]))) / float(np.ptp(x))
    off = max(off, float(np.ptp(y[back])) / float(np.ptp(y)), float(np.ptp(y[~back])) / float(np.ptp(y)))
    fl, fr, bl, br = (int(found[0]) for found in corners)
    return (fl, fr, bl, br) if off < 0.35 else None
