"""Counts per gram, told by the values of a recording in grams: a converter's values lie on a ladder of equal steps."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

Floats = npt.NDArray[np.float64]

_LEAST_VALUES, _LEAST_STEPS = 60, 20
_MOST_VALUES = 20_000
_OFF_STEP = 0.02  # of a step: how far a value may lie beside the ladder
_MOST_COUNTS = 1 << 25


@dataclass(frozen=True, slots=True)
class ValueStep:
    """Attributes:
    counts_per_gram: steps per gram.
    zero_counts: where 0 g lies between two steps, -0.5..0.5: a tare is a mean of several codes, so no whole number.
    """

    counts_per_gram: float
    zero_counts: float


def find_value_step(grams: Floats) -> ValueStep | None:
    """The step of one cell's values [n] (NaN where there is none), or None.

    None where there are too few values, where they lie on no ladder, and where the step is a round decimal: that
    is how the values were written down, and says nothing of a converter.
    """
    values = np.unique(grams[~np.isnan(grams)])
    if values.size > _MOST_VALUES:
        values = values[:: values.size // _MOST_VALUES + 1]
    if values.size < _LEAST_VALUES or not np.isfinite(values).all():
        return None
    apart = np.diff(values)
    apart = np.sort(apart[apart > 1e-9 * max(1.0, float(np.abs(values).max()))])
    if apart.size < _LEAST_STEPS:
        return None
    step = float(apart[0])
    small = apart[apart < 50.5 * step] / step
    if small.size < _LEAST_STEPS or float(np.abs(small - np.rint(small)).max()) > _OFF_STEP:
        return None
    refined = _refined(values, step)
    if refined is None or _is_decimal(refined):
        return None
    counts_per_gram = 1.0 / refined
    if abs(counts_per_gram - round(counts_per_gram)) < 1e-6 * counts_per_gram:
        counts_per_gram = float(round(counts_per_gram))
    counts = values * counts_per_gram
    if float(np.abs(counts).max()) > _MOST_COUNTS:
        return None
    turns = np.exp(2j * np.pi * counts)
    offset = float(np.angle(turns.mean())) / (2 * np.pi)
    beside = np.abs(counts - offset - np.rint(counts - offset))
    if np.count_nonzero(beside > _OFF_STEP) > 0.01 * beside.size:
        return None
    return ValueStep(counts_per_gram, -offset)


def _refined(values: Floats, step: float) -> float | None:
    """The step from ever larger differences: each tells it as much better as it is larger."""
    away = values - values[values.size // 2]
    reach = 50.0 * step
    widest = float(np.abs(away).max())
    while True:
        near = away[np.abs(away) <= reach]
        number = np.rint(near / step)
        if near.size > 1 and (number != 0).any():
            off = np.abs(near / step - number)
            if float(np.median(off)) > _OFF_STEP:
                return None
            step = float((near * number).sum() / (number * number).sum())
        if reach >= widest:
            return step
        reach *= 4.0


def _is_decimal(step: float) -> bool:
    """Whether it is 1, 2, 2.5 or 5 times a power of ten."""
    mantissa = step / 10.0 ** math.floor(math.log10(step) + 1e-9)
    return any(abs(mantissa - round_one) < 1e-4 for round_one in (1.0, 2.0, 2.5, 5.0, 10.0))
