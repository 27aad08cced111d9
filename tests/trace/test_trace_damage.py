"""Damaged traces: everything intact is delivered, everything lost is reported, nothing crashes (P5)."""

from __future__ import annotations

import random
import struct
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pytest
from small_trace import noise, read_all

from edge.config.setup import Setup
from edge.trace.block_codec import decode_block
from edge.trace.chunk import Chunk, messages
from edge.trace.errors import TraceDamagedError, TraceError
from edge.trace.reader import TraceReader
from edge.trace.records import RecordWalk
from edge.trace.writer import TraceWriter

Sample = tuple[str, int, int, int]


@dataclass
class Sound:
    """A trace of four small chunks: its bytes, and where each chunk lies with which samples."""

    raw: bytes
    chunks: list[tuple[int, int, set[Sample]]]
    front_end: int

    def all_samples(self) -> set[Sample]:
        return set().union(*(samples for _, _, samples in self.chunks))


def _samples(blocks: list) -> set[Sample]:  # type: ignore[type-arg]
    return {
        (block.board, time_ns, cell, counts)
        for block in blocks
        for time_ns, cell, counts in zip(
            block.time_ns.tolist(), block.cell.tolist(), block.counts.tolist(), strict=True
        )
    }


@pytest.fixture
def sound(tmp_path: Path, setup: Setup) -> Sound:
    path = tmp_path / "sound.mcap"
    with TraceWriter(path, setup) as writer:
        for second in range(-7, 119, 9):
            writer.write(noise("top", 2, 8, second, second + 1, second + 100))
            writer.write(noise("low.er", 1, 4, second, second + 1, second + 300))
    raw = path.read_bytes()
    chunks = []
    with path.open("rb") as file:
        for record in RecordWalk(file, len(raw)).records():
            if isinstance(record, Chunk):
                blocks = [decode_block(data).block for _, data, is_channel in messages(record) if not is_channel]
                (length,) = struct.unpack_from("<Q", raw, record.offset + 1)
                chunks.append((record.offset, record.offset + 9 + length, _samples(blocks)))
    assert len(chunks) >= 4
    return Sound(raw, chunks, chunks[0][0])


def _read(path: Path, config_too: bool = True) -> tuple[set[Sample], TraceReader]:
    """Samples, and the reader after reading. Without the config a read takes a tenth of the time."""
    with TraceReader(path, known_only=config_too) as reader:
        assert not config_too or reader.stored_setup is not None or reader.setup_problem
        return _samples(list(read_all(reader).values())), reader


def test_cut_off_anywhere(tmp_path: Path, sound: Sound) -> None:
    """Truncated at every eleventh byte: every chunk before the cut is there, and the missing end is reported."""
    path = tmp_path / "cut.mcap"
    for size in [*range(0, len(sound.raw), 11), len(sound.raw) - 1]:
        path.write_bytes(sound.raw[:size])
        if size < 50:  # the header isn't there yet
            with pytest.raises(TraceError, match=r"cut\.mcap: the file (is empty|ends before)"):
                _read(path)
            continue
        found, reader = _read(path, size % 100 == 0)
        assert found == set().union(*(samples for _, end, samples in sound.chunks if end <= size))
        assert reader.losses
        assert all(0 <= loss.offset <= size for loss in reader.losses if loss.offset is not None)


def test_any_bit_flipped(tmp_path: Path, sound: Sound) -> None:
    """One bit of every seventh byte: only the chunk that was hit may be missing, and no flip goes unnoticed."""
    path = tmp_path / "flipped.mcap"
    chance = random.Random(3)
    everything = sound.all_samples()
    for at in range(0, len(sound.raw), 7):
        damaged = bytearray(sound.raw)
        damaged[at] ^= 1 << chance.randrange(8)
        path.write_bytes(damaged)
        found, reader = _read(path, at < sound.front_end and at % 70 == 0)
        hit = [samples for begin, end, samples in sound.chunks if begin <= at < end]
        assert found <= everything
        assert found >= everything - (hit[0] if hit else set()), f"byte {at}"
        assert reader.losses, f"byte {at}"


def test_bytes_missing_in_the_middle(tmp_path: Path, sound: Sound) -> None:
    """A hole that takes record lengths with it: reading goes on at the next chunk whose CRC is right."""
    path = tmp_path / "hole.mcap"
    chance = random.Random(4)
    for _ in range(150):
        begin = chance.randrange(len(sound.raw))
        end = min(len(sound.raw), begin + chance.randrange(1, 600))
        path.write_bytes(sound.raw[:begin] + sound.raw[end:])
        found, reader = _read(path, False)
        kept = [samples for first, last, samples in sound.chunks if last <= begin or first >= end]
        assert found >= set().union(*kept), f"hole {begin}..{end}"
        assert reader.losses


def test_zeros_as_after_a_power_cut(tmp_path: Path, sound: Sound) -> None:
    """File systems leave pages of zeros: they are skipped to the next sound chunk."""
    path = tmp_path / "zeros.mcap"
    begin, _, _ = sound.chunks[1]
    path.write_bytes(sound.raw[:begin] + bytes(len(sound.chunks) * 100) + sound.raw[begin + 200 :])
    found, reader = _read(path)
    assert found >= sound.all_samples() - sound.chunks[1][2]
    assert "can't" in str(reader.losses[0]) or "damaged" in str(reader.losses[0])


@pytest.mark.parametrize("length", [1 << 20, 1 << 31, (1 << 63) - 1, (1 << 64) - 1])
def test_garbage_lengths_take_no_memory(tmp_path: Path, sound: Sound, length: int) -> None:
    """A record's length, a chunk's open size and a text's length as garbage: bounded memory, the rest is read."""
    import tracemalloc

    begin, _, samples = sound.chunks[1]
    path = tmp_path / "length.mcap"
    for at in (1, 9 + 16, 9 + 28, 9 + 36):
        damaged = bytearray(sound.raw)
        width = 4 if at == 9 + 28 else 8
        damaged[begin + at : begin + at + width] = (length & ((1 << 8 * width) - 1)).to_bytes(width, "little")
        path.write_bytes(damaged)
        tracemalloc.start()
        found, reader = _read(path)
        _, peak = tracemalloc.get_traced_memory()
        tracemalloc.stop()
        assert found == sound.all_samples() - samples
        assert len(reader.losses) == 1
        assert peak < 30e6


def test_time_of_a_lost_chunk_is_told(tmp_path: Path, sound: Sound) -> None:
    """The chunk's own header says which seconds are missing, on the trace's clock (here before zero)."""
    begin, end, samples = sound.chunks[0]
    damaged = bytearray(sound.raw)
    damaged[end - 40] ^= 0xFF
    path = tmp_path / "a.mcap"
    path.write_bytes(damaged)
    _, reader = _read(path)
    (loss,) = reader.losses
    times = [time_ns for _, time_ns, _, _ in samples]
    assert loss.begin_ns is not None
    assert loss.end_ns is not None
    assert loss.begin_ns <= min(times) <= max(times) < loss.end_ns
    assert loss.begin_ns == -7 * 10**9
    assert f"bytes {begin}..{end}: a chunk of samples is damaged" in str(loss)
    with pytest.raises(TraceDamagedError, match=r"between -7\.000 s and 12\.000 s.*\n.*trace recover") as caught:
        reader.raise_losses()
    assert caught.value.exit_code == 3


def test_lost_config_leaves_the_samples(tmp_path: Path, sound: Sound, setup: Setup) -> None:
    """A damaged planogram: no setup, a sentence that asks for --config, and with one given all samples."""
    damaged = bytearray(sound.raw)
    at = sound.raw.index(b"skus:")
    damaged[at] ^= 1
    path = tmp_path / "a.mcap"
    path.write_bytes(damaged)
    found, reader = _read(path)
    assert reader.setup is None
    with pytest.raises(TraceError, match=r"no intact planogram\.yaml; give the config with --config"):
        reader.require_setup()
    assert found == sound.all_samples()
    assert "attachment planogram.yaml is damaged" in str(reader.losses[0])
    with TraceReader(path, setup) as reader:
        assert reader.require_setup() is setup
        assert _samples(list(read_all(reader).values())) == sound.all_samples()


def test_lost_front_leaves_the_samples(tmp_path: Path, sound: Sound) -> None:
    """Not one byte before the first chunk readable: the chunks still are ours."""
    path = tmp_path / "a.mcap"
    path.write_bytes(np.random.default_rng(1).bytes(sound.front_end) + sound.raw[sound.front_end :])
    found, reader = _read(path)
    assert found == sound.all_samples()
    assert reader.setup is None


def test_part_file_of_a_dead_recorder_is_read(tmp_path: Path, setup: Setup) -> None:
    """Power lost while recording: the .part file gives what had reached the disk."""
    writer = TraceWriter(tmp_path / "a.mcap", setup)
    block = noise("top", 2, 10, 0, 100)
    writer.write(block)
    (part,) = tmp_path.glob("a.mcap.*.part")
    found, reader = _read(part)
    writer.abort()
    assert len(found) >= 0.6 * len(block)
    assert "the end of the file is missing" in str(reader.losses[-1])
