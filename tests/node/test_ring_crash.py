"""A node that is killed loses the last seconds of its recording and nothing else."""

from __future__ import annotations

import os
import random
import signal
import subprocess
import sys
from pathlib import Path

import pytest
from ring_rig import BEGIN_NS, S, live, recorder, same, scene

from drivers.samples import SampleBlock
from edge.node.record import Piece, runs_in, write_piece
from edge.node.ring_folder import segments_in
from edge.node.ring_segment import GAP_NOTE
from edge.trace.reader import TraceReader

HERE = Path(__file__).parent
ROOT = HERE.parents[1]


def killed_at(folder: Path, lines: int, boot: int) -> int:
    """Kill -9 the recording process after so many steps; how far it had come."""
    with subprocess.Popen(
        [sys.executable, str(HERE / "ring_victim.py"), str(folder), "1", str(boot)],
        stdout=subprocess.PIPE,
        text=True,
        env={**os.environ, "PYTHONPATH": f"{ROOT}:{HERE}"},
    ) as process:
        assert process.stdout is not None
        reached_ns = 0
        for _ in range(lines):
            reached_ns = int(process.stdout.readline())
        process.send_signal(signal.SIGKILL)
    return reached_ns


def joined(path: Path) -> dict[str, SampleBlock]:
    found: dict[str, list[SampleBlock]] = {}
    with TraceReader(path) as reader:
        for blocks in reader.epochs():
            for block in blocks:
                found.setdefault(block.board, []).append(block)
        assert not reader.losses
    return {name: SampleBlock.join(blocks) for name, blocks in found.items()}


@pytest.mark.parametrize("seed", range(4))
def test_kill_9_costs_at_most_ten_seconds(tmp_path: Path, seed: int) -> None:
    """What `record` gives is the run from its start, without a hole, up to 10 s before the kill."""
    _, boards = scene(120.0)
    reached_ns = killed_at(tmp_path / "ring", random.Random(seed).randint(40, 220), 7)
    [run] = runs_in(tmp_path / "ring")
    written = write_piece(Piece(run), tmp_path / "run.mcap")
    assert written.from_start
    assert not written.losses
    assert written.end_ns >= reached_ns - 10 * S
    for name, block in joined(tmp_path / "run.mcap").items():
        assert same(block, boards[name].part(0, len(block)))


def test_the_next_life_goes_on_beside_what_the_last_one_left(tmp_path: Path) -> None:
    setup, boards = scene(120.0)
    killed_at(tmp_path / "ring", 120, 7)
    left = [name for name in segments_in(tmp_path / "ring") if name.is_part]
    assert len(left) == 1
    ring = recorder(tmp_path / "ring", setup, boot=8, queue_s=600)
    for blocks, _, _ in live(boards, 2):
        ring.give(blocks)
    assert ring.stop()
    first, second = runs_in(tmp_path / "ring")
    assert (first.facts.boot, second.facts.boot) == (7, 8)
    assert not first.is_whole
    assert second.is_whole
    assert left[0].path.exists()
    assert write_piece(Piece(first), tmp_path / "first.mcap").begin_ns == min(
        int(b.time_ns[0]) for b in boards.values()
    )


@pytest.mark.parametrize("seed", range(3))
def test_a_part_cut_off_or_damaged_anywhere_still_gives_what_is_intact_p5(tmp_path: Path, seed: int) -> None:
    """P5: torn at any byte, or with a bit flipped: no exception, and what comes out is a true piece of the input."""
    killed_at(tmp_path / "ring", 150, 7)
    _, boards = scene(120.0)
    rng = random.Random(seed)
    part = segments_in(tmp_path / "ring")[-1].path
    data = part.read_bytes()
    for turn in range(20):
        torn = bytearray(data)
        at = rng.randrange(len(data))
        if turn % 2:
            torn = torn[:at]
        else:
            torn[at] ^= 1 << rng.randrange(8)
        part.write_bytes(bytes(torn))
        runs = runs_in(tmp_path / "ring")
        for run in runs:
            write_piece(Piece(run), tmp_path / "run.mcap")
            with TraceReader(tmp_path / "run.mcap", known_only=False) as reader:
                for blocks in reader.epochs():
                    for block in blocks:
                        whole = boards[block.board]
                        first = int(whole.time_ns.searchsorted(block.time_ns[0]))
                        assert same(block, whole.part(first, first + len(block)))
        assert any(run.begin_ns == BEGIN_NS or run.begin_ns < BEGIN_NS + S for run in runs)


def test_empty_parts_are_passed_over_and_tidied_by_the_next_life_p5(tmp_path: Path) -> None:
    setup, boards = scene(120.0)
    (tmp_path / "ring").mkdir()
    (tmp_path / "ring" / "00000009-7-1-5.mcap.part").touch()
    (tmp_path / "ring" / "00000008-7-1-4.mcap").write_bytes(b"no trace")
    assert runs_in(tmp_path / "ring") == []
    ring = recorder(tmp_path / "ring", setup)
    ring.give([boards["shelf-1"].part(0, 1000)])
    assert ring.flush()
    assert ring.stop()
    assert [name.serial for name in segments_in(tmp_path / "ring")] == [8, 10]


def test_a_recorder_started_again_within_a_run_is_told_as_a_gap(tmp_path: Path) -> None:
    setup, boards = scene(120.0)
    for begin, end in ((0, 9000), (12_000, 20_000)):
        ring = recorder(tmp_path / "ring", setup)
        for place in range(begin, end, 1000):
            ring.give([boards["shelf-1"].part(place, place + 1000)])
        assert ring.stop()
    [run] = runs_in(tmp_path / "ring")
    written = write_piece(Piece(run), tmp_path / "run.mcap")
    assert [gap.why for gap in written.gaps] == ["the recorder was started again"]
    assert written.samples == 17_000
    with TraceReader(tmp_path / "run.mcap") as reader:
        assert [values["why"] for name, values in reader.notes if name == GAP_NOTE] == [written.gaps[0].why]


def test_a_segment_that_goes_while_it_is_copied_is_told(tmp_path: Path) -> None:
    setup, boards = scene(120.0)
    ring = recorder(tmp_path / "ring", setup, queue_s=600)
    for blocks, _, _ in live(boards, 2):
        ring.give(blocks)
    assert ring.stop()
    [run] = runs_in(tmp_path / "ring")
    run.segments[0].path.unlink()
    written = write_piece(Piece(run), tmp_path / "run.mcap")
    assert not written.from_start
    assert [path for path, _ in written.losses] == [run.segments[0].path]
    with TraceReader(tmp_path / "run.mcap") as reader:
        assert reader.setup == setup
