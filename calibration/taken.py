"""A weight that has rested on the board and was taken: half of a placement, until the board is empty again."""

from __future__ import annotations

from dataclasses import dataclass

from calibration.levels import Level, change
from calibration.placements import Placement
from calibration.plan import PlanStep


@dataclass(frozen=True, slots=True)
class Taken:
    """The empty board before, the level with the weight on it, and since when it rested."""

    step: PlanStep
    before: Level
    with_it: Level
    begin_ns: int

    def placement(self, after: Level | None, end_ns: int) -> Placement:
        """The whole, with the empty board after it; None where another load follows at once."""
        up, up_cov = change(self.before, self.with_it)
        down, down_cov = change(after, self.with_it) if after is not None else (None, None)
        step, place = self.step, self.step.place
        return Placement(
            place.name,
            place.x_mm,
            place.y_mm,
            step.weight_g,
            up,
            up_cov,
            down,
            down_cov,
            self.begin_ns,
            end_ns,
            step.leg,
        )
