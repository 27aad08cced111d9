"""The recordings of a real store (AIM3S), read where they lie beside the repository; none of them is copied into it."""

from __future__ import annotations

import functools
import heapq
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt

from drivers.simulated.forces import RecordedShake
from drivers.simulated.scene import Action, Shaken
from drivers.simulated.stage import Scene, seeded
from drivers.simulated.world import World
from firmware_bridge.errors import ShelfedgeError

Floats = npt.NDArray[np.float64]

AIM3S = Path(__file__).resolve().parents[2] / "shared" / "data" / "aim3s"
SHELF_WEIGHTS = AIM3S / "aim3s_shelf_weights_60hz.csv"
PRODUCTS = AIM3S / "product_info.json"
RATE_HZ = 60.0
STRETCH_S, FADE_S = 30.0, 1.5


class RecordingsMissingError(ShelfedgeError):
    """The recordings that a scene family is made of aren't there."""


def why_missing() -> str | None:
    """Why the families made of recordings have to be left out; None if they are there."""
    gone = [path.name for path in (SHELF_WEIGHTS, PRODUCTS) if not path.is_file()]
    if not gone:
        return None
    return f"{' and '.join(gone)} not found in {AIM3S}; expected the AIM3S recordings in ../shared/data/aim3s"


def require_recordings() -> None:
    """Raises RecordingsMissingError, which says what is looked for and where."""
    if missing := why_missing():
        raise RecordingsMissingError(missing)


@functools.cache
def shelf_3_residual_g() -> Floats:
    """What shaking did to AIM3S shelf 3, grams at 60 Hz: 100 s in which nothing on it moved (facts/field.md 4.1.1).

    The sum of twelve plates less its median: -241..+203 g, 12 g rms, nearly all in bursts while its neighbours are
    handled.
    """
    require_recordings()
    shelf_3_column = 3  # t_s, shelf5_g, shelf4_g, shelf3_g, shelf2_g, shelf1_g
    grams = np.loadtxt(SHELF_WEIGHTS, dtype=np.float64, delimiter=",", skiprows=1, usecols=shelf_3_column)
    residual: Floats = grams - np.median(grams)
    residual.flags.writeable = False
    return residual


@dataclass(frozen=True, slots=True)
class RecordedVibration:
    """A scene: boards shaken as AIM3S shelf 3 was (call it with the world).

    The recording is cut into stretches of 30 s, each from a random moment of it, faded in and out over 1.5 s so that
    joints don't step. One board is shaken by all of it (it is the sum of a shelf as wide as a board). Several boards
    are the plates of that shelf: each gets its part of the same stretch, 0.5 to 1.5 times the mean part. The recording
    has no place in it; each stretch acts on each board at a place drawn uniformly from the middle half of its width
    and depth.

    Attributes:
        scale: times as strong as recorded.
        share: of the stretches; the others are still.
    """

    seed: int
    scale: float
    until_s: float
    share: float = 1.0

    def __call__(self, world: World) -> Iterator[Action]:
        """Actions in order of time."""
        rng = seeded(self.seed, "recorded vibration")
        residual = shelf_3_residual_g()
        length = round(STRETCH_S * RATE_HZ)
        fade = 0.5 - 0.5 * np.cos(np.pi * np.arange(round(FADE_S * RATE_HZ)) / (FADE_S * RATE_HZ))
        begin_s = 0.0
        while begin_s < self.until_s:
            played = rng.random() < self.share
            first = int(rng.integers(residual.size - length))
            wave = self.scale / len(world.boards) * residual[first : first + length]
            wave[: fade.size] *= fade
            wave[-fade.size :] *= fade[::-1]
            for board, (width_mm, depth_mm) in world.boards.items():
                x_mm, y_mm = rng.uniform(0.25, 0.75) * width_mm, rng.uniform(0.25, 0.75) * depth_mm
                part = rng.uniform(0.5, 1.5) if len(world.boards) > 1 else 1.0
                if played:
                    end_s = begin_s + (length - 1) / RATE_HZ
                    shake = RecordedShake(x_mm, y_mm, begin_s, end_s, RATE_HZ, part * wave)
                    yield Shaken(begin_s, board, shake)
            begin_s += STRETCH_S - FADE_S


@dataclass(frozen=True, slots=True)
class Together:
    """Several scenes at the same time (call it with the world)."""

    scenes: tuple[Scene, ...]

    def __call__(self, world: World) -> Iterator[Action]:
        """Actions in order of time."""
        return heapq.merge(*(scene(world) for scene in self.scenes), key=lambda action: action.at_s)
