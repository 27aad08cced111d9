"""The reader and configs that don't match, files that aren't traces, epochs that aren't in order."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from small_trace import noise, read_all, same, write_trace

from calibration.record import nominal_grams_calibration
from drivers.samples import SampleBlock
from edge.config.setup import Setup, setup_from_texts
from edge.trace import format as layout
from edge.trace.block_codec import MESSAGE_ENCODING, encode_block
from edge.trace.errors import TraceDamagedError, TraceError, TraceFileError
from edge.trace.reader import TraceReader
from edge.trace.writer import TraceWriter

PLANOGRAM = (
    "skus: {cola: {name: Cola, weight: 352 g}}\nslots: {A1: {board: top, sku: cola, x: [0 mm, 1 mm], count: 6}}\n"
)


def _other_setup(node_text: str) -> Setup:
    return setup_from_texts(node_text, PLANOGRAM, "", "other")


def test_boards_that_arent_in_the_config(tmp_path: Path, setup: Setup) -> None:
    """The boards that the config knows are used; the other is named, with what to do; exit code 3."""
    blocks = write_trace(tmp_path / "a.mcap", setup, 0, 20)
    without = setup.node_text[: setup.node_text.index("  low.er:")]
    with TraceReader(tmp_path / "a.mcap", _other_setup(without)) as reader:
        found = read_all(reader)
        assert list(found) == ["top"]
        assert same(found["top"], blocks[0])
        with pytest.raises(TraceDamagedError) as caught:
            reader.raise_losses()
    text = str(caught.value)
    assert f"board low.er isn't in the config (it has top): {len(blocks[1])} samples aren't used" in text
    assert "add it to the node file" in text
    assert caught.value.exit_code == 3
    with TraceReader(tmp_path / "a.mcap", known_only=False) as reader:
        assert set(read_all(reader)) == {"top", "low.er"}


def test_cells_are_matched_by_their_ids(tmp_path: Path, setup: Setup) -> None:
    """A config with the cells in another order, and one cell less, still gets each cell's own samples."""
    blocks = write_trace(tmp_path / "a.mcap", setup, 0, 20)
    fl, fr = "      fl: {x: 30 mm, y: 30 mm}\n", "      fr: {x: 870 mm, y: 30 mm}\n"
    swapped = setup.node_text.replace(fl + fr, fr + fl)
    with TraceReader(tmp_path / "a.mcap", _other_setup(swapped)) as reader:
        top = read_all(reader)["top"]
        assert reader.losses == []
    assert (top.counts[top.cell == 0] == blocks[0].counts[blocks[0].cell == 1]).all()
    with TraceReader(tmp_path / "a.mcap", _other_setup(setup.node_text.replace(fl, ""))) as reader:
        top = read_all(reader)["top"]
        assert "cell fl of board top isn't in the config (it has fr)" in str(reader.losses[0])
    assert (top.cell == 0).all()
    assert (top.counts == blocks[0].counts[blocks[0].cell == 1]).all()


def test_calibration_of_a_given_config(tmp_path: Path, setup: Setup) -> None:
    """It counts where there is one; boards without, and boards recorded in grams, keep the trace's own."""
    write_trace(tmp_path / "a.mcap", setup, 0, 5)
    with TraceReader(tmp_path / "a.mcap", replace(setup, calibration={})) as reader:
        assert reader.require_setup().calibration == setup.calibration
    newer = {board: record.model_copy(update={"made": "today"}) for board, record in setup.calibration.items()}
    with TraceReader(tmp_path / "a.mcap", replace(setup, calibration=newer)) as reader:
        assert reader.require_setup().calibration == newer
    grams = {"top": nominal_grams_calibration("top", ["fl", "fr"], 1000.0, 0.015, "imported")}
    write_trace(tmp_path / "g.mcap", replace(setup, calibration=grams), 0, 5)
    with TraceReader(tmp_path / "g.mcap", replace(setup, calibration=newer)) as reader:
        assert reader.require_setup().calibration == grams
    with TraceReader(tmp_path / "g.mcap", replace(setup, calibration={})) as reader:
        assert reader.require_setup().calibration == grams


@pytest.mark.parametrize(
    ("raw", "expected"),
    [
        (b"", "the file is empty"),
        (layout.MAGIC, "the file ends before its first record"),
        (layout.MAGIC[:3], "the file ends before its first record"),
        (b"time_s,top.fl\n1,2\n", "not an MCAP file; expected a trace"),
        (bytes(5000), "not an MCAP file"),
    ],
)
def test_files_that_arent_traces(tmp_path: Path, raw: bytes, expected: str) -> None:
    """Refused with a sentence (exit code 1)."""
    (tmp_path / "a.mcap").write_bytes(raw)
    with pytest.raises(TraceError) as caught:
        TraceReader(tmp_path / "a.mcap")
    assert f"a.mcap: {expected}" in str(caught.value)
    assert caught.value.exit_code == 1


def test_files_that_cant_be_opened(tmp_path: Path) -> None:
    """Not there; a folder."""
    with pytest.raises(TraceFileError, match="No such file"):
        TraceReader(tmp_path / "a.mcap")
    with pytest.raises(TraceFileError, match="Is a directory"):
        TraceReader(tmp_path)


def _foreign(path: Path, encoding: str, payloads: list[bytes], compression: Any = None) -> None:
    from mcap.writer import CompressionType, Writer

    with path.open("wb") as file:
        writer = Writer(file, compression=compression or CompressionType.ZSTD)
        writer.start(profile="ros2")
        channel = writer.register_channel("/chatter", encoding, 0)
        for at, payload in enumerate(payloads):
            writer.add_message(channel, at, payload, at)
        finish: Any = writer.finish
        finish()


def test_mcap_of_another_program(tmp_path: Path) -> None:
    """Named as what it is, with its profile."""
    _foreign(tmp_path / "a.mcap", "json", [b"{}"])
    with pytest.raises(TraceError, match=r"an MCAP file \(profile 'ros2'\), but not a trace of shelfedge"):
        TraceReader(tmp_path / "a.mcap")


@pytest.mark.parametrize("compression", ["NONE", "LZ4", "ZSTD"])
def test_traces_that_other_programs_repacked(tmp_path: Path, compression: str) -> None:
    """Other compression, no attachments, no profile: the blocks are still ours."""
    from mcap.writer import CompressionType

    block = noise("top", 2, 10, 0, 100)
    parts = [block.part(at, at + 50) for at in range(0, len(block), 50)]
    payloads = [encode_block(part, int(part.time_ns[0]), 2) for part in parts]
    _foreign(tmp_path / "a.mcap", MESSAGE_ENCODING, payloads, CompressionType[compression])
    with TraceReader(tmp_path / "a.mcap") as reader:
        assert same(read_all(reader)["top"], block)
        assert reader.setup is None
        assert "no intact node.yaml" in reader.setup_problem
        assert reader.losses == []


def test_epochs_out_of_order_are_put_in_order_or_refused(tmp_path: Path) -> None:
    """Within 60 epochs they are sorted; what comes later than that is left out and said."""
    block = noise("top", 1, 2, 0, 200)
    second_of = block.time_ns // 10**9
    parts = {at: block.part(*second_of.searchsorted([at, at + 1]).tolist()) for at in range(200)}
    seconds = [second for second in range(200) if len(parts[second])]
    order = [*seconds[5:45], *seconds[:5], *seconds[50:], *seconds[45:50]]
    payloads = [encode_block(parts[second], second * 10**9, 1) for second in order]
    _foreign(tmp_path / "a.mcap", MESSAGE_ENCODING, payloads)
    with TraceReader(tmp_path / "a.mcap") as reader:
        found = read_all(reader)["top"]
        assert len(reader.losses) == 5
        assert "lie before samples already read; they aren't used" in str(reader.losses[0])
    kept = SampleBlock.join([parts[second] for second in seconds if second not in seconds[45:50]])
    assert same(found, kept)


def test_newer_format_is_refused(tmp_path: Path, setup: Setup, monkeypatch: pytest.MonkeyPatch) -> None:
    """A trace of a later shelfedge says so."""
    monkeypatch.setattr(layout, "FORMAT_VERSION", 2)
    write_trace(tmp_path / "a.mcap", setup, 0, 5)
    monkeypatch.setattr(layout, "FORMAT_VERSION", 1)
    with pytest.raises(TraceError, match="format version 2; this shelfedge reads up to 1; update shelfedge"):
        TraceReader(tmp_path / "a.mcap")


def test_config_in_the_trace_that_cant_be_used(tmp_path: Path, setup: Setup) -> None:
    """Its problems are listed, and --config is offered; the samples can be read."""
    broken = replace(setup, planogram_text="skus: 5\n")
    write_trace(tmp_path / "a.mcap", broken, 0, 5)
    with TraceReader(tmp_path / "a.mcap") as reader:
        assert reader.setup is None
        with pytest.raises(TraceError, match=r"planogram\.yaml:1: .*\n(.*\n)*.*give one with --config"):
            reader.require_setup()
        assert len(read_all(reader)) == 2


def test_labels_that_cant_be_read_are_a_loss(tmp_path: Path, setup: Setup) -> None:
    """Wrong labels never keep a trace from being replayed."""
    with TraceWriter(tmp_path / "a.mcap", setup, attachments={"node.yaml": b"", "labels.json": b"[5]"}) as writer:
        writer.write(noise("top", 2, 10, 0, 5))
    with TraceReader(tmp_path / "a.mcap", setup) as reader:
        assert reader.labels == ()
        read_all(reader)
        assert "labels.json: label 1" in str(reader.losses[0])


def test_reading_twice_gives_the_same(tmp_path: Path, setup: Setup) -> None:
    """`epochs` starts anew each time, also after it was left in the middle (P8)."""
    write_trace(tmp_path / "a.mcap", setup, 0, 30)
    with TraceReader(tmp_path / "a.mcap") as reader:
        first = read_all(reader)
        next(reader.epochs())
        second = read_all(reader)
        assert all(same(first[board], second[board]) for board in first)
        assert reader.bytes_read == reader.file_bytes
