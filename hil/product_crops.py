"""Rendered crops of products in a slot, with truth: what the classifier is trained on and scored with.

A crop is what a shelf camera sees of one slot: the product's front before the back wall, somewhere between the tags, in
some light, a little turned, not quite sharp, maybe behind a hand. It goes through the same frame and the same resizing
as on a node.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from drivers.camera.scenes.products import CATALOGUE, ProductLook, draw_face, random_look
from drivers.frames import Frame, planes_of_rgb
from edge.vision.inference.labels import EMPTY, OTHER
from edge.vision.inference.pictures import Box

Floats = npt.NDArray[np.float64]

LABELS = (*CATALOGUE, OTHER, EMPTY)
TRAINING, CALIBRATION, REPORTING = 11, 4001, 9001  # seeds: weights, temperature, and the figures that are told
SKINS = ((224, 180, 150), (160, 110, 80), (95, 65, 45), (240, 205, 180))
SLEEVES = ((40, 60, 120), (60, 60, 60), (190, 190, 195), (120, 40, 50))


@dataclass(frozen=True, slots=True)
class Conditions:
    """How much of everything; each is drawn evenly up to the figure.

    Attributes:
        light: least and most light by the usual one.
        cast: of a colour channel by another.
        blur_px: standard deviation, pixels.
        noise: standard deviation of a pixel, grey levels.
        turn_deg: either way, in the picture's plane.
        shift: of the crop by its own width, either way.
        hidden: share of the crops with a hand before the product.
        small: the smallest slot, pixels wide.
        tight: share of the crops that are a box about the item alone (about what changed in the picture), not the whole
            room of the slot.
    """

    light: tuple[float, float] = (0.75, 1.2)
    cast: float = 0.05
    blur_px: float = 0.7
    noise: float = 4.0
    turn_deg: float = 4.0
    shift: float = 0.08
    hidden: float = 0.0
    small: int = 36
    tight: float = 0.0


MIXED = Conditions((0.4, 1.5), 0.12, 1.6, 9.0, 10.0, 0.15, 0.25, 20, 0.5)
FAMILIES = {
    "as installed": Conditions(),
    "dim": Conditions(light=(0.4, 0.6)),
    "glaring": Conditions(light=(1.3, 1.5)),
    "coloured light": Conditions(cast=0.12),
    "out of focus": Conditions(blur_px=1.6),
    "noisy": Conditions(noise=9.0),
    "turned": Conditions(turn_deg=10.0),
    "misplaced": Conditions(shift=0.15),
    "behind a hand": Conditions(hidden=1.0),
    "far away": Conditions(small=20),
    "about the item": Conditions(tight=1.0),
    "all of it": MIXED,
}


@dataclass(frozen=True, slots=True)
class Crop:
    """A slot in a frame, and which of `LABELS` it shows."""

    frame: Frame
    box: Box
    label: int


def crops(conditions: Conditions, seed: int, each: int) -> Iterator[Crop]:
    """``each`` crops of every label, label by label in turn."""
    rng = np.random.default_rng(seed)
    for _ in range(each):
        for label in range(len(LABELS)):
            yield _crop(conditions, label, rng)


def _crop(is_so: Conditions, label: int, rng: np.random.Generator) -> Crop:
    width = int(rng.integers(is_so.small, 65))
    height = round(width * rng.uniform(1.8, 3.2))
    margin = 12
    rgb = np.empty((height + 2 * margin, width + 2 * margin, 3))
    rgb[:] = rng.uniform(90, 140) + rng.normal(0, 5, 3)
    board = margin + height
    rgb[board:] = 205.0
    for edge in (margin, margin + width):
        rgb[board - height // 8 : board, edge : edge + 2] = 60.0
    look = _look(label, rng)
    box = Box(float(margin), float(margin), float(width), float(height))
    item = Box(margin + 0.1 * width, margin + 0.3 * height, 0.8 * width, 0.7 * height)
    if look is not None:
        item = _put(
            rgb, look, margin, board, width, height, math.radians(rng.uniform(-is_so.turn_deg, is_so.turn_deg)), rng
        )
    if (look is not None and rng.random() < is_so.hidden) or (look is None and rng.random() < 0.4):
        _hand(rgb, margin, width, height, rng)
    rgb *= rng.uniform(*is_so.light) * (1.0 + rng.uniform(-is_so.cast, is_so.cast, 3))
    rgb *= np.linspace(1.0, rng.uniform(0.75, 1.1), len(rgb))[:, None, None]
    rgb = _blurred(rgb, rng.uniform(0.0, is_so.blur_px))
    rgb = rgb[: len(rgb) // 2 * 2, : rgb.shape[1] // 2 * 2]
    y, u, v = planes_of_rgb(np.clip(rgb, 0, 255).astype(np.uint8))
    noise = rng.uniform(0.0, is_so.noise)
    y, u, v = (
        np.clip(plane + rng.normal(0.0, much, plane.shape), 0, 255).astype(np.uint8)
        for plane, much in ((y, noise), (u, 0.5 * noise), (v, 0.5 * noise))
    )
    box = item if rng.random() < is_so.tight else box
    across, down, wider, higher = (float(off) for off in rng.uniform(-is_so.shift, is_so.shift, 4))
    higher = higher if box is item else wider
    box = Box(
        box.left + across * box.width,
        box.top + down * box.width,
        (1.0 + wider) * box.width,
        (1.0 + higher) * box.height,
    )
    return Crop(Frame("slot", 0, 0, y, u, v), box, label)


def _look(label: int, rng: np.random.Generator) -> ProductLook | None:
    name = LABELS[label]
    if name == EMPTY:
        return None
    return random_look(rng) if name == OTHER else CATALOGUE[name]


def _put(
    rgb: Floats,
    look: ProductLook,
    margin: int,
    board: int,
    width: int,
    height: int,
    turn: float,
    rng: np.random.Generator,
) -> Box:
    """The front item of however many, turned about the middle of its foot; where it is, before it was turned."""
    far = rng.uniform(0.7, 1.0)  # the fewer are left, the farther back it stands, smaller and darker
    rows, columns = max(round(height * look.tall * far), 4), max(round(0.8 * width * far), 4)
    face = draw_face(look, rows, columns) * (0.55 + 0.45 * far)
    foot_x, foot_y = margin + width * (0.5 + rng.uniform(-0.06, 0.06)), board - 0.25 * (1.0 - far) * height
    y, x = np.mgrid[0 : rgb.shape[0], 0 : rgb.shape[1]] + 0.5
    across = (x - foot_x) * math.cos(turn) + (y - foot_y) * math.sin(turn) + 0.5 * columns
    down = (y - foot_y) * math.cos(turn) - (x - foot_x) * math.sin(turn) + rows
    inside = (across >= 0) & (across < columns) & (down >= 0) & (down < rows)
    rgb[inside] = face[down[inside].astype(np.int64), across[inside].astype(np.int64)]
    return Box(float(foot_x) - 0.5 * columns, float(foot_y) - rows, float(columns), float(rows))


def _hand(rgb: Floats, margin: int, width: int, height: int, rng: np.random.Generator) -> None:
    """A forearm from below that ends somewhere on the product."""
    x0 = margin + width * rng.uniform(0.2, 0.8)
    y0 = margin + height * rng.uniform(0.45, 0.9)
    thick, lean = width * rng.uniform(0.2, 0.32), rng.uniform(-0.4, 0.4)
    y, x = np.mgrid[0 : rgb.shape[0], 0 : rgb.shape[1]] + 0.5
    across = np.abs(x - x0 - lean * (y - y0))
    shade = (1.1 - 0.4 * np.minimum(across / thick, 1.0))[..., None]
    arm = (y > y0) & (across < 0.9 * thick)
    palm = (x - x0) ** 2 + ((y - y0) / 1.3) ** 2 < thick * thick
    sleeve, skin = SLEEVES[rng.integers(4)], SKINS[rng.integers(4)]
    for where, colour in ((arm, sleeve), (palm, skin)):
        rgb[where] = (np.array(colour, np.float64) * shade)[where]


def _blurred(rgb: Floats, sd_px: float) -> Floats:
    if sd_px < 0.2:
        return rgb
    reach = math.ceil(2.5 * sd_px)
    weights = np.exp(-0.5 * (np.arange(-reach, reach + 1) / sd_px) ** 2)
    weights /= weights.sum()
    for axis in (0, 1):
        padded = np.pad(rgb, [(reach, reach) if a == axis else (0, 0) for a in range(3)], mode="edge")
        views = (np.take(padded, range(k, k + rgb.shape[axis]), axis=axis) for k in range(2 * reach + 1))
        rgb = np.asarray(sum(weight * view for weight, view in zip(weights, views, strict=True)))
    return rgb
