"""`recover` and `cut`: traces out of traces."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from small_trace import LABELS, noise, read_all, same, write_trace

from edge.config.setup import Setup
from edge.trace.copy_trace import cut, recover
from edge.trace.errors import TraceError
from edge.trace.reader import TraceReader
from edge.trace.writer import TraceWriter


def test_recover_of_a_whole_trace_loses_nothing(tmp_path: Path, setup: Setup) -> None:
    """Samples, config, labels and other attachments."""
    blocks = write_trace(tmp_path / "a.mcap", setup)
    with TraceReader(tmp_path / "a.mcap", known_only=False) as reader:
        assert recover(reader, tmp_path / "b.mcap") == sum(map(len, blocks))
        assert reader.losses == []
    with TraceReader(tmp_path / "b.mcap") as reader:
        found = read_all(reader)
        assert all(same(found[block.board], block) for block in blocks)
        assert (reader.setup, reader.labels, reader.losses) == (setup, LABELS, [])


def test_recover_of_a_damaged_trace_is_sound(tmp_path: Path, setup: Setup) -> None:
    """Cut off and with a broken planogram: the copy holds what was intact and reads without a loss but the config."""
    blocks = write_trace(tmp_path / "a.mcap", setup)
    raw = bytearray((tmp_path / "a.mcap").read_bytes())
    raw[raw.index(b"skus:")] ^= 1
    (tmp_path / "a.mcap").write_bytes(raw[: len(raw) * 3 // 4])
    with TraceReader(tmp_path / "a.mcap", known_only=False) as reader:
        n_samples = recover(reader, tmp_path / "b.mcap")
        assert len(reader.losses) == 2
    assert 0 < n_samples < sum(map(len, blocks))
    with TraceReader(tmp_path / "b.mcap", setup) as reader:
        found = read_all(reader)
        assert reader.losses == []
        assert reader.labels == LABELS
        assert list(reader.attachments) == ["node.yaml", "calibration.json", "labels.json"]
    for block in blocks:
        assert same(found[block.board], block.part(0, len(found[block.board])))


def test_recover_keeps_boards_that_the_config_doesnt_have(tmp_path: Path, setup: Setup) -> None:
    """Repair doesn't judge."""
    with TraceWriter(tmp_path / "a.mcap", setup, attachments={}) as writer:
        writer.write(noise("attic", 3, 10, 0, 5))
    with TraceReader(tmp_path / "a.mcap", known_only=False) as reader:
        recover(reader, tmp_path / "b.mcap")
    with TraceReader(tmp_path / "b.mcap", known_only=False) as reader:
        assert list(read_all(reader)) == ["attic"]


def test_recover_of_nothing_writes_nothing(tmp_path: Path, setup: Setup) -> None:
    """No intact samples: refused, with what was lost, and no file."""
    write_trace(tmp_path / "a.mcap", setup, 0, 5)
    raw = (tmp_path / "a.mcap").read_bytes()
    (tmp_path / "a.mcap").write_bytes(raw[:1500])
    with (
        TraceReader(tmp_path / "a.mcap", known_only=False) as reader,
        pytest.raises(TraceError, match=r"bytes \d+\.\.1500: (.*\n)+.*no intact samples"),
    ):
        recover(reader, tmp_path / "b.mcap")
    assert not list(tmp_path.glob("b.mcap*"))


@pytest.mark.parametrize(("from_s", "to_s"), [(10.0, 20.0), (None, 12.34), (95.5, None), (-5.0, 1000.0)])
def test_cut_gives_the_piece(tmp_path: Path, setup: Setup, from_s: float | None, to_s: float | None) -> None:
    """Seconds count from the first sample; times in the piece are those of the trace."""
    blocks = write_trace(tmp_path / "a.mcap", setup)
    start_ns = min(int(block.time_ns[0]) for block in blocks)
    with TraceReader(tmp_path / "a.mcap", known_only=False) as reader:
        cut(reader, tmp_path / "b.mcap", from_s, to_s)
        assert reader.losses == []
    with TraceReader(tmp_path / "b.mcap") as reader:
        found = read_all(reader)
        assert reader.setup == setup
    for block in blocks:
        first = 0 if from_s is None else int(np.searchsorted(block.time_ns, start_ns + round(from_s * 1e9)))
        last = len(block) if to_s is None else int(np.searchsorted(block.time_ns, start_ns + round(to_s * 1e9)))
        assert same(found[block.board], block.part(first, last))


def test_cut_takes_the_labels_inside(tmp_path: Path, setup: Setup) -> None:
    """The trace begins at -7 s: the first label (2..3.5 s) lies 9 s into it, the other (10..11 s) 17 s."""
    write_trace(tmp_path / "a.mcap", setup)
    for from_s, to_s, expected in ((8, 30, LABELS), (8, 12, LABELS[:1]), (9.5, 30, LABELS[1:]), (30, 40, ())):
        with TraceReader(tmp_path / "a.mcap", known_only=False) as reader:
            cut(reader, tmp_path / "b.mcap", from_s, to_s)
        with TraceReader(tmp_path / "b.mcap") as reader:
            assert reader.labels == expected


def test_cut_of_a_piece_that_isnt_there(tmp_path: Path, setup: Setup) -> None:
    """Refused with the trace's length; the wrong way round; over the input."""
    write_trace(tmp_path / "a.mcap", setup, 0, 10)
    with TraceReader(tmp_path / "a.mcap", known_only=False) as reader:
        with pytest.raises(TraceError, match=r"no samples in that piece; the trace is 9\.\d+ s long"):
            cut(reader, tmp_path / "b.mcap", 500, 600)
        with pytest.raises(TraceError, match="--from 5 isn't before --to 3"):
            cut(reader, tmp_path / "b.mcap", 5, 3)
        with pytest.raises(TraceError, match="is the file that is read"):
            cut(reader, tmp_path / "a.mcap", 1, 3)
    assert not list(tmp_path.glob("b.mcap*"))
