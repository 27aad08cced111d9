"""Rendered scenes of a shelf's front, with truth: products in slots, and a hand that takes one or puts one back.

The camera looks at the front; slots stand side by side on one board, each with its own product (colours, a label, a
stripe) in rows one behind the other, of which the front one is seen, smaller the fewer are left in front of the back
wall. An arm comes in from below, holds still at a slot, and goes out with what it took; a body casts a soft shadow.
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

_SKINS = ((224, 180, 150), (160, 110, 80), (95, 65, 45), (240, 205, 180))
_SLEEVES = ((40, 60, 120), (60, 60, 60), (190, 190, 195), (120, 40, 50))
_REACH_S, _STAY_S, _APART_S = 0.7, 0.5, (0.6, 3.0)
_TOP, _BOARD = 0.18, 0.8  # of the height: where products may begin, and the board they stand on


@dataclass(frozen=True, slots=True)
class ShelfFront:
    """One shelf before a camera.

    Attributes:
        slots, stock: how many side by side, and how many items in each at first.
        put_back: share of the visits that put an item back where one was taken before.
        noise: standard deviation of a pixel, grey levels.
    """

    width: int = 320
    height: int = 240
    rate_hz: float = 15.0
    slots: int = 6
    stock: int = 5
    put_back: float = 0.25
    noise: float = 2.0


@dataclass(frozen=True, slots=True)
class ShelfPicture:
    """A frame and what is true in it.

    Attributes:
        stock: int64[slots], items in each slot.
        hand: the slot that the hand is at, -1 where there is none at any.
        holds: the slot whose product the hand holds, -1 for nothing.
        reach: how far the arm is in, 0 out to 1 at the product.
    """

    frame: Frame
    stock: npt.NDArray[np.int64]
    hand: int
    holds: int
    reach: float


@dataclass(slots=True)
class _Visit:
    begin_s: float
    slot: int
    takes: bool
    skin: Floats
    sleeve: Floats


def slot_edges(front: ShelfFront) -> Floats:
    """Left edges of the slots and the last one's right edge, in pixels, float64[slots + 1]."""
    return np.linspace(0.02 * front.width, 0.98 * front.width, front.slots + 1)


def shelf_scene(
    front: ShelfFront, seed: int, seconds: float = math.inf, camera: str = "shelf"
) -> Iterator[ShelfPicture]:
    """Pictures of that many seconds; times count from 0."""
    rng = np.random.default_rng(seed)
    wall = _wall(front, rng)
    products = [_product(front, rng) for _ in range(front.slots)]
    stock = np.full(front.slots, front.stock, np.int64)
    visit = _next_visit(front, stock, 0.5, rng)
    done = False
    numbers = itertools.count() if math.isinf(seconds) else range(round(seconds * front.rate_hz))
    for number in numbers:
        now_s = number / front.rate_hz
        since_s = now_s - visit.begin_s
        reach = min(since_s / _REACH_S, 1.0, (2.0 * _REACH_S + _STAY_S - since_s) / _REACH_S)
        if since_s > _REACH_S + 0.5 * _STAY_S and not done:
            stock[visit.slot] += -1 if visit.takes else 1
            done = True
        if reach < 0.0 and done:
            visit, done = _next_visit(front, stock, now_s, rng), False
        rgb = wall.copy()
        for slot in range(front.slots):
            _draw_product(rgb, front, products[slot], slot, int(stock[slot]))
        holds = -1
        if reach > 0.0:
            holds = visit.slot if done == visit.takes else -1
            rgb *= 1.0 - 0.06 * reach
            _draw_arm(rgb, front, visit, reach, products[visit.slot] if holds >= 0 else None)
        y, u, v = planes_of_rgb(np.clip(rgb, 0, 255).astype(np.uint8))
        y, u, v = (
            np.clip(plane + rng.normal(0.0, noise, plane.shape), 0, 255).astype(np.uint8)
            for plane, noise in ((y, front.noise), (u, 0.5 * front.noise), (v, 0.5 * front.noise))
        )
        frame = Frame(camera, round(now_s * 1e9), number, y, u, v)
        yield ShelfPicture(frame, stock.copy(), visit.slot if reach > 0.6 else -1, holds, max(reach, 0.0))


def _next_visit(front: ShelfFront, stock: npt.NDArray[np.int64], now_s: float, rng: np.random.Generator) -> _Visit:
    takes = bool(rng.random() >= front.put_back) or bool((stock >= front.stock).all())
    able = np.flatnonzero(stock > 0 if takes else stock < front.stock)
    if not len(able):
        takes, able = False, np.flatnonzero(stock < front.stock)
    skin, sleeve = np.array(_SKINS[rng.integers(4)], np.float64), np.array(_SLEEVES[rng.integers(4)], np.float64)
    return _Visit(now_s + rng.uniform(*_APART_S), int(rng.choice(able)), takes, skin, sleeve)


def _wall(front: ShelfFront, rng: np.random.Generator) -> Floats:
    rgb = np.empty((front.height, front.width, 3))
    rgb[:] = rng.uniform(90, 140) + rng.normal(0, 5, 3)
    board = round(_BOARD * front.height)
    rgb[board : board + max(3, front.height // 40)] = 205.0
    rgb[board + max(3, front.height // 40) :] *= 0.6
    for edge in slot_edges(front):  # price tags' holders and dividers
        rgb[board - front.height // 12 : board, round(edge) : round(edge) + max(1, front.width // 160)] = 60.0
    rgb[: front.height // 20] = 190.0
    return np.asarray(rgb * np.linspace(1.05, 0.85, front.height)[:, None, None])


def _product(front: ShelfFront, rng: np.random.Generator) -> Floats:
    """Its front at full size, float64[rows, columns, 3]."""
    rows = round((_BOARD - _TOP) * front.height * rng.uniform(0.6, 0.95))
    columns = round(0.8 * (slot_edges(front)[1] - slot_edges(front)[0]))
    face = np.empty((rows, columns, 3))
    face[:] = rng.uniform(30, 220, 3)
    top, bottom = round(rows * rng.uniform(0.15, 0.35)), round(rows * rng.uniform(0.6, 0.9))
    face[top:bottom, columns // 8 : columns - columns // 8] = rng.uniform(120, 245, 3)
    middle = (top + bottom) // 2
    face[middle : middle + max(2, rows // 10)] = rng.uniform(20, 120, 3)
    return face * (1.0 - 0.25 * np.abs(np.linspace(-1, 1, columns)))[None, :, None]


def _draw_product(rgb: Floats, front: ShelfFront, face: Floats, slot: int, items: int) -> None:
    if items <= 0:
        return
    far = 1.0 - 0.06 * max(0, front.stock - items)  # the fewer, the farther back and the smaller the front one
    rows, columns = max(4, round(face.shape[0] * far)), max(4, round(face.shape[1] * far))
    small = face[np.arange(rows) * face.shape[0] // rows][:, np.arange(columns) * face.shape[1] // columns]
    edges = slot_edges(front)
    left = round(0.5 * (edges[slot] + edges[slot + 1]) - 0.5 * columns)
    bottom = round(_BOARD * front.height) - round(0.25 * (1.0 - far) * front.height)
    rgb[max(0, bottom - rows) : bottom, left : left + columns] = small[-bottom:] * (0.55 + 0.45 * far)


def _draw_arm(rgb: Floats, front: ShelfFront, visit: _Visit, reach: float, holds: Floats | None) -> None:
    edges = slot_edges(front)
    goal_x, goal_y = 0.5 * (edges[visit.slot] + edges[visit.slot + 1]), 0.6 * front.height
    from_x, from_y = 0.5 * (goal_x + 0.5 * front.width), 1.15 * front.height
    x, y = from_x + (goal_x - from_x) * reach, from_y + (goal_y - from_y) * reach
    thick = 0.05 * front.width
    if holds is not None:
        rows, columns = holds.shape[0] * 4 // 5, holds.shape[1] * 4 // 5
        top, left = round(y - 0.8 * rows), round(x - 0.5 * columns)
        face = holds[:rows, :columns][max(0, -top) : max(0, front.height - top), max(0, -left) :]
        top, left = max(0, top), max(0, left)
        target = rgb[top : top + face.shape[0], left : left + face.shape[1]]
        target[:] = face[: target.shape[0], : target.shape[1]]
    rows_at, columns_at = np.mgrid[0 : front.height, 0 : front.width]
    way_x, way_y = from_x - x, from_y - y
    length = math.hypot(way_x, way_y) + 1e-6
    along = ((columns_at - x) * way_x + (rows_at - y) * way_y) / length
    across = np.abs((columns_at - x) * way_y - (rows_at - y) * way_x) / length
    shade = (1.1 - 0.4 * np.minimum(across / thick, 1.0))[..., None]
    for inside, colour in (
        ((along > 1.5 * thick) & (across < 0.9 * thick), visit.sleeve),
        ((along <= 1.6 * thick) & ((along / 1.6) ** 2 + across**2 < thick * thick), visit.skin),
    ):
        rgb[inside] = (colour * shade)[inside]
