"""One block of samples as bytes: the payload of one MCAP message. `LAYOUT` is the format's definition.

A payload stands on its own (board, origin of time), so one intact chunk can be read whatever happened to the rest.
Differences keep the numbers small, and one plane per byte (all low bytes, then all second bytes ...) leaves zstd
columns that are mostly zero.
"""

from __future__ import annotations

import struct
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from drivers.samples import SampleBlock
from edge.trace.errors import BlockDamagedError

LAYOUT = """shelfedge.SampleBlock, version 1: samples of one board within one epoch. Little-endian, no padding.
  u8  version = 1
  u8  cells          C: cells of the board (1..255)
  u8  board_length   bytes of the board's id
  u8  time_planes    bytes per time residual, 0..8
  u8  count_planes   bytes per count difference, 1..4
  u8  flag_planes    bytes per flag word, 0..2 (0: every flag word is 0)
  i64 epoch_ns       begin of the epoch on the trace's clock; all times below are relative to it
  board_length bytes the board's id, UTF-8
  u32 n[C]           samples of each cell; N is their sum
  i64 time_jump[C]   first time of this cell minus the last time of the nearest earlier cell with samples (or minus 0)
  i64 time_step[C]   usual step between samples of this cell
  i32 count_jump[C]  as time_jump, for counts
  time_planes  x u8[N]  plane p = byte p of zigzag(time - time before - time_step); the first sample of a cell is 0
  count_planes x u8[N]  plane p = byte p of zigzag(counts - counts before), modulo 2^32; the first sample of a cell is 0
  flag_planes  x u8[N]  plane p = byte p of the flag word
Samples are stored cell after cell, each cell's in order of time. zigzag(v) = 2v for v >= 0, -2v - 1 for v < 0.
To decode: un-zigzag, add time_step, put the jumps at the cells' first samples, sum up, sort by (time, cell).
"""
VERSION = 1
SCHEMA_NAME = "shelfedge.SampleBlock"
MESSAGE_ENCODING = "shelfedge-block-1"

_HEADER = struct.Struct("<6Bq")
_I64_MAX = (1 << 63) - 1


@dataclass(frozen=True, slots=True)
class DecodedBlock:
    """A block, the begin of its epoch, and how many cells the board had when it was written."""

    block: SampleBlock
    epoch_begin_ns: int
    cell_count: int


def encode_block(block: SampleBlock, epoch_begin_ns: int, cell_count: int) -> bytes:
    """Bytes of a block whose samples all lie at or after ``epoch_begin_ns``.

    Raises ValueError for an empty block, a cell index outside ``cell_count``, a time before the epoch or a cell
    whose times decrease: those are mistakes of the caller, not of the data.
    """
    n_samples = len(block)
    if n_samples == 0:
        raise ValueError("an empty block has no bytes; write nothing instead")
    if not 1 <= cell_count <= 255 or int(block.cell.max()) >= cell_count:
        raise ValueError(f"board {block.board}: cell {int(block.cell.max())} of {cell_count} cells")
    board = block.board.encode()
    if len(board) > 255:
        raise ValueError(f"board id {block.board[:40]!r}... is longer than 255 bytes")
    # Cell after cell; a stable sort keeps each cell's own order.
    order = np.argsort(block.cell, kind="stable")
    per_cell = np.bincount(block.cell, minlength=cell_count)
    occupied = np.flatnonzero(per_cell)
    starts = (np.cumsum(per_cell) - per_cell)[occupied]
    if int(block.time_ns.min()) < epoch_begin_ns or int(block.time_ns.max()) - epoch_begin_ns > _I64_MAX:
        raise ValueError(f"board {block.board}: a sample lies outside the epoch that begins at {epoch_begin_ns} ns")
    relative_ns = block.time_ns[order] - np.int64(epoch_begin_ns)
    step_ns = np.diff(relative_ns, prepend=np.int64(0))
    time_jump = np.zeros(cell_count, np.int64)
    time_jump[occupied] = step_ns[starts]
    usual_ns = np.zeros(cell_count, np.int64)
    for cell, start in zip(occupied, starts, strict=True):
        steps = step_ns[start + 1 : start + per_cell[cell]]
        if steps.size:
            if int(steps.min()) < 0:
                raise ValueError(f"board {block.board}: times of cell {cell} decrease")
            usual_ns[cell] = np.partition(steps, steps.size // 2)[steps.size // 2]
    residual_ns = step_ns - np.repeat(usual_ns, per_cell)
    residual_ns[starts] = 0
    counts = block.counts[order].view(np.uint32)
    change = np.diff(counts, prepend=np.uint32(0)).view(np.int32)
    count_jump = np.zeros(cell_count, np.int32)
    count_jump[occupied] = change[starts]
    change[starts] = 0
    time_planes = _planes(((residual_ns << 1) ^ (residual_ns >> 63)).view(np.uint64), 0)
    count_planes = _planes(((change << 1) ^ (change >> 31)).view(np.uint32), 1)
    flag_planes = _planes(block.flags[order], 0)
    planes = (len(time_planes), len(count_planes), len(flag_planes))
    return b"".join(
        (
            _HEADER.pack(VERSION, cell_count, len(board), *planes, epoch_begin_ns),
            board,
            per_cell.astype("<u4").tobytes(),
            time_jump.astype("<i8").tobytes(),
            usual_ns.astype("<i8").tobytes(),
            count_jump.astype("<i4").tobytes(),
            time_planes.tobytes(),
            count_planes.tobytes(),
            flag_planes.tobytes(),
        )
    )


def decode_block(payload: bytes | memoryview) -> DecodedBlock:
    """The block that these bytes stand for, in order of (time, cell).

    Every length is checked before memory is taken, and a sample takes at least one byte, so the result is never more
    than about 30 times the payload. Raises BlockDamagedError.
    """
    size = len(payload)
    if size < _HEADER.size:
        raise BlockDamagedError(f"block of {size} bytes is shorter than its header")
    version, cell_count, board_size, time_planes, count_planes, flag_planes, epoch_begin_ns = _HEADER.unpack_from(
        payload
    )
    if version != VERSION:
        raise BlockDamagedError(f"block has format version {version}; this shelfedge reads version {VERSION}")
    if cell_count == 0 or time_planes > 8 or not 1 <= count_planes <= 4 or flag_planes > 2:
        raise BlockDamagedError("block header has impossible values")
    at = _HEADER.size + board_size
    body = at + 24 * cell_count
    if size < body:
        raise BlockDamagedError(f"block of {size} bytes is shorter than its table of {cell_count} cells")
    try:
        board = str(payload[_HEADER.size : at], "utf-8")
    except UnicodeDecodeError:
        raise BlockDamagedError("block has a board id that isn't UTF-8") from None
    per_cell = np.frombuffer(payload, "<u4", cell_count, at).astype(np.int64)
    n_samples = int(per_cell.sum())
    if n_samples == 0 or size != body + n_samples * (time_planes + count_planes + flag_planes):
        raise BlockDamagedError(f"block of {size} bytes can't hold the {n_samples} samples that it announces")
    time_jump = np.frombuffer(payload, "<i8", cell_count, at + 4 * cell_count)
    usual_ns = np.frombuffer(payload, "<i8", cell_count, at + 12 * cell_count)
    count_jump = np.frombuffer(payload, "<i4", cell_count, at + 20 * cell_count)
    counts_at = body + n_samples * time_planes
    flags_at = counts_at + n_samples * count_planes

    occupied = np.flatnonzero(per_cell)
    starts = (np.cumsum(per_cell) - per_cell)[occupied]
    time_ns = _unzigzag(_join(payload, body, time_planes, n_samples, 8)).view(np.int64)
    time_ns += np.repeat(usual_ns, per_cell) if cell_count > 1 else usual_ns
    time_ns[starts] = time_jump[occupied]
    first_ns = int(time_ns[0]) + epoch_begin_ns
    if not epoch_begin_ns <= first_ns <= _I64_MAX:
        raise BlockDamagedError("block begins before its epoch")
    time_ns[0] = first_ns
    np.cumsum(time_ns, out=time_ns)
    change = _unzigzag(_join(payload, counts_at, count_planes, n_samples, 4))
    change[starts] = count_jump[occupied].view(np.uint32)
    counts = np.cumsum(change, dtype=np.uint32).view(np.int32)
    flags = _join(payload, flags_at, flag_planes, n_samples, 2)
    cell = np.repeat(np.arange(cell_count, dtype=np.uint8), per_cell)
    if occupied.size > 1:
        order = np.argsort(time_ns, kind="stable")  # merges the cells' sorted runs; equal times stay in order of cell
        time_ns, cell, counts, flags = time_ns[order], cell[order], counts[order], flags[order]
    if int(time_ns[0]) < epoch_begin_ns or (occupied.size == 1 and bool((time_ns[1:] < time_ns[:-1]).any())):
        raise BlockDamagedError("block has times that can't be")
    return DecodedBlock(SampleBlock(board, time_ns, cell, counts, flags), epoch_begin_ns, cell_count)


def _planes(words: npt.NDArray[np.unsignedinteger], at_least: int) -> npt.NDArray[np.uint8]:
    """uint8[p, n]: the bytes of each word, low bytes first, without the planes that are all zero at the top."""
    width = words.dtype.itemsize
    used = max(at_least, (int(words.max()).bit_length() + 7) // 8)
    little = np.ascontiguousarray(words, words.dtype.newbyteorder("<"))
    return np.ascontiguousarray(little.view(np.uint8).reshape(-1, width)[:, :used].T)


def _join(
    payload: bytes | memoryview, at: int, planes: int, n_samples: int, width: int
) -> npt.NDArray[np.unsignedinteger]:
    """Words of ``width`` bytes out of byte planes: the inverse of `_planes`."""
    words = np.zeros((n_samples, width), np.uint8)
    if planes:
        words[:, :planes] = np.frombuffer(payload, np.uint8, planes * n_samples, at).reshape(planes, n_samples).T
    joined: npt.NDArray[np.unsignedinteger] = words.view(f"<u{width}").reshape(n_samples)
    return joined


def _unzigzag(words: npt.NDArray[np.unsignedinteger]) -> npt.NDArray[np.unsignedinteger]:
    """``(w >> 1) ^ -(w & 1)``, which undoes zigzag in two's complement."""
    one = words.dtype.type(1)
    result: npt.NDArray[np.unsignedinteger] = (words >> one) ^ (words.dtype.type(0) - (words & one))
    return result
