"""Rendered scenes from the ceiling, with truth: people made of discs, light, noise, and what moves without being one.

A pinhole camera hangs `Shop.height_m` above the floor and looks down at an angle. A person is a stack of discs (legs,
trunk, shoulders, head) in the colours of clothes, drawn from the floor up, the farthest person first; a soft shadow
lies beside the feet. People come in from outside, walk from place to place at their own speed, stop for a while, make
way for each other, and leave.
"""

from __future__ import annotations

import itertools
import math
from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from drivers.frames import Frame, planes_of_rgb

Floats = npt.NDArray[np.float64]

BODY = (
    (0.02, 0.13),
    (0.3, 0.13),
    (0.6, 0.15),
    (0.9, 0.18),
    (1.1, 0.2),
    (1.3, 0.23),
    (1.42, 0.22),
    (1.5, 0.1),
    (1.6, 0.11),
)
TOP_M = 1.72
DISC_STEP_M = 0.06
CLOTHES = (
    (35, 35, 40), (160, 40, 40), (40, 70, 150), (200, 200, 205), (60, 110, 60), (150, 120, 70), (110, 60, 120),
    (220, 170, 60), (90, 90, 95), (30, 45, 70), (190, 110, 120), (70, 130, 140),
)  # fmt: skip
APART_M = 0.6
PATIENCE_S = 8.0  # somebody stands where this one wanted to go: on to the next place


@dataclass(frozen=True, slots=True)
class Shop:
    """One installation and what happens in it.

    Attributes:
        height_m, tilt_deg: of the camera; 0 looks straight down.
        view_deg: horizontal angle of view.
        people: at the same time, at most.
        pause_share: of the walks between places that end with a stop.
        carry_share: of the people who carry a box.
        noise: standard deviation of a pixel, grey levels.
        flicker: amplitude of the mains' bands.
        exposure_s: period of a slow swing of the exposure, by +-15 %; 0: none.
        light_switch_s: when a second lamp is switched on and off again, every so often; 0: never.
        door: whether a door swings beside the scene, and a lamp above it.
    """

    width: int = 320
    height: int = 240
    rate_hz: float = 15.0
    height_m: float = 3.5
    tilt_deg: float = 20.0
    view_deg: float = 75.0
    people: int = 4
    pause_share: float = 0.5
    carry_share: float = 0.3
    shadow: float = 0.25
    noise: float = 2.5
    flicker: float = 0.01
    exposure_s: float = 0.0
    light_switch_s: float = 0.0
    door: bool = False


class PinholeCamera:
    """A pinhole over the floor's origin; looks down, tilted towards +y, the picture's upper edge."""

    def __init__(self, shop: Shop) -> None:
        tilt = math.radians(shop.tilt_deg)
        self._sin, self._cos = math.sin(tilt), math.cos(tilt)
        self._focal = 0.5 * shop.width / math.tan(math.radians(0.5 * shop.view_deg))
        self._middle = 0.5 * shop.width, 0.5 * shop.height
        self._height_m = shop.height_m

    def see(self, x_m: float, y_m: float, z_m: float) -> tuple[float, float, float]:
        """Pixel x, y and pixels per metre of a point."""
        down = self._height_m - z_m
        depth = max(down * self._cos + y_m * self._sin, 0.2)
        up = y_m * self._cos - down * self._sin
        scale = self._focal / depth
        return self._middle[0] + scale * x_m, self._middle[1] - scale * up, scale

    def floor_of(self, x_px: float, y_px: float) -> tuple[float, float]:
        """The place on the floor that a pixel shows."""
        right, up = (x_px - self._middle[0]) / self._focal, (self._middle[1] - y_px) / self._focal
        down, forward = self._cos - up * self._sin, self._sin + up * self._cos
        reach = self._height_m / max(down, 0.05)
        return right * reach, forward * reach


@dataclass(frozen=True, slots=True)
class CeilingPicture:
    """A frame and who is in it: those whose middle is in the picture.

    Attributes:
        identities: int64[n].
        boxes: float64[n, 4], left, top, width, height in pixels, of all of the person that is in the picture.
        places: float64[n, 2], x and y of the feet on the floor in metres; the camera hangs over 0, 0.
    """

    frame: Frame
    identities: npt.NDArray[np.int64]
    boxes: Floats
    places: Floats


@dataclass(slots=True)
class _Person:
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


def ceiling_scene(
    shop: Shop, seed: int, seconds: float = math.inf, camera_id: str = "ceiling"
) -> Iterator[CeilingPicture]:
    """Pictures of that many seconds; times count from 0."""
    rng = np.random.default_rng(seed)
    camera = PinholeCamera(shop)
    floor = _floor(shop, camera, rng)
    corners = [camera.floor_of(x, y) for x in (0, shop.width) for y in (0, shop.height)]
    inner = [camera.floor_of(x * shop.width, y * shop.height) for x in (0.2, 0.8) for y in (0.25, 0.85)]
    people: list[_Person] = []
    made, next_s = 0, 1.0
    step_s = 1.0 / shop.rate_hz
    numbers = itertools.count() if math.isinf(seconds) else range(round(seconds * shop.rate_hz))
    for number in numbers:
        now_s = number * step_s
        if len(people) < shop.people and now_s >= next_s:
            made += 1
            people.append(_new_person(shop, made, corners, inner, rng))
            next_s = now_s + rng.uniform(2.0, 8.0)
        _walk(people, step_s)
        people = [person for person in people if person.stops]
        rgb = _lit(floor, shop, camera, now_s)
        for person in sorted(people, key=lambda one: -math.hypot(one.x, one.y)):
            _cast_shadow(rgb, camera, person, shop.shadow)
        boxes, identities, places = [], [], []
        for person in sorted(people, key=lambda one: -math.hypot(one.x, one.y)):
            box = _draw(rgb, camera, person, now_s)
            left, top, right, bottom = box
            if 0 <= 0.5 * (left + right) < shop.width and 0 <= 0.5 * (top + bottom) < shop.height:
                left, top, right, bottom = (
                    max(left, 0.0),
                    max(top, 0.0),
                    min(right, shop.width),
                    min(bottom, shop.height),
                )
                boxes.append((left, top, right - left, bottom - top))
                identities.append(person.identity)
                places.append((person.x, person.y))
        if shop.exposure_s:
            rgb *= 1.0 + 0.15 * math.sin(2.0 * math.pi * now_s / shop.exposure_s)
        rows = np.arange(shop.height)[:, None, None]
        rgb *= 1.0 + shop.flicker * np.sin(2.0 * math.pi * (rows / shop.height * 1.7 + 0.31 * number))
        y, u, v = planes_of_rgb(np.clip(rgb, 0, 255).astype(np.uint8))
        y = np.clip(y + rng.normal(0.0, shop.noise, y.shape), 0, 255).astype(np.uint8)
        u, v = (np.clip(p + rng.normal(0.0, 0.5 * shop.noise, p.shape), 0, 255).astype(np.uint8) for p in (u, v))
        yield CeilingPicture(
            Frame(camera_id, round(now_s * 1e9), number, y, u, v),
            np.array(identities, np.int64),
            np.array(boxes, np.float64).reshape(-1, 4),
            np.array(places, np.float64).reshape(-1, 2),
        )


def _floor(shop: Shop, camera: PinholeCamera, rng: np.random.Generator) -> Floats:
    """Tiles with joints and stains, and shelves along two sides, float[H, W, 3]."""
    rows, columns = np.mgrid[0 : shop.height, 0 : shop.width]
    places = np.array([camera.floor_of(x, y) for y in range(0, shop.height, 4) for x in range(0, shop.width, 4)])
    grid = places.reshape(len(range(0, shop.height, 4)), -1, 2)
    grid = grid.repeat(4, axis=0).repeat(4, axis=1)[: shop.height, : shop.width]
    tile = rng.uniform(0.4, 0.8)
    joint = (np.mod(grid, tile) < 0.05).any(axis=2)
    base = rng.uniform(110, 180) + rng.normal(0, 8, 3)
    rgb = np.broadcast_to(base, (shop.height, shop.width, 3)) * (1.0 - 0.2 * joint[..., None])
    coarse = rng.normal(0, 6, (shop.height // 8 + 1, shop.width // 8 + 1, 1)).repeat(8, axis=0).repeat(8, axis=1)
    rgb = rgb + coarse[: shop.height, : shop.width]
    for begin in range(0, shop.width, max(shop.width // 16, 4)):
        colour = rng.uniform(40, 220, 3)
        rgb[: shop.height // 8, begin : begin + max(shop.width // 16, 4)] = colour
    floor: Floats = rgb + 10.0 * np.sin(columns / shop.width * 3.0 + rows / shop.height)[..., None]
    return floor


def _lit(floor: Floats, shop: Shop, camera: PinholeCamera, now_s: float) -> Floats:
    rgb = floor.copy()
    if shop.light_switch_s and int(now_s / shop.light_switch_s) % 2:
        rows, columns = np.mgrid[0 : shop.height, 0 : shop.width]
        rgb *= (0.55 + 0.25 * columns / shop.width + 0.05 * rows / shop.height)[..., None]
    if shop.door:
        swing = 0.5 + 0.5 * math.sin(now_s * 1.3)
        wide = int(shop.width * 0.03 + shop.width * 0.06 * swing)
        rgb[shop.height // 3 : 2 * shop.height // 3, :wide] = (150, 110, 80)
        x, y = shop.width * (0.7 + 0.02 * math.sin(now_s * 2.0)), shop.height * 0.2
        _disc(rgb, x, y, shop.width * 0.03, shop.width * 0.03, np.array([235.0, 230.0, 200.0]))
    return rgb


def _new_person(
    shop: Shop,
    identity: int,
    corners: list[tuple[float, float]],
    inner: list[tuple[float, float]],
    rng: np.random.Generator,
) -> _Person:
    x_low, x_top = min(c[0] for c in corners), max(c[0] for c in corners)
    y_low, y_top = min(c[1] for c in corners), max(c[1] for c in corners)
    x_in, y_in = (
        (min(c[0] for c in inner), max(c[0] for c in inner)),
        (min(c[1] for c in inner), max(c[1] for c in inner)),
    )

    def outside() -> tuple[float, float]:
        side = rng.integers(3)
        if side == 0:
            return x_low - 0.8, rng.uniform(*y_in)
        if side == 1:
            return x_top + 0.8, rng.uniform(*y_in)
        return rng.uniform(*x_in), y_low - 0.8

    stops = [
        (rng.uniform(*x_in), min(rng.uniform(*y_in), y_top), rng.uniform(1.5, 8.0) * (rng.random() < shop.pause_share))
        for _ in range(rng.integers(1, 5))
    ]
    shirt, trousers = rng.choice(len(CLOTHES), 2, replace=False)
    hair = np.array(((30, 25, 20), (90, 60, 35), (190, 170, 120), (120, 120, 120))[rng.integers(4)], np.float64)
    return _Person(
        identity,
        *outside(),
        rng.uniform(0.7, 1.4),
        rng.uniform(1.55, 1.88),
        np.array(CLOTHES[shirt], np.float64) + rng.normal(0, 10, 3),
        np.array(CLOTHES[trousers], np.float64) * 0.8,
        hair,
        bool(rng.random() < shop.carry_share),
        [*stops, (*outside(), 0.0)],
    )


def _walk(people: list[_Person], step_s: float) -> None:
    for person in people:
        if person.wait_s > 0.0:
            person.wait_s -= step_s
            continue
        x, y, stay_s = person.stops[0]
        dx, dy = x - person.x, y - person.y
        way = math.hypot(dx, dy)
        person.walked_s += step_s
        if way < 0.15 or person.walked_s > PATIENCE_S:
            person.wait_s = stay_s
            person.walked_s = 0.0
            person.stops.pop(0)
            continue
        person.heading = math.atan2(dy, dx)
        side_x = side_y = 0.0
        for other in people:
            away = math.hypot(person.x - other.x, person.y - other.y)
            if other is not person and away < 1.5 * APART_M:
                push = 2.0 * (1.5 * APART_M - away) / APART_M
                side_x += push * (person.x - other.x) / max(away, 0.05) - 0.7 * push * dy / way
                side_y += push * (person.y - other.y) / max(away, 0.05) + 0.7 * push * dx / way
        vx, vy = dx / way + side_x, dy / way + side_y
        norm = max(math.hypot(vx, vy), 1e-6)
        person.x += person.speed * step_s * vx / norm
        person.y += person.speed * step_s * vy / norm


def _disc(rgb: Floats, x: float, y: float, half_x: float, half_y: float, colour: Floats | float) -> tuple[float, ...]:
    """Paint an ellipse (or dim by a factor); returns its bounds."""
    height, width, _ = rgb.shape
    left, right = max(int(x - half_x), 0), min(int(x + half_x) + 2, width)
    top, bottom = max(int(y - half_y), 0), min(int(y + half_y) + 2, height)
    if left < right and top < bottom:
        across = ((np.arange(left, right) + 0.5 - x) / half_x) ** 2
        down = ((np.arange(top, bottom) + 0.5 - y) / half_y) ** 2
        inside = down[:, None] + across[None] <= 1.0
        part = rgb[top:bottom, left:right]
        part[inside] = part[inside] * colour if isinstance(colour, float) else colour
    return x - half_x, y - half_y, x + half_x, y + half_y


def _cast_shadow(rgb: Floats, camera: PinholeCamera, person: _Person, depth: float) -> None:
    for grow in (1.0, 0.6):
        x, y, scale = camera.see(person.x + 0.3, person.y + 0.15, 0.0)
        _disc(rgb, x, y, 0.45 * scale * grow, 0.35 * scale * grow, 1.0 - 0.5 * depth)


def _draw(rgb: Floats, camera: PinholeCamera, person: _Person, now_s: float) -> tuple[float, float, float, float]:
    """Paint a person; returns the box."""
    bounds = []
    heights, radii = zip(*BODY, strict=True)
    stretch = person.height / TOP_M
    stride = 0.12 * math.sin(now_s * 6.0 * person.speed) if person.wait_s <= 0.0 else 0.0
    for z in np.arange(0.02, 1.68, DISC_STEP_M):
        radius = float(np.interp(z, heights, radii))
        colour = person.trousers if z < 0.85 else person.shirt if z < 1.45 else person.hair
        shade = 0.8 + 0.25 * z / 1.7
        spots = [0.0] if z > 0.6 else [stride, -stride]
        for ahead in spots:
            x_m = person.x + ahead * (0.9 - z) * 2.0 * math.cos(person.heading)
            y_m = person.y + ahead * (0.9 - z) * 2.0 * math.sin(person.heading)
            x, y, scale = camera.see(x_m, y_m, z * stretch)
            bounds.append(_disc(rgb, x, y, radius * scale, radius * scale * 0.9, np.clip(colour * shade, 5, 250)))
        if person.carries and 0.9 < z < 1.15:
            x_m, y_m = person.x + 0.3 * math.cos(person.heading), person.y + 0.3 * math.sin(person.heading)
            x, y, scale = camera.see(x_m, y_m, z)
            bounds.append(_disc(rgb, x, y, 0.18 * scale, 0.15 * scale, np.array([170.0, 140.0, 100.0])))
    edges = np.array(bounds)
    return float(edges[:, 0].min()), float(edges[:, 1].min()), float(edges[:, 2].max()), float(edges[:, 3].max())
