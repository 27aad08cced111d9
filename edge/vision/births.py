"""New tracks from foreground that no track explains: one box of a person's size at a time.

A blob as large as a person becomes a track on trial (`NEW`); of a larger one, the part where one person fits best, and
the rest in the next picture. Before it is known how large people are, a blob is taken as it is.
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
from numba import njit

from edge.vision.appearance import take_in
from edge.vision.background import U8
from edge.vision.blobs import BOTTOM, COUNT, LEFT, RIGHT, TOP, BlobDesk, find_blobs, join_fragments
from edge.vision.fit import HEIGHT, WIDTH, Desk, Picture, fit_place, look_inside, who_is_near
from edge.vision.motion import BODY_WIDTH_M, POSITION, WALKING_M_S, at_rest
from edge.vision.sizes import Sizes, expected_size, typical_size
from edge.vision.table import EMPTY, MOST_TRACKS, NEW, SEEN, Table

Floats = npt.NDArray[np.float64]
Ints = npt.NDArray[np.int64]

MARGIN = 0.15  # of a track's box: foreground so near to it is its own
LEAST_FILL = 0.3  # of a new box
LEAST_OWN = 0.3  # of a new box: what nobody else explains
LEAST_PART = 0.25  # of the foreground of a person: a smaller blob is noise
LEAST_SPECK = 0.02  # of a typical box: fragments of a person are at least so large
LEAST_AREA = 0.0006  # of the picture, while sizes aren't known
MOST_AREA = 0.25
MOST_BIRTHS = 8  # a picture


@njit(cache=True)
def paint(table: Table, k: int, margin: float, value: int, out: U8) -> None:
    """Write ``value`` into the box of track k, larger by ``margin`` of its width all round, where it says less."""
    height, width = out.shape
    grow = margin * table.size[k, WIDTH]
    x, y = table.x[k, POSITION], table.y[k, POSITION]
    half_x, half_y = 0.5 * table.size[k, WIDTH] + grow, 0.5 * table.size[k, HEIGHT] + grow
    left, right = int(max(x - half_x, 0.0)), int(min(max(x + half_x + 0.5, 0.0), width * 1.0))
    top, bottom = int(max(y - half_y, 0.0)), int(min(max(y + half_y + 0.5, 0.0), height * 1.0))
    for row in range(top, bottom):
        for column in range(left, right):
            out[row, column] = max(out[row, column], value)


@njit(cache=True)
def free_row(table: Table) -> int:
    """A row for a new track: an empty one, else the one that was lost longest ago; -1 if all are in use."""
    oldest = -1
    for k in range(MOST_TRACKS):
        if table.state[k] == EMPTY:
            return k
        if table.state[k] > SEEN + 1 and (oldest < 0 or table.seen_ns[k] < table.seen_ns[oldest]):
            oldest = k
    return oldest


@njit(cache=True)
def bear(table: Table, k: int, x: float, y: float, wide: float, high: float, now_ns: int) -> None:
    """Row k becomes a track on trial with that box, its middle at x, y."""
    pixels_per_m = wide / BODY_WIDTH_M
    at_rest(table.x[k], x, 0.15 * wide, WALKING_M_S * pixels_per_m)
    at_rest(table.y[k], y, 0.15 * wide, WALKING_M_S * pixels_per_m)
    table.state[k], table.identity[k], table.hits[k] = NEW, 0, 1
    table.born_ns[k], table.seen_ns[k] = now_ns, now_ns
    table.size[k, WIDTH], table.size[k, HEIGHT] = wide, high
    table.first[k, 0], table.first[k, 1] = x, y
    table.clothes[k, :, :] = 0.0
    table.alone_s[k] = 0.0
    table.doubled_s[k] = 0.0
    table.ghost_s[k] = 0.0
    table.order[k] = -1e18


@njit(cache=True)
def bear_tracks(
    picture: Picture, taken: U8, table: Table, sizes: Sizes, desk: Desk, blob_desk: BlobDesk, now_ns: int
) -> None:
    """Tracks on trial for the foreground outside of ``taken`` (which grows by their boxes)."""
    height, width = picture.smooth.shape
    step = 2 if height * width > 30_000 else 1
    blobs = blob_desk.blobs
    count = find_blobs(picture.smooth, taken, step, blob_desk)
    expected = np.empty(2)
    if typical_size(sizes, expected):
        kept = 0
        for b in range(count):
            if blobs[b, COUNT] >= LEAST_SPECK * expected[0] * expected[1]:
                blobs[kept] = blobs[b]
                kept += 1
        count = join_fragments(blobs, kept, expected[1], expected[0])
    births = 0
    for b in range(count):
        blob = blobs[b]
        if births == MOST_BIRTHS:
            return
        x, y = 0.5 * (blob[LEFT] + blob[RIGHT]), 0.5 * (blob[TOP] + blob[BOTTOM])
        wide, high = (blob[RIGHT] - blob[LEFT]) * 1.0, (blob[BOTTOM] - blob[TOP]) * 1.0
        known = expected_size(sizes, x, y, width, height, expected)
        if known:
            if blob[COUNT] < LEAST_PART * 0.55 * expected[0] * expected[1]:
                continue
        elif blob[COUNT] < LEAST_AREA * height * width or wide * high > MOST_AREA * height * width:
            continue
        elif blob[LEFT] <= step or blob[TOP] <= step or blob[RIGHT] >= width - step or blob[BOTTOM] >= height - step:
            continue  # part of somebody who comes in: how large, can't be told yet
        k = free_row(table)
        if k < 0:
            return
        bear(table, k, x, y, wide, high, now_ns)
        if known:
            table.x[k, 2] = (0.25 * (abs(wide - expected[0]) + 0.3 * expected[0])) ** 2
            table.y[k, 2] = (0.25 * (abs(high - expected[1]) + 0.3 * expected[0])) ** 2
            table.size[k, WIDTH], table.size[k, HEIGHT] = expected[0], expected[1]
            fit_place(picture, table, sizes, k, NEW, desk)
            x, y = desk.found[0], desk.found[1]
            bear(table, k, x, y, expected[0], expected[1], now_ns)
        near = who_is_near(table, k, 0.0, 0.0, NEW, desk.near)
        look_inside(picture, table, sizes, k, near, -1e18, desk)
        if desk.found[3] < LEAST_FILL or desk.found[2] < LEAST_OWN:
            table.state[k] = EMPTY
            continue
        take_in(table.clothes[k], desk.seen, 1.0)
        table.fill[k], table.visible[k] = desk.found[3], desk.found[2]
        paint(table, k, MARGIN, 1, taken)
        births += 1
