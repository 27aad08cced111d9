"""The end of a finished trace: its index, and how much the trace holds in all."""

from __future__ import annotations

import struct
import zlib
from typing import BinaryIO

from edge.trace.format import MAGIC, MAX_RECORD_BYTES, METADATA_TOTALS, unsealed
from edge.trace.metadata import metadata, texts

_HEAD = struct.Struct("<BQ")
_FOOTER, _METADATA, _METADATA_INDEX = 0x02, 0x0C, 0x0D
_FOOTER_BYTES = 9 + 20
_PIECE_BYTES = 1 << 20


def sound_summary_start(file: BinaryIO, size: int) -> int | None:
    """Where the summary begins, if the file's tail is whole and its CRC is right."""
    footer_at = size - len(MAGIC) - _FOOTER_BYTES
    if footer_at < 0:
        return None
    file.seek(footer_at)
    tail = file.read(_FOOTER_BYTES + len(MAGIC))
    if tail[:9] != _HEAD.pack(_FOOTER, 20) or tail[-8:] != MAGIC:
        return None
    start, _, stored = struct.unpack("<QQI", tail[9:29])
    start = start or footer_at
    if not len(MAGIC) <= start <= footer_at:
        return None
    file.seek(start)
    crc, left = 0, footer_at + 9 + 16 - start
    while left:
        piece = file.read(min(_PIECE_BYTES, left))
        if not piece:
            return None
        crc = zlib.crc32(piece, crc)
        left -= len(piece)
    return int(start) if stored in (0, crc) else None


def totals(file: BinaryIO, size: int) -> tuple[int | None, int | None, int | None]:
    """First time, last time and number of samples of a finished trace; None for what isn't there."""
    nothing = (None, None, None)
    start = sound_summary_start(file, size)
    if start is None or size - start > MAX_RECORD_BYTES:
        return nothing
    file.seek(start)
    summary = file.read(size - start)
    at = 0
    while at + 9 <= len(summary):
        opcode, length = _HEAD.unpack_from(summary, at)
        content = summary[at + 9 : at + 9 + length]
        at += 9 + length
        if opcode == _METADATA_INDEX and len(content) > 16 and texts(content, 16, len(content)) == [METADATA_TOTALS]:
            return _totals_at(file, size, *struct.unpack_from("<QQ", content))
    return nothing


def _totals_at(file: BinaryIO, size: int, offset: int, length: int) -> tuple[int | None, int | None, int | None]:
    nothing = (None, None, None)
    if not 9 <= length <= 4096 or offset + length > size:
        return nothing
    file.seek(offset)
    record = file.read(length)
    found = metadata(record[9:]) if record[:1] == bytes([_METADATA]) else None
    values = unsealed(found[1]) if found else None
    if values is None:
        return nothing
    try:
        begin, end = values.get("begin_ns"), values.get("end_ns")
        return None if begin is None else int(begin), None if end is None else int(end), int(values["samples"])
    except (KeyError, ValueError):
        return nothing
