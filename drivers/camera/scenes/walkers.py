"""The people of a rendered ceiling scene: what they wear, where they go, how they make way, and who comes again."""

from __future__ import annotations

import math
from dataclasses import dataclass, field

import numpy as np
import numpy.typing as npt

Floats = npt.NDArray[np.float64]

CLOTHES = (
    (35, 35, 40), (160, 40, 40), (40, 70, 150), (200, 200, 205), (60, 110, 60), (150, 120, 70), (110, 60, 120),
    (220, 170, 60), (90, 90, 95), (30, 45, 70), (190, 110, 120), (70, 130, 140),
)  # fmt: skip
GREYS = ((25, 25, 25), (60, 60, 62), (90, 90, 92), (120, 120, 120), (215, 215, 215))
UNIFORMS = ((30, 60, 130), (30, 30, 35))
APART_M = 0.6
ABREAST_M = 0.65  # how far apart a group walks
PATIENCE_S = 8.0  # somebody stands where this one wanted to go: on to the next place


@dataclass(frozen=True, slots=True)
class Ways:
    """Where people may be: a rectangle to stop in, and a larger one beyond which nobody sees them, x and y in metres.

    Attributes:
        from_far: whether people come in over the far side too (else a shelf stands there).
    """

    low: tuple[float, float]
    top: tuple[float, float]
    inner_low: tuple[float, float]
    inner_top: tuple[float, float]
    from_far: bool = False

    def outside(self, rng: np.random.Generator) -> tuple[float, float]:
        """A place beyond the edge."""
        side = rng.integers(4 if self.from_far else 3)
        along = 1 if side < 2 else 0
        place = [0.0, 0.0]
        place[along] = rng.uniform(self.inner_low[along], self.inner_top[along])
        place[1 - along] = self.top[1 - along] + 0.8 if side in (1, 3) else self.low[1 - along] - 0.8
        return place[0], place[1]

    def inside(self, rng: np.random.Generator) -> tuple[float, float]:
        """A place to go to."""
        x = rng.uniform(self.inner_low[0], self.inner_top[0])
        return x, min(rng.uniform(self.inner_low[1], self.inner_top[1]), self.top[1])


@dataclass(slots=True)
class Person:
    """One person; metres, seconds, colours 0 to 255."""

    identity: int
    x: float
    y: float
    speed: float
    height: float
    shirt: Floats
    trousers: Floats
    hair: Floats
    carries: bool
    stops: list[tuple[float, float, float]]  # x, y, how long to stay
    wait_s: float = 0.0
    walked_s: float = 0.0
    heading: float = 0.0
    beside: Person | None = field(default=None, repr=False)  # whom this one walks with
    again_s: float = math.inf  # when one who has left comes again


def new_person(
    identity: int, ways: Ways, pause_share: float, carry_share: float, clothes: str, rng: np.random.Generator
) -> Person:
    """Somebody who is about to come in."""
    stops = [
        (*ways.inside(rng), rng.uniform(1.5, 8.0) * (rng.random() < pause_share)) for _ in range(rng.integers(1, 5))
    ]
    colours = {"any": CLOTHES, "grey": GREYS, "alike": UNIFORMS}[clothes]
    shirt, trousers = rng.choice(len(colours), 2, replace=False) if clothes != "alike" else (0, 1)
    hair = np.array(((30, 25, 20), (90, 60, 35), (190, 170, 120), (120, 120, 120))[rng.integers(4)], np.float64)
    return Person(
        identity,
        *ways.outside(rng),
        rng.uniform(0.7, 1.4),
        rng.uniform(1.55, 1.88),
        np.array(colours[shirt], np.float64) + rng.normal(0, 10 if clothes == "any" else 2, 3),
        np.array(colours[trousers], np.float64) * 0.8,
        hair,
        bool(rng.random() < carry_share),
        [*stops, (*ways.outside(rng), 0.0)],
    )


def standing_person(
    identity: int, ways: Ways, pause_share: float, carry_share: float, clothes: str, rng: np.random.Generator
) -> Person:
    """Somebody who is there from the first picture on, and stays for a while."""
    person = new_person(identity, ways, pause_share, carry_share, clothes, rng)
    person.x, person.y = ways.inside(rng)
    person.wait_s = rng.uniform(1.0, 9.0)
    return person


def walk_with(person: Person, leader: Person) -> None:
    """Make ``person`` the one beside ``leader`` all the way."""
    person.beside, person.speed = leader, leader.speed
    person.stops = list(leader.stops)
    person.x, person.y = leader.x, leader.y + ABREAST_M


def come_again(person: Person, ways: Ways, pause_share: float, rng: np.random.Generator) -> None:
    """In again where they went out."""
    person.stops = [
        (*ways.inside(rng), rng.uniform(1.5, 8.0) * (rng.random() < pause_share)),
        (*ways.outside(rng), 0.0),
    ]
    person.again_s = math.inf


def walk(people: list[Person], step_s: float) -> None:
    """Everybody on by ``step_s``."""
    for person in people:
        leader = person.beside
        if leader is not None and leader.stops:
            along = leader.heading + 0.5 * math.pi
            person.wait_s, person.stops = leader.wait_s, list(leader.stops)
            person.heading = leader.heading
            dx = leader.x + ABREAST_M * math.cos(along) - person.x
            dy = leader.y + ABREAST_M * math.sin(along) - person.y
            way = math.hypot(dx, dy)
            share = min(1.0, 1.6 * leader.speed * step_s / max(way, 1e-6))
            person.x, person.y = person.x + share * dx, person.y + share * dy
            continue
        if person.wait_s > 0.0:
            person.wait_s -= step_s
            continue
        x, y, stay_s = person.stops[0]
        dx, dy = x - person.x, y - person.y
        way = math.hypot(dx, dy)
        person.walked_s += step_s
        far = PATIENCE_S if len(person.stops) < 2 or way < 6.0 else 3.0 * PATIENCE_S
        if way < 0.15 or person.walked_s > far:
            person.wait_s = stay_s
            person.walked_s = 0.0
            person.stops.pop(0)
            continue
        person.heading = math.atan2(dy, dx)
        side_x = side_y = 0.0
        for other in people:
            away = math.hypot(person.x - other.x, person.y - other.y)
            if other is not person and other.beside is not person and away < 1.5 * APART_M:
                push = 2.0 * (1.5 * APART_M - away) / APART_M
                side_x += push * (person.x - other.x) / max(away, 0.05) - 0.7 * push * dy / way
                side_y += push * (person.y - other.y) / max(away, 0.05) + 0.7 * push * dx / way
        vx, vy = dx / way + side_x, dy / way + side_y
        norm = max(math.hypot(vx, vy), 1e-6)
        person.x += person.speed * step_s * vx / norm
        person.y += person.speed * step_s * vy / norm
