"""Rendered scenes from the ceiling, with truth: people made of discs, light, noise, and what moves without being one.

A pinhole camera hangs `Shop.height_m` above the floor and looks down at an angle. A person is a stack of discs (legs,
trunk, shoulders, head) in the colours of clothes, drawn from the floor up, the farthest person first; a soft shadow
lies beside the feet. People come in from outside, walk from place to place at their own speed, stop for a while, make
way for each other, and leave (`drivers.camera.scenes.walkers`).
"""

from __future__ import annotations

import itertools
import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from drivers.camera.scenes.walkers import Person, Ways, come_again, new_person, standing_person, walk, walk_with
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
POST_TOP_M = 4.0
LEAST_VISIBLE = 0.2
AGAIN_S = (4.0, 14.0)


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
        clothes: "any"; "grey": no colours, from nearly black to light; "alike": all the same.
        group_share: of the people who come in beside somebody, and stay there.
        again_share: of those who left and come again after some seconds.
        at_start: how many are there from the first picture on.
        posts: how many posts stand on the floor and hide people.
        far_m: how far from the camera's foot people go where it looks along the floor; 0: as far as it sees.
        mapped: whether whoever hangs the camera also makes a floor map.
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
    clothes: str = "any"
    group_share: float = 0.0
    again_share: float = 0.0
    at_start: int = 0
    posts: int = 0
    far_m: float = 0.0
    mapped: bool = True


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
    """A frame and who is in it: those whose middle is in the picture, and of whom a fifth or more can be seen.

    Attributes:
        identities: int64[n].
        boxes: float64[n, 4], left, top, width, height in pixels, of all of the person that is in the picture.
        places: float64[n, 2], x and y of the feet on the floor in metres; the camera hangs over 0, 0.
        doubtful: float64[m, 4], the same boxes of the others who are in the picture with some part, or behind somebody
            or a post: who finds them isn't wrong, and who doesn't, isn't either.
    """

    frame: Frame
    identities: npt.NDArray[np.int64]
    boxes: Floats
    places: Floats
    doubtful: Floats


class CeilingPainter:
    """Paints the people it is told of, on the floor of one shop.

    Args:
        rng: of the floor and of the pixels' noise.
    """

    def __init__(self, shop: Shop, seed: int, rng: np.random.Generator, camera_id: str = "ceiling") -> None:
        self._shop, self._rng, self._camera_id = shop, rng, camera_id
        self._camera = PinholeCamera(shop)
        self._floor = _floor(shop, self._camera, rng)
        self._posts = _posts(shop, self._camera, seed)
        for post in self._posts:
            _draw_post(self._floor, self._camera, post)

    def paint(self, people: Sequence[Person], now_s: float, number: int) -> CeilingPicture:
        """The picture of that number, taken at that time."""
        shop, camera = self._shop, self._camera
        rgb = _lit(self._floor, shop, camera, now_s)
        by_depth = sorted(people, key=lambda one: -math.hypot(one.x, one.y))
        for person in by_depth:
            _cast_shadow(rgb, camera, person, shop.shadow)
        painted, owner = [], np.zeros(rgb.shape[:2], np.int64)
        left_over = sorted(self._posts, key=lambda post: -math.hypot(*post))
        for person in by_depth:
            while left_over and math.hypot(*left_over[0]) >= math.hypot(person.x, person.y):
                _draw_post(rgb, camera, left_over.pop(0), owner)
            own = np.zeros(owner.shape, np.bool_)
            painted.append((person, _draw(rgb, camera, person, now_s, own), np.count_nonzero(own)))
            owner[own] = person.identity
        for post in left_over:
            _draw_post(rgb, camera, post, owner)
        boxes, identities, places, doubtful = [], [], [], []
        for person, (left, top, right, bottom), drawn in painted:
            middle_in = 0 <= 0.5 * (left + right) < shop.width and 0 <= 0.5 * (top + bottom) < shop.height
            left, top, right, bottom = max(left, 0.0), max(top, 0.0), min(right, shop.width), min(bottom, shop.height)
            box = (left, top, right - left, bottom - top)
            if middle_in and np.count_nonzero(owner == person.identity) >= LEAST_VISIBLE * drawn:
                boxes.append(box)
                identities.append(person.identity)
                places.append((person.x, person.y))
            elif left < right and top < bottom:
                doubtful.append(box)
        if shop.exposure_s:
            rgb *= 1.0 + 0.15 * math.sin(2.0 * math.pi * now_s / shop.exposure_s)
        rows = np.arange(shop.height)[:, None, None]
        rgb *= 1.0 + shop.flicker * np.sin(2.0 * math.pi * (rows / shop.height * 1.7 + 0.31 * number))
        y, u, v = planes_of_rgb(np.clip(rgb, 0, 255).astype(np.uint8))
        y = np.clip(y + self._rng.normal(0.0, shop.noise, y.shape), 0, 255).astype(np.uint8)
        u, v = (np.clip(p + self._rng.normal(0.0, 0.5 * shop.noise, p.shape), 0, 255).astype(np.uint8) for p in (u, v))
        return CeilingPicture(
            Frame(self._camera_id, round(now_s * 1e9), number, y, u, v),
            np.array(identities, np.int64),
            np.array(boxes, np.float64).reshape(-1, 4),
            np.array(places, np.float64).reshape(-1, 2),
            np.array(doubtful, np.float64).reshape(-1, 4),
        )


def ceiling_scene(
    shop: Shop, seed: int, seconds: float = math.inf, camera_id: str = "ceiling"
) -> Iterator[CeilingPicture]:
    """Pictures of that many seconds; times count from 0."""
    rng = np.random.default_rng(seed)
    painter = CeilingPainter(shop, seed, rng, camera_id)
    ways = ways_of(shop)
    people: list[Person] = []
    away: list[Person] = []
    made, next_s = 0, 1.0
    step_s = 1.0 / shop.rate_hz
    numbers = itertools.count() if math.isinf(seconds) else range(round(seconds * shop.rate_hz))
    for number in numbers:
        now_s = number * step_s
        while number == 0 and made < shop.at_start:
            made += 1
            people.append(standing_person(made, ways, shop.pause_share, shop.carry_share, shop.clothes, rng))
        for person in [one for one in away if one.again_s <= now_s]:
            away.remove(person)
            come_again(person, ways, shop.pause_share, rng)
            people.append(person)
        if len(people) + len(away) < shop.people and now_s >= next_s:
            made += 1
            person = new_person(made, ways, shop.pause_share, shop.carry_share, shop.clothes, rng)
            leaders = [one for one in people if one.beside is None]
            if shop.group_share and leaders and leaders[-1].identity == made - 1 and rng.random() < shop.group_share:
                walk_with(person, leaders[-1])
            people.append(person)
            in_group = shop.group_share and person.beside is None and rng.random() < shop.group_share
            next_s = now_s + (0.0 if in_group else rng.uniform(2.0, 8.0))
        walk(people, step_s)
        for person in [one for one in people if not one.stops]:
            people.remove(person)
            if shop.again_share and person.beside is None and rng.random() < shop.again_share:
                person.again_s = now_s + rng.uniform(*AGAIN_S)
                away.append(person)
        yield painter.paint(people, now_s, number)


def ways_of(shop: Shop) -> Ways:
    """Where people may be, so that the middle of the picture is where they go."""
    camera = PinholeCamera(shop)
    corners = [camera.floor_of(x, y) for x in (0, shop.width) for y in (0, shop.height)]
    inner = [camera.floor_of(x * shop.width, y * shop.height) for x in (0.2, 0.8) for y in (0.25, 0.85)]
    low, top = (
        (min(c[0] for c in corners), min(c[1] for c in corners)),
        (
            max(c[0] for c in corners),
            max(c[1] for c in corners),
        ),
    )
    inner_low = min(c[0] for c in inner), min(c[1] for c in inner)
    inner_top = max(c[0] for c in inner), max(c[1] for c in inner)
    if not shop.far_m:
        return Ways(low, top, inner_low, inner_top)
    half = 0.5 * shop.far_m * math.tan(math.radians(0.5 * shop.view_deg))
    near_m = camera.floor_of(0.5 * shop.width, 0.8 * shop.height)[1]
    low, top = (-2.0 * half, low[1]), (2.0 * half, shop.far_m)
    return Ways(low, top, (-half, near_m), (half, 0.9 * shop.far_m), from_far=True)


def _posts(shop: Shop, camera: PinholeCamera, seed: int) -> list[tuple[float, float]]:
    """Places of the posts, by their own random numbers, so that the rest of a scene is the same with and without."""
    rng = np.random.default_rng((seed, 1))
    return [
        camera.floor_of(rng.uniform(0.25, 0.75) * shop.width, rng.uniform(0.55, 0.85) * shop.height)
        for _ in range(shop.posts)
    ]


def _draw_post(
    rgb: Floats, camera: PinholeCamera, post: tuple[float, float], owner: npt.NDArray[np.int64] | None = None
) -> None:
    """A thin post, and a sign on it at the height of heads."""
    for z in np.arange(0.0, POST_TOP_M, DISC_STEP_M):
        x, y, scale = camera.see(*post, float(z))
        wide, high = (0.25 if 1.5 < z < 2.1 else 0.07), 0.07
        left, right = max(round(x - wide * scale), 0), max(round(x + wide * scale), 0)
        top, bottom = max(round(y - high * scale), 0), max(round(y + high * scale), 0)
        rgb[top:bottom, left:right] = (90.0, 95.0, 90.0) if wide < 0.1 else (70.0, 90.0, 150.0)
        if owner is not None:
            owner[top:bottom, left:right] = -1


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


def _disc(
    rgb: Floats,
    x: float,
    y: float,
    half_x: float,
    half_y: float,
    colour: Floats | float,
    own: npt.NDArray[np.bool_] | None = None,
) -> tuple[float, ...]:
    """Paint an ellipse (or dim by a factor), and mark it in ``own``; returns its bounds."""
    height, width, _ = rgb.shape
    left, right = max(int(x - half_x), 0), min(int(x + half_x) + 2, width)
    top, bottom = max(int(y - half_y), 0), min(int(y + half_y) + 2, height)
    if left < right and top < bottom:
        across = ((np.arange(left, right) + 0.5 - x) / half_x) ** 2
        down = ((np.arange(top, bottom) + 0.5 - y) / half_y) ** 2
        inside = down[:, None] + across[None] <= 1.0
        part = rgb[top:bottom, left:right]
        part[inside] = part[inside] * colour if isinstance(colour, float) else colour
        if own is not None:
            own[top:bottom, left:right] |= inside
    return x - half_x, y - half_y, x + half_x, y + half_y


def _cast_shadow(rgb: Floats, camera: PinholeCamera, person: Person, depth: float) -> None:
    for grow in (1.0, 0.6):
        x, y, scale = camera.see(person.x + 0.3, person.y + 0.15, 0.0)
        _disc(rgb, x, y, 0.45 * scale * grow, 0.35 * scale * grow, 1.0 - 0.5 * depth)


def _draw(
    rgb: Floats, camera: PinholeCamera, person: Person, now_s: float, own: npt.NDArray[np.bool_]
) -> tuple[float, float, float, float]:
    """Paint a person, and mark the pixels in ``own``; returns the box."""
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
            bounds.append(_disc(rgb, x, y, radius * scale, radius * scale * 0.9, np.clip(colour * shade, 5, 250), own))
        if person.carries and 0.9 < z < 1.15:
            x_m, y_m = person.x + 0.3 * math.cos(person.heading), person.y + 0.3 * math.sin(person.heading)
            x, y, scale = camera.see(x_m, y_m, z)
            bounds.append(_disc(rgb, x, y, 0.18 * scale, 0.15 * scale, np.array([170.0, 140.0, 100.0]), own))
    edges = np.array(bounds)
    return float(edges[:, 0].min()), float(edges[:, 1].min()), float(edges[:, 2].max()), float(edges[:, 3].max())
