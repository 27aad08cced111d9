"""Compile what follows people, before the first picture comes: while one thread compiles, the loop may have to wait."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from drivers.camera.scenes.ceiling import PinholeCamera, Shop, ceiling_scene
from edge.vision.floor import fit_floor
from edge.vision.tracker import Tracker

_SHOP = Shop(160, 120, people=3, at_start=2)
_FRAMES = 20
_POINTS_M = ((-1.0, -0.8), (1.0, -0.8), (-1.0, 1.0), (1.0, 1.0))


def compile_sight(wanted: Callable[[], bool] = lambda: True) -> None:
    """Follow rendered people for a second or so; the kernels' types are the same for every camera.

    Ends early, between two pictures, when it is no longer ``wanted``.
    """
    camera = PinholeCamera(_SHOP)
    pixels = np.array([camera.see(x, y, 0.0)[:2] for x, y in _POINTS_M])
    tracker = Tracker(fit_floor(pixels, 1000.0 * np.array(_POINTS_M), 1.0))
    for seen in ceiling_scene(_SHOP, 1, _FRAMES / _SHOP.rate_hz):
        if not wanted():
            return
        tracker.push(seen.frame)
