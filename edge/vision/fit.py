"""Where in the foreground a known person is: the place of a box of known size that explains most of it.

People whose boxes overlap share one blob, so nothing is gained by looking at blobs alone. For each person the place is
sought that gains most, given where all others are at present (coordinate ascent, as in Fleuret et al. 2008, POM):

- a pixel that nobody else explains gains its foreground weight less `THRESHOLD`, so that a box neither misses part of a
  person nor hangs over the floor;
- a foreground pixel gains besides as much as its colour speaks for this person rather than for those who are near
  (`edge.vision.appearance.contrast`): that keeps two who cross apart;
- and the square of the distance from where the person was expected costs.

All places of the search window are judged by one integral image over it, in integers.
"""

from __future__ import annotations

import math
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt
from numba import njit

from edge.vision.appearance import BINS, LOWER, UPPER, colour_code, contrast
from edge.vision.background import FOREGROUND, FULL
from edge.vision.motion import POSITION, VAR_POSITION
from edge.vision.shapes import STRIPS, body_strips
from edge.vision.sizes import Sizes
from edge.vision.table import HIDDEN, MOST_TRACKS, SEEN, Table

U8 = npt.NDArray[np.uint8]
I32 = npt.NDArray[np.int32]
Floats = npt.NDArray[np.float64]
Ints = npt.NDArray[np.int64]

THRESHOLD = FULL * 3 // 8  # a person fills about two thirds of the box
THRESHOLD_SHAPE = FULL // 2  # and of a known outline nearly all
OUTSIDE = 2  # a pixel beyond the picture costs such a part of one that shows the floor: people are more likely in sight
COLOUR = FULL // 2  # gain of a pixel whose colour only this person wears; half of that where nobody is near
FAR = 0.1  # how much the clothes of somebody far away count
EXPECTED_COST = 0.015  # share of a full box that one standard deviation from the expected place costs
REACH_SD = 2.5
NEAR_MARGIN = 0.2  # of the box: who is closer than that isn't alone
WIDTH, HEIGHT = 0, 1
LEFT, TOP, RIGHT, BOTTOM = range(4)  # of a strip


class Picture(NamedTuple):
    """What is looked at, at the working size."""

    smooth: U8  # [h, w] foreground weight, 0 to FULL
    y: U8  # [h, w]
    u: U8  # [hc, wc]
    v: U8  # [hc, wc]


class Desk(NamedTuple):
    """Room to work in."""

    integral: I32  # [2 h + 16, 2 w + 16]
    covered: U8  # [2 h + 16, 2 w + 16] of the window: 1 where somebody near is
    gain: Floats  # [2, BINS]
    others: Floats  # [2, BINS] what those near wear, together
    seen: Floats  # [2, BINS]
    near: Ints  # [MOST_TRACKS]
    found: Floats  # [5] x, y, visible share, fill, how much that looks like the person (-1 to 1)
    strips: Ints  # [STRIPS, 4]
    other_strips: Ints  # [STRIPS, 4]


def new_desk(height: int, width: int) -> Desk:
    """Room for a working size."""
    bins = np.zeros((2, BINS))
    integral = np.zeros((2 * height + 16, 2 * width + 16), np.int32)
    covered = np.zeros(integral.shape, np.uint8)
    near, strips = np.zeros(MOST_TRACKS, np.int64), np.zeros((STRIPS, 4), np.int64)
    return Desk(integral, covered, bins, bins.copy(), bins.copy(), near, np.zeros(5), strips, strips.copy())


@njit(cache=True)
def who_is_near(table: Table, k: int, reach_x: float, reach_y: float, least_state: int, near: Ints) -> int:
    """How many tracks' boxes come within reach of track k's; which ones, into ``near``."""
    count = 0
    for other in range(MOST_TRACKS):
        if other == k or table.state[other] < least_state or table.state[other] > SEEN:
            continue
        gap_x = abs(table.x[other, POSITION] - table.x[k, POSITION])
        gap_x -= 0.5 * (table.size[other, WIDTH] + table.size[k, WIDTH])
        gap_y = abs(table.y[other, POSITION] - table.y[k, POSITION])
        gap_y -= 0.5 * (table.size[other, HEIGHT] + table.size[k, HEIGHT])
        if gap_x < reach_x and gap_y < reach_y:
            near[count] = other
            count += 1
    return count


@njit(cache=True)
def mark_near(
    table: Table, sizes: Sizes, desk: Desk, count: int, order: float, left: int, top: int, wide: int, high: int
) -> None:
    """Set ``covered[: high, : wide]``, a window of the picture, to 1 where those of ``near`` are who hide ``order``."""
    covered = desk.covered
    covered[:high, :wide] = 0
    for n in range(count):
        k = desk.near[n]
        if table.order[k] <= order:
            continue
        across, down = table.size[k, WIDTH], table.size[k, HEIGHT]
        corner_x = math.floor(table.x[k, POSITION] - 0.5 * across + 0.5) - left
        corner_y = math.floor(table.y[k, POSITION] - 0.5 * down + 0.5) - top
        strips = body_strips(sizes, table.x[k, POSITION], table.y[k, POSITION], across, down, desk.other_strips)
        for s in range(strips):
            strip = desk.other_strips[s]
            begin, end = max(corner_x + strip[LEFT], 0), min(max(corner_x + strip[RIGHT], 0), wide)
            for row in range(max(corner_y + strip[TOP], 0), min(max(corner_y + strip[BOTTOM], 0), high)):
                for column in range(begin, end):
                    covered[row, column] = 1


@njit(cache=True)
def _compare_clothes(table: Table, k: int, near: Ints, count: int, desk: Desk) -> None:
    """Those near count, and everybody else a little: somebody who isn't followed may wear what they wear."""
    desk.others[:, :] = 0.0
    total = 0.0
    for other in range(MOST_TRACKS):
        if other != k and table.state[other] in (SEEN, HIDDEN):
            total += FAR
    total += count
    for other in range(MOST_TRACKS):
        if other == k or table.state[other] not in (SEEN, HIDDEN):
            continue
        weight = FAR
        for n in range(count):
            if near[n] == other:
                weight += 1.0
        for half in range(2):
            for c in range(BINS):
                desk.others[half, c] += table.clothes[other, half, c] * (weight / total)
    contrast(table.clothes[k], desk.others, desk.gain)


@njit(cache=True)
def _fill_integral(
    picture: Picture,
    threshold: int,
    middle: float,
    left: int,
    top: int,
    wide: int,
    high: int,
    crowded: bool,
    colour: int,
    desk: Desk,
) -> None:
    """Integral image of the gains over a window, into ``desk.integral[: high + 1, : wide + 1]``.

    Above ``middle`` is the upper half of the body.
    """
    height, width = picture.smooth.shape
    shift = 1 if picture.u.shape[1] < width else 0
    integral, covered, colours = desk.integral, desk.covered, desk.gain
    for j in range(wide + 1):
        integral[0, j] = 0
    for i in range(high):
        row = top + i
        half = UPPER if row + 0.5 < middle else LOWER
        total = 0
        integral[i + 1, 0] = 0
        for j in range(wide):
            column = left + j
            if 0 <= row < height and 0 <= column < width:
                weight = int(picture.smooth[row, column])
                gain = weight - threshold
                if crowded and covered[i, j] != 0:
                    gain = 0
                if colour > 0 and weight >= FOREGROUND:
                    code = colour_code(
                        picture.y[row, column],
                        picture.u[row >> shift, column >> shift],
                        picture.v[row >> shift, column >> shift],
                    )
                    gain += int(colour * colours[half, code])
                total += gain
            else:
                total -= threshold // OUTSIDE
            integral[i + 1, j + 1] = integral[i, j + 1] + total


@njit(cache=True)
def fit_place(picture: Picture, table: Table, sizes: Sizes, k: int, least_state: int, desk: Desk) -> float:
    """The best place for track k's box into ``desk.found[:2]`` (its centre); returns its score, as a share of the box.

    ``least_state``: only tracks of this state or a surer one explain pixels away.
    """
    height, width = picture.smooth.shape
    wide = min(max(int(table.size[k, WIDTH] + 0.5), 2), width)
    high = min(max(int(table.size[k, HEIGHT] + 0.5), 2), height)
    sd_x, sd_y = math.sqrt(table.x[k, VAR_POSITION]), math.sqrt(table.y[k, VAR_POSITION])
    reach_x = int(min(max(REACH_SD * sd_x, 2.0), 1.0 * wide, 0.5 * width)) + 1
    reach_y = int(min(max(REACH_SD * sd_y, 2.0), 0.5 * high, 1.0 * wide, 0.5 * height)) + 1
    left = math.floor(table.x[k, POSITION] - 0.5 * wide + 0.5) - reach_x
    top = math.floor(table.y[k, POSITION] - 0.5 * high + 0.5) - reach_y
    count = who_is_near(table, k, reach_x * 1.0, reach_y * 1.0, least_state, desk.near)
    colour = 0
    if table.state[k] >= SEEN:
        _compare_clothes(table, k, desk.near, count, desk)
        colour = COLOUR if count > 0 else COLOUR // 2
    if count > 0:
        mark_near(table, sizes, desk, count, -1e18, left, top, wide + 2 * reach_x, high + 2 * reach_y)
    middle = table.y[k, POSITION]
    strips = body_strips(sizes, table.x[k, POSITION], middle, 1.0 * wide, 1.0 * high, desk.strips)
    threshold = THRESHOLD if strips == 1 else THRESHOLD_SHAPE
    _fill_integral(
        picture, threshold, middle, left, top, wide + 2 * reach_x, high + 2 * reach_y, count > 0, colour, desk
    )
    integral = desk.integral
    best, best_x, best_y = -1e18, 0.0, 0.0
    area: Any = 0
    for s in range(strips):
        strip = desk.strips[s]
        area += (strip[RIGHT] - strip[LEFT]) * (strip[BOTTOM] - strip[TOP])
    unit = 1.0 / (max(area, 1) * FULL)
    for i in range(2 * reach_y + 1):
        centre_y = top + i + 0.5 * high
        away_y = (centre_y - table.y[k, POSITION]) / max(sd_y, 1.0)
        for j in range(2 * reach_x + 1):
            gain: Any = 0
            for s in range(strips):
                strip = desk.strips[s]
                one, two, begin, end = i + strip[TOP], i + strip[BOTTOM], j + strip[LEFT], j + strip[RIGHT]
                gain += integral[two, end] - integral[one, end] - integral[two, begin] + integral[one, begin]
            centre_x = left + j + 0.5 * wide
            away_x = (centre_x - table.x[k, POSITION]) / max(sd_x, 1.0)
            score = gain * unit - EXPECTED_COST * (away_x * away_x + away_y * away_y)
            if score > best:
                best, best_x, best_y = score, centre_x, centre_y
    desk.found[0], desk.found[1] = best_x, best_y
    return best


@njit(cache=True)
def look_inside(picture: Picture, table: Table, sizes: Sizes, k: int, count: int, order: float, desk: Desk) -> float:
    """Into ``desk.found[2:]``: the share of the body that nobody of ``desk.near[:count]`` who hides ``order`` covers,
    how much of that is foreground, and how much the foreground there looks like this person.

    Clothes seen there are counted in ``desk.seen``. Returns how much the foreground of the covered part looks like this
    person (both -1 to 1, means of `contrast`; 0 where there is nothing).
    """
    height, width = picture.smooth.shape
    shift = 1 if picture.u.shape[1] < width else 0
    desk.seen[:, :] = 0.0
    if count > 0:
        _compare_clothes(table, k, desk.near, count, desk)
    y = table.y[k, POSITION]
    across, down = table.size[k, WIDTH], table.size[k, HEIGHT]
    left = math.floor(table.x[k, POSITION] - 0.5 * across + 0.5)
    top = math.floor(y - 0.5 * down + 0.5)
    strips = body_strips(sizes, table.x[k, POSITION], y, across, down, desk.strips)
    box_left, box_top = max(left, 0), max(top, 0)
    mark_near(
        table,
        sizes,
        desk,
        count,
        order,
        box_left,
        box_top,
        max(min(left + int(across) + 2, width) - box_left, 0),
        max(min(top + int(down) + 2, height) - box_top, 0),
    )
    free, total, hidden, alike, alike_of, own, own_of = 0, 0, 0, 0.0, 0, 0.0, 0
    for s in range(strips):
        strip = desk.strips[s]
        for row in range(max(top + strip[TOP], 0), min(top + strip[BOTTOM], height)):
            half = UPPER if row + 0.5 < y else LOWER
            for column in range(max(left + strip[LEFT], 0), min(left + strip[RIGHT], width)):
                weight = int(picture.smooth[row, column])
                behind = desk.covered[row - box_top, column - box_left] != 0
                if not behind:
                    free += 1
                    total += weight
                else:
                    hidden += 1
                if weight >= FOREGROUND:
                    code = colour_code(
                        picture.y[row, column],
                        picture.u[row >> shift, column >> shift],
                        picture.v[row >> shift, column >> shift],
                    )
                    if behind:
                        alike += desk.gain[half, code]
                        alike_of += 1
                    else:
                        desk.seen[half, code] += 1.0
                        own += desk.gain[half, code]
                        own_of += 1
    desk.found[4] = own / own_of if own_of > 0 and count > 0 else 0.0
    desk.found[2] = free / (free + hidden) if free + hidden > 0 else 0.0
    desk.found[3] = total / (free * FULL) if free > 0 else 0.0
    return alike / alike_of if alike_of > 0 else 0.0
