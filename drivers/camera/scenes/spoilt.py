"""What a camera does to its pictures when it fails: each fault as it looks to whoever reads the frames."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Literal

import numpy as np

from drivers.frames import Frame, Plane

FaultKind = Literal["stall", "dropped", "frozen", "dark", "covered", "blurred", "moved", "late"]
FAULTS: tuple[FaultKind, ...] = ("stall", "dropped", "frozen", "dark", "covered", "blurred", "moved", "late")
_LATE_NS = 400_000_000


@dataclass(frozen=True, slots=True)
class Spoil:
    """One fault of a camera.

    Attributes:
        begin_s, end_s: in the scene's time.
        strength: 'dropped': share of the frames; 'blurred': radius, 'moved': way, as shares of the width.
    """

    kind: FaultKind
    begin_s: float
    end_s: float
    strength: float = 0.0


def spoilt(frames: Iterable[Frame], faults: Iterable[Spoil], seed: int = 1) -> Iterator[Frame]:
    """The frames with those faults; what is lost leaves a gap in the sequence, as with a camera."""
    rng = np.random.default_rng(seed)
    faults = tuple(faults)
    held: Frame | None = None
    for frame in frames:
        now = {fault.kind: fault for fault in faults if fault.begin_s <= frame.time_ns / 1e9 < fault.end_s}
        if "frozen" not in now:
            held = frame
        if "stall" in now or ("dropped" in now and rng.random() < (now["dropped"].strength or 0.4)):
            continue
        if "frozen" in now and held is not None:
            frame = dataclasses.replace(frame, y=held.y, u=held.u, v=held.v)
        if "late" in now:
            frame = dataclasses.replace(frame, time_ns=frame.time_ns + _LATE_NS)
        for kind, fault in now.items():
            if kind == "dark":
                frame = _dark(frame, rng)
            elif kind == "covered":
                frame = _covered(frame, rng)
            elif kind == "blurred":
                frame = _blurred(frame, fault.strength or 0.04, rng)
            elif kind == "moved":
                frame = _moved(frame, fault.strength or 0.05)
        yield frame


def _dark(frame: Frame, rng: np.random.Generator) -> Frame:
    y = np.clip(16.0 + 0.03 * frame.y + rng.normal(0.0, 1.0, frame.y.shape), 0, 255).astype(np.uint8)
    return dataclasses.replace(frame, y=y, u=_grey(frame.u), v=_grey(frame.v))


def _covered(frame: Frame, rng: np.random.Generator) -> Frame:
    """A palm on the lens: the exposure has made it grey again, brighter on one side."""
    height, width = frame.y.shape
    light = np.linspace(90.0, 140.0, width)[None, :] + np.linspace(0.0, 20.0, height)[:, None]
    y = np.clip(light + rng.normal(0.0, 3.0, frame.y.shape), 0, 255).astype(np.uint8)
    return dataclasses.replace(frame, y=y, u=_grey(frame.u), v=_grey(frame.v))


def _blurred(frame: Frame, radius: float, rng: np.random.Generator) -> Frame:
    size = max(3, round(2 * radius * frame.y.shape[1]))
    y = frame.y.astype(np.float64)
    for axis in (0, 1, 0, 1):  # a box twice is nearly a bell
        padded = np.pad(y, [(size, size) if each == axis else (0, 0) for each in (0, 1)], mode="edge")
        sums = np.cumsum(padded, axis=axis)
        low, high = np.arange(y.shape[axis]) + size // 2, np.arange(y.shape[axis]) + size // 2 + size
        y = (sums.take(high, axis) - sums.take(low, axis)) / size
    noisy = np.clip(y + rng.normal(0.0, 2.0, y.shape), 0, 255).astype(np.uint8)
    return dataclasses.replace(frame, y=noisy)


def _moved(frame: Frame, way: float) -> Frame:
    step = max(2, round(way * frame.y.shape[1])) // 2 * 2

    def shifted(plane: Plane | None, by: int) -> Plane | None:
        if plane is None:
            return None
        rows = np.clip(np.arange(plane.shape[0]) + by // 2, 0, plane.shape[0] - 1)
        columns = np.clip(np.arange(plane.shape[1]) + by, 0, plane.shape[1] - 1)
        return np.ascontiguousarray(plane[rows][:, columns])

    y = shifted(frame.y, step)
    assert y is not None
    return dataclasses.replace(frame, y=y, u=shifted(frame.u, step // 2), v=shifted(frame.v, step // 2))


def _grey(plane: Plane | None) -> Plane | None:
    return None if plane is None else np.full_like(plane, 128)
