"""What cameras saw is recorded as fusion was given it, and pictures only where they are wanted (P3, P4, P8)."""

from __future__ import annotations

import dataclasses
import functools
import itertools
import random
from pathlib import Path

import numpy as np
import pytest
from ring_rig import BEGIN_NS, S, ToldClock, feed, live, recorder, ring_bytes, scene, stamp

from drivers.errors import DriverError
from drivers.frames import Frame
from drivers.samples import SampleBlock
from edge.config.camera_schema import Camera, Place
from edge.config.live_schema import RecordingOptions
from edge.config.setup import Setup
from edge.fusion.engine import Fusion
from edge.node.frame_ring import FrameRing
from edge.node.playback import Playback
from edge.node.record import Piece, Run, runs_in, write_piece
from edge.node.record_choice import pictures_of
from edge.node.recording import Recording
from edge.node.ring_segment import RunFacts
from edge.stream.jsonl import event_to_line
from edge.trace.epoch import Epoch
from edge.trace.event import Event
from edge.trace.reader import TraceReader
from edge.trace.sighting import ShelfLook, Sighting, SlotLook, TrackPoint

DURATION_S = 40.0


@functools.cache
def _seen_scene() -> tuple[Setup, dict[str, SampleBlock], list[Sighting]]:
    """The demo bay with places, a shopper, two people who walk before the shelves, and looks at a board."""
    setup, boards = scene(DURATION_S)
    places = {
        name: board.model_copy(
            update={"place": Place.model_validate({"x": f"{1200 * k} mm", "y": "300 mm", "facing": "270 deg"})}
        )
        for k, (name, board) in enumerate(setup.node.boards.items())
    }
    placed = dataclasses.replace(setup, node=setup.node.model_copy(update={"boards": places}))
    rng = np.random.default_rng(5)
    name = next(iter(boards))
    slots = [slot for slot, planned in setup.planogram.slots.items() if planned.board == name]
    sightings: list[Sighting] = []
    for step in range(int(DURATION_S * 5)):
        time_ns = BEGIN_NS + step * S // 5 + 1
        for person in range(2):
            x_mm, y_mm = 500.0 + 900 * person + float(rng.normal(0, 30)), -250.0 + float(rng.normal(0, 30))
            sightings.append(
                TrackPoint(f"aisle.9.{person + 1}", time_ns, x_mm, y_mm, 900.0, 10.0, 800.0, float(rng.normal()), 0.0)
            )
        looks = tuple(SlotLook(slot, -3.0 + float(rng.normal()), time_ns - S, -2.0, -2.0) for slot in slots)
        sightings.append(ShelfLook("eye", name, time_ns + 1000, looks))
    return placed, boards, sightings


def _pushed_live(folder: Path, seed: int, most_late_ms: int = 900) -> tuple[list[str], list[Sighting], Run]:
    """Everything as a loop does it, sightings late by chance; the live events and what fusion took."""
    setup, boards, sightings = _seen_scene()
    rng = random.Random(seed)
    coming = sorted((s.time_ns + rng.randint(20, most_late_ms) * 1_000_000, k) for k, s in enumerate(sightings))
    ring = recorder(folder, setup)
    fusion, events, took, given = Fusion(setup), [], [], 0
    for blocks, until_ns, now_ns in live(boards, seed):
        come = given
        while come < len(coming) and coming[come][0] <= now_ns:
            come += 1
        taken = fusion.sightings.in_time([sightings[k] for _, k in coming[given:come]])
        given = come
        took += taken
        ring.give([], taken)
        feed(ring, blocks)
        events += fusion.push(blocks, until_ns, taken)
    assert ring.stop()
    events += fusion.finish()
    [run] = runs_in(folder)
    return [event_to_line(event) for event in events], took, run


@pytest.mark.parametrize("seed", [1, 2])
def test_a_run_with_cameras_replays_to_the_live_events_p8(tmp_path: Path, seed: int) -> None:
    """P8: tracks and looks come late, some too late; the recording holds those that fusion took, and no others."""
    events, took, run = _pushed_live(tmp_path / "ring", seed)
    assert 0.5 < len(took) / len(_seen_scene()[2]) < 1.0
    assert len(run.segments) >= 2
    write_piece(Piece(run), tmp_path / "run.mcap")
    with TraceReader(tmp_path / "run.mcap") as reader:
        found = [s for epoch in reader.whole_epochs() for s in epoch.sightings]
        setup = _seen_scene()[0]
        replayed = [event_to_line(event) for event in Playback(_with(reader, setup)).events()]
        regrouped = [event_to_line(event) for event in _in_other_portions(list(reader.whole_epochs()), setup, seed)]
        blind = [event_to_line(event) for event in Playback(_with(reader, setup), cameras=False).events()]
    assert sorted(found, key=repr) == sorted(took, key=repr)
    assert replayed == events
    assert regrouped == events
    assert replayed != blind
    assert any('"aisle.9.' in line for line in events)


def _in_other_portions(epochs: list[Epoch], setup: Setup, seed: int) -> list[Event]:
    """Fusion given one to five epochs at a time, or parts of one, the sightings in any order."""
    rng = random.Random(seed)
    fusion, events, at = Fusion(setup), [], 0
    while at < len(epochs):
        some = epochs[at : at + rng.randint(1, 5)]
        at += len(some)
        sightings = [s for epoch in some for s in epoch.sightings]
        rng.shuffle(sightings)
        cuts = sorted(rng.randrange(10**9) for _ in range(rng.randint(0, 2))) if len(some) == 1 else []
        for begin, end in itertools.pairwise([None, *(some[0].begin_ns + cut for cut in cuts), None]):
            parts = [part for epoch in some if (part := epoch.part(begin, end)) is not None]
            blocks = [block for part in parts for block in part.blocks]
            newest = max((int(block.time_ns[-1]) for block in blocks), default=None)
            events += fusion.push(blocks, newest, sightings)
            sightings = []
    return events + fusion.finish()


def _with(reader: TraceReader, setup: Setup) -> TraceReader:
    """The demo's node file knows no places; those of the scene."""
    reader.__dict__["setup"] = setup
    return reader


def test_a_disk_that_fails_for_a_while_costs_no_sighting_p3(tmp_path: Path) -> None:
    """What may not be on the disk is written again, and comes out once."""
    setup, boards, sightings = _seen_scene()
    folder, clock = tmp_path / "ring", ToldClock()
    ring = recorder(folder, setup, clock, segment_s=600)
    for k in range(3):
        begin_ns, end_ns = BEGIN_NS + 8 * k * S, BEGIN_NS + 8 * (k + 1) * S
        for block in boards.values():
            first, last = np.searchsorted(block.time_ns, [begin_ns, end_ns])
            ring.give([block.part(int(first), int(last))])
        ring.give([], [s for s in sightings if begin_ns <= s.time_ns < end_ns])
        assert ring.flush()
        if k == 0:
            [running] = folder.iterdir()
            running.unlink()  # somebody removes it: the next flush finds out, and all that was unsure comes again
        clock.now_ns += 40 * S
    assert ring.stop()
    found = [s for run in runs_in(folder) for segment in run.segments for s in _sightings(segment.path)]
    assert len(set(found)) == len(found)
    assert set(found) >= {s for s in sightings if 8 * S <= s.time_ns - BEGIN_NS < 24 * S}


def _sightings(path: Path) -> list[Sighting]:
    with TraceReader(path, known_only=False) as reader:
        return [s for epoch in reader.whole_epochs() for s in epoch.sightings]


def _camera_setup(rate: float | None) -> Setup:
    setup = scene(DURATION_S)[0]
    cameras = {"aisle": Camera.model_validate({"driver": "picamera2", "looks_at": "floor"})}
    recording = RecordingOptions() if rate is None else RecordingOptions.model_validate({"frames": f"{rate:g} Hz"})
    return dataclasses.replace(setup, node=setup.node.model_copy(update={"cameras": cameras, "recording": recording}))


def _frame(k: int, rate_hz: float = 15.0) -> Frame:
    luma = np.full((48, 64), 40 + k % 100, np.uint8)
    luma[:, k % 60 : k % 60 + 4] = 200
    return Frame("aisle", BEGIN_NS + round(k * S / rate_hz), k, luma)


def others_may_read(folder: Path) -> list[Path]:
    """Of a folder with pictures of people and what is in it: what more than its owner and group may look into."""
    return [path for path in [folder, *folder.iterdir()] if path.stat().st_mode & 0o027]


def test_a_folder_of_pictures_that_was_open_to_everybody_is_closed(tmp_path: Path) -> None:
    """Privacy: it shows people; also the segment that is still being written."""
    (tmp_path / "frames").mkdir(mode=0o755)
    setup = _camera_setup(15.0)
    ring = FrameRing(tmp_path / "frames", setup, setup.node.recording, 7, stamp, mono_ns=ToldClock().mono_ns)
    ring.give(_frame(0))
    assert ring.flush()
    assert [path.suffix for path in (tmp_path / "frames").iterdir()] == [".part"]
    assert others_may_read(tmp_path / "frames") == []
    assert ring.stop()


def test_samples_may_be_had_by_who_mustnt_see_pictures(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def refused(folder: Path) -> list[Run]:
        raise PermissionError(13, "Permission denied", str(folder))

    run = Run(RunFacts("n", 7, 1, ""), [])
    monkeypatch.setattr("edge.node.record_choice.runs_in", refused)
    assert pictures_of(tmp_path, Piece(run)) is None


def test_pictures_are_kept_only_where_they_are_asked_for(tmp_path: Path) -> None:
    """Privacy: by default there isn't even a folder for them."""
    for rate in (None, 5.0):
        folder = tmp_path / str(rate)
        recording = Recording(folder / "ring", _camera_setup(rate), stamp, ToldClock().mono_ns)
        recording.record_frames([_frame(0)])  # before it knows its boot
        recording.start(7)
        recording.record_frames([_frame(k) for k in range(1, 91)])
        assert recording.flush()
        assert recording.alive
        told = recording.state().get("frames")
        recording.stop()
        assert (folder / "frames").exists() == (rate is not None) == (told is not None)
    assert others_may_read(tmp_path / "5.0" / "frames") == []
    [run] = runs_in(tmp_path / "5.0" / "frames")
    with TraceReader(run.segments[0].path) as reader:
        times = [f.time_ns for epoch in reader.whole_epochs() for f in epoch.frames]
    assert 28 <= len(times) <= 31  # 5 of 15 a second, for 6 s
    assert np.diff(times).min() >= 0.19 * S


def test_record_takes_pictures_along_only_when_told_so(tmp_path: Path) -> None:
    """And says that there are some; with them they are in the epochs of their times."""
    setup = _camera_setup(15.0)
    ring, frames = (
        recorder(tmp_path / "ring", setup),
        FrameRing(tmp_path / "frames", setup, setup.node.recording, 7, stamp, mono_ns=ToldClock().mono_ns),
    )
    for name, block in scene(DURATION_S)[1].items():
        ring.give([block.part(0, int(np.searchsorted(block.time_ns, BEGIN_NS + 10 * S)))])
        assert name
    for k in range(150):
        frames.give(_frame(k))
    assert ring.stop()
    assert frames.stop()
    [run], [pictures] = runs_in(tmp_path / "ring"), runs_in(tmp_path / "frames")
    piece = Piece(run, BEGIN_NS + 2 * S, BEGIN_NS + 5 * S)
    without = write_piece(piece, tmp_path / "a.mcap", None, pictures)
    assert (without.frames, without.frames_kept) == (0, True)
    ordinary = tmp_path / "ordinary"
    ordinary.touch()
    (tmp_path / "b.mcap").touch(0o644)
    taken = write_piece(piece, tmp_path / "b.mcap", None, pictures, with_frames=True)
    assert taken.frames == 45
    assert (tmp_path / "b.mcap").stat().st_mode & 0o777 == 0o600, "it shows people"
    assert (tmp_path / "a.mcap").stat().st_mode & 0o777 == ordinary.stat().st_mode & 0o777
    assert taken.samples == without.samples
    with TraceReader(tmp_path / "b.mcap") as reader:
        for epoch in reader.whole_epochs():
            assert len(epoch.frames) == 15
            assert epoch.blocks


def test_the_ring_of_pictures_stays_within_its_size_and_tells_what_it_lost_p4(tmp_path: Path) -> None:
    """P4: the oldest give way; a disk that refuses costs pictures, never a wait."""
    setup = _camera_setup(100.0)
    options = setup.node.recording.model_copy(update={"frames_size_bytes": 400_000.0})
    clock = ToldClock()
    ring = FrameRing(tmp_path / "frames", setup, options, 7, stamp, mono_ns=clock.mono_ns)
    rng = np.random.default_rng(1)
    for k in range(400):
        ring.give(Frame("aisle", BEGIN_NS + k * S // 4, k, rng.integers(0, 255, (48, 64), np.uint8)))
        if k % 40 == 39:
            assert ring.flush()
            assert ring_bytes(tmp_path / "frames") <= 400_000
    [run] = runs_in(tmp_path / "frames")
    assert run.begin_ns > BEGIN_NS
    assert run.end_ns > BEGIN_NS + 99 * S
    (tmp_path / "frames").rename(tmp_path / "away")
    (tmp_path / "frames").write_text("in the way")
    for k in range(400, 440):
        ring.give(_frame(k * 4))
    assert not ring.flush()
    assert ring.state()["state"] == "trouble"
    (tmp_path / "frames").unlink()
    clock.now_ns += 60 * S
    for k in range(440, 450):
        ring.give(_frame(k * 4))
    assert ring.flush()
    assert ring.state()["state"] == "ok"
    assert ring.stop()
    [run] = runs_in(tmp_path / "frames")
    assert sum(gap.samples for gap in run.gaps) > 0


def test_without_the_library_pictures_are_given_up_once(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """P3: told in health and in the log, not tried again with each frame; everything else goes on."""
    asked: list[str] = []

    def missing(module: str, *more: str) -> object:
        asked.append(module)
        raise DriverError("aisle: the recording driver needs the Python package av")

    monkeypatch.setattr("edge.trace.jpeg.need", missing)
    recording = Recording(tmp_path / "ring", _camera_setup(15.0), stamp, ToldClock().mono_ns)
    recording.start(7)
    recording.record_frames([_frame(k) for k in range(20)])
    assert asked == ["av"]
    assert recording.alive
    frames = recording.state()["frames"]
    assert frames["state"] == "trouble"
    assert "package av" in frames["trouble"]
    recording.stop()


def test_another_planogram_begins_another_run_of_pictures(tmp_path: Path) -> None:
    """A trace holds one run; the pictures of each are found by it."""
    setup = _camera_setup(15.0)
    ring = FrameRing(tmp_path / "frames", setup, setup.node.recording, 7, stamp, mono_ns=ToldClock().mono_ns)
    for k in range(40):
        if k == 20:
            ring.begin_run(setup, 2)
        ring.give(_frame(k))
    assert ring.stop()
    assert [(run.facts.run, len(run.segments)) for run in runs_in(tmp_path / "frames")] == [(1, 1), (2, 1)]
