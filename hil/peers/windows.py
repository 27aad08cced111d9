"""Moving statistics over a window around each sample, and runs of activity in them."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from hil.peers.recording import Floats

Run = tuple[int, int]
"""First sample of a run, and the first one after it."""


def moving_mean(values: Floats, window: int) -> Floats:
    """Mean of ``window`` samples around each one along the last axis (one more before than after if even).

    At the ends only the samples that are there count.
    """
    begin, end = _around(values.shape[-1], window)
    offset = values[..., :1]  # sums of small numbers keep their digits
    sums = np.concatenate([np.zeros_like(offset), np.cumsum(values - offset, axis=-1)], axis=-1)
    return np.asarray((sums[..., end] - sums[..., begin]) / (end - begin) + offset)


def moving_variance(values: Floats, window: int) -> Floats:
    """Variance (divisor n - 1) of ``window`` samples around each one, as `moving_mean`. float64[n] in and out."""
    begin, end = _around(values.size, window)
    centred = values - values.mean() if values.size else values
    sums = np.concatenate([[0.0], np.cumsum(centred)])
    squares = np.concatenate([[0.0], np.cumsum(centred**2)])
    count = end - begin
    total = sums[end] - sums[begin]
    rest = squares[end] - squares[begin] - total**2 / count
    return np.asarray(np.maximum(rest, 0.0) / np.maximum(count - 1, 1))


def active_runs(active: npt.NDArray[np.bool_], longer_than: int, quiet_longer_than: int) -> list[Run]:
    """Runs of activity, each from where it begins to where it ends in quiet.

    A run begins with more than ``longer_than`` active samples; it goes on through shorter quiet up to the first quiet
    of more than ``quiet_longer_than`` samples. One that doesn't come to such quiet before the end isn't told.
    """
    edges = np.flatnonzero(np.diff(np.concatenate([[False], active, [False]]).astype(np.int8)))
    begins, ends = edges[::2].tolist(), edges[1::2].tolist()
    next_begins = [*begins[1:], active.size][: len(begins)]
    found: list[Run] = []
    began: int | None = None
    for begin, end, next_begin in zip(begins, ends, next_begins, strict=True):
        if began is None and end - begin > longer_than:
            began = begin
        if began is not None and next_begin - end > quiet_longer_than:
            found.append((began, end))
            began = None
    return found


def _around(size: int, window: int) -> tuple[npt.NDArray[np.int64], npt.NDArray[np.int64]]:
    at = np.arange(size)
    return np.maximum(at - window // 2, 0), np.minimum(at + (window + 1) // 2, size)
