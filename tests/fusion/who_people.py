"""People for tests of `who`: boards with a place in the store, tracks, and single movements named without samples."""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Iterable, Sequence

from fusion_boards import CORNERS, setup_of

from edge.config.camera_schema import Place
from edge.config.setup import Setup
from edge.fusion.memory import Guess, Hands, HandUnit
from edge.fusion.model import board_model, sku_table
from edge.fusion.movement import Movement
from edge.fusion.sightings import Sightings
from edge.fusion.who import Namer
from edge.fusion.who_place import front_of
from edge.node.simulate import calibration_for, physics_for
from edge.trace.event import Event, Kind, Status
from edge.trace.sighting import TrackPoint

S = 1_000_000_000
SPOT_MM = 500.0  # where things happen, from the board's left edge
WALL = Place(x_mm=3000.0, y_mm=1000.0, facing_deg=30.0)
"""The boards' wall; places of people are told along it and out from it."""


def setup_on(*places: Place | None) -> Setup:
    """A calibrated node with a board at each place."""
    setup = setup_of({f"b{k}": CORNERS for k in range(len(places))})
    boards = {
        name: board.model_copy(update={"place": place})
        for (name, board), place in zip(setup.node.boards.items(), places, strict=True)
    }
    setup = dataclasses.replace(setup, node=setup.node.model_copy(update={"boards": boards}))
    return dataclasses.replace(setup, calibration=calibration_for(setup, physics_for(setup, 1), 1))


def track(
    name: str,
    along_mm: float,
    out_mm: float = 430.0,
    from_s: float = 0.0,
    until_s: float = 30.0,
    along_mm_s: float = 0.0,
    sd_mm: float = 40.0,
    hidden: bool = False,
    clothes: tuple[int, ...] = (),
    place: Place = WALL,
) -> list[TrackPoint]:
    """Ten points a second of somebody who is at that place at 10 s, as seen from `SPOT_MM` on the board."""
    points = []
    for step in range(round(from_s * 10), round(until_s * 10)):
        at_s = step / 10
        moved = along_mm + along_mm_s * (at_s - 10.0)
        x, y = place.on_floor(SPOT_MM + moved, -out_mm)
        ahead = place.on_floor(SPOT_MM + moved + along_mm_s, -out_mm)
        vx, vy = ahead[0] - x, ahead[1] - y
        points.append(TrackPoint(name, round(at_s * S), x, y, sd_mm**2, 0.0, sd_mm**2, vx, vy, hidden, clothes))
    return points


class Counter:
    """One board whose movements are told without any sample."""

    def __init__(self, *tracks: Iterable[TrackPoint], place: Place = WALL) -> None:
        setup = setup_on(place)
        board = setup.node.boards["b0"]
        front = front_of(board)
        assert front is not None
        self.skus, self.hands, self.sightings = sku_table(setup), Hands(), Sightings()
        self.model = board_model(setup, "b0", board, setup.calibration["b0"], self.skus)
        self.namer = Namer(self.model, self.skus, front, self.hands, self.sightings)
        self.sightings.give([point for points in tracks for point in points])

    def movement(self, at_s: float = 10.0, put: bool = False, sku: int = 4, x_mm: float | None = SPOT_MM) -> Movement:
        """One unit of a product."""
        weight = float(self.skus.weight_g[sku])
        move = (1 if put else -1, sku, sku, 1)
        return Movement(move, move[0] * weight, 1.0, x_mm, 200.0, round(at_s * S), None)  # type: ignore[arg-type]

    def named(self, *movements: Movement, decided_s: float = 13.0) -> list[dict[str, float]]:
        """Who made each of these movements of one reading."""
        return [dict(event.who) for event in self.events(*movements, decided_s=decided_s)]

    def events(self, *movements: Movement, decided_s: float = 13.0) -> list[Event]:
        """The same as whole events."""
        self.sightings.look_from(round(decided_s * S))
        events = [_event(movement, round(decided_s * S)) for movement in movements]
        return self.namer.named(events, movements, round(decided_s * S))

    def settle(self, movement: Movement) -> None:
        """Name a movement and remember it as settled."""
        decided_s = movement.time_ns / S + 2.0
        (event,) = self.events(movement, decided_s=decided_s)
        self.namer.remember(movement, event)

    def holds(self, who: str, sku: int = 4, grams: float | None = None, taken_s: float = 2.0) -> None:
        """Somebody has taken a unit before."""
        weight = float(self.skus.weight_g[sku]) if grams is None else grams
        guess = Guess(sku, sku, 1, 1.0)
        self.hands.take(HandUnit((guess,), weight, 0.5, "b0", round(taken_s * S), ((who, 1.0),)))


def _event(movement: Movement, decided_ns: int) -> Event:
    kind = Kind.PUT if movement.move[0] > 0 else Kind.PICK
    return Event(
        "b0-000001", 1, Status.FINAL, kind, "b0", "A4", "sku4", 1, movement.grams, movement.x_mm, movement.y_mm,
        movement.time_ns, decided_ns, 0.999, False,
    )  # fmt: skip


def sum_of(who: Sequence[tuple[str, float]]) -> float:
    """Of all probabilities."""
    return math.fsum(p for _, p in who)
