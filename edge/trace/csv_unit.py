"""Counts or grams? Values that can't be what ``--unit`` says give themselves away."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt

if TYPE_CHECKING:
    from edge.trace.csv_header import CsvHeader

HEAVIEST_CELL_G = 200_000.0  # no cell under a shelf carries more
WIDEST_WHOLE_GRAMS = 100_000.0
"""Scales that tell grams as whole numbers don't range over 100 kg; converter codes are whole and range over more."""
FIRST_ROWS, FEW_ROWS = 100, 20


class GramsDoubt:
    """Looks at all values of a recording that is said to be in grams."""

    def __init__(self, header: CsvHeader) -> None:
        self._names = [header.names[column] for _, _, column in header.cells]
        self._seen = np.zeros(len(self._names), np.int64)
        self._heavy = np.zeros(len(self._names), np.int64)
        self._whole = True
        self._least, self._most = np.inf, -np.inf

    def add(self, values: npt.NDArray[np.float64]) -> None:
        """The next rows [n, cells], NaN where there is no value."""
        known = ~np.isnan(values)
        self._seen += known.sum(axis=0)
        self._heavy += (np.abs(values) > HEAVIEST_CELL_G).sum(axis=0)
        there = values[known]
        if there.size:
            self._whole = self._whole and not bool((there != np.rint(there)).any())
            self._least = min(self._least, float(there.min()))
            self._most = max(self._most, float(there.max()))

    def warnings(self, where: str) -> tuple[str, ...]:
        """A sentence if the values look like converter codes, nothing otherwise."""
        heavy = [name for name, at in zip(self._names, 2 * self._heavy > self._seen, strict=True) if at]
        if heavy:
            why = f"most values of {_listed(heavy)} lie beyond ±{HEAVIEST_CELL_G / 1000:.0f} kg"
        elif self._whole and self._most - self._least > WIDEST_WHOLE_GRAMS:
            why = f"all values are whole numbers, from {self._least:.0f} to {self._most:.0f}"
        else:
            return ()
        return (f"{where}: {why}, which looks like converter codes, not grams; if so, import it with --unit counts",)


def refusal(at: str, column: str, value: float, counts: bool) -> str:
    """Why a recording is refused whose values can't be what they are said to be, by the first of them."""
    if counts:
        why = "the values aren't whole numbers, so they can't be converter codes; if they are grams, give --unit g"
    else:
        why = "the values are too big for grams and look like converter codes; if they are, give --unit counts"
    return f"{at}: column {column!r}: {value:.12g}; {why}; nothing was written"


def mostly(wrong: npt.NDArray[np.bool_]) -> bool:
    """Whether the first rows are wrong as a rule rather than here and there.

    ``wrong``: bool[n], by row. A few rows must all be wrong; of many, half: grams can happen to be whole.
    """
    first = wrong[:FIRST_ROWS]
    return bool(first.all() if first.size < FEW_ROWS else 2 * np.count_nonzero(first) >= first.size)


def _listed(names: Sequence[str]) -> str:
    return ", ".join(names[:4]) + (f" and {len(names) - 4} more cells" if len(names) > 4 else "")
