"""The writer: epochs whatever the blocks, a file that is whole or not there, and MCAP that other programs read."""

from __future__ import annotations

import errno
import itertools
import os
from pathlib import Path

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from small_trace import LABELS, noise, read_all, same, write_trace

from drivers.samples import SampleBlock
from edge.config.setup import Setup
from edge.trace.errors import TraceError, TraceFileError
from edge.trace.reader import TraceReader
from edge.trace.writer import TraceWriter


def test_everything_comes_back(tmp_path: Path, setup: Setup) -> None:
    """Samples with times before zero, labels, config, calibration, totals."""
    blocks = write_trace(tmp_path / "a.mcap", setup)
    with TraceReader(tmp_path / "a.mcap") as reader:
        found = read_all(reader)
        assert reader.losses == []
        assert all(same(found[block.board], block) for block in blocks)
        assert reader.labels == LABELS
        stored = reader.require_setup()
        assert stored == setup
        assert reader.sample_count == sum(map(len, blocks))
        assert reader.begin_ns == min(block.time_ns[0] for block in blocks)
        assert reader.end_ns == max(block.time_ns[-1] for block in blocks)
        assert list(tmp_path.glob("*.part")) == []


@settings(max_examples=15, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.lists(st.integers(0, 600), max_size=12), st.sampled_from([10**8, 10**9, 7 * 10**9]))
def test_any_splitting_gives_the_same_epochs(tmp_path: Path, setup: Setup, cuts: list[int], epoch_ns: int) -> None:
    """Blocks of one sample or of all: the trace is the same, and no block crosses an epoch (P8)."""
    block = noise("top", 2, 20, -3, 12)
    edges = [0, *sorted(min(cut, len(block)) for cut in cuts), len(block)]
    path = tmp_path / "a.mcap"
    with TraceWriter(path, setup, epoch_ns=epoch_ns) as writer:
        for begin, end in itertools.pairwise(edges):
            writer.write(block.part(begin, end))
    with TraceReader(path) as reader:
        epochs = [blocks[0] for blocks in reader.epochs()]
    assert same(SampleBlock.join(epochs), block)
    assert all(part.time_ns[0] // epoch_ns == part.time_ns[-1] // epoch_ns for part in epochs)
    assert len(epochs) == np.unique(block.time_ns // epoch_ns).size


def test_boards_out_of_step_are_put_in_order(tmp_path: Path, setup: Setup) -> None:
    """A board that is written 50 s behind another shares the other's epochs when read."""
    with TraceWriter(tmp_path / "a.mcap", setup) as writer:
        writer.write(noise("top", 2, 10, 0, 50))
        writer.write(noise("low.er", 1, 10, 0, 50))
    with TraceReader(tmp_path / "a.mcap") as reader:
        epochs = list(reader.epochs())
    assert [[block.board for block in blocks] for blocks in epochs] == [["top", "low.er"]] * 50


def test_nothing_is_written_for_epochs_without_samples(tmp_path: Path, setup: Setup) -> None:
    """A year of silence costs no bytes."""
    year_ns = 365 * 86400 * 10**9
    first = noise("top", 2, 10, 0, 2)
    second = SampleBlock("top", first.time_ns + year_ns, first.cell, first.counts, first.flags)
    with TraceWriter(tmp_path / "a.mcap", setup) as writer:
        writer.write(SampleBlock.join([first, second]))
    with TraceReader(tmp_path / "a.mcap") as reader:
        assert len(list(reader.epochs())) == 4
    assert (tmp_path / "a.mcap").stat().st_size < 6000


def test_library_of_mcap_reads_it(tmp_path: Path, setup: Setup) -> None:
    """Other programs see a sound MCAP: all CRCs right, schema and channel described, front to back and by index."""
    from mcap.reader import make_reader
    from mcap.stream_reader import StreamReader

    path = tmp_path / "a.mcap"
    write_trace(path, setup)
    with path.open("rb") as file:
        names = [type(record).__name__ for record in StreamReader(file, validate_crcs=True).records]
    assert names.index("Attachment") < names.index("Message")
    with path.open("rb") as file:
        reader = make_reader(file, validate_crcs=True)
        channels = {channel.topic: channel for _, channel, _ in reader.iter_messages()}
        assert len(list(reader.iter_attachments())) == 4
    assert channels["/samples/top"].metadata == {"board": "top", "cells": "fl fr", "rate_hz": "80"}


def test_exception_leaves_a_former_file_untouched(tmp_path: Path, setup: Setup) -> None:
    """Nothing half-written appears under the final name (P9's idea, for traces)."""
    path = tmp_path / "a.mcap"
    path.write_bytes(b"former")

    def crash() -> None:
        with TraceWriter(path, setup) as writer:
            writer.write(noise("top", 2, 10, 0, 5))
            raise KeyError

    with pytest.raises(KeyError):
        crash()
    assert path.read_bytes() == b"former"
    assert sorted(entry.name for entry in tmp_path.glob("a.mcap*")) == ["a.mcap"]


def test_full_disk_is_said_and_leaves_no_file(tmp_path: Path, setup: Setup, monkeypatch: pytest.MonkeyPatch) -> None:
    """ENOSPC when the file is brought to the disk: an error that names the file, nothing left."""

    def full(_handle: int) -> None:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(TraceFileError, match=r"a\.mcap: writing failed: No space left"):
        write_trace(tmp_path / "a.mcap", setup, 0, 5)
    assert list(tmp_path.glob("a.mcap*")) == []


def test_places_that_cant_be_written(tmp_path: Path, setup: Setup) -> None:
    """A folder that isn't there, and a folder in place of a file."""
    with pytest.raises(TraceFileError, match="make the folder first"):
        TraceWriter(tmp_path / "no" / "a.mcap", setup)
    with pytest.raises(TraceFileError, match="is a folder"):
        TraceWriter(tmp_path, setup)


def _one(board: str, cell: int, time_ns: int) -> SampleBlock:
    one = SampleBlock.empty(board)
    return SampleBlock(
        board,
        np.append(one.time_ns, time_ns),
        np.append(one.cell, np.uint8(cell)),
        np.append(one.counts, np.int32(0)),
        np.append(one.flags, np.uint16(0)),
    )


@pytest.mark.parametrize(
    ("block", "text"),
    [
        (_one("attic", 0, 100 * 10**9), "board attic isn't in the node file; expected one of top, low.er"),
        (_one("top", 2, 100 * 10**9), "cell 2, but the node file gives it 2 cells"),
        (_one("top", 0, 10**9), "times decrease"),
        (_one("low.er", 0, 10**9), "99 s behind the other boards"),
        (_one("low.er", 0, 1 << 62 | 1), "out of range"),
    ],
)
def test_blocks_that_dont_belong_are_refused(tmp_path: Path, setup: Setup, block: SampleBlock, text: str) -> None:
    """Each with the board and what is expected."""
    with TraceWriter(tmp_path / "a.mcap", setup) as writer:
        writer.write(_one("top", 0, 100 * 10**9))
        with pytest.raises(TraceError, match=text):
            writer.write(block)
