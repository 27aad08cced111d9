"""What is wrong with boards and cells is told in a line each, and nothing where all is fine."""

from __future__ import annotations

import dataclasses
from pathlib import Path

import numpy as np
import pytest

from calibration.record import BoardCalibration, CellCalibration
from drivers.samples import SampleBlock, SampleFlag
from edge.config.demo import demo_node_path
from edge.config.setup import Setup, load_setup
from edge.fusion.engine import Fusion
from edge.fusion.faults import blind_sentences, fault_sentences
from edge.node.playback import Playback
from edge.trace.reader import TraceReader
from edge.trace.writer import TraceWriter

CELLS = ("fl", "fr", "bl", "br")
END_S = 20.0


@pytest.fixture(scope="module")
def setup() -> Setup:
    """The demo bay, both boards calibrated."""
    demo = load_setup(demo_node_path())
    cells = {name: CellCalibration(zero_counts=0.0, counts_per_gram=400.0) for name in CELLS}
    return dataclasses.replace(
        demo, calibration={name: BoardCalibration(board=name, cells=cells) for name in ("shelf-1", "shelf-2")}
    )


def quiet(board: str, end_s: float = END_S) -> SampleBlock:
    """Four healthy cells at 80 Hz, 500 g each."""
    steps = int(end_s * 80)
    time_ns = np.repeat(np.arange(steps) * 12_500_000, 4) + np.tile(np.arange(4) * 1000, steps)
    counts = np.random.default_rng(1).normal(200_050, 25, steps * 4).astype(np.int32)
    return SampleBlock(board, time_ns, np.tile(np.arange(4, dtype=np.uint8), steps), counts, np.zeros(steps * 4, "u2"))


def told(setup: Setup, *blocks: SampleBlock) -> list[str]:
    fusion = Fusion(setup)
    fusion.push(blocks)
    fusion.finish()
    return fault_sentences(fusion)


def only(block: SampleBlock, keep: np.ndarray) -> SampleBlock:
    return SampleBlock(block.board, block.time_ns[keep], block.cell[keep], block.counts[keep], block.flags[keep])


def test_healthy_boards_are_silent(setup: Setup) -> None:
    assert told(setup, quiet("shelf-1"), quiet("shelf-2")) == []


def test_each_kind_of_fault_is_counted(setup: Setup) -> None:
    """Saturated, corrupt, flagged, stuck: by cell, in one line."""
    block = quiet("shelf-1")
    at = [np.flatnonzero(block.cell == cell) for cell in range(4)]
    block.counts[at[0][100:103]] = 0x7FFFFF
    block.counts[at[0][200]] = -1
    block.flags[at[1][50:54]] = int(SampleFlag.SETTLING)
    block.counts[at[2][400:800]] = 200_007
    lines = told(setup, block, quiet("shelf-2"))
    assert lines[:2] == [
        "shelf-1 cell fl: saturated 3 samples, corrupt code 1 sample",
        "shelf-1 cell fr: flagged by its driver 4 samples",
    ]
    (stuck,) = lines[2:]
    assert stuck.startswith("shelf-1 cell bl: stuck 3")
    assert stuck.endswith(" samples"), "it came back, so it isn't said to be silent"


def test_a_cell_that_stays_stuck_gives_nothing_usable(setup: Setup) -> None:
    block = quiet("shelf-1")
    block.counts[(block.cell == 3) & (block.time_ns >= 10e9)] = 200_007
    (line,) = told(setup, block, quiet("shelf-2"))
    assert line.startswith("shelf-1 cell br: stuck 7")
    assert ", no usable data since 10.3 s, for the last 9.7 s" in line


def test_silent_cells_and_boards(setup: Setup) -> None:
    """A cell that fell silent, one that never said anything, a board that did either."""
    block = quiet("shelf-1")
    lost = only(block, ~((block.cell == 0) & (block.time_ns > 12.05e9)) & (block.cell != 2))
    assert told(setup, lost, quiet("shelf-2", 15.0)) == [
        "shelf-1 cell fl: no data since 12.1 s, for the last 7.9 s",
        "shelf-1 cell bl: no data at all",
        "shelf-2: no data since 15.0 s, for the last 5.0 s",
    ]
    assert told(setup, block) == ["shelf-2: no data at all"]


def test_a_cell_that_does_not_come_back_after_a_long_silence_of_its_board(setup: Setup) -> None:
    block = quiet("shelf-1", 40.0)
    gap = (block.time_ns > 5e9) & (block.time_ns < 20e9)
    lost = only(block, ~gap & ~((block.cell == 1) & (block.time_ns > 5e9)))
    assert told(setup, lost, quiet("shelf-2", 40.0)) == ["shelf-1 cell fr: no data since 20.0 s or earlier"]


def test_boards_without_calibration_are_named_with_what_to_do(setup: Setup) -> None:
    """Whole or in part missing; the trace alone shows it before anything is decided."""
    record = setup.calibration["shelf-1"]
    partial = record.model_copy(update={"cells": {"fl": record.cells["fl"]}})
    lines = blind_sentences(Fusion(dataclasses.replace(setup, calibration={"shelf-1": partial})))
    assert lines[0].startswith("board shelf-1 can't be weighed with: its calibration record lacks cells fr, bl, br; ")
    assert lines[1].startswith("board shelf-2 can't be weighed with: it has no calibration record; ")
    assert all("trace import --calibration FILE" in line and "--config NODE.yaml" in line for line in lines)
    assert blind_sentences(Fusion(setup)) == []


def test_a_playback_tells_of_the_boards_of_its_trace(setup: Setup, tmp_path: Path) -> None:
    one = dataclasses.replace(setup, calibration={"shelf-1": setup.calibration["shelf-1"]})
    block = quiet("shelf-1")
    with TraceWriter(tmp_path / "a.mcap", one) as writer:
        writer.write(only(block, block.time_ns < 12e9))
        writer.write(quiet("shelf-2"))
    with TraceReader(tmp_path / "a.mcap") as reader:
        playback = Playback(reader)
        assert playback.blind_sentences() == playback.fault_sentences() == []
        events = playback.events()
        assert [line.split(":")[0] for line in playback.blind_sentences()] == ["board shelf-2 can't be weighed with"]
        list(events)
        assert playback.fault_sentences() == ["shelf-1: no data since 12.0 s, for the last 8.0 s"]
