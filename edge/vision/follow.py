"""One picture further: every track is predicted, found again, drawn tight; then births, confirmations, losses."""

from __future__ import annotations

import math
from typing import NamedTuple

import numpy as np
import numpy.typing as npt
from numba import njit

from edge.vision.appearance import same_clothes, take_in
from edge.vision.background import COVERED, TENTATIVE, U8, Background
from edge.vision.births import LEAST_AREA, MARGIN, bear_tracks, paint
from edge.vision.blobs import BlobDesk
from edge.vision.edges import tight_box
from edge.vision.fit import HEIGHT, NEAR_MARGIN, WIDTH, Desk, Picture, fit_place, look_inside, who_is_near
from edge.vision.ghost import is_ghost, lay_ghost
from edge.vision.motion import (
    ACCELERATION_M_S2,
    BODY_WIDTH_M,
    FORGET_VELOCITY_S,
    POSITION,
    VELOCITY,
    predict,
    update,
)
from edge.vision.recognise import confirm_tracks
from edge.vision.shade import tell_clothes
from edge.vision.shapes import how_near
from edge.vision.sizes import Sizes, expected_size, learn_size, solve_sizes
from edge.vision.table import EMPTY, HIDDEN, LOST, MOST_TRACKS, NEW, SEEN, Table

Floats = npt.NDArray[np.float64]
Ints = npt.NDArray[np.int64]

LEAST_FILL = 0.25  # of the part of a box that nobody covers: less, and the person isn't there
LEAST_VISIBLE = 0.3  # of the box: if less is free, only colours can tell
LEAST_ALIKE = 0.15
LEAST_OWN = -0.3
LEAST_LIKE = 0.3  # Bhattacharyya coefficient of one who comes into sight again with what was seen before
HIDDEN_S = 3.0  # behind a post, a shelf
COVERED_S = 6.0  # behind somebody
LEFT_S = 0.4  # beyond the picture's edge
KNOWN_S = 60.0  # how long somebody lost is known again
TOUCH = 0.15  # of the width: boxes that are so near touch
ALONE_S = 0.5
CLOTHES_S = 2.0  # what one looks like is the mean over so long
DOUBLED_S = 1.5
GHOST_S = 0.25
STILL_M_S = 0.4
TRIAL_GAP_S = 0.35
CROWD = 1.25  # what is larger than a person by so much is more than one
GROWN = 0.2  # a box that can't be drawn tight is at most so much larger than expected there


class Rooms(NamedTuple):
    """Room to work in."""

    desk: Desk
    blob_desk: BlobDesk
    taken: U8  # [h, w]
    rows: Ints  # [h]
    columns: Ints  # [w]
    order: Ints  # [MOST_TRACKS]
    box: Floats  # [4]
    expected: Floats  # [4]


@njit(cache=True)
def _predict(table: Table, sizes: Sizes, width: int, height: int, elapsed_s: float, expected: Floats) -> None:
    was = expected[2:]
    for k in range(MOST_TRACKS):
        if table.state[k] in (EMPTY, LOST):
            continue
        acceleration = ACCELERATION_M_S2 * table.size[k, WIDTH] / BODY_WIDTH_M
        if table.state[k] == HIDDEN:
            keep = 1.0 / (1.0 + elapsed_s / FORGET_VELOCITY_S)
            table.x[k, VELOCITY] *= keep
            table.y[k, VELOCITY] *= keep
        known = expected_size(sizes, table.x[k, POSITION], table.y[k, POSITION], width, height, was)
        predict(table.x[k], elapsed_s, acceleration)
        predict(table.y[k], elapsed_s, acceleration)
        if known and expected_size(sizes, table.x[k, POSITION], table.y[k, POSITION], width, height, expected):
            for side in range(2):  # nearer by is larger
                table.size[k, side] *= expected[side] / was[side]


@njit(cache=True)
def _keep_to_size(table: Table, k: int, sizes: Sizes, width: int, height: int, expected: Floats) -> None:
    """A box isn't much larger or smaller than a person there."""
    if expected_size(sizes, table.x[k, POSITION], table.y[k, POSITION], width, height, expected):
        for side in range(2):
            low, top = expected[side] / CROWD, expected[side] * (CROWD if table.visible[k] > 0.9 else 1.0 + GROWN)
            table.size[k, side] = min(max(table.size[k, side], low), top)


@njit(cache=True)
def set_order(table: Table, sizes: Sizes, k: int) -> None:
    """Who hides whom, from where they are."""
    foot = table.y[k, POSITION] + 0.5 * table.size[k, HEIGHT]
    table.order[k] = how_near(sizes, table.x[k, POSITION], foot, table.y[k, POSITION])


@njit(cache=True)
def _in_order(table: Table, order: Ints) -> int:
    """Rows to be found: those seen before those hidden before those on trial, the nearest first."""
    count = 0
    for state in (SEEN, HIDDEN, NEW):
        first = count
        for k in range(MOST_TRACKS):
            if table.state[k] == state:
                at = count
                while at > first and table.order[order[at - 1]] < table.order[k]:
                    order[at] = order[at - 1]
                    at -= 1
                order[at] = k
                count += 1
    return count


@njit(cache=True)
def _measure(picture: Picture, table: Table, k: int, sizes: Sizes, rooms: Rooms, now_ns: int, elapsed_s: float) -> None:
    """Take the place that was found as a measurement, if somebody is to be seen there."""
    height, width = picture.smooth.shape
    desk = rooms.desk
    wide = table.size[k, WIDTH]
    predicted_x, predicted_y = table.x[k, POSITION], table.y[k, POSITION]
    x, y = rooms.box[0], rooms.box[1]
    table.x[k, POSITION], table.y[k, POSITION] = x, y
    near = who_is_near(table, k, NEAR_MARGIN * wide, NEAR_MARGIN * wide, SEEN, desk.near)
    set_order(table, sizes, k)
    alike = look_inside(picture, table, sizes, k, near, table.order[k], desk)
    table.visible[k], table.fill[k] = desk.found[2], desk.found[3]
    free = table.visible[k] >= LEAST_VISIBLE
    like = desk.found[4]
    if free and like < LEAST_OWN:  # where the person should be, somebody else is to be seen
        free, alike, table.visible[k] = False, like, 0.0
    seen = table.fill[k] >= LEAST_FILL if free else alike >= LEAST_ALIKE
    if seen and table.state[k] == HIDDEN and free:
        seen = _likeness(table, k, desk) >= LEAST_LIKE
    if not seen:
        table.x[k, POSITION], table.y[k, POSITION] = predicted_x, predicted_y
        if table.state[k] == SEEN:
            table.state[k] = HIDDEN
        return
    sd = (0.06 + 0.15 * (1.0 - table.visible[k])) * wide + 0.5
    sharp = 0
    if free:
        sharp = tight_box(picture.smooth, table, sizes, k, desk, near, rooms.rows, rooms.columns, rooms.box)
        box = rooms.box
        edge = box[1] <= 1 or box[3] >= height - 1 or (sharp == 3 and (box[0] <= 1 or box[2] >= width - 1))
        expected = rooms.expected
        known = expected_size(sizes, x, y, width, height, expected)
        wider = sharp == 3 and box[2] - box[0] > CROWD * expected[0]
        if known and (wider or box[3] - box[1] > CROWD * expected[1]):
            sharp = 0
        share = 0.25
        if sharp >= 1 and not edge:
            table.size[k, HEIGHT] += share * (box[3] - box[1] - table.size[k, HEIGHT])
            y = 0.5 * (box[1] + box[3])
            if sharp == 3:
                table.size[k, WIDTH] += share * (box[2] - box[0] - table.size[k, WIDTH])
                x = 0.5 * (box[0] + box[2])
                large = (box[2] - box[0]) * (box[3] - box[1]) > LEAST_AREA * height * width
                if near == 0 and large and table.state[k] == SEEN and table.fill[k] > 0.4:
                    desk.found[0], desk.found[1] = box[2] - box[0], box[3] - box[1]
                    learn_size(sizes, x, y, width, height, desk.found[:2], 1.0)
    if expected_size(sizes, x, y, width, height, rooms.expected):
        for side in range(2):
            if sharp < (3 if side == WIDTH else 1):
                table.size[k, side] += 0.1 * (rooms.expected[side] - table.size[k, side])
    table.x[k, POSITION], table.y[k, POSITION] = predicted_x, predicted_y
    update(table.x[k], x, sd)
    update(table.y[k], y, sd)
    if near == 0 or (table.visible[k] > 0.6 and like > 0.0):
        share = elapsed_s / (elapsed_s + CLOTHES_S)
        take_in(table.clothes[k], desk.seen, share if near == 0 else 0.3 * share)
    if near == 0:
        table.alone_s[k] += elapsed_s
    if table.state[k] == HIDDEN:
        table.state[k] = SEEN
    table.seen_ns[k] = now_ns
    table.hits[k] += 1


@njit(cache=True)
def _likeness(table: Table, k: int, desk: Desk) -> float:
    """Of the clothes counted in ``desk.seen`` with those of track k; the counts become shares."""
    for half in range(2):
        desk.seen[half] /= max(desk.seen[half].sum(), 1.0)
    return float(same_clothes(desk.seen, table.clothes[k]))


@njit(cache=True)
def _is_rather(picture: Picture, table: Table, sizes: Sizes, k: int, other: int, desk: Desk) -> bool:
    """Whether the clothes seen where both are, are rather those of track k than those of the other."""
    look_inside(picture, table, sizes, k, 0, 0.0, desk)
    return bool(_likeness(table, k, desk) > _likeness(table, other, desk))


@njit(cache=True)
def _drop_doubles(picture: Picture, table: Table, sizes: Sizes, desk: Desk, elapsed_s: float, expected: Floats) -> None:
    """Two boxes that together are no larger than one person are one; if both were alone before, only if that lasts."""
    height, width = picture.smooth.shape
    for k in range(MOST_TRACKS):
        if table.state[k] not in (NEW, SEEN):
            continue
        doubled, doubles = False, 0
        for other in range(MOST_TRACKS):
            if other == k or table.state[other] != SEEN or table.born_ns[other] > table.born_ns[k]:
                continue
            if table.born_ns[other] == table.born_ns[k] and other > k:
                continue
            known = expected_size(sizes, table.x[other, POSITION], table.y[other, POSITION], width, height, expected)
            away_x = abs(table.x[k, POSITION] - table.x[other, POSITION])
            away_y = abs(table.y[k, POSITION] - table.y[other, POSITION])
            both_wide = away_x + 0.5 * (table.size[k, WIDTH] + table.size[other, WIDTH])
            both_high = away_y + 0.5 * (table.size[k, HEIGHT] + table.size[other, HEIGHT])
            one = both_wide < expected[0] * (1.0 + GROWN) and both_high < expected[1] * (1.0 + GROWN)
            if not known:  # before it is known how large people are, what hangs together is one
                touch = TOUCH * table.size[other, WIDTH]
                one = table.alone_s[k] < ALONE_S
                one = one and away_x < 0.5 * (table.size[k, WIDTH] + table.size[other, WIDTH]) + touch
                one = one and away_y < 0.5 * (table.size[k, HEIGHT] + table.size[other, HEIGHT]) + touch
            if one:
                doubled, doubles = True, other
                break
        table.doubled_s[k] = table.doubled_s[k] + elapsed_s if doubled else 0.0
        if doubled and (table.alone_s[k] < ALONE_S or table.doubled_s[k] > DOUBLED_S):
            if table.state[k] == SEEN and _is_rather(picture, table, sizes, k, doubles, desk):
                table.doubled_s[k] = 0.0
                table.state[doubles] = LOST
            else:
                table.state[k] = EMPTY if table.state[k] == NEW else LOST


@njit(cache=True)
def _lay_ghosts(picture: Picture, model: Background, table: Table, elapsed_s: float) -> None:
    """Those who stand still are looked at: some are places that somebody has left."""
    for k in range(MOST_TRACKS):
        if table.state[k] not in (NEW, SEEN):
            continue
        speed = math.sqrt(table.x[k, VELOCITY] ** 2 + table.y[k, VELOCITY] ** 2)
        if speed > STILL_M_S * table.size[k, WIDTH] / BODY_WIDTH_M or not is_ghost(model, picture.y, table, k):
            table.ghost_s[k] = max(table.ghost_s[k] - elapsed_s, 0.0)
            continue
        table.ghost_s[k] += elapsed_s
        if table.ghost_s[k] > GHOST_S:
            lay_ghost(model, picture.y, picture.u, picture.v, table, k)
            table.state[k] = EMPTY


@njit(cache=True)
def _lose(table: Table, width: int, height: int, now_ns: int) -> None:
    """Give up who wasn't seen for too long; forget who has been lost for too long."""
    for k in range(MOST_TRACKS):
        gone_s = (now_ns - table.seen_ns[k]) * 1e-9
        if table.state[k] == NEW and gone_s > TRIAL_GAP_S:
            table.state[k] = EMPTY
        elif table.state[k] <= HIDDEN and table.size[k, WIDTH] * table.size[k, HEIGHT] < LEAST_AREA * width * height:
            table.state[k] = EMPTY  # a fragment
        elif table.state[k] == LOST and gone_s > KNOWN_S:
            table.state[k] = EMPTY
        elif table.state[k] == HIDDEN:
            x, y = table.x[k, POSITION], table.y[k, POSITION]
            margin = 0.25 * table.size[k, WIDTH]
            out = x < margin or x > width - margin or y < margin or y > height - margin
            patience_s = COVERED_S if table.visible[k] < LEAST_VISIBLE else HIDDEN_S
            if gone_s > (LEFT_S if out else patience_s):
                table.state[k] = LOST


@njit(cache=True, nogil=True)
def follow(
    picture: Picture,
    model: Background,
    table: Table,
    sizes: Sizes,
    rooms: Rooms,
    now_ns: int,
    elapsed_s: float,
    blind: bool,
) -> None:
    """One picture further. ``blind``: nothing is to be seen in it, so nobody is looked for."""
    height, width = picture.smooth.shape
    _predict(table, sizes, width, height, elapsed_s, rooms.expected)
    if not blind:
        expected = rooms.expected
        for k in range(MOST_TRACKS):
            if NEW <= table.state[k] <= HIDDEN:
                _keep_to_size(table, k, sizes, width, height, expected)
                set_order(table, sizes, k)
        tell_clothes(model, picture.y, table)
        count = _in_order(table, rooms.order)
        for n in range(count):
            k = rooms.order[n]
            fit_place(picture, table, sizes, k, SEEN, rooms.desk)
            rooms.box[0], rooms.box[1] = rooms.desk.found[0], rooms.desk.found[1]
            _measure(picture, table, k, sizes, rooms, now_ns, elapsed_s)
        _drop_doubles(picture, table, sizes, rooms.desk, elapsed_s, expected)
        rooms.taken[:, :] = 0
        for k in range(MOST_TRACKS):
            if table.state[k] in (NEW, SEEN):
                paint(table, k, MARGIN, 1, rooms.taken)
        bear_tracks(picture, rooms.taken, table, sizes, rooms.desk, rooms.blob_desk, now_ns)
        confirm_tracks(table, sizes, width, height, now_ns)
        solve_sizes(sizes)
        _lay_ghosts(picture, model, table, elapsed_s)
    _lose(table, width, height, now_ns)
    cover = model.cover
    cover[:, :] = 0
    for k in range(MOST_TRACKS):
        if table.state[k] == NEW:
            paint(table, k, MARGIN, TENTATIVE, cover)
        elif table.state[k] in (SEEN, HIDDEN):
            paint(table, k, MARGIN, COVERED, cover)
