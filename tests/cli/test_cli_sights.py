"""Cameras on the command line: simulated people, their tracks in a trace, on the floor, in a node's recording."""

from __future__ import annotations

import dataclasses
from collections import Counter
from pathlib import Path

import numpy as np
import pytest
from conftest import Command

from drivers.frames import Frame
from edge.config.demo import demo_node_path
from edge.config.setup import load_setup
from edge.node.playback import Playback
from edge.node.recording import Recording
from edge.node.simulate import simulate_trace
from edge.node.simulate_people import people_of
from edge.stream.entry import Stamp, TimeQuality
from edge.trace.errors import TraceError
from edge.trace.event import Kind, Label, Status
from edge.trace.reader import TraceReader
from edge.trace.sighting import TrackPoint

S = 1_000_000_000


@pytest.fixture(scope="module")
def visited(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Half a minute of the demo bay with two people at a time."""
    path = tmp_path_factory.mktemp("visited") / "v.mcap"
    simulate_trace(load_setup(demo_node_path()), path, seed=4, duration_s=30.0, people=2)
    return path


def test_simulated_people_stand_before_what_they_reach_for() -> None:
    """The same each time; as many as wanted; whoever makes a movement is near it, and those at once are apart."""
    setup = load_setup(demo_node_path())
    slots = [name for name, slot in setup.planogram.slots.items() if slot.board == "shelf-1"]
    labels = [
        Label(
            Kind.PICK, "shelf-1", setup.planogram.slots[slots[k % 6]].sku, slots[k % 6], 1, 5.0 + 2.5 * k, 6.0 + 2.5 * k
        )
        for k in range(20)
    ]
    points = people_of(setup, labels, 2, 1)
    assert points == people_of(setup, labels, 2, 1)
    assert [p.time_ns for p in points] == sorted(p.time_ns for p in points)
    at_once = Counter(p.time_ns for p in points)
    assert max(at_once.values()) <= 4  # one who leaves while the next one comes, on each side
    place = setup.node.boards["shelf-1"].place
    assert place is not None
    for label in labels:
        slot = setup.planogram.slots[label.slot or ""]
        x, y = place.on_floor(sum(slot.x_mm) / 2, 0.0)
        then = [p for p in points if abs(p.time_ns / 1e9 - label.start_s) < 0.06]
        assert min(np.hypot(p.x_mm - x, p.y_mm - y) for p in then) < 1000.0
    nowhere = {name: board.model_copy(update={"place": None}) for name, board in setup.node.boards.items()}
    unplaced = dataclasses.replace(setup, node=setup.node.model_copy(update={"boards": nowhere}))
    with pytest.raises(TraceError, match="give the boards a `place:`"):
        people_of(unplaced, labels, 2, 1)


def test_a_trace_with_people_says_who(visited: Path) -> None:
    """With their tracks they are named, by weight alone they aren't, and the rest of the events is as it was."""
    final = {}
    for cameras in (True, False):
        with TraceReader(visited) as reader:
            events = Playback(reader, cameras=cameras).events()
            final[cameras] = [event for event in events if event.status is Status.FINAL]
    named = [event for event in final[True] if any(p > 0.5 for track, p in event.who if track)]
    assert len(named) >= max(5, 0.9 * len(final[True]))
    assert not any(event.who for event in final[False])
    what = [[(e.kind, e.slot, e.sku, e.time_ns) for e in events] for events in final.values()]
    assert what[0] == what[1]


def test_plot_draws_the_floor(visited: Path, shelfedge: Command, tmp_path: Path) -> None:
    """Alone, or beside the weights; an unknown kind of file is refused at once."""
    done = shelfedge("plot", visited, "--floor", tmp_path / "floor.png", "--from", "5", "--to", "25")
    assert done.returncode == 0, done.stderr
    assert "floor.png: 2 boards, " in done.stderr
    assert " tracks, " in done.stderr
    assert (tmp_path / "floor.png").read_bytes().startswith(b"\x89PNG")
    assert not visited.with_suffix(".png").exists()
    done = shelfedge("plot", visited, "--floor", tmp_path / "floor.html")
    assert done.returncode == 1
    assert "expected a name ending in .png or .svg" in done.stderr
    assert "Traceback" not in done.stderr


def test_info_and_cut_know_the_tracks(visited: Path, shelfedge: Command, tmp_path: Path) -> None:
    """A person sees what is in it, and a piece keeps them."""
    assert "tracks    " in shelfedge("trace", "info", visited).stdout
    done = shelfedge("trace", "cut", visited, "-o", tmp_path / "c.mcap", "--from", "10", "--to", "20")
    assert done.returncode == 0, done.stderr
    with TraceReader(tmp_path / "c.mcap") as reader:
        times = [s.time_ns / 1e9 for e in reader.whole_epochs() for s in e.sightings]
    assert 9.9 <= min(times) < 11
    assert 19 < max(times) <= 20.1


def _eyed_node(folder: Path) -> Path:
    """A node file of its own, with a camera whose pictures are kept, and a recording of ten seconds."""
    source = demo_node_path()
    (folder / "planogram.yaml").write_text(source.with_name("planogram.yaml").read_text())
    node = folder / "node.yaml"
    cameras = "cameras:\n  aisle: {driver: picamera2, looks_at: floor}\nrecording: {frames: 5 Hz}\nstate: state\n"
    node.write_text(source.read_text() + cameras)
    setup = load_setup(node)
    told = lambda mono_ns: Stamp(mono_ns + 1_790_000_000 * S, TimeQuality.SYNCED)  # noqa: E731
    recording = Recording(folder / "state" / "bay-12" / "ring", setup, told, lambda: 5_020 * S)
    recording.start(7)
    rng = np.random.default_rng(1)
    for step in range(150):
        time_ns = 5_000 * S + step * S // 15
        recording.record([], [TrackPoint("aisle.3.1", time_ns, 10.0 * step, 0.0, 900.0, 0.0, 900.0, 150.0, 0.0)])
        recording.record_frames([Frame("aisle", time_ns, step, rng.integers(60, 80, (48, 64), np.uint8))])
    assert recording.flush()
    recording.stop()
    return node


def test_record_gives_pictures_only_when_asked_and_says_so(shelfedge: Command, tmp_path: Path) -> None:
    """Privacy: the tracks always, the pictures with --frames, and a word about them either way."""
    pytest.importorskip("av")
    node = _eyed_node(tmp_path)
    plain = shelfedge("record", node, "-o", tmp_path / "a.mcap", "--run")
    assert plain.returncode == 0, plain.stderr
    assert "150 sightings" in plain.stderr
    assert "--frames takes them along" in plain.stderr
    with_frames = shelfedge("record", node, "-o", tmp_path / "b.mcap", "--run", "--frames")
    assert with_frames.returncode == 0, with_frames.stderr
    assert "which may show people" in with_frames.stderr
    cut = shelfedge("trace", "cut", tmp_path / "b.mcap", "-o", tmp_path / "c.mcap", "--to", "5")
    assert cut.returncode == 0, cut.stderr
    assert [(tmp_path / name).stat().st_mode & 0o777 for name in ("b.mcap", "c.mcap")] == [0o600] * 2, "a piece too"
    counts = []
    for name in ("a.mcap", "b.mcap"):
        with TraceReader(tmp_path / name) as reader:
            epochs = list(reader.whole_epochs())
            counts.append((sum(len(e.sightings) for e in epochs), sum(len(e.frames) for e in epochs)))
    assert counts == [(150, 0), (150, 50)]
    assert (
        "privacy   the pictures in this trace may show people" in shelfedge("trace", "info", tmp_path / "b.mcap").stdout
    )


def test_pictures_that_were_never_kept_are_missed_politely(shelfedge: Command, tmp_path: Path) -> None:
    """The trace is written all the same, and it says what keeps them."""
    node = _eyed_node(tmp_path)
    for path in sorted((tmp_path / "state" / "bay-12" / "frames").iterdir()):
        path.unlink()
    done = shelfedge("record", node, "-o", tmp_path / "a.mcap", "--frames")
    assert done.returncode == 0, done.stderr
    assert "kept no pictures of that time" in done.stderr
