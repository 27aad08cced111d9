"""Notes in a trace's metadata, chunks written on demand, and another file behind the writer."""

from __future__ import annotations

from pathlib import Path
from typing import BinaryIO

import pytest
from small_trace import noise, read_all, same

from edge.config.setup import Setup
from edge.trace.copy_trace import cut, recover
from edge.trace.errors import TraceFileError
from edge.trace.reader import TraceReader
from edge.trace.writer import TraceWriter


def test_notes_at_the_front_are_read_and_go_along_with_copies(tmp_path: Path, setup: Setup) -> None:
    notes = [
        ("shelfedge.clock", {"wall_ns": "17"}),
        ("shelfedge.gap", {"board": "a"}),
        ("shelfedge.gap", {"board": "ß"}),
    ]
    with TraceWriter(tmp_path / "a.mcap", setup, notes=notes) as writer:
        writer.note("shelfedge.more", {"before": "the first block"})
        writer.write(noise("top", 2, 40, 0, 30))
        writer.note("shelfedge.more", {"after": "it"})
    expected = [*notes, ("shelfedge.more", {"before": "the first block"})]
    with TraceReader(tmp_path / "a.mcap", known_only=False) as reader:
        assert reader.notes == expected
        recover(reader, tmp_path / "b.mcap")
        assert not reader.losses
        cut(reader, tmp_path / "c.mcap", 5.0, 9.0)
    for name in ("b.mcap", "c.mcap"):
        with TraceReader(tmp_path / name) as reader:
            assert reader.notes == expected


def test_a_note_that_was_changed_is_not_believed(tmp_path: Path, setup: Setup) -> None:
    with TraceWriter(tmp_path / "a.mcap", setup, notes=[("shelfedge.clock", {"wall_ns": "1234567"})]) as writer:
        writer.write(noise("top", 2, 40, 0, 3))
    data = (tmp_path / "a.mcap").read_bytes()
    (tmp_path / "a.mcap").write_bytes(data.replace(b"1234567", b"1234568"))
    with TraceReader(tmp_path / "a.mcap") as reader:
        assert reader.notes == []


@pytest.mark.parametrize("pending", [False, True])
def test_what_was_flushed_can_be_read_beside_the_writer(tmp_path: Path, setup: Setup, pending: bool) -> None:
    block = noise("top", 2, 40, 0, 7.5)
    with TraceWriter(tmp_path / "a.mcap", setup) as writer:
        writer.flush(pending)  # nothing yet
        for begin in range(0, len(block), 50):
            writer.write(block.part(begin, begin + 50))
            if begin % 200 == 0:
                writer.flush(pending)
        writer.flush(pending)
        [part] = tmp_path.glob("*.part")
        with TraceReader(part) as reader:
            seen = read_all(reader)["top"]
        upto = len(block) if pending else int(block.time_ns.searchsorted(7 * 10**9))
        assert same(seen, block.part(0, upto))
    with TraceReader(tmp_path / "a.mcap") as reader:
        assert same(read_all(reader)["top"], block)
        assert not reader.losses


class Kept:
    """A file that stays whatever happens."""

    def __init__(self, path: Path) -> None:
        self.file: BinaryIO = path.open("xb")
        self.ended = ""

    def finish(self) -> None:
        self.file.close()
        self.ended = "finished"

    def discard(self) -> None:
        self.file.close()
        self.ended = "discarded"


def test_another_file_decides_what_becomes_of_it(tmp_path: Path, setup: Setup) -> None:
    whole, broken = Kept(tmp_path / "whole"), Kept(tmp_path / "broken")
    with TraceWriter(tmp_path / "a.mcap", setup, target=whole) as writer:
        writer.write(noise("top", 2, 40, 0, 3))
    with pytest.raises(KeyError), TraceWriter(tmp_path / "b.mcap", setup, target=broken) as writer:
        raise KeyError
    assert (whole.ended, broken.ended) == ("finished", "discarded")
    assert not list(tmp_path.glob("*.mcap*"))


def test_a_full_disk_is_a_trace_file_error(tmp_path: Path, setup: Setup) -> None:
    full = Kept(tmp_path / "a")
    writer = TraceWriter(tmp_path / "a.mcap", setup, target=full)
    writer.write(noise("top", 2, 40, 0, 30))
    writer.flush()
    full.file.close()
    full.file = Path("/dev/full").open("wb", buffering=0)  # noqa: SIM115
    writer._mcap._Writer__stream = full.file
    writer.write(noise("low.er", 1, 10, 29, 31))
    for call in (lambda: writer.flush(True), lambda: writer.note("x", {}), writer.close):
        with pytest.raises(TraceFileError, match="No space left"):
            call()
