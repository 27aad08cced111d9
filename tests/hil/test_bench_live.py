"""The looped trace of the live cost: time goes on, no cell's counts jump, and live blocks are all of the samples."""

from __future__ import annotations

import itertools
from pathlib import Path

import numpy as np
import pytest

from drivers.samples import SampleBlock
from hil import live_cost
from hil.layouts import corner_boards
from hil.speed import apart

SECONDS = 40


@pytest.fixture(scope="module")
def trace(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("live") / "loop.mcap"
    live_cost.prepare(path, boards=2, minutes=SECONDS / 60)
    return path


def test_a_looped_trace_has_no_seam(trace: Path) -> None:
    turns = itertools.takewhile(lambda step: step[0] < 3 * SECONDS + 1, live_cost.looped(trace))
    by_board: dict[str, list[SampleBlock]] = {}
    for _, epoch in turns:
        for block in epoch:
            by_board.setdefault(block.board, []).append(block)
    assert set(by_board) == {"b1", "b2"}
    for blocks in by_board.values():
        whole = SampleBlock.join(blocks)
        assert np.all(np.diff(whole.time_ns) >= 0)
        for cell, turn in itertools.product(range(4), (1, 2)):
            of_cell, seam_ns = whole.cell == cell, turn * SECONDS * 1_000_000_000
            near = np.abs(whole.time_ns - seam_ns) < 1_000_000_000
            before = whole.counts[of_cell & near & (whole.time_ns < seam_ns)]
            after = whole.counts[of_cell & near & (whole.time_ns >= seam_ns)]
            assert abs(float(np.median(before)) - float(np.median(after))) < 215  # a gram at 215 counts/g


def test_live_blocks_are_the_epoch_in_order(trace: Path) -> None:
    _, epoch = next(live_cost.looped(trace))
    steps = live_cost.live_blocks(epoch)
    assert [until_ns for _, until_ns in steps] == sorted(until_ns for _, until_ns in steps)
    for block in epoch:
        parts = [part for parts, _ in steps for part in parts if part.board == block.board]
        assert np.array_equal(SampleBlock.join(parts).counts, block.counts)
    for parts, until_ns in steps[:-1]:
        assert all(int(part.time_ns[-1]) < until_ns for part in parts)


def test_boards_apart_are_one_node_with_all_their_samples() -> None:
    setup, _, epochs = apart(corner_boards(5, boards=2), 5, 30 / 3600, None)
    assert set(setup.calibration) == set(setup.node.boards) == {"b1", "b2"}
    assert [{block.board for block in epoch} for epoch in epochs] == [{"b1", "b2"}] * 3
