"""Sightings and frames, random but the same every time, that the tests of `edge.trace` and of the ring share."""

from __future__ import annotations

import numpy as np

from drivers.frames import Frame, FrameFlag
from edge.trace.frame_codec import RecordedFrame
from edge.trace.sighting import ShelfLook, Sighting, SlotLook, TrackPoint


def sights(begin_s: float, end_s: float, seed: int = 1, rate_hz: float = 5.0, raw: bool = False) -> list[Sighting]:
    """Two people who walk and a shelf that is looked at, in order of time; ``raw``: numbers with all their bits."""
    rng = np.random.default_rng(seed)

    def number(value: float) -> float:
        return float(value + rng.normal()) if raw else float(round(value + rng.normal(), 1))

    found: list[Sighting] = []
    for step in range(int((end_s - begin_s) * rate_hz)):
        time_ns = int(begin_s * 1e9) + round(step * 1e9 / rate_hz)
        for person in range(2):
            place = (number(1000.0 + 40 * step), number(500.0 * person))
            spread = (number(900.0), number(5.0), number(400.0))
            clothes = tuple(int(value) for value in rng.integers(90, 160, 6)) if step % 3 else ()
            name = f"aisle.7.{person + 1}"
            found.append(
                TrackPoint(name, time_ns, *place, *spread, number(600.0), number(-20.0), step % 5 == 0, clothes)
            )
        slots = tuple(
            SlotLook(f"A{k}", number(-3.0), time_ns - step, number(0.0), number(-2.0), (("cola", number(1.0)),))
            for k in range(3)
        )
        found.append(ShelfLook("b1-eye", "top", time_ns + 1_000_000, slots))
    return found


def frame(camera: str, time_ns: int, seed: int = 1, width: int = 64, height: int = 48, grey: bool = False) -> Frame:
    """A smooth picture with something in it."""
    rng = np.random.default_rng(seed)
    x, y = np.arange(width), np.arange(height)[:, None]
    luma = (110 + 60 * np.sin(x / 9.0 + seed) * np.cos(y / 7.0)).astype(np.uint8)
    half = ((height + 1) // 2, (width + 1) // 2)
    u, v = (np.full(half, level, np.uint8) for level in rng.integers(100, 150, 2))
    return Frame(camera, time_ns, seed, luma, None if grey else u, None if grey else v, FrameFlag.GOOD)


def recorded(camera: str, time_ns: int, sequence: int, size: int = 3000) -> RecordedFrame:
    """A frame as a trace holds it, with bytes that no JPEG is made of."""
    data = np.random.default_rng(sequence).bytes(size)
    return RecordedFrame(
        camera, time_ns, sequence, FrameFlag.DARK if sequence % 7 == 0 else FrameFlag.GOOD, 64, 48, False, data
    )
