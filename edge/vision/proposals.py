"""What a person detector sees and the tracker doesn't: people who are part of another's box, or whom it didn't take in,
and how large they are.

A proposal becomes a track on trial where there is foreground; whether it is confirmed is decided as for all. A detector
alone makes nobody: what isn't foreground isn't somebody who came in.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np

from edge.vision.appearance import take_in
from edge.vision.births import LEAST_FILL, bear, free_row
from edge.vision.fit import HEIGHT, WIDTH, Desk, Picture, look_inside
from edge.vision.inference.pictures import Box
from edge.vision.motion import POSITION
from edge.vision.sizes import Sizes, expected_size, learn_size
from edge.vision.table import EMPTY, NEW, SEEN, Table

OFF = 1.25  # of a side of a track's box by what the detector saw of its person, either way
FIRST_ORDER = -1e18  # before everybody: what others cover of it isn't left out


def propose_tracks(
    picture: Picture,
    table: Table,
    sizes: Sizes,
    desk: Desk,
    unknown: Sequence[Box],
    owners: Mapping[int, Box],
    now_ns: int,
) -> int:
    """How many tracks on trial were made of ``unknown``; boxes in pixels of the working size.

    ``owners``: what was seen of tracks, by identity. Without a floor map that says how large people are, a track whose
    box is much larger (others are in it) or smaller (a part of somebody) takes the box that was seen.
    """
    made = 0
    for identity, box in owners.items() if sizes.given.size == 0 else ():
        for k in np.flatnonzero((table.state == SEEN) & (table.identity == identity)).tolist():
            sides = _sides(sizes, picture, box)
            if any(not 1.0 / OFF < float(table.size[k, side]) / sides[side] < OFF for side in (WIDTH, HEIGHT)):
                table.size[k, WIDTH], table.size[k, HEIGHT] = sides[WIDTH], sides[HEIGHT]
                table.x[k, POSITION], table.y[k, POSITION] = _middle(box)
    for box in unknown:
        k = int(free_row(table))
        if k < 0 or any(_there(table, other, box) for other in np.flatnonzero(table.state == NEW).tolist()):
            continue
        sides = _sides(sizes, picture, box)
        bear(table, k, *_middle(box), sides[WIDTH], sides[HEIGHT], now_ns)
        look_inside(picture, table, sizes, k, 0, FIRST_ORDER, desk)
        if desk.found[3] < LEAST_FILL:
            table.state[k] = EMPTY
            continue
        take_in(table.clothes[k], desk.seen, 1.0)
        table.visible[k], table.fill[k] = desk.found[2], desk.found[3]
        made += 1
    return made


def learn_sizes(picture: Picture, sizes: Sizes, whole: Sequence[Box]) -> None:
    """How large people are, from those whom a detector sees whole; nothing where a floor map says it."""
    height, width = picture.smooth.shape
    for box in whole:
        learn_size(sizes, *_middle(box), width, height, np.array([box.width, box.height]), 1.0)


def _middle(box: Box) -> tuple[float, float]:
    return box.left + 0.5 * box.width, box.top + 0.5 * box.height


def _sides(sizes: Sizes, picture: Picture, box: Box) -> dict[int, float]:
    """Of a person there: as expected, else as the detector saw it."""
    height, width = picture.smooth.shape
    expected = np.empty(2)
    if expected_size(sizes, *_middle(box), width, height, expected):
        return {WIDTH: float(expected[0]), HEIGHT: float(expected[1])}
    return {WIDTH: box.width, HEIGHT: box.height}


def _there(table: Table, k: int, box: Box) -> bool:
    """Whether track k is on trial in the middle of that box already."""
    away_x, away_y = (abs(a - float(b[k, POSITION])) for a, b in zip(_middle(box), (table.x, table.y), strict=True))
    return away_x < 0.5 * box.width and away_y < 0.5 * box.height
