"""What rendered products look like from the front: a body, a label on it, a stripe across the label.

`CATALOGUE` gives the demo's products their looks; the classifier that comes with shelfedge was trained on these. A look
has no size: `draw_face` draws it into any number of pixels.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

Floats = npt.NDArray[np.float64]
Rgb = tuple[float, float, float]

SIDE_MARGIN = 8  # the label begins at an eighth of the width
STRIPE = 10  # the stripe is a tenth of the height
ROUNDNESS = 0.25  # how much darker the sides are than the middle


@dataclass(frozen=True, slots=True)
class ProductLook:
    """One product's front. Colours are 0 to 255.

    Attributes:
        tall: height by the room between two boards, 0 to 1.
        top, bottom: where the label begins and ends, by the product's height, from its top.
    """

    tall: float
    body: Rgb
    label: Rgb
    stripe: Rgb
    top: float
    bottom: float


CATALOGUE = {
    "water-1": ProductLook(0.95, (170, 205, 225), (235, 240, 245), (30, 80, 150), 0.35, 0.65),
    "water-05": ProductLook(0.78, (175, 205, 220), (225, 235, 240), (40, 120, 60), 0.35, 0.68),
    "orange-juice-1": ProductLook(0.92, (225, 140, 40), (245, 225, 150), (60, 120, 40), 0.2, 0.75),
    "cola-033": ProductLook(0.66, (165, 25, 30), (235, 225, 220), (90, 20, 20), 0.25, 0.7),
    "lemonade-033": ProductLook(0.66, (205, 205, 60), (240, 240, 200), (60, 140, 60), 0.25, 0.7),
    "iced-tea-05": ProductLook(0.8, (150, 85, 35), (235, 200, 120), (110, 60, 30), 0.3, 0.75),
    "energy-025": ProductLook(0.62, (50, 60, 110), (150, 165, 190), (130, 30, 40), 0.18, 0.85),
    "iced-coffee-023": ProductLook(0.64, (100, 70, 50), (225, 205, 180), (50, 35, 30), 0.3, 0.85),
    "yoghurt-400": ProductLook(0.62, (215, 215, 220), (150, 185, 225), (110, 30, 70), 0.2, 0.7),
    "muesli-500": ProductLook(0.94, (190, 160, 110), (235, 235, 215), (110, 70, 30), 0.15, 0.62),
    "crisps-90": ProductLook(0.9, (200, 45, 40), (240, 210, 80), (110, 25, 25), 0.22, 0.8),
    "peanuts-150": ProductLook(0.74, (60, 90, 150), (235, 205, 130), (110, 80, 30), 0.3, 0.85),
    "biscuits-154": ProductLook(0.7, (120, 60, 110), (220, 190, 150), (70, 40, 30), 0.2, 0.6),
    "sandwich": ProductLook(0.6, (215, 200, 165), (150, 190, 120), (60, 90, 45), 0.15, 0.6),
    "chocolate-bar": ProductLook(0.72, (75, 45, 35), (190, 150, 120), (115, 30, 30), 0.35, 0.88),
    "chewing-gum": ProductLook(0.6, (45, 130, 115), (225, 240, 235), (20, 70, 90), 0.33, 0.9),
}


def random_look(rng: np.random.Generator) -> ProductLook:
    """A product that nobody has seen before."""

    def colour(low: float, high: float) -> Rgb:
        red, green, blue = rng.uniform(low, high, 3).tolist()
        return red, green, blue

    tall, body = float(rng.uniform(0.6, 0.95)), colour(30, 220)
    top, bottom = float(rng.uniform(0.15, 0.35)), float(rng.uniform(0.6, 0.9))
    return ProductLook(tall, body, colour(120, 245), colour(20, 120), top, bottom)


def draw_face(look: ProductLook, rows: int, columns: int) -> Floats:
    """The front in that many pixels, float64[rows, columns, 3], 0 to 255."""
    face = np.empty((rows, columns, 3))
    face[:] = look.body
    top, bottom = round(rows * look.top), round(rows * look.bottom)
    margin = columns // SIDE_MARGIN
    face[top:bottom, margin : columns - margin] = look.label
    middle = (top + bottom) // 2
    face[middle : middle + max(2, rows // STRIPE)] = look.stripe
    return np.asarray(face * (1.0 - ROUNDNESS * np.abs(np.linspace(-1, 1, columns)))[None, :, None])
