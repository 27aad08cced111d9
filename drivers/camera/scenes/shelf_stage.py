"""A board with its items before a camera, following a script: the very hands and items that a simulated scale feels.

A pinhole camera above the front edge looks down on the board. Items are boxes that stand where the script has them: a
front (`draw_face`) and a top, painted from the back to the front, so that a front row hides a part of the row behind.
An arm reaches in from the front for as long as the scale is touched, a while before and after it, and carries what it
takes or puts; neighbours slide by some millimetres; a body dims the board before which it stands; light and exposure
may change.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np
import numpy.typing as npt

from drivers.camera.scenes.products import ProductLook, draw_face
from drivers.frames import Frame, Plane, planes_of_rgb
from drivers.simulated.scene import Handling

Floats = npt.NDArray[np.float64]

SKINS = ((224.0, 180.0, 150.0), (160.0, 110.0, 80.0), (95.0, 65.0, 45.0), (240.0, 205.0, 180.0))
SLEEVES = ((40.0, 60.0, 120.0), (60.0, 60.0, 60.0), (190.0, 190.0, 195.0), (120.0, 40.0, 50.0))
REACH_S = (0.35, 0.8)  # of an arm, before the first contact and after the last
OUT_OF_SIGHT = 1.35  # of the picture's height, from where the arm comes
ARM_MM, HAND_MM = 45.0, 50.0  # half its width; the hand's radius
WANDERS_MM, WANDERS_HZ = (5.0, 20.0), (0.6, 1.6)  # of a hand at work, to either side
LEAVES_S = 0.15  # before the last contact: then what is taken is in the hand
TALLEST_MM = 170.0
NOISE_BANK = 24


@dataclass(frozen=True, slots=True)
class StageView:
    """The camera and the light.

    Attributes:
        ahead, above: of the camera, before the front edge and above the board, by the board's width.
        noise: standard deviation of a pixel, grey levels.
        shadow: how much a body dims what is before it.
        slide_mm: standard deviation by which neighbours of what is moved slide, three times in ten.
        exposure_s: period of a slow swing of the exposure by +-12 %; 0: none.
        switches_s: when the light changes to 65 % and back, to and fro.
    """

    width: int = 160
    height: int = 120
    rate_hz: float = 10.0
    ahead: float = 0.4
    above: float = 0.6
    noise: float = 2.0
    shadow: float = 0.15
    slide_mm: float = 3.0
    exposure_s: float = 0.0
    switches_s: tuple[float, ...] = ()


@dataclass(slots=True)
class StageItem:
    """One box: place of its middle on the board, width, depth and height, all in mm."""

    sku: str
    x_mm: float
    y_mm: float
    wide_mm: float
    deep_mm: float
    high_mm: float


@dataclass(slots=True)
class _Arm:
    handling: Handling
    comes_s: float
    goes_s: float
    from_x_mm: float
    high_mm: float
    skin: Floats
    sleeve: Floats
    wanders_mm: float
    wanders_hz: tuple[float, float]
    carried: list[StageItem] = field(default_factory=list)
    done: bool = False

    def reach(self, now_s: float) -> float:
        """0 out to 1 in."""
        start, end = self.handling.start_s, self.handling.end_s
        if now_s < start:
            return (now_s - self.comes_s) / (start - self.comes_s)
        return min(1.0, (self.goes_s - now_s) / (self.goes_s - end))


class StageCamera:
    """A pinhole. ``matrix`` float64[3, 4]: board mm (x, y, up, 1) to pixels; ``board_map`` [3, 3]: of the board."""

    def __init__(self, width_mm: float, depth_mm: float, view: StageView) -> None:
        eye = np.array([0.5 * width_mm, -view.ahead * width_mm, view.above * width_mm])
        target = np.array([0.5 * width_mm, 0.35 * depth_mm, 0.35 * TALLEST_MM])
        ahead = (target - eye) / np.linalg.norm(target - eye)
        right = np.array([1.0, 0.0, 0.0])
        down = np.cross(ahead, right)
        turn = np.stack([right, down, ahead])
        nearest = float(turn[2] @ (np.array([0.5 * width_mm, 0.0, 0.0]) - eye))
        focal = 0.46 * view.width / (0.5 * width_mm) * nearest
        lens = np.array([[focal, 0.0, 0.5 * view.width], [0.0, focal, 0.5 * view.height], [0.0, 0.0, 1.0]])
        matrix = lens @ np.column_stack([turn, -turn @ eye])
        self.matrix: Floats = matrix / matrix[2, 3]
        self.board_map: Floats = np.ascontiguousarray(self.matrix[:, [0, 1, 3]])
        self._focal = focal * abs(1.0 / matrix[2, 3])

    def see(self, x_mm: float, y_mm: float, up_mm: float) -> tuple[float, float, float]:
        """Pixel x, y and pixels per millimetre of a point."""
        u, v, w = (self.matrix @ np.array([x_mm, y_mm, up_mm, 1.0])).tolist()
        return u / w, v / w, self._focal / w


def stage_frames(
    view: StageView,
    board_mm: tuple[float, float],
    items: Iterable[StageItem],
    handlings: Sequence[Handling],
    looks: Mapping[str, ProductLook],
    seconds: float,
    seed: int,
    camera_id: str = "eye",
) -> Iterator[Frame]:
    """Frames of that many seconds; times count from 0. ``looks``: of each SKU; what has none is grey."""
    rng = np.random.default_rng(seed)
    camera = StageCamera(*board_mm, view)
    there = [StageItem(i.sku, i.x_mm, i.y_mm, i.wide_mm, i.deep_mm, i.high_mm) for i in items]
    sizes = {item.sku: item for item in reversed(there)}
    empty = _empty_board(view, camera, board_mm, rng)
    arms = sorted((_arm(handling, rng) for handling in handlings), key=lambda arm: arm.comes_s)
    bank = rng.normal(0.0, 1.0, (NOISE_BANK, view.height, view.width)).astype(np.float32)
    shown = _with_items(empty, camera, there, looks)
    here: list[_Arm] = []
    following = iter(arms)
    coming = next(following, None)
    across = np.arange(view.width) + 0.5
    for number in range(round(seconds * view.rate_hz)):
        now_s = number / view.rate_hz
        while coming is not None and coming.comes_s <= now_s:
            if coming.handling.sign > 0:
                coming.carried = [_placed(unit, sizes) for unit in coming.handling.units]
            here.append(coming)
            coming = next(following, None)
        changed = False
        for arm in here:
            changed |= _act(arm, there, now_s, view, rng)
        if changed:
            shown = _with_items(empty, camera, there, looks)
        here = [arm for arm in here if now_s < arm.goes_s]
        rgb = shown.copy()
        for arm in here:
            reach = arm.reach(now_s)
            at = camera.see(arm.handling.x_mm, 0.0, 0.0)[0]
            rgb *= (1.0 - view.shadow * reach * np.exp(-0.5 * ((across - at) / (0.3 * view.width)) ** 2))[None, :, None]
        for arm in here:
            _draw_arm(rgb, camera, arm, now_s, looks)
        rgb *= _light(view, now_s)
        planes = planes_of_rgb(np.clip(rgb, 0, 255).astype(np.uint8))
        y, u, v = _noisy(planes, view.noise, bank, rng)
        yield Frame(camera_id, round(now_s * 1e9), number, y, u, v)


def _arm(handling: Handling, rng: np.random.Generator) -> _Arm:
    return _Arm(
        handling,
        handling.start_s - float(rng.uniform(*REACH_S)),
        handling.end_s + float(rng.uniform(*REACH_S)),
        handling.x_mm + float(rng.normal(0.0, 150.0)),
        float(rng.uniform(50.0, 110.0)),
        np.array(SKINS[rng.integers(len(SKINS))]),
        np.array(SLEEVES[rng.integers(len(SLEEVES))]),
        float(rng.uniform(*WANDERS_MM)),
        (float(rng.uniform(*WANDERS_HZ)), float(rng.uniform(*WANDERS_HZ))),
    )


def _placed(unit: tuple[str, float, float], sizes: Mapping[str, StageItem]) -> StageItem:
    sku, x_mm, y_mm = unit
    like = sizes.get(sku)
    wide, deep, high = (90.0, 90.0, 120.0) if like is None else (like.wide_mm, like.deep_mm, like.high_mm)
    return StageItem(sku, x_mm, y_mm, wide, deep, high)


def _act(arm: _Arm, there: list[StageItem], now_s: float, view: StageView, rng: np.random.Generator) -> bool:
    """Let an arm take or leave its units when it is time; whether it did."""
    handling = arm.handling
    if arm.done or handling.sign == 0:
        return False
    if handling.sign > 0 and now_s >= handling.start_s:
        there += arm.carried
        arm.carried = []
    elif handling.sign < 0 and now_s >= handling.end_s - LEAVES_S:
        for sku, x_mm, y_mm in handling.units:
            alike = [item for item in there if item.sku == sku]
            if alike:
                found = min(alike, key=lambda item: math.hypot(item.x_mm - x_mm, item.y_mm - y_mm))
                there.remove(found)
                arm.carried.append(found)
    else:
        return False
    arm.done = True
    for item in there:
        near = math.hypot(item.x_mm - handling.x_mm, item.y_mm - handling.y_mm) < 1.6 * item.wide_mm
        if near and rng.random() < 0.3:
            item.x_mm += float(rng.normal(0.0, view.slide_mm))
    return True


def _light(view: StageView, now_s: float) -> float:
    light = 0.65 if sum(switch <= now_s for switch in view.switches_s) % 2 else 1.0
    return light * (1.0 + 0.12 * math.sin(2.0 * math.pi * now_s / view.exposure_s) if view.exposure_s else light)


def _empty_board(
    view: StageView, camera: StageCamera, board_mm: tuple[float, float], rng: np.random.Generator
) -> Floats:
    """The board with a speckled surface, its front edge with price tags, the floor before it, a wall behind."""
    width_mm, depth_mm = board_mm
    rgb = np.empty((view.height, view.width, 3))
    rgb[:] = rng.uniform(70, 110) + rng.normal(0, 4, 3)
    rows, columns = np.mgrid[0 : view.height, 0 : view.width]
    ground = np.linalg.inv(camera.board_map) @ np.stack([columns.ravel(), rows.ravel(), np.ones(rows.size)])
    x, y = (ground[:2] / ground[2]).reshape(2, view.height, view.width)
    seen = (ground[2] * camera.board_map[2, 2] > 0).reshape(view.height, view.width)
    back = seen & (y > depth_mm)
    rgb[back | ~seen] = rng.uniform(120, 160)
    on = seen & (x >= 0) & (x <= width_mm) & (y >= 0) & (y <= depth_mm)
    rgb[on] = rng.uniform(170, 210) + 6.0 * (np.floor(x / 40.0) + np.floor(y / 40.0))[on][:, None] % 12.0
    edge = seen & (y < 0) & (y > -45.0) & (x >= 0) & (x <= width_mm)
    rgb[edge] = 60.0
    tags = edge & (np.mod(x, 100.0) > 25.0) & (np.mod(x, 100.0) < 75.0) & (y < -8.0) & (y > -38.0)
    rgb[tags] = (235.0, 230.0, 205.0)
    return rgb


def _with_items(
    empty: Floats, camera: StageCamera, items: Sequence[StageItem], looks: Mapping[str, ProductLook]
) -> Floats:
    rgb = empty.copy()
    for item in sorted(items, key=lambda one: (-one.y_mm, one.x_mm)):
        _draw_item(rgb, camera, item, looks.get(item.sku))
    return rgb


def _draw_item(rgb: Floats, camera: StageCamera, item: StageItem, look: ProductLook | None) -> None:
    front_mm, back_mm = item.y_mm - 0.5 * item.deep_mm, item.y_mm + 0.5 * item.deep_mm
    foot = camera.see(item.x_mm, front_mm, 0.0)
    head = camera.see(item.x_mm, front_mm, item.high_mm)
    back = camera.see(item.x_mm, back_mm, item.high_mm)
    top = (
        np.full((2, 2, 3), 150.0) if look is None else np.tile(np.minimum(np.array(look.body) * 1.12, 250.0), (2, 2, 1))
    )
    rows, columns = max(round(foot[1] - head[1]), 2), max(round(item.wide_mm * head[2]), 2)
    front = np.full((rows, columns, 3), 150.0) if look is None else draw_face(look, rows, columns)
    _upright(rgb, top, back, head, item.wide_mm)
    _upright(rgb, front, head, foot, item.wide_mm)


def _upright(
    rgb: Floats, face: Floats, upper: tuple[float, float, float], lower: tuple[float, float, float], wide_mm: float
) -> None:
    """Paint a face between two horizontal edges; each is the pixel of its middle and pixels per millimetre."""
    first, last = round(upper[1]), round(lower[1])
    for row in range(max(first, 0), min(last, rgb.shape[0])):
        share = (row + 0.5 - first) / (last - first)
        middle, scale = (upper[k] + (lower[k] - upper[k]) * share for k in (0, 2))
        left, right = round(middle - 0.5 * wide_mm * scale), round(middle + 0.5 * wide_mm * scale)
        if right <= left:
            continue
        line = face[int(share * face.shape[0])][np.arange(right - left) * face.shape[1] // (right - left)]
        rgb[row, max(left, 0) : max(right, 0)] = line[max(-left, 0) :][: rgb.shape[1] - max(left, 0)]


def paste(rgb: Floats, look: ProductLook | None, left: float, top: float, right: float, bottom: float) -> None:
    """A product's front in a rectangle of the picture."""
    rows, columns = max(round(bottom) - round(top), 2), max(round(right) - round(left), 2)
    face = np.full((rows, columns, 3), 150.0) if look is None else draw_face(look, rows, columns)
    at_row, at_column = round(top), round(left)
    face = face[max(0, -at_row) :, max(0, -at_column) :]
    at_row, at_column = max(0, at_row), max(0, at_column)
    target = rgb[at_row : at_row + face.shape[0], at_column : at_column + face.shape[1]]
    target[:] = face[: target.shape[0], : target.shape[1]]


def _draw_arm(rgb: Floats, camera: StageCamera, arm: _Arm, now_s: float, looks: Mapping[str, ProductLook]) -> None:
    handling, reach = arm.handling, arm.reach(now_s)
    inside = max(now_s - handling.start_s, 0.0)  # a hand that works is never still
    along, across = (arm.wanders_mm * math.sin(2.0 * math.pi * hz * inside) for hz in arm.wanders_hz)
    goal_x, goal_y, scale = camera.see(handling.x_mm + along, handling.y_mm + across, arm.high_mm)
    from_x, from_y = camera.see(arm.from_x_mm, 0.0, 0.0)[0], OUT_OF_SIGHT * rgb.shape[0]
    x, y = from_x + (goal_x - from_x) * reach, from_y + (goal_y - from_y) * reach
    for item in arm.carried[:1]:
        half = 0.5 * item.wide_mm * scale
        tall = 0.5 * item.high_mm * scale
        paste(rgb, looks.get(item.sku), x - half, y - tall, x + half, y + tall)
    rows, columns = np.mgrid[0 : rgb.shape[0], 0 : rgb.shape[1]]
    way_x, way_y = from_x - x, 1.5 * from_y - y
    length = math.hypot(way_x, way_y) + 1e-6
    along = ((columns - x) * way_x + (rows - y) * way_y) / length
    across = np.abs((columns - x) * way_y - (rows - y) * way_x) / length
    thick, hand = ARM_MM * scale, HAND_MM * scale
    shade = 1.1 - 0.4 * np.minimum(across / hand, 1.0)
    for inside, colour in (
        ((along > 1.2 * hand) & (across < thick), arm.sleeve),
        (along**2 + across**2 < hand**2, arm.skin),
    ):
        rgb[inside] = colour * shade[inside][:, None]


def _noisy(
    planes: tuple[Plane, Plane, Plane], noise: float, bank: npt.NDArray[np.float32], rng: np.random.Generator
) -> list[Plane]:
    """The planes with noise on them, of pieces that were drawn before: half as much on colours."""
    noisy = []
    for plane, share in zip(planes, (1.0, 0.5, 0.5), strict=True):
        rows, columns = plane.shape
        drawn = np.roll(bank[rng.integers(len(bank))], int(rng.integers(bank.shape[2])), axis=1)[:rows, :columns]
        noisy.append(np.clip(np.rint(plane + share * noise * drawn), 0, 255).astype(np.uint8))
    return noisy
