"""The table of tracks: one row each, in plain arrays, because the kernels work on it."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from edge.vision.appearance import BINS

Floats = npt.NDArray[np.float64]
Ints = npt.NDArray[np.int64]

MOST_TRACKS = 64
EMPTY, NEW, SEEN, HIDDEN, LOST = range(5)  # LOST: not followed any more, but known again for a while


class Table(NamedTuple):
    """Rows of tracks, pixels at the working size; a pixel's middle is at + 0.5."""

    state: Ints  # [n]
    identity: Ints  # [n] 0 until confirmed
    born_ns: Ints  # [n]
    seen_ns: Ints  # [n]
    hits: Ints  # [n] frames in which it was seen
    x: Floats  # [n, 5] of the box's centre: position, velocity, and their covariance (edge.vision.motion)
    y: Floats  # [n, 5]
    size: Floats  # [n, 2] width, height
    first: Floats  # [n, 2] where it was born
    visible: Floats  # [n] share of the box that nobody nearer covers
    fill: Floats  # [n] share of that which is foreground
    ghost_s: Floats  # [n] for how long it has looked like a place where somebody was
    order: Floats  # [n] who has more hides others (edge.vision.shapes.how_near)
    alone_s: Floats  # [n] how long it was seen with nobody near
    doubled_s: Floats  # [n] for how long its box has hardly differed from another's
    clothes: Floats  # [n, 2, BINS]
    next_identity: Ints  # [1]


def new_table() -> Table:
    """No tracks."""
    n = MOST_TRACKS
    i, f = np.zeros(n, np.int64), np.zeros(n)
    return Table(
        i,
        i.copy(),
        i.copy(),
        i.copy(),
        i.copy(),
        np.zeros((n, 5)),
        np.zeros((n, 5)),
        np.zeros((n, 2)),
        np.zeros((n, 2)),
        f,
        f.copy(),
        f.copy(),
        f.copy(),
        f.copy(),
        f.copy(),
        np.zeros((n, 2, BINS)),
        np.ones(1, np.int64),
    )
