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
from typing import NamedTuple

import numpy as np
import numpy.typing as npt
from numba import njit

from edge.vision.appearance import BINS, LOWER, UPPER, colour_code, contrast
from edge.vision.background import FOREGROUND, FULL
from edge.vision.motion import POSITION, VAR_POSITION
from edge.vision.table import HIDDEN, MOST_TRACKS, SEEN, Table

U8 = npt.NDArray[np.uint8]
I32 = npt.NDArray[np.int32]
Floats = npt.NDArray[np.float64]
Ints = npt.NDArray[np.int64]

THRESHOLD = FULL * 3 // 8  # a person fills about two thirds of the box
OUTSIDE = -THRESHOLD // 4  # a pixel beyond the picture: who is followed is more likely to be in sight
COLOUR = FULL // 2  # gain of a pixel whose colour only this person wears; half of that where nobody is near
FAR = 0.1  # how much the clothes of somebody far away count
EXPECTED_COST = 0.015  # share of a full box that one standard deviation from the expected place costs
REACH_SD = 2.5
NEAR_MARGIN = 0.2  # of the box: who is closer than that isn't alone
WIDTH, HEIGHT = 0, 1


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
    found: Floats  # [4] x, y, visible share, fill


def new_desk(height: int, width: int) -> Desk:
    """Room for a working size."""
    bins = np.zeros((2, BINS))
    integral = np.zeros((2 * height + 16, 2 * width + 16), np.int32)
    covered = np.zeros(integral.shape, np.uint8)
    return Desk(integral, covered, bins, bins.copy(), bins.copy(), np.zeros(MOST_TRACKS, np.int64), np.zeros(4))


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
    table: Table, near: Ints, count: int, foot: float, left: int, top: int, wide: int, high: int, covered: U8
) -> None:
    """Set ``covered[: high, : wide]``, a window of the picture, to 1 in boxes of ``near`` that reach below ``foot``."""
    covered[:high, :wide] = 0
    for n in range(count):
        k = near[n]
        x, y = table.x[k, POSITION] - left, table.y[k, POSITION] - top
        half_x, half_y = 0.5 * table.size[k, WIDTH], 0.5 * table.size[k, HEIGHT]
        if y + top + half_y <= foot:
            continue
        begin, end = int(max(x - half_x + 0.5, 0.0)), int(min(max(x + half_x + 0.5, 0.0), wide * 1.0))
        for row in range(int(max(y - half_y + 0.5, 0.0)), int(min(max(y + half_y + 0.5, 0.0), high * 1.0))):
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
    picture: Picture, middle: float, left: int, top: int, wide: int, high: int, crowded: bool, colour: int, desk: Desk
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
                gain = weight - THRESHOLD
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
                total += OUTSIDE
            integral[i + 1, j + 1] = integral[i, j + 1] + total


@njit(cache=True)
def fit_place(picture: Picture, table: Table, k: int, least_state: int, desk: Desk) -> float:
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
        mark_near(table, desk.near, count, -1e9, left, top, wide + 2 * reach_x, high + 2 * reach_y, desk.covered)
    middle = table.y[k, POSITION]
    _fill_integral(picture, middle, left, top, wide + 2 * reach_x, high + 2 * reach_y, count > 0, colour, desk)
    integral = desk.integral
    best, best_x, best_y = -1e18, 0.0, 0.0
    unit = 1.0 / (wide * high * FULL)
    for i in range(2 * reach_y + 1):
        centre_y = top + i + 0.5 * high
        away_y = (centre_y - table.y[k, POSITION]) / max(sd_y, 1.0)
        for j in range(2 * reach_x + 1):
            gain = integral[i + high, j + wide] - integral[i, j + wide] - integral[i + high, j] + integral[i, j]
            centre_x = left + j + 0.5 * wide
            away_x = (centre_x - table.x[k, POSITION]) / max(sd_x, 1.0)
            score = gain * unit - EXPECTED_COST * (away_x * away_x + away_y * away_y)
            if score > best:
                best, best_x, best_y = score, centre_x, centre_y
    desk.found[0], desk.found[1] = best_x, best_y
    return best


@njit(cache=True)
def look_inside(picture: Picture, table: Table, k: int, count: int, desk: Desk) -> float:
    """Into ``desk.found[2:]``: the share of the box that nobody of ``desk.near[:count]`` who is nearer covers, and how
    much of that is foreground. Clothes seen there are counted in ``desk.seen``. Returns the mean of how much the
    foreground of the covered part looks like this person (-1 to 1; `contrast`; 0 where nothing is covered).
    """
    height, width = picture.smooth.shape
    shift = 1 if picture.u.shape[1] < width else 0
    desk.seen[:, :] = 0.0
    if count > 0:
        _compare_clothes(table, k, desk.near, count, desk)
    x, y = table.x[k, POSITION], table.y[k, POSITION]
    left, top = int(max(x - 0.5 * table.size[k, WIDTH], 0.0)), int(max(y - 0.5 * table.size[k, HEIGHT], 0.0))
    right = int(min(x + 0.5 * table.size[k, WIDTH] + 0.5, width * 1.0))
    bottom = int(min(y + 0.5 * table.size[k, HEIGHT] + 0.5, height * 1.0))
    foot = y + 0.5 * table.size[k, HEIGHT]
    mark_near(table, desk.near, count, foot, left, top, max(right - left, 0), max(bottom - top, 0), desk.covered)
    free, total, alike, hidden = 0, 0, 0.0, 0
    for row in range(top, bottom):
        half = UPPER if row + 0.5 < y else LOWER
        for column in range(left, right):
            weight = int(picture.smooth[row, column])
            behind = desk.covered[row - top, column - left] != 0
            if not behind:
                free += 1
                total += weight
            if weight >= FOREGROUND:
                code = colour_code(
                    picture.y[row, column],
                    picture.u[row >> shift, column >> shift],
                    picture.v[row >> shift, column >> shift],
                )
                if behind:
                    alike += desk.gain[half, code]
                    hidden += 1
                else:
                    desk.seen[half, code] += 1.0
    area = (right - left) * (bottom - top)
    desk.found[2] = free / area if area > 0 else 0.0
    desk.found[3] = total / (free * FULL) if free > 0 else 0.0
    return alike / hidden if hidden > 0 else 0.0
