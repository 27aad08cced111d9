"""The recording as the node has it: what comes before the boot is known isn't lost."""

from __future__ import annotations

from node_benches import S, ToldClock, block

from edge.config.demo import demo_node_path
from edge.config.setup import load_setup
from edge.node.record import runs_in
from edge.node.recording import Recording
from edge.node.ring_segment import recorded_run
from edge.stream.entry import Stamp, TimeQuality
from edge.trace.reader import TraceReader


def recording(folder, clock: ToldClock) -> Recording:
    return Recording(folder, load_setup(demo_node_path()), lambda ns: Stamp(ns, TimeQuality.FREE), clock)


def recorded(folder) -> dict[tuple[int, int, int], int]:
    """By boot, run and first event number: samples."""
    found: dict[tuple[int, int, int], int] = {}
    for path in sorted(folder.glob("*.mcap")):
        with TraceReader(path) as reader:
            run = recorded_run(reader.notes)
            assert run is not None
            key = (run.boot, run.run, run.first_event_number)
            found[key] = found.get(key, 0) + sum(len(each) for epoch in reader.epochs() for each in epoch)
    return found


def test_what_comes_early_waits(tmp_path):
    """P8: an outbox that opens late costs the recording nothing."""
    clock = ToldClock()
    it = recording(tmp_path, clock)
    for k in range(10):
        it.record([block("shelf-1", (clock() + k, 0))])
    assert it.state()["state"] == "waiting"
    it.start(boot=7)
    it.record([block("shelf-1", (clock() + 10, 0))])
    it.stop()
    assert recorded(tmp_path) == {(7, 1, 1): 11}


def test_what_waits_has_an_end(tmp_path):
    """P4: about a minute of it."""
    clock = ToldClock()
    it = recording(tmp_path, clock)
    for k in range(200):
        it.record([block("shelf-1", *[(clock() + k * S + n, 0) for n in range(640)])])
    it.start(boot=7)
    assert it.state()["dropped_samples"] > 0
    assert it.flush()
    assert it._early_samples == 0
    it.stop()
    (samples,) = recorded(tmp_path).values()
    assert 30 * 640 < samples <= 61 * 640
    (run,) = runs_in(tmp_path)
    assert not run.from_start  # so nobody promises that its replay gives the live events
    assert sum(gap.samples for gap in run.gaps) == 200 * 640 - samples


def test_the_next_run_after_an_early_loss_begins_at_its_beginning(tmp_path):
    clock = ToldClock()
    it = recording(tmp_path, clock)
    for k in range(200):
        it.record([block("shelf-1", *[(clock() + k * S + n, 0) for n in range(640)])])
    it.start(boot=7)
    it.begin_run(load_setup(demo_node_path()), first_event_number=42)
    it.record([block("shelf-1", (clock() + 300 * S, 0))])
    it.stop()
    assert [run.from_start for run in runs_in(tmp_path)] == [False, True]


def test_another_planogram_is_another_run(tmp_path):
    clock = ToldClock()
    it = recording(tmp_path, clock)
    it.start(boot=7)
    it.record([block("shelf-1", (clock(), 0))])
    it.begin_run(load_setup(demo_node_path()), first_event_number=42)
    it.record([block("shelf-1", (clock() + 1, 0)), block("shelf-1", (clock() + 2, 0))])
    assert it.flush()
    it.stop()
    assert recorded(tmp_path) == {(7, 1, 1): 1, (7, 2, 42): 2}
