"""People for a simulated scene: who might have made its movements, and what a ceiling camera's tracker told of them.

The movements are there first; here each gets somebody who stands before the slot in time, with ways in and out. A few
shoppers come and go; a return is made by who took that SKU, as long as they are there. Each place is off by a slow and
a fast error, as a tracker's are, and the covariance says so.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np
import numpy.typing as npt

from drivers.simulated.stage import seeded
from edge.config.setup import Setup
from edge.trace.errors import TraceError
from edge.trace.event import Kind, Label
from edge.trace.sighting import TrackPoint

CAMERA, RUN = "ceiling", 1
STEP_S = 0.1
BEFORE_S, AFTER_S = 1.0, 0.8  # somebody stands there so long before touching and after letting go
STAYS_S = 12.0  # who has nothing to do for longer has gone, and the next one comes
AISLE_MM, FROM_MM, WALK_MM_S = 1200.0, 3500.0, 1200.0
OUT_MM, OUT_SD_MM, ALONG_SD_MM = 430.0, 60.0, 110.0
APART_MM = 560.0  # between two who stand before the shelf at once
SLOW_MM, SLOW_S, FAST_MM = 45.0, 1.5, 12.0
GOES_ON = 0.6  # how often the next movement is by the same person


@dataclass(slots=True)
class _Shopper:
    """One person's ways: where they are when, on the floor, straight between."""

    hand: int
    last_s: float
    holds: list[str | None] = field(default_factory=list)
    stops: list[tuple[float, float, float]] = field(default_factory=list)


def people_of(setup: Setup, labels: Sequence[Label], count: int, seed: int) -> list[TrackPoint]:
    """Tracks of ``count`` people at a time at most, in order of time. The same for the same arguments.

    Raises TraceError where no board's place is known.
    """
    if not any(board.place is not None for board in setup.node.boards.values()):
        raise TraceError("people can't be placed before the shelves: give the boards a `place:` in the node file")
    rng = seeded(seed, "people")
    shoppers: list[_Shopper] = []
    there: dict[int, _Shopper] = {}
    last = 0
    for label in sorted(labels, key=lambda label: label.start_s):
        stand = _stand(setup, label, rng)
        if stand is None:
            continue
        last = hand = _hand(label, there, count, last, rng)
        shopper = there.get(hand)
        if shopper is None or label.start_s - shopper.last_s > STAYS_S:
            shopper = there[hand] = _Shopper(hand, label.end_s)
            shoppers.append(shopper)
        _note(shopper, label)
        x, y, right_x, right_y = stand
        aside = APART_MM * (hand - 0.5 * (count - 1))
        begin_s = label.start_s - BEFORE_S
        if shopper.stops and shopper.stops[-1][0] > begin_s:
            begin_s = shopper.stops[-1][0] + 0.05
        # Nobody stands in another one's place: each keeps to one side of what they reach for.
        shift = 0.35 * aside
        shopper.stops.append((begin_s, x + shift * right_x, y + shift * right_y))
        shopper.stops.append((max(label.end_s + AFTER_S, begin_s + 0.1), x + shift * right_x, y + shift * right_y))
        shopper.last_s = label.end_s
    points = [
        point
        for number, shopper in enumerate(shoppers, start=1)
        for point in _track(f"{CAMERA}.{RUN}.{number}", _with_ways(shopper, setup, rng), rng)
    ]
    return sorted(points, key=lambda point: (point.time_ns, point.track))


def _hand(label: Label, there: dict[int, _Shopper], count: int, last: int, rng: np.random.Generator) -> int:
    """Who does it: one who holds that SKU, the one before again, or anybody."""
    if label.kind is Kind.PUT:
        holders = [
            hand for hand, one in there.items() if label.sku in one.holds and label.start_s - one.last_s <= STAYS_S
        ]
        if holders:
            return holders[0]
    return last if rng.random() < GOES_ON else int(rng.integers(count))


def _note(shopper: _Shopper, label: Label) -> None:
    if label.kind is Kind.PICK:
        shopper.holds += [label.sku] * label.quantity
    elif label.sku in shopper.holds:
        shopper.holds.remove(label.sku)


def _stand(setup: Setup, label: Label, rng: np.random.Generator) -> tuple[float, float, float, float] | None:
    """Where somebody stands who reaches for it, and the direction to the right of their look; None without a place."""
    board = setup.node.boards[label.board]
    if board.place is None:
        return None
    slot = setup.planogram.slots.get(label.slot or "")
    along = 0.5 * board.width_mm if slot is None else 0.5 * (slot.x_mm[0] + slot.x_mm[1])
    along += float(rng.normal(0.0, ALONG_SD_MM))
    out = max(250.0, float(rng.normal(OUT_MM, OUT_SD_MM)))
    x, y = board.place.on_floor(along, -out)
    right_x, right_y = board.place.on_floor(along + 1.0, -out)
    return x, y, right_x - x, right_y - y


def _with_ways(shopper: _Shopper, setup: Setup, rng: np.random.Generator) -> list[tuple[float, float, float]]:
    """The stops with the ways in and out: along the aisle before the boards."""
    place = next(board.place for board in setup.node.boards.values() if board.place is not None)
    facing = math.radians(place.facing_deg)
    out, right = (math.cos(facing), math.sin(facing)), (-math.sin(facing), math.cos(facing))
    found = list(shopper.stops)
    for at_start in (True, False):
        time_s, x, y = found[0 if at_start else -1]
        side = float(rng.choice((-1.0, 1.0)))
        step_s, aisle = (-1.0 if at_start else 1.0), AISLE_MM - OUT_MM + float(rng.normal(0.0, 120.0))
        turn_x, turn_y = x + aisle * out[0] + side * 300.0 * right[0], y + aisle * out[1] + side * 300.0 * right[1]
        away_x, away_y = turn_x + side * FROM_MM * right[0], turn_y + side * FROM_MM * right[1]
        turn_s = time_s + step_s * math.hypot(turn_x - x, turn_y - y) / WALK_MM_S
        ways = [(turn_s, turn_x, turn_y), (turn_s + step_s * FROM_MM / WALK_MM_S, away_x, away_y)]
        found = [*reversed(ways), *found] if at_start else [*found, *ways]
    return found


def _track(name: str, way: Sequence[tuple[float, float, float]], rng: np.random.Generator) -> list[TrackPoint]:
    """What a tracker tells of somebody who goes that way, ten times a second; never before the trace's zero."""
    first, last = math.ceil(max(way[0][0], 0.0) / STEP_S), math.floor(way[-1][0] / STEP_S)
    steps = np.arange(first, max(last, first))
    times = steps * STEP_S
    known = np.array(way)
    places = np.stack([np.interp(times, known[:, 0], known[:, axis]) for axis in (1, 2)], axis=1)
    keep = math.exp(-STEP_S / SLOW_S)
    error = rng.normal(0.0, SLOW_MM, 2)
    clothes = rng.integers(50, 206, 6)
    variance = float(round(SLOW_MM**2 + FAST_MM**2))
    found = []
    velocity = np.zeros(2)
    before: npt.NDArray[np.float64] | None = None
    for step, place in zip(steps.tolist(), places, strict=True):
        error = keep * error + rng.normal(0.0, SLOW_MM * math.sqrt(1.0 - keep * keep), 2)
        seen = place + error + rng.normal(0.0, FAST_MM, 2)
        velocity = velocity if before is None else 0.8 * velocity + 0.2 * (seen - before) / STEP_S
        before = seen
        colours = np.clip(clothes + rng.normal(0.0, 4.0, 6), 0, 255)
        found.append(
            TrackPoint(
                name,
                round(step * STEP_S * 1e9),
                round(float(seen[0]), 1),
                round(float(seen[1]), 1),
                variance,
                0.0,
                variance,
                float(round(velocity[0])),
                float(round(velocity[1])),
                False,
                tuple(int(level) for level in colours),
            )
        )
    return found
