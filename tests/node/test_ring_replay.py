"""What the recorder writes is what fusion saw: the recording's replay gives the live events, bit for bit (P8)."""

from __future__ import annotations

from pathlib import Path

import pytest
from ring_rig import BEGIN_NS, S, everything, feed, live, recorder, same, scene

from drivers.samples import SampleBlock
from edge.fusion.engine import Fusion
from edge.node.playback import Playback
from edge.node.record import Piece, last_piece, runs_in, write_piece
from edge.stream.jsonl import event_to_line
from edge.trace.copy_trace import cut
from edge.trace.reader import TraceReader


def replayed(path: Path) -> list[str]:
    with TraceReader(path) as reader:
        events = [event_to_line(event) for event in Playback(reader).events()]
        assert not reader.losses
    return events


def joined(path: Path) -> dict[str, SampleBlock]:
    found: dict[str, list[SampleBlock]] = {}
    with TraceReader(path) as reader:
        for blocks in reader.epochs():
            for block in blocks:
                found.setdefault(block.board, []).append(block)
    return {name: SampleBlock.join(blocks) for name, blocks in found.items()}


@pytest.mark.parametrize("seed", [1, 2, 3])
def test_a_recorded_run_replays_to_the_live_events_p8(tmp_path: Path, seed: int) -> None:
    """P8: odd blocks, boards out of step, segments of 30 s: the same samples and the same events."""
    setup, boards = scene(120.0)
    ring = recorder(tmp_path / "ring", setup)
    fusion = Fusion(setup)
    events = []
    for blocks, until_ns, _ in live(boards, seed):
        feed(ring, blocks)
        events += fusion.push(blocks, until_ns)
    assert ring.flush()
    [run] = runs_in(tmp_path / "ring")
    assert len(run.segments) >= 4
    written = write_piece(Piece(run), tmp_path / "run.mcap")  # while it still records
    assert ring.stop()
    assert written.from_start
    assert not written.gaps
    assert not written.losses
    found = joined(tmp_path / "run.mcap")
    assert all(same(found[name], boards[name]) for name in boards)
    events += fusion.finish()
    assert len(events) > 10
    assert replayed(tmp_path / "run.mcap") == [event_to_line(event) for event in events]


def test_a_dead_board_and_a_pause_replay_alike_p8(tmp_path: Path) -> None:
    """P8: one board falls silent, later both do for a minute and a half, then both come back."""
    setup, boards = scene(120.0)
    jumped = {}
    for name, b in boards.items():
        first, last = (b.time_ns - BEGIN_NS < 40 * S), (b.time_ns - BEGIN_NS > 60 * S)
        keep = first | last if name == "shelf-2" else b.time_ns >= 0
        time_ns = b.time_ns + (b.time_ns - BEGIN_NS > 80 * S) * 90 * S
        jumped[name] = SampleBlock(name, time_ns[keep], b.cell[keep], b.counts[keep], b.flags[keep])
    ring = recorder(tmp_path / "ring", setup)
    fusion = Fusion(setup)
    events = []
    for blocks, until_ns, _ in live(jumped, 5):
        feed(ring, blocks)
        events += fusion.push(blocks, until_ns)
    assert ring.stop()
    events += fusion.finish()
    [run] = runs_in(tmp_path / "ring")
    write_piece(Piece(run), tmp_path / "run.mcap")
    found = joined(tmp_path / "run.mcap")
    assert all(same(found[name], jumped[name]) for name in jumped)
    assert replayed(tmp_path / "run.mcap") == [event_to_line(event) for event in events]


def test_no_epoch_is_spread_over_two_segments(tmp_path: Path) -> None:
    setup, boards = scene(120.0)
    ring = recorder(tmp_path / "ring", setup, segment_s=20, queue_s=600)
    for blocks, _, _ in live(boards, 8):
        ring.give(blocks)
    assert ring.stop()
    ends: dict[str, int] = {}
    [run] = runs_in(tmp_path / "ring")
    for segment in run.segments:
        with TraceReader(segment.path) as reader:
            for blocks in reader.epochs():
                for block in blocks:
                    begin_s, end_s = int(block.time_ns[0]) // S, int(block.time_ns[-1]) // S
                    assert begin_s == end_s
                    assert begin_s > ends.get(block.board, -1)
                    ends[block.board] = end_s
                    assert segment.begin_ns // S // 20 == begin_s // 20
    assert all(same(everything(tmp_path / "ring")[name], boards[name]) for name in boards)


def test_a_piece_equals_what_trace_cut_gives(tmp_path: Path) -> None:
    setup, boards = scene(120.0)
    ring = recorder(tmp_path / "ring", setup)
    for blocks, _, _ in live(boards, 4):
        feed(ring, blocks)
    assert ring.stop()
    runs = runs_in(tmp_path / "ring")
    write_piece(Piece(runs[0]), tmp_path / "run.mcap")
    [piece] = last_piece(runs, 47.5)
    written = write_piece(piece, tmp_path / "last.mcap")
    assert not written.from_start
    begin_ns = min(int(b.time_ns[0]) for b in boards.values())
    end_ns = max(int(b.time_ns[-1]) for b in boards.values())
    with TraceReader(tmp_path / "run.mcap", known_only=False) as reader:
        cut(reader, tmp_path / "cut.mcap", (end_ns - begin_ns) / 1e9 - 47.5, None)
    first, second = joined(tmp_path / "last.mcap"), joined(tmp_path / "cut.mcap")
    assert first.keys() == second.keys()
    assert all(same(first[name], second[name]) for name in first)
    assert replayed(tmp_path / "last.mcap") == replayed(tmp_path / "cut.mcap")


def test_a_reload_begins_a_run_whose_replay_counts_on_p8(tmp_path: Path) -> None:
    """P8: after a new planogram each run is a trace of its own, and event numbers go on as they did live."""
    setup, boards = scene(120.0)
    ring = recorder(tmp_path / "ring", setup)
    fusion = Fusion(setup)
    lines: dict[int, list[str]] = {1: [], 2: []}
    number = 1
    for blocks, until_ns, now_ns in live(boards, 6):
        if number == 1 and now_ns - BEGIN_NS > 50 * S:
            lines[1] += [event_to_line(event) for event in fusion.finish()]
            first = fusion.next_event_number
            fusion, number = Fusion(setup, first), 2
            ring.begin_run(setup, 2, first)
        feed(ring, blocks)
        lines[number] += [event_to_line(event) for event in fusion.push(blocks, until_ns)]
    lines[2] += [event_to_line(event) for event in fusion.finish()]
    assert ring.stop()
    runs = runs_in(tmp_path / "ring")
    assert [run.facts.run for run in runs] == [1, 2]
    for run in runs:
        write_piece(Piece(run), tmp_path / f"{run.facts.run}.mcap")
        assert lines[run.facts.run]
        assert replayed(tmp_path / f"{run.facts.run}.mcap") == lines[run.facts.run]
