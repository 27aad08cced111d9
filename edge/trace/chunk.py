"""A chunk of a trace: compressed messages under one CRC."""

from __future__ import annotations

import struct
import zlib
from collections.abc import Iterator
from dataclasses import dataclass

from edge.trace.format import MAX_RECORD_BYTES

_FIXED = struct.Struct(
    "<QQQII"
)  # first log time, last log time, size when open, CRC when open, length of the next text
_HEAD = struct.Struct("<BQ")
_SCHEMA, _CHANNEL, _MESSAGE = 0x03, 0x04, 0x05


class ChunkDamagedError(ValueError):
    """A chunk can't be opened; the text says why."""


@dataclass(frozen=True, slots=True)
class Chunk:
    """An opened chunk whose CRC was right: its records in ``data``. ``offset``: where it begins in the file."""

    data: bytes
    offset: int


def chunk_extent(content: bytes) -> tuple[int | None, int | None] | None:
    """First and last log time of a chunk record (None, None: impossible); None when its lengths don't add up."""
    if len(content) < _FIXED.size + 8:
        return None
    first, last, _, _, text_size = _FIXED.unpack_from(content)
    data_at = _FIXED.size + text_size + 8
    if text_size > 16 or data_at > len(content):
        return None
    if int.from_bytes(content[data_at - 8 : data_at], "little") != len(content) - data_at:
        return None
    return (first, last) if first <= last < 1 << 63 else (None, None)


def open_chunk(content: bytes, offset: int) -> Chunk:
    """Decompress and check. Takes no more memory than the chunk's own header allows. Raises ChunkDamagedError."""
    _, _, open_size, crc, text_size = _FIXED.unpack_from(content)
    compression = content[_FIXED.size : _FIXED.size + text_size]
    packed = memoryview(content)[_FIXED.size + text_size + 8 :]
    if open_size > MAX_RECORD_BYTES:
        raise ChunkDamagedError("its size is damaged")
    if compression == b"zstd":
        data = _unzstd(packed, open_size)
    elif compression == b"lz4":
        data = _unlz4(packed, open_size)
    elif compression == b"":
        data = bytes(packed)
    else:
        raise ChunkDamagedError(f"compression {compression.decode('ascii', 'replace')!r} isn't known")
    if len(data) != open_size:
        raise ChunkDamagedError("its size is wrong")
    if crc and zlib.crc32(data) != crc:
        raise ChunkDamagedError("its CRC is wrong")
    return Chunk(data, offset)


def messages(chunk: Chunk) -> Iterator[tuple[int, memoryview, bool]]:
    """Channel id, bytes, and whether they are a channel record (True) or a message's payload (False).

    Raises ChunkDamagedError when the records don't add up although the CRC is right.
    """
    data = memoryview(chunk.data)
    at, end = 0, len(data)
    while at < end:
        if at + 9 > end:
            raise ChunkDamagedError("a record is cut off within a chunk")
        opcode, length = _HEAD.unpack_from(data, at)
        begin, at = at + 9, at + 9 + length
        if at > end or (opcode == _MESSAGE and length < 22):
            raise ChunkDamagedError("a record is cut off within a chunk")
        if opcode == _MESSAGE:
            yield int.from_bytes(data[begin : begin + 2], "little"), data[begin + 22 : at], False
        elif opcode == _CHANNEL and length >= 4:
            yield int.from_bytes(data[begin : begin + 2], "little"), data[begin:at], True


def channel_topic(record: memoryview) -> tuple[str | None, str | None]:
    """Topic and message encoding out of a channel record; None for what doesn't add up."""
    content = bytes(record)
    topic_end = 8 + int.from_bytes(content[4:8], "little")
    size = int.from_bytes(content[topic_end : topic_end + 4], "little")
    if topic_end + 4 + size > len(content):
        return None, None
    topic, encoding = content[8:topic_end], content[topic_end + 4 : topic_end + 4 + size]
    return topic.decode("utf-8", "replace"), encoding.decode("utf-8", "replace")


def _unzstd(packed: memoryview, open_size: int) -> bytes:
    import zstandard

    try:
        # The frame's own size is believed by the library when it takes memory, so it is checked first.
        announced = zstandard.frame_content_size(packed)
        if announced not in (-1, open_size):
            raise ChunkDamagedError("its size is wrong")
        return bytes(zstandard.ZstdDecompressor().decompress(packed, max_output_size=open_size))
    except (zstandard.ZstdError, MemoryError) as error:
        raise ChunkDamagedError(f"zstd: {error}") from None


def _unlz4(packed: memoryview, open_size: int) -> bytes:
    from lz4.frame import LZ4FrameDecompressor  # type: ignore[import-untyped]  # comes with mcap

    try:
        return bytes(LZ4FrameDecompressor().decompress(packed, max_length=open_size))
    except (RuntimeError, EOFError, MemoryError) as error:
        raise ChunkDamagedError(f"lz4: {error}") from None
