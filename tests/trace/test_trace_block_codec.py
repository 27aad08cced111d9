"""The bytes of a block: exact both ways, and no bytes can do harm."""

from __future__ import annotations

import contextlib
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from small_trace import noise, same

from drivers.samples import SampleBlock
from edge.trace.block_codec import decode_block, encode_block
from edge.trace.errors import BlockDamagedError

EPOCHS_NS = st.sampled_from([0, -7_000_000_000, 1_700_000_000_000_000_000, -(1 << 62), (1 << 62) - 10**9])
OFFSETS_NS = st.one_of(st.integers(0, 10**9 - 1), st.integers(0, 20), st.integers(0, 1 << 61))
SAMPLES = st.lists(
    st.tuples(OFFSETS_NS, st.integers(0, 7), st.integers(-(1 << 31), (1 << 31) - 1), st.integers(0, 0xFFFF)),
    min_size=1,
    max_size=40,
)


def block_of(rows: list[tuple[int, int, int, int]], epoch_ns: int) -> SampleBlock:
    rows = sorted(rows, key=lambda row: (row[0], row[1]))
    return SampleBlock(
        "board",
        np.array([row[0] + epoch_ns for row in rows], np.int64),
        np.array([row[1] for row in rows], np.uint8),
        np.array([row[2] for row in rows], np.int32),
        np.array([row[3] for row in rows], np.uint16),
    )


def zeros(n_samples: int) -> tuple[Any, Any, Any]:
    return np.zeros(n_samples, np.uint8), np.zeros(n_samples, np.int32), np.zeros(n_samples, np.uint16)


@settings(max_examples=150, deadline=None)
@given(SAMPLES, EPOCHS_NS)
def test_round_trip_is_exact_for_any_samples(rows: list[tuple[int, int, int, int]], epoch_ns: int) -> None:
    """Any times of an epoch, 32-bit counts, flags, cells with and without samples."""
    block = block_of(rows, epoch_ns)
    decoded = decode_block(encode_block(block, epoch_ns, 8))
    assert same(decoded.block, block)
    assert (decoded.epoch_begin_ns, decoded.cell_count) == (epoch_ns, 8)
    for name in ("time_ns", "cell", "counts", "flags"):
        assert getattr(decoded.block, name).dtype == getattr(block, name).dtype


@settings(max_examples=150, deadline=None)
@given(st.binary(max_size=200))
def test_random_bytes_are_refused_and_never_crash(payload: bytes) -> None:
    """Damage is always a BlockDamagedError (P5)."""
    for attempt in (payload, b"\x01" + payload):
        with contextlib.suppress(BlockDamagedError):
            decode_block(attempt)


@settings(max_examples=200, deadline=None)
@given(st.data())
def test_changed_bytes_never_crash(data: st.DataObject) -> None:
    """A payload with some bytes changed, added or cut off decodes to sound arrays or is refused."""
    payload = bytearray(encode_block(noise("board", 3, 20, 0, 1), 0, 3))
    for _ in range(data.draw(st.integers(1, 3))):
        payload[data.draw(st.integers(0, len(payload) - 1))] = data.draw(st.integers(0, 255))
    cut = data.draw(st.integers(-3, 3))
    payload = payload[:cut] if cut < 0 else payload + bytes(cut)
    try:
        block = decode_block(bytes(payload)).block
    except BlockDamagedError:
        return
    assert block.time_ns.size == block.cell.size == block.counts.size == block.flags.size
    assert (np.diff(block.time_ns) >= 0).all()


def test_announced_samples_without_bytes_take_no_memory() -> None:
    """Lengths are checked before memory is taken: four billion announced samples are refused."""
    payload = bytearray(encode_block(noise("board", 1, 20, 0, 1), 0, 1))
    at = 14 + len("board")
    payload[at : at + 4] = b"\xff\xff\xff\xff"
    with pytest.raises(BlockDamagedError, match="can't hold the 4294967295 samples"):
        decode_block(bytes(payload))


def test_newer_layout_is_named() -> None:
    """A block of a later version is refused with both versions."""
    payload = b"\x02" + encode_block(noise("board", 1, 20, 0, 1), 0, 1)[1:]
    with pytest.raises(BlockDamagedError, match="format version 2; this shelfedge reads version 1"):
        decode_block(payload)


@pytest.mark.parametrize(
    ("block", "epoch_ns", "cells", "text"),
    [
        (SampleBlock.empty("b"), 0, 1, "empty"),
        (block_of([(5, 3, 0, 0)], 0), 0, 2, "cell 3 of 2"),
        (block_of([(5, 0, 0, 0)], 0), 6, 1, "outside the epoch"),
        (block_of([(1 << 62, 0, 0, 0)], 0), -(1 << 63), 1, "outside the epoch"),
        (
            SampleBlock("b", np.array([5, 4]), np.zeros(2, np.uint8), np.zeros(2, np.int32), np.zeros(2, np.uint16)),
            0,
            1,
            "decrease",
        ),
        (
            SampleBlock("b" * 256, np.array([5]), *(np.zeros(1, t) for t in (np.uint8, np.int32, np.uint16))),
            0,
            1,
            "longer",
        ),
    ],
)
def test_mistakes_of_the_caller_are_refused(block: SampleBlock, epoch_ns: int, cells: int, text: str) -> None:
    """What can't be stored exactly isn't stored at all."""
    with pytest.raises(ValueError, match=text):
        encode_block(block, epoch_ns, cells)


def test_steady_board_takes_few_bytes() -> None:
    """Budget: 5 bytes per sample before zstd for an 80 Hz board with converter noise and 20 µs of jitter, 4 after."""
    import zstandard

    rng = np.random.default_rng(5)
    payloads, n_samples = [], 0
    for second in range(30):
        rows = [
            (int(k * 12.5e6 + cell * 1e6 + 5e5 + rng.normal(0, 2e4)), cell, int(rng.normal(50_000, 80)), 0)
            for cell in range(4)
            for k in range(80)
        ]
        payloads.append(encode_block(block_of(rows, second * 10**9), second * 10**9, 4))
        n_samples += len(rows)
    raw = b"".join(payloads)
    assert len(raw) < 5.6 * n_samples
    assert len(zstandard.compress(raw)) < 4.0 * n_samples
