"""What recording of cameras costs: bytes per hour and processor time of sightings and of pictures.

``python -m hil.sight_bench`` prints a table. Four people in sight all the time, told 10 times a second, and a camera
before a shelf of eight slots, 5 times; pictures are the rendered ceiling at 320 x 240, 15 a second, with its noise.
"""

from __future__ import annotations

import itertools
import sys
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from edge.trace.sighting import Sighting

MINUTES = 5.0
PICTURES = 300
_NS_PER_S = 1_000_000_000


@dataclass(frozen=True, slots=True)
class SightCost:
    """Attributes:
    bytes_each, mb_per_hour: on the disk, of a trace with nothing else in it.
    processor_share: of a core, to write it. read_share: to read it.
    """

    what: str
    per_second: float
    bytes_each: float
    mb_per_hour: float
    processor_share: float
    read_share: float


def sightings_cost(folder: Path, points: bool, raw: bool, minutes: float = MINUTES) -> SightCost:
    """Tracks, or looks; ``raw``: numbers with all their bits, as nobody rounds them."""
    from edge.config.demo import demo_node_path
    from edge.config.setup import load_setup
    from edge.trace.reader import TraceReader
    from edge.trace.writer import TraceWriter

    rng = np.random.default_rng(1)
    rate_hz = 10.0 if points else 5.0
    rounds: list[list[Sighting]] = [
        _people(step, rate_hz, raw, rng) if points else _look(step, rate_hz, raw, rng)
        for step in range(round(minutes * 60 * rate_hz))
    ]
    path = folder / f"{points}-{raw}.mcap"
    setup = load_setup(demo_node_path())
    begun_s = time.process_time()
    with TraceWriter(path, setup) as writer:
        for number, seen in enumerate(rounds):
            writer.see(seen)
            if number % round(8 * rate_hz) == 0:
                writer.flush()  # as the recorder does
    wrote_s = time.process_time()
    with TraceReader(path) as reader:
        count = sum(len(epoch.sightings) for epoch in reader.whole_epochs())
    read_s = time.process_time()
    size = path.stat().st_size
    what = ("tracks of 4 people" if points else "looks at 8 slots") + (", not rounded" if raw else "")
    seconds = minutes * 60
    return SightCost(
        what,
        count / seconds,
        size / count,
        size / 1e6 * 3600 / seconds,
        (wrote_s - begun_s) / seconds,
        (read_s - wrote_s) / seconds,
    )


def pictures_cost(folder: Path) -> SightCost:
    """Frames of a rendered ceiling as JPEGs; reading is with decoding them."""
    from drivers.camera.scenes.ceiling import Shop, ceiling_scene
    from edge.config.demo import demo_node_path
    from edge.config.setup import load_setup
    from edge.trace.jpeg import JpegDecoder, JpegEncoder
    from edge.trace.reader import TraceReader
    from edge.trace.writer import TraceWriter

    shop = Shop(320, 240, 15.0, people=4, at_start=3)
    frames = [seen.frame for seen in itertools.islice(ceiling_scene(shop, 3, camera_id="aisle"), PICTURES)]
    encoder, decoder = JpegEncoder(), JpegDecoder()
    encoder.encoded(frames[0])
    path = folder / "frames.mcap"
    begun_s = time.process_time()
    with TraceWriter(path, load_setup(demo_node_path())) as writer:
        for frame in frames:
            writer.picture(encoder.encoded(frame))
    wrote_s = time.process_time()
    with TraceReader(path) as reader:
        for epoch in reader.whole_epochs():
            for recorded in epoch.frames:
                decoder.decoded(recorded)
    read_s = time.process_time()
    seconds = PICTURES / shop.rate_hz
    size = path.stat().st_size
    return SightCost(
        "pictures, 320 x 240",
        shop.rate_hz,
        size / PICTURES,
        size / 1e6 * 3600 / seconds,
        (wrote_s - begun_s) / seconds,
        (read_s - wrote_s) / seconds,
    )


def _people(step: int, rate_hz: float, raw: bool, rng: np.random.Generator) -> list[Sighting]:
    from edge.trace.sighting import TrackPoint

    time_ns = 5_000 * _NS_PER_S + round(step * _NS_PER_S / rate_hz) + int(rng.integers(200_000))
    found: list[Sighting] = []
    for person in range(4):
        angle = step / rate_hz / (4 + person) + person
        x, y = 3000 + 2000 * np.cos(angle) + rng.normal(0, 15), 2000 * np.sin(angle) + rng.normal(0, 15)
        numbers = [
            x,
            y,
            2200 + rng.normal(0, 90),
            rng.normal(0, 60),
            1900 + rng.normal(0, 90),
            400 * np.sin(angle),
            300.0,
        ]
        rounded = [round(value, 1 if place < 2 else 0) for place, value in enumerate(numbers)]
        clothes = tuple(int(value) for value in rng.integers(100, 106, 6))
        a, b, c, d, e, f, g = (float(value) for value in (numbers if raw else rounded))
        name = f"aisle-1.40123.{person + 1}"
        found.append(TrackPoint(name, time_ns, a, b, c, d, e, f, g, bool(rng.random() < 0.1), clothes))
    return found


def _look(step: int, rate_hz: float, raw: bool, rng: np.random.Generator) -> list[Sighting]:
    from edge.trace.sighting import ShelfLook, SlotLook

    time_ns = 5_000 * _NS_PER_S + round(step * _NS_PER_S / rate_hz)

    def ratio() -> float:
        value = float(np.clip(rng.normal(-3, 1), -4.6, 4.6))
        return value if raw else round(value, 2)

    slots = tuple(SlotLook(f"A{k + 1}", ratio(), time_ns - _NS_PER_S, ratio(), ratio()) for k in range(8))
    return [ShelfLook("b1-eye", "shelf-1", time_ns, slots)]


def main() -> None:
    """Measure and print."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        costs = [
            *(sightings_cost(folder, points, raw) for points in (True, False) for raw in (False, True)),
            pictures_cost(folder),
        ]
    for cost in costs:
        sys.stdout.write(
            f"recording {cost.what}: {cost.per_second:.0f} a second, {cost.bytes_each:.0f} bytes each, "
            f"{cost.mb_per_hour:.1f} MB/h; writing takes {100 * cost.processor_share:.2f} % of a core, "
            f"reading {100 * cost.read_share:.2f} %\n"
        )


if __name__ == "__main__":
    main()
