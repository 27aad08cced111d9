"""Small pictures for the tests of vision: a textured floor, and people as two-coloured blocks."""

from __future__ import annotations

from collections.abc import Iterable

import numpy as np
import numpy.typing as npt

from drivers.frames import Frame, FrameFlag
from edge.vision.tracker import Track, Tracker

U8 = npt.NDArray[np.uint8]
HEIGHT, WIDTH, RATE_HZ = 96, 128, 15.0
PERSON = (10, 24)  # width, height


class Stage:
    """Draws frames; each call is one frame further. Noise has a standard deviation of two grey levels."""

    def __init__(self, seed: int = 1, size: tuple[int, int] = (HEIGHT, WIDTH), colour: bool = True) -> None:
        self._rng = np.random.default_rng(seed)
        self.size = size
        rough = self._rng.normal(0, 12, (size[0] // 4 + 1, size[1] // 4 + 1)).repeat(4, axis=0).repeat(4, axis=1)
        self.floor = 130.0 + rough[: size[0], : size[1]]
        self.number = 0
        self._colour = colour

    def frame(
        self,
        people: Iterable[tuple[float, float, int, int]] = (),
        light: float = 1.0,
        shadows: Iterable[tuple[float, float]] = (),
        flags: FrameFlag = FrameFlag.GOOD,
        skip: int = 0,
    ) -> Frame:
        """``people``: centre x, y, luma, and a colour that is added to V and taken from U."""
        self.number += 1 + skip
        y = self.floor.copy()
        half = ((self.size[0] + 1) // 2, (self.size[1] + 1) // 2)
        u, v = np.full(half, 128.0), np.full(half, 128.0)
        for at_x, at_y in shadows:
            y[_block(at_x, at_y, 1)] *= 0.7
        for at_x, at_y, luma, colour in people:
            y[_block(at_x, at_y, 1)] = luma
            u[_block(at_x, at_y, 2)] = 128 - colour
            v[_block(at_x, at_y, 2)] = 128 + colour
        y = np.clip(light * y + self._rng.normal(0, 2, y.shape), 0, 255).astype(np.uint8)
        if not self._colour:
            return Frame("c", round(self.number * 1e9 / RATE_HZ), self.number, y, flags=flags)
        u, v = (np.clip(p + self._rng.normal(0, 1, half), 0, 255).astype(np.uint8) for p in (u, v))
        return Frame("c", round(self.number * 1e9 / RATE_HZ), self.number, y, u, v, flags)


def _block(x: float, y: float, step: int) -> tuple[slice, slice]:
    left, top = x - PERSON[0] / 2, y - PERSON[1] / 2
    rows = slice(max(round(top / step), 0), max(round((top + PERSON[1]) / step), 0))
    return rows, slice(max(round(left / step), 0), max(round((left + PERSON[0]) / step), 0))


def settled(stage: Stage, seconds: float = 3.0) -> Tracker:
    """A tracker that has seen the empty floor for a while."""
    tracker = Tracker()
    for _ in range(round(seconds * RATE_HZ)):
        assert tracker.push(stage.frame()) == []
    return tracker


def alone(stage: Stage, tracker: Tracker, luma: int = 40, colour: int = 30, line: float = 50.0) -> list[Track]:
    """Somebody walks through once from left to right, alone, so that the tracker knows how large people are."""
    seen: list[Track] = []
    for x in np.arange(-8.0, stage.size[1] + 10.0, 1.5):
        seen += tracker.push(stage.frame([(float(x), line, luma, colour)]))
    for _ in range(round(2.0 * RATE_HZ)):
        tracker.push(stage.frame())
    return seen
