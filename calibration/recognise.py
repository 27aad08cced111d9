"""What a rest on the board means, before any gain is known: nothing, the weight, another one, the same place again."""

from __future__ import annotations

from collections.abc import Sequence
from enum import Enum, auto

import numpy as np
import numpy.typing as npt

from calibration.placements import BoardSite, Placement
from calibration.plan import PlanStep

Floats = npt.NDArray[np.float64]

EMPTY_SHARE = 0.03  # of the weight's change: less than that is an empty board (or friction, which the verdict names)
FIRST_SIGMAS = 40.0  # the first weight must stand out like this; one that doesn't is too light to calibrate with
LIKE_SHARE = (0.5, 1.8)  # of the first placement's change per gram: cells of gains ±20 %, cells pulled up at a corner
LADDER_SHARE = (0.85, 1.18)
SAME_PLACE = 0.2  # of the distance between patterns that lie on two different cells entirely
TRY_SHARE, TRY_S = (
    0.3,
    0.7,
)  # a movement that reached so much of the weight for so long was meant; shorter ones are bumps
FIRST_TRY_S = 1.5  # before the first placement nobody knows how much the weight is
MOVED_SHARE = 0.1


class Load(Enum):
    """What lies on the board."""

    NOTHING = auto()
    RIGHT = auto()
    OTHER_WEIGHT = auto()
    SAME_PLACE = auto()
    TAKEN = auto()  # right, and measured


class Recogniser:
    """Learns from the first placement what a gram does to the counts, all cells together, signs left out."""

    def __init__(self, site: BoardSite, weight_g: float) -> None:
        labels = [cell.label_counts_per_gram for cell in site.cells]
        known = [label for label in labels if label]
        self.label_counts_per_g = float(np.mean(known)) if len(known) == len(labels) else None
        self._weight_g = weight_g
        self._per_gram: float | None = None
        self._signs: Floats | None = None
        self._most: Floats | None = None

    @property
    def knows_grams(self) -> bool:
        """The first placement has been seen."""
        return self._per_gram is not None

    def learn(self, moved: Floats, step: PlanStep) -> None:
        """Keep the first placement's change, and each cell's sign from where it felt the most so far: far from the
        weight a soft plate pulls a cell up."""
        if self._per_gram is None:
            self._per_gram = float(np.nansum(np.abs(moved))) / step.weight_g
            self._signs = np.sign(moved)
            self._most = np.abs(moved)
            return
        assert self._signs is not None
        assert self._most is not None
        more = np.abs(moved) > self._most
        self._signs = np.where(more, np.sign(moved), self._signs)
        self._most = np.where(more, np.abs(moved), self._most)

    def grams(self, moved: Floats) -> float | None:
        """About what lies there; None before the first placement."""
        if self._per_gram is None or self._signs is None:
            return None
        return float(np.nansum(moved * self._signs)) / self._per_gram

    def less_g(self, moved: Floats) -> float:
        """How much less than nothing lies on the board, at least; 0 where that isn't sure.

        A cell that never felt half as much before may have any sign: it is taken to feel weight.
        """
        if self._per_gram is None or self._signs is None or self._most is None:
            return 0.0
        felt = np.where(self._most < 0.5 * np.abs(moved), np.abs(moved), moved * self._signs)
        return max(-float(np.nansum(felt)) / self._per_gram, 0.0)

    def load(self, moved: Floats, noise: Floats, step: PlanStep, placements: Sequence[Placement]) -> tuple[Load, str]:
        """What a change against the empty board means while ``step`` is asked for, and why, where it is wrong."""
        size = float(np.nansum(np.abs(moved)))
        floor = _floor(noise)
        if self._per_gram is None:
            label = self.label_counts_per_g
            if label is not None and size < 0.3 * label * step.weight_g and size < 10 * floor:
                return Load.NOTHING, ""
            return (Load.NOTHING, "") if size < floor else (Load.RIGHT, "")
        expected = self._per_gram * step.weight_g
        if size < max(EMPTY_SHARE * self._per_gram * self._weight_g, 0.1 * min(floor, expected)):
            return Load.NOTHING, ""
        ladder = step.leg == "down" or not step.then_empty
        least, most = LADDER_SHARE if ladder else LIKE_SHARE
        if ladder and placements and not self.differs(moved, placements[-1].change):
            return Load.TAKEN, ""
        if not least * expected < size < most * expected:
            seen = self.grams(moved)
            return Load.OTHER_WEIGHT, f"that is about {seen:.0f} g, not {step.weight_g:g} g"
        if not ladder and moved.size > 1 and not step.again:
            for placement in placements:
                elsewhere = abs(placement.x_mm - step.place.x_mm) + abs(placement.y_mm - step.place.y_mm) > 60.0
                if elsewhere and self._alike(moved, placement.change):
                    return Load.SAME_PLACE, f"that is where it lay before ({placement.place})"
        return Load.RIGHT, ""

    def stands_out(self, moved: Floats, noise: Floats) -> bool:
        """Something like the weight, on a board whose gains may be others."""
        size = float(np.nansum(np.abs(moved)))
        expected = (self._per_gram or 0.0) * self._weight_g
        return size > max(_floor(noise), TRY_SHARE * expected)

    def differs(self, moved: Floats, known: Floats) -> bool:
        """Something else lies on the board than what is known to."""
        away = float(np.nansum(np.abs(moved - known)))
        return away > MOVED_SHARE * max(float(np.nansum(np.abs(known))), 1e-9)

    def was_a_try(self, most: Floats, lasted_s: float, noise: Floats) -> bool:
        """A movement that was meant to be a placement, by how far and how long the cells were away."""
        reached = float(np.nansum(most))
        if self._per_gram is None:
            return lasted_s > FIRST_TRY_S and reached > 3.0 * _floor(noise)
        return lasted_s > TRY_S and reached > TRY_SHARE * self._per_gram * self._weight_g

    def _alike(self, one: Floats, other: Floats) -> bool:
        a, b = one / np.nansum(np.abs(one)), other / np.nansum(np.abs(other))
        return float(np.nansum(np.abs(a - b))) / 2.0 < SAME_PLACE / 2.0


def _floor(noise: Floats) -> float:
    """What stands out of all cells' noise together."""
    return FIRST_SIGMAS * float(np.sqrt((noise[np.isfinite(noise)] ** 2).sum()))
