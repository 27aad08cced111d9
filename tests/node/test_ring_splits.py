"""However blocks are cut, flushed and spread over segments, the samples come out as they went in."""

from __future__ import annotations

import tempfile
from pathlib import Path

from hypothesis import given, settings
from hypothesis import strategies as st
from ring_rig import S, everything, live, recorder, same, scene

from edge.node.record import Piece, runs_in, write_piece
from edge.node.ring_folder import segments_in
from edge.trace.reader import TraceReader


@settings(max_examples=15, deadline=None)
@given(
    seed=st.integers(0, 1000),
    step_ms=st.integers(1, 9000),
    segment_s=st.integers(1, 70),
    flushes=st.sets(st.integers(0, 100), max_size=6),
)
def test_any_split_comes_out_whole_p8(seed: int, step_ms: int, segment_s: int, flushes: set[int]) -> None:
    """P8: blocks of 1 ms to 9 s, segments of 1 s to 70 s, flushes anywhere: nothing lost, doubled or out of order."""
    setup, boards = scene(60.0)
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        ring = recorder(folder / "ring", setup, segment_s=segment_s, queue_s=600)
        for number, (blocks, _, _) in enumerate(live(boards, seed, max(step_ms, 50))):
            ring.give(blocks)
            if number in flushes:
                assert ring.flush()
        assert ring.stop(60.0)
        assert all(same(everything(folder / "ring")[board], boards[board]) for board in boards)
        [run] = runs_in(folder / "ring")
        assert not run.gaps
        assert len(segments_in(folder / "ring")) <= 60 // segment_s + 3 + len(flushes)
        written = write_piece(Piece(run), folder / "run.mcap")
        assert written.samples == sum(map(len, boards.values()))
        with TraceReader(folder / "run.mcap") as reader:
            assert sum(len(b) for blocks in reader.epochs() for b in blocks) == written.samples
            assert not reader.losses


@settings(max_examples=25, deadline=None)
@given(begin_ms=st.integers(-1000, 61_000), length_ms=st.integers(1, 61_000))
def test_any_piece_holds_exactly_its_samples(begin_ms: int, length_ms: int) -> None:
    setup, boards = scene(60.0)
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        ring = recorder(folder / "ring", setup, segment_s=7, queue_s=600)
        for blocks, _, _ in live(boards, 1, 2000):
            ring.give(blocks)
        assert ring.stop(60.0)
        [run] = runs_in(folder / "ring")
        origin_ns = min(int(b.time_ns[0]) for b in boards.values()) // S * S
        begin_ns = origin_ns + begin_ms * 1_000_000
        end_ns = begin_ns + length_ms * 1_000_000
        expected = sum(int(((b.time_ns >= begin_ns) & (b.time_ns < end_ns)).sum()) for b in boards.values())
        try:
            written = write_piece(Piece(run, begin_ns, end_ns), folder / "piece.mcap")
        except ValueError:
            assert expected == 0
            return
        assert written.samples == expected
