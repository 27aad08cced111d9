"""A plateau: one quiet stretch of a board, as the kernel of `edge.fusion.quiet` finds it."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
import numpy.typing as npt

Floats = npt.NDArray[np.float64]

OPEN, GROW, END = 1, 2, 3  # marks: it has become one, it has lasted longer, it is over


@dataclass(frozen=True, slots=True)
class Plateau:
    """One quiet stretch: when (ns), levels and variances per cell, and how restless it was."""

    begin_ns: int
    end_ns: int
    mask: int
    level_g: Floats
    level_var: Floats
    sum_var: float
    batches: int
    unrest: float

    @property
    def seconds(self) -> float:
        """How long it lasted."""
        return (self.end_ns - self.begin_ns) * 1e-9

    def aged(self, drift_var: float) -> Plateau:
        """This plateau as remembered later, when its levels may have drifted."""
        cells = max(self.level_g.size, 1)
        return replace(self, level_var=self.level_var + drift_var / cells, sum_var=self.sum_var + drift_var)

    def after(self, before: Plateau) -> Plateau:
        """This plateau as the continuation of an equal one, with the levels of both in proportion to what they know."""
        with np.errstate(invalid="ignore"):
            share = before.level_var / (before.level_var + self.level_var)  # of this one; NaN for a missing cell
        apart = self.level_g - before.level_g
        known = self.sum_var * before.sum_var / (self.sum_var + before.sum_var)
        weight = before.sum_var / (before.sum_var + self.sum_var)
        return replace(
            self,
            begin_ns=before.begin_ns,
            level_g=before.level_g + share * apart,
            # What they differ by is doubt too: a level that wanders isn't known better for being seen twice.
            level_var=share * self.level_var + share * (1.0 - share) * apart**2,
            sum_var=known + weight * (1.0 - weight) * float(np.nansum(apart)) ** 2,
            batches=self.batches + before.batches,
            unrest=min(self.unrest, before.unrest),
        )
