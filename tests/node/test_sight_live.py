"""What cameras saw goes into the live decisions, and a replay of the recording decides the same (P8)."""

from __future__ import annotations

import dataclasses
import math
from functools import cache
from pathlib import Path

import numpy as np
import pytest
from eye_benches import write_node
from node_benches import MS, Kept, S, ToldClock, at_once

from drivers.camera.scenes.ceiling import Shop, ceiling_scene
from drivers.notices import Notice
from drivers.samples import SampleBlock
from drivers.simulated.shopper import RandomShopper
from edge.config.setup import Setup, load_setup
from edge.fusion.engine import Fusion
from edge.fusion.replay import replay
from edge.node.boards import Boards
from edge.node.hardware import Hardware
from edge.node.loop import FusionLoop
from edge.node.sight import Sight
from edge.node.simulate import physics_for, simulated_blocks
from edge.stream.jsonl import event_to_line
from edge.trace.event import Status
from edge.trace.reader import TraceReader
from edge.trace.sighting import Sighting, TrackPoint
from edge.trace.writer import TraceWriter

SECONDS = 12
CAMERAS = ("c1", "c2")


@cache
def scene(folder: Path) -> tuple[Setup, SampleBlock]:
    """A busy board, times from 0."""
    setup = load_setup(write_node(folder))
    shopper = RandomShopper(4, first_s=2.0, until_s=SECONDS - 4.0, gap_s=(2.0, 3.0))
    calibrated, _, epochs = simulated_blocks(setup, physics_for(setup, 4), shopper, 4, SECONDS)
    return calibrated, SampleBlock.join([block for together in epochs for block in together])


class Played:
    """The board's samples as they come, 13 ms late."""

    def __init__(self, whole: SampleBlock, begin_ns: int) -> None:
        self.board = whole.board
        self._whole = dataclasses.replace(whole, time_ns=whole.time_ns + begin_ns)
        self._given = 0

    def start(self) -> None:
        pass

    def read(self, until_ns: int) -> SampleBlock:
        end = max(self._given, int(np.searchsorted(self._whole.time_ns, until_ns - 13 * MS)))
        found, self._given = self._whole.part(self._given, end), end
        return found

    def take_notices(self) -> list[Notice]:
        return []

    def stop(self) -> None:
        pass


class Passing:
    """Two people before the board, told with delays of which some are too long; one of them by another node."""

    def __init__(self, clock: ToldClock, seed: int, longest_ms: int) -> None:
        rng = np.random.default_rng(seed)
        begin_ns = clock()
        self._clock = clock
        self._coming: list[tuple[int, Sighting]] = []
        for n in range(15 * SECONDS):
            at_ns = begin_ns + n * S // 15
            for who, x_mm in (("c1.7.1", 300.0 * math.sin(n / 40)), ("there.9.4", 500.0)):
                seen = TrackPoint(who, at_ns, round(x_mm, 1), 700.0, 900.0, 0.0, 900.0, 0.0, 0.0)
                self._coming.append((at_ns + int(rng.integers(2, longest_ms)) * MS, seen))
        self._coming.sort(key=lambda each: each[0])

    def take(self) -> list[Sighting]:
        now_ns = self._clock()
        come = [seen for at_ns, seen in self._coming if at_ns <= now_ns]
        self._coming = self._coming[len(come) :]
        return come


def lived(folder: Path, seed: int, longest_ms: int) -> tuple[FusionLoop, Kept]:
    setup, whole = scene(folder)
    clock = ToldClock(7_654_321 * seed)
    begin_ns = clock()
    boards = Boards(setup.node.boards, lambda _: Played(whole, begin_ns), clock, background=at_once)
    kept = Kept()
    people = Passing(clock, seed, longest_ms)
    loop = FusionLoop(boards, Fusion(setup), kept, clock, clock.sleep, people.take)
    while clock() < begin_ns + SECONDS * S:
        loop.round()
        loop.wait()
    loop.finish()
    return loop, kept


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("node")


@pytest.mark.parametrize(("seed", "longest_ms"), [(1, 50), (2, 900)])
def test_live_is_as_replayed_however_late_the_cameras_are(folder: Path, tmp_path: Path, seed, longest_ms) -> None:
    """P8: what fusion was given is recorded, and nothing else."""
    loop, kept = lived(folder, seed, longest_ms)
    setup, _ = scene(folder)
    with TraceWriter(tmp_path / "run.mcap", setup) as writer:
        for block in kept.blocks:
            writer.write(block)
        writer.see(kept.sightings)
    with TraceReader(tmp_path / "run.mcap") as reader:
        stored = reader.require_setup()
        lines = [event_to_line(event) for event in replay(reader.whole_epochs(), stored)]
        assert reader.losses == []
    assert lines == [event_to_line(event) for event in kept.events]
    finals = [event for event in kept.events if event.status is Status.FINAL]
    assert finals
    assert all(event.who for event in finals), "somebody stands there all the time"
    assert loop.sighted == len(kept.sightings) > 0
    assert (loop.sighted_wrong > 0) == (longest_ms > 400)


def test_a_sighting_of_a_time_that_hasnt_come_is_left_out(folder: Path) -> None:
    setup, _ = scene(folder)
    clock = ToldClock()
    kept = Kept()
    boards = Boards({}, lambda _: None, clock, background=at_once)  # type: ignore[arg-type,return-value]
    seen = [TrackPoint("c1.7.1", clock() + S, 0.0, 0.0, 1.0, 0.0, 1.0, 0.0, 0.0)]
    loop = FusionLoop(boards, Fusion(setup), kept, clock, clock.sleep, lambda: seen)
    loop.round()
    assert (kept.sightings, loop.sighted_wrong) == ([], 1)


def test_all_looks_of_a_camera_share_its_names(tmp_path: Path) -> None:
    """A driver that hung and was started again must not give somebody else's name to the next person."""
    path = write_node(
        tmp_path, "cameras:\n" + "".join(f"  {c}: {{driver: simulated, looks_at: floor}}\n" for c in CAMERAS)
    )
    hardware = Hardware(load_setup(path), path, 1, lambda: 0)
    sight = Sight(hardware.setup, path, hardware.make_camera, lambda: 0, lambda _: None)
    shop = Shop(160, 120, people=2)
    pictures = list(ceiling_scene(shop, 21, 5.0, "c1"))
    runs = []
    for camera in (CAMERAS[0], CAMERAS[0], CAMERAS[1]):
        look = sight.eyes._look(camera)
        told = [seen for each in pictures for seen in look.push(each.frame)]
        runs.append({seen.track.split(".", 1)[1] for seen in told if isinstance(seen, TrackPoint)})
    assert runs[0]
    assert not runs[0] & runs[1]
    assert runs[2] == runs[0], "each camera counts for itself"
