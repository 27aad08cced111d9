"""Confirmed, and known again: a track on trial that walks like a person gets an identity, maybe one that was lost."""

from __future__ import annotations

import math

import numpy as np
import numpy.typing as npt
from numba import njit

from edge.vision.appearance import same_clothes
from edge.vision.assign import NEVER, assign
from edge.vision.fit import HEIGHT, WIDTH
from edge.vision.motion import BODY_WIDTH_M, FASTEST_M_S, POSITION
from edge.vision.sizes import Sizes
from edge.vision.table import EMPTY, HIDDEN, LOST, MOST_TRACKS, NEW, SEEN, Table

Floats = npt.NDArray[np.float64]

LEAST_HITS = 3
LEAST_S = 0.3
LEAST_WAY = 0.4  # of the box's width: what never leaves its place isn't a person
LEAST_SAME = 0.6  # Bhattacharyya coefficient of the clothes
STAYS_S, FILLED = 2.0, 0.6  # who stands in the outline that a body has there, by the floor map
CLEAR = 0.05  # of the box: so far from the picture's edge is all of somebody to be seen
MAYBE_SAME = 0.4  # of one who has come in by half: worth a wait until more is to be seen
WAIT_S = 1.0
CLEARER = 0.15  # by how much more alike than anybody else is: what everybody wears says nothing
CLOSE_M = 1.0  # who comes into sight so near to where somebody was lost
CLOSE_S = 3.0  # so lately is taken for that one all the same
MOST_SIZE = 1.6  # ratio


@njit(cache=True)
def _cost(table: Table, new: int, old: int, alike: Floats, maybe: bool, now_ns: int) -> float:
    """How unlikely it is that a new track is the lost or hidden one; NEVER if it can't be.

    ``alike``: of each row's clothes with those of the new one, -1 for rows that nobody is in.
    ``maybe``: less is enough.
    """
    away_s = (now_ns - table.seen_ns[old]) * 1e-9
    dx = table.first[new, 0] - table.x[old, POSITION]
    dy = table.first[new, 1] - table.y[old, POSITION]
    pixels_per_m = 0.5 * (table.size[new, WIDTH] + table.size[old, WIDTH]) / BODY_WIDTH_M
    way_m = math.sqrt(dx * dx + dy * dy) / pixels_per_m
    ratio = table.size[new, HEIGHT] / table.size[old, HEIGHT]
    if way_m > 0.7 + FASTEST_M_S * 0.6 * away_s or ratio > MOST_SIZE or ratio < 1.0 / MOST_SIZE:
        return NEVER
    rival = -1.0
    for k in range(MOST_TRACKS):
        if k != old:
            rival = max(rival, alike[k])
    close = table.state[old] == HIDDEN and way_m < CLOSE_M and away_s < CLOSE_S
    if alike[old] < (MAYBE_SAME if maybe else LEAST_SAME) or (not close and alike[old] < rival + CLEARER):
        return NEVER
    return float(1.0 - alike[old] + 0.1 * way_m / (0.7 + FASTEST_M_S * away_s))


@njit(cache=True)
def _whole(table: Table, k: int, width: int, height: int) -> bool:
    """Whether the box of track k is in the picture on all sides, and clear of its edge."""
    half_x, half_y = (0.5 + CLEAR) * table.size[k, WIDTH], (0.5 + CLEAR) * table.size[k, HEIGHT]
    x, y = table.x[k, POSITION], table.y[k, POSITION]
    return bool(half_x <= x <= width - half_x and half_y <= y <= height - half_y)


@njit(cache=True)
def confirm_tracks(table: Table, sizes: Sizes, width: int, height: int, now_ns: int) -> None:
    """Confirm who has walked far enough, or fills a body's known outline for long enough.

    Who looks like somebody lost or hidden is that one, walking or not.
    """
    ready = np.empty(MOST_TRACKS, np.int64)
    gone = np.empty(MOST_TRACKS, np.int64)
    walked = np.empty(MOST_TRACKS, np.bool_)
    young, waits = np.empty(MOST_TRACKS, np.bool_), np.zeros(MOST_TRACKS, np.bool_)
    count, missing = 0, 0
    for k in range(MOST_TRACKS):
        if table.state[k] == NEW and table.hits[k] >= LEAST_HITS and (now_ns - table.born_ns[k]) * 1e-9 >= LEAST_S:
            dx, dy = table.x[k, POSITION] - table.first[k, 0], table.y[k, POSITION] - table.first[k, 1]
            walked[count] = math.sqrt(dx * dx + dy * dy) >= LEAST_WAY * table.size[k, WIDTH]
            stays = sizes.nearness.size > 0 and (now_ns - table.born_ns[k]) * 1e-9 >= STAYS_S
            inside = 0.0 <= table.x[k, POSITION] < width and 0.0 <= table.y[k, POSITION] < height
            walked[count] = walked[count] and inside  # a light that is switched seems to walk out over the edge
            stays = stays and _whole(table, k, width, height)  # a door that swings at the edge fills its part of one
            walked[count] |= stays and table.fill[k] >= FILLED and table.ghost_s[k] == 0.0
            young[count] = (now_ns - table.born_ns[k]) * 1e-9 < WAIT_S
            ready[count] = k
            count += 1
        elif table.state[k] in (HIDDEN, LOST):
            gone[missing] = k
            missing += 1
    if count == 0:
        return
    cost = np.full((count, max(missing, 1)), NEVER)
    alike = np.full(MOST_TRACKS, -1.0)
    for i in range(count):
        for k in range(MOST_TRACKS):
            if table.state[k] in (SEEN, HIDDEN, LOST):
                alike[k] = same_clothes(table.clothes[ready[i]], table.clothes[k])
        for j in range(missing):
            cost[i, j] = _cost(table, ready[i], gone[j], alike, False, now_ns)
            waits[i] |= young[i] and _cost(table, ready[i], gone[j], alike, True, now_ns) < NEVER
    chosen = np.empty(count, np.int64)
    assign(cost, chosen)
    for i in range(count):
        new = ready[i]
        if chosen[i] < 0 and (not walked[i] or waits[i]):
            continue
        table.state[new] = SEEN
        if chosen[i] >= 0:
            old = gone[chosen[i]]
            table.identity[new] = table.identity[old]
            table.born_ns[new] = table.born_ns[old]
            table.state[old] = EMPTY
        else:
            table.identity[new] = table.next_identity[0]
            table.next_identity[0] += 1
