"""How the cells of a board share load changes, held against statics and against what things weigh.

Statics: a load on a plate gives forces whose sum is its weight and whose moments give its place, which is on the board.
Four cells under the corners say one number more, the twist; a plate leaves it between 0 (stiff) and ``W u v / 4``
(soft), see `edge.fusion.sharing`. Weight: what moves is a few units of what lies in that place, by the planogram. A
fault of one cell (dead, reversed, another gain, a corner that hangs) breaks these in a way of its own: each is tried,
and the one that mends most of what is broken is named.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

from calibration.diagnosis.changes import Change
from calibration.diagnosis.samples import BoardSamples, CellSamples, Floats, Slot

TWIST_SHARE = 0.05  # of the weight: unequal springs and mounts, gains, cells not quite under the corners
WEIGHT_SHARE = 0.015  # what calibration, creep and a hand that has hardly left do to a weight
MOVED_SHARE = 0.15  # of all that cells changed by: less weight than that came or went
BESIDE_MM = 30.0
MOST_UNITS = 4
BROKEN, WHOLE = 3.0, 2.0  # misfits, in tolerances: beyond the one a change is broken, below the other it is explained
CAP = 6.0
LEAST_CHANGES = 3
DEAD_SHARE = 0.01  # of what all cells carry: a hundredth is what mounts and cables give on
RATIO_SHARE = 0.035  # unit to unit 1 to 2 %, calibration and creep 1.5 %
LEAST_OFF, SLIP_SHARE, MOST_NEAR, MOST_ANYWHERE = 0.05, 0.06, 3, 8
SLIPS = (2.0, 4.0, 0.5, 0.25)  # gain 64 or 32 for 128, and back
SCALES = tuple(float(x) for x in np.exp(np.linspace(math.log(0.28), math.log(3.6), 107)) if abs(math.log(x)) > 0.045)


@dataclass(frozen=True, slots=True)
class Explanation:
    """What mends the board's load changes.

    Attributes:
        kind: "dead", "reversed", "slip", "scale" of one cell; "common slip", "common scale" of all; "twist": nothing
            mends it.
        cell: index; -1 for all cells. factor: what the cell's grams must be multiplied by.
        broken, mended, changes: how many changes don't fit as they are, how many of these fit so, and all of them.
    """

    kind: str
    cell: int
    factor: float
    broken: int
    mended: int
    changes: int


def explain(board: BoardSamples, cells: list[CellSamples], changes: list[Change]) -> Explanation | None:
    """None where the changes fit well enough as they are, or there are too few."""
    if len(changes) < LEAST_CHANGES or len(cells) < 1 or not all(cell.weighed for cell in cells):
        return None
    gain = np.array([cell.counts_per_gram or 1.0 for cell in cells])
    forces = np.array([change.counts / gain for change in changes])
    sd = np.array([change.sd / np.abs(gain) for change in changes])
    if np.isnan(forces).any():
        return None
    plate = _Plate(board, cells)
    dead = plate.dead(forces, sd)
    if dead is not None:
        return Explanation("dead", dead, 1.0, len(changes), len(changes), len(changes))
    common = plate.common(forces, sd)
    if common is not None:
        factor, fitting = common
        kind = "common slip" if any(abs(factor * slip - 1.0) < SLIP_SHARE for slip in SLIPS) else "common scale"
        return Explanation(kind, -1, factor, fitting, fitting, len(changes))
    return _of_one_cell(plate, forces, sd)


def _of_one_cell(plate: _Plate, forces: Floats, sd: Floats) -> Explanation | None:
    before = plate.misfits(forces, sd)
    broken = before > BROKEN
    count, changes, cells = int(np.count_nonzero(broken)), len(forces), forces.shape[1]
    if count < max(2, 0.3 * changes):
        return None
    now = float((np.minimum(before, CAP) ** 2).mean())
    best, least = None, math.inf
    for kind, cell, factor, cost in _hypotheses(cells):
        mended = forces.copy()
        mended[:, cell] *= factor
        after = plate.misfits(mended, sd)
        left = float((np.minimum(after, CAP) ** 2).mean()) + cost
        if left < least:
            good = int(np.count_nonzero(broken & (after < WHOLE)))
            worse = int(np.count_nonzero(~broken & (after > BROKEN)))
            best, least = Explanation(kind, cell, factor, count, good - worse, changes), left
    enough = best is not None and best.mended >= max(_least_mended(best.kind, plate), 0.6 * count)
    if enough and least < 0.45 * now:
        return best
    twisted = int(np.count_nonzero(plate.twists(forces, sd) > BROKEN))
    if twisted >= max(3, 0.5 * changes):
        return Explanation("twist", -1, 1.0, twisted, 0, changes)
    return None


def _least_mended(kind: str, plate: _Plate) -> int:
    """How many changes it takes to believe it: the freer the guess, the more."""
    if kind == "reversed" and plate.corners is not None:
        return 2
    return 4 if kind == "scale" else 3


def _hypotheses(cells: int) -> Iterator[tuple[str, int, float, float]]:
    """Kind, cell, factor and what it costs to assume it: the more special come cheaper, as fewer of them fit."""
    for cell in range(cells if cells > 1 else 0):
        yield "reversed", cell, -1.0, 0.0
        for factor in SLIPS:
            yield "slip", cell, factor, 0.2
        for factor in SCALES:
            yield "scale", cell, factor, 0.5


class _Plate:
    """A board's statics and its planogram."""

    def __init__(self, board: BoardSamples, cells: list[CellSamples]) -> None:
        self.x = np.array([each.cell.x_mm for each in cells])
        self.y = np.array([each.cell.y_mm for each in cells])
        self.sees_x, self.sees_y = bool(np.ptp(self.x) > 40.0), bool(np.ptp(self.y) > 40.0)
        self.size = (board.width_mm, board.depth_mm)
        self.slots = board.slots
        self.corners = _corners(self.x, self.y)

    def misfits(self, forces: Floats, sd: Floats) -> Floats:
        """float64[changes], the worst of each change's misfits, in tolerances."""
        found = np.zeros(len(forces))
        for n, (force, doubt) in enumerate(zip(forces, sd, strict=True)):
            weight, weight_sd = float(force.sum()), float(np.sqrt((doubt**2).sum()))
            if abs(weight) < MOVED_SHARE * float(np.abs(force).sum()) + 3.0 * weight_sd + 1.0:
                continue  # something was moved from one place to another
            x = float(force @ self.x) / weight if self.sees_x else math.nan
            y = float(force @ self.y) / weight if self.sees_y else math.nan
            place_sd = float(
                np.sqrt((doubt**2 * ((self.x - self.x.mean()) ** 2 + (self.y - self.y.mean()) ** 2)).sum())
            )
            place_sd = BESIDE_MM + place_sd / abs(weight)
            found[n] = max(
                _beyond(x, self.size[0]) / place_sd,
                _beyond(y, self.size[1]) / place_sd,
                self._weight_misfit(abs(weight), weight_sd, x, y, place_sd),
            )
        return np.maximum(found, self.twists(forces, sd))

    def twists(self, forces: Floats, sd: Floats) -> Floats:
        """float64[changes], how far beyond what plates do, in tolerances; 0 without four cells in a rectangle."""
        if self.corners is None:
            return np.zeros(len(forces))
        fl, fr, bl, br = forces[:, list(self.corners)].T
        weight = fl + fr + bl + br
        safe = np.where(np.abs(weight) < 1.0, 1.0, weight)
        soft = (fr + br - fl - bl) * (bl + br - fl - fr) / safe / 4.0
        twist = (fl - fr - bl + br) / 4.0
        tolerance = np.sqrt((sd**2).sum(axis=1)) / 4.0 + TWIST_SHARE / 3.0 * np.abs(weight)
        over = np.maximum(twist - np.maximum(soft, 0.0), np.minimum(soft, 0.0) - twist)
        carried = np.abs(forces).sum(axis=1)
        result: Floats = np.where(np.abs(weight) < MOVED_SHARE * carried, 0.0, np.maximum(over, 0.0) / tolerance)
        return result

    def dead(self, forces: Floats, sd: Floats) -> int | None:
        """A cell that never moves though, by what the others say, it had to.

        On four corners the missing force lies between ``b + c - o`` (a stiff plate: no twist) and ``b c / o`` (a soft
        one: bilinear), with the neighbours b and c and the opposite corner o.
        """
        carried = np.abs(forces).sum(axis=1)
        for cell in range(forces.shape[1] if forces.shape[1] > 1 else 0):
            own = np.abs(forces[:, cell])
            if float(own.sum()) > DEAD_SHARE * float(carried.sum()) + 3.0 * float(np.sqrt((sd[:, cell] ** 2).sum())):
                continue
            if self.corners is None:
                if len(forces) > LEAST_CHANGES:
                    return cell
                continue
            fl, fr, bl, br = self.corners
            opposite = {fl: br, br: fl, fr: bl, bl: fr}[cell]
            b, c = (np.abs(forces[:, corner]) for corner in self.corners if corner not in (cell, opposite))
            o = np.maximum(np.abs(forces[:, opposite]), 0.02 * carried)
            had_to = np.minimum(np.maximum(b + c - o, 0.0), b * c / o)
            if int(np.count_nonzero(had_to > 4.0 * DEAD_SHARE * carried)) >= 2:
                return cell
        return None

    def common(self, forces: Floats, sd: Floats) -> tuple[float, int] | None:
        """The one factor that makes most changes a unit of what lies in their place, and how many; None if that is 1.

        Places don't depend on a factor that all cells have in common, so what moved is known without its weight.
        """
        ratios: list[list[float]] = []
        for force, doubt in zip(forces, sd, strict=True):
            weight = float(force.sum())
            if abs(weight) < 20.0 * float(np.sqrt((doubt**2).sum())) + 10.0:
                continue
            x = float(force @ self.x) / weight if self.sees_x else math.nan
            y = float(force @ self.y) / weight if self.sees_y else math.nan
            near = [slot for slot in self.slots if _inside(slot, x, y, 0.5 * BESIDE_MM)]
            if near and len(near) <= (MOST_NEAR if self.sees_x or self.sees_y else MOST_ANYWHERE):
                ratios.append([slot.weight_g / abs(weight) for slot in near])
        if len(ratios) <= LEAST_CHANGES:
            return None

        def fitting(factor: float) -> int:
            return sum(any(abs(r / factor - 1.0) < RATIO_SHARE for r in near) for near in ratios)

        as_is = sum(any(abs(r * n - 1.0) < RATIO_SHARE for r in near for n in (1, 2, 3)) for near in ratios)
        as_one = fitting(1.0)
        best = max((r for near in ratios for r in near), key=fitting)
        if abs(math.log(best)) < math.log1p(LEAST_OFF) or not 0.2 < best < 5.0:
            return None
        found = fitting(best)
        whole = any(abs(best * n - 1.0) < RATIO_SHARE for n in (2, 3))  # people take two or three, now and then
        others = as_one if whole else as_is
        least_share = 0.6 if self.sees_x or self.sees_y else 0.85
        if found < max(LEAST_CHANGES + 1, least_share * len(ratios)) or others > 0.25 * found:
            return None
        mine = [r for near in ratios for r in near if abs(r / best - 1.0) < RATIO_SHARE]
        return float(np.median(mine)), found

    def _weight_misfit(self, weight: float, sd: float, x: float, y: float, place_sd: float) -> float:
        near = [slot for slot in self.slots if _inside(slot, x, y, 1.5 * place_sd)]
        if not self.slots:
            return 0.0
        if not near:
            return WHOLE
        return min(
            abs(weight - n * slot.weight_g) / (WEIGHT_SHARE * weight + math.sqrt(n) * slot.spread_g + sd + 0.5)
            for slot in near
            for n in range(1, MOST_UNITS + 1)
        )


def _inside(slot: Slot, x: float, y: float, slack: float) -> bool:
    in_x = math.isnan(x) or slot.x_mm[0] - slack <= x <= slot.x_mm[1] + slack
    return in_x and (math.isnan(y) or slot.y_mm[0] - slack <= y <= slot.y_mm[1] + slack)


def _beyond(at: float, length: float) -> float:
    return 0.0 if math.isnan(at) else max(0.0, -at, at - length)


def _corners(x: Floats, y: Floats) -> tuple[int, int, int, int] | None:
    """Front left, front right, back left, back right; None unless four cells stand in a rectangle."""
    if x.size != 4 or float(np.ptp(x)) < 40.0 or float(np.ptp(y)) < 40.0:
        return None
    right, back = x > x.mean(), y > y.mean()
    corners = [np.flatnonzero((right == r) & (back == b)) for b in (False, True) for r in (False, True)]
    if any(found.size != 1 for found in corners):
        return None
    off = max(float(np.ptp(x[right])), float(np.ptp(x[~right]))) / float(np.ptp(x))
    off = max(off, float(np.ptp(y[back])) / float(np.ptp(y)), float(np.ptp(y[~back])) / float(np.ptp(y)))
    fl, fr, bl, br = (int(found[0]) for found in corners)
    return (fl, fr, bl, br) if off < 0.1 else None
