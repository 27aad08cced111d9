"""The MCAP records of a trace in the order of the file: CRC-checked, and going on after damage.

The layout is the MCAP specification's (https://mcap.dev/spec). The library's readers stop at the first damage, or
return nothing, so this one walks the records itself. What holds samples or config (chunks, attachments) has a CRC;
after damage the walk starts again from the last record that passed one, by looking for the next that does.
"""

from __future__ import annotations

import struct
import zlib
from collections.abc import Iterator
from dataclasses import dataclass
from typing import BinaryIO

from edge.trace import format as layout
from edge.trace.chunk import Chunk, ChunkDamagedError, chunk_extent, open_chunk
from edge.trace.errors import TraceFileError
from edge.trace.format import MAGIC
from edge.trace.loss import Loss
from edge.trace.metadata import metadata, texts
from edge.trace.tail import sound_summary_start

HEADER, FOOTER, CHUNK, MESSAGE_INDEX, ATTACHMENT, METADATA, DATA_END = 0x01, 0x02, 0x06, 0x07, 0x09, 0x0C, 0x0F
MESSAGE = 0x05
_HEAD = struct.Struct("<BQ")
_WINDOW_BYTES = 1 << 20
_OVERLAP_BYTES = 1024


@dataclass(frozen=True, slots=True)
class Header:
    """The first record: which program wrote the file, and to which rules."""

    profile: str


@dataclass(frozen=True, slots=True)
class Attachment:
    """A file within the file; its CRC was right."""

    name: str
    data: bytes


@dataclass(frozen=True, slots=True)
class Metadata:
    """Text by key."""

    name: str
    values: dict[str, str]


@dataclass(frozen=True, slots=True)
class LooseMessage:
    """A message outside any chunk (our writer makes none; other programs' copies may)."""

    channel_id: int
    payload: bytes
    offset: int


Record = Header | Attachment | Metadata | Chunk | LooseMessage


class _DamagedError(Exception):
    """``resync``: the length can't be trusted either. ``begin``/``end``: MCAP log times, where they are readable."""

    def __init__(self, what: str, resync: bool, begin: int | None = None, end: int | None = None) -> None:
        super().__init__(what)
        self.what, self.resync, self.begin, self.end = what, resync, begin, end


class RecordWalk:
    """One pass over a file. ``losses`` grows while `records` is consumed.

    Memory is bounded by the largest record of a sound file (64 MiB), whatever the length fields say.
    """

    def __init__(self, file: BinaryIO, size: int) -> None:
        self.losses: list[Loss] = []
        self.position = 0
        self.log_origin_ns = 0
        self.epoch_ns = layout.EPOCH_NS
        self._file = file
        self._size = size
        self._verified_end = 0
        self._crc: int | None = zlib.crc32(MAGIC)

    def records(self) -> Iterator[Record]:
        """The intact records. Raises TraceFileError when the disk can't be read."""
        if self._read(0, len(MAGIC)) != MAGIC:
            self._lose(Loss("the file's first bytes aren't those of an MCAP file", 0, len(MAGIC)))
        self.position = len(MAGIC)
        while self.position < self._size:
            begin = self.position
            try:
                opcode, content = self._record_at(begin)
                record = self._parsed(opcode, content, begin)
            except _DamagedError as damage:
                if self._go_on_after(damage, begin):
                    continue
                return
            end = begin + 9 + len(content)
            if opcode == DATA_END:
                self._check_end(content, end)
                return
            if opcode in (CHUNK, ATTACHMENT):
                self._verified_end = end
            if self._crc is not None:
                self._crc = zlib.crc32(content, zlib.crc32(_HEAD.pack(opcode, len(content)), self._crc))
            self.position = end
            if record is not None:
                yield record
        self._lose(
            Loss("the end of the file is missing: the recording wasn't closed, or the file was cut off", self._size)
        )

    def _record_at(self, begin: int) -> tuple[int, bytes]:
        head = self._read(begin, 9)
        if len(head) < 9:
            raise _DamagedError("the file ends within a record", resync=True)
        opcode, length = _HEAD.unpack(head)
        if opcode == 0 or length > layout.MAX_RECORD_BYTES:
            raise _DamagedError("the length of a record is damaged", resync=True)
        if length > self._size - begin - 9:
            raise _DamagedError("a record is cut off, or its length is damaged", resync=True)
        content = self._read(begin + 9, length)
        if len(content) < length:
            raise _DamagedError("the file ends within a record", resync=True)
        return opcode, content

    def _parsed(self, opcode: int, content: bytes, begin: int) -> Record | None:
        """The record, or None for one that only indexes others. Raises _DamagedError."""
        if opcode == CHUNK:
            extent = chunk_extent(content)
            if extent is None:
                raise _DamagedError("a chunk's header is damaged", resync=True)
            try:
                return open_chunk(content, begin)
            except ChunkDamagedError as error:
                raise _DamagedError(f"a chunk of samples is damaged ({error})", False, *extent) from None
        if opcode == ATTACHMENT:
            return _attachment(content)
        if opcode == METADATA:
            return self._metadata(content)
        if opcode == HEADER:
            found = texts(content, 0, len(content))
            if found is None or len(found) != 2:
                raise _DamagedError("the header is damaged", resync=True)
            return Header(found[0])
        if opcode == MESSAGE:
            if len(content) < 22:
                raise _DamagedError("a message is damaged", resync=True)
            return LooseMessage(int.from_bytes(content[:2], "little"), content[22:], begin)
        if opcode == MESSAGE_INDEX and (
            len(content) < 6 or len(content) % 16 != 6 or int.from_bytes(content[2:6], "little") != len(content) - 6
        ):
            raise _DamagedError("an index is damaged", resync=True)
        if opcode == DATA_END and len(content) != 4:
            raise _DamagedError("the end of the data is damaged", resync=True)
        if opcode == FOOTER:
            raise _DamagedError("the file's footer comes before the end of its data", resync=True)
        return None

    def _metadata(self, content: bytes) -> Metadata:
        found = metadata(content)
        if found is None:
            raise _DamagedError("metadata are damaged", resync=True)
        name, values = found
        if name in (layout.METADATA_FORMAT, layout.METADATA_TOTALS):
            if layout.unsealed(values) is None:
                raise _DamagedError(f"metadata {name} are damaged", resync=False)
            if name == layout.METADATA_FORMAT:
                self.log_origin_ns = _whole(values.get("log_time_origin_ns"), 0)
                self.epoch_ns = _whole(values.get("epoch_ns"), layout.EPOCH_NS)
        return Metadata(name, values)

    def _go_on_after(self, damage: _DamagedError, begin: int) -> bool:
        """Note the loss and move to where reading can go on; False at the end."""
        if not damage.resync:
            self.position = begin + 9 + int.from_bytes(self._read(begin + 1, 8), "little")
            begin_ns = None if damage.begin is None else damage.begin + self.log_origin_ns
            end_ns = None if damage.end is None else damage.end + self.log_origin_ns + self.epoch_ns
            self._lose(Loss(damage.what, begin, self.position - begin, begin_ns, end_ns))
            return True
        # Records between the last verified one and here have no CRC: one of them may have led us astray.
        found = self._scan(max(self._verified_end, len(MAGIC)), besides=begin)
        if found is not None:
            if found >= begin or not self.losses:  # otherwise the damage that led us astray is noted already
                self._lose(Loss(damage.what, min(begin, found), max(0, found - begin)))
            self.position = self._verified_end = found
            return True
        summary = sound_summary_start(self._file, self._size)
        if summary is not None and summary >= self._verified_end:
            self._lose(Loss(f"{damage.what}, right before the index", begin, max(0, summary - begin)))
        else:
            self._lose(Loss(f"{damage.what}; nothing readable follows", begin, self._size - begin))
        self.position = self._size
        return False

    def _scan(self, begin: int, besides: int) -> int | None:
        """Where the next chunk or attachment with a right CRC begins, or else the data's end out of the footer."""
        marks = [(len(name).to_bytes(4, "little") + name.encode(), 9 + 16) for name in layout.ATTACHMENTS]
        marks += [(b"\x04\0\0\0zstd", 9 + 28), (b"\x03\0\0\0lz4", 9 + 28)]
        at = begin
        while at < self._size:
            window = self._read(at, _WINDOW_BYTES + _OVERLAP_BYTES)
            places = set()
            for mark, distance in marks:
                hit = window.find(mark)
                while hit >= 0:
                    if hit < _WINDOW_BYTES:
                        places.add(at + hit - distance)
                    hit = window.find(mark, hit + 1)
            for place in sorted(places):
                if place >= begin and place != besides and self._is_verified(place):
                    return place
            at += _WINDOW_BYTES
        end = (sound_summary_start(self._file, self._size) or 0) - 13
        if end > besides and self._read(end, 9) == _HEAD.pack(DATA_END, 4):
            return end
        return None

    def _is_verified(self, place: int) -> bool:
        try:
            opcode, content = self._record_at(place)
            return opcode in (CHUNK, ATTACHMENT) and self._parsed(opcode, content, place) is not None
        except _DamagedError:
            return False

    def _check_end(self, content: bytes, end: int) -> None:
        stored = int.from_bytes(content, "little")
        if self._crc is not None and stored and stored != self._crc:
            self._lose(Loss("some bits outside the samples have changed; every block passed its own check"))
        self.position = self._size
        summary = sound_summary_start(self._file, self._size)
        if summary is None or summary != end:
            self._lose(Loss("the index at the end is damaged; no sample is in it", end, self._size - end))

    def _lose(self, loss: Loss) -> None:
        self._crc = None  # once something is lost the file's own CRC says nothing new
        self.losses.append(loss)

    def _read(self, begin: int, length: int) -> bytes:
        try:
            self._file.seek(begin)
            return self._file.read(length)
        except OSError as error:
            raise TraceFileError(f"reading failed at byte {begin}: {error.strerror}") from None


def _attachment(content: bytes) -> Attachment:
    name_end = 20 + int.from_bytes(content[16:20], "little")
    type_end = name_end + 4 + int.from_bytes(content[name_end : name_end + 4], "little")
    data_size = int.from_bytes(content[type_end : type_end + 8], "little")
    if type_end + 8 + data_size + 4 != len(content):
        raise _DamagedError("an attachment's header is damaged", resync=True)
    name = content[20:name_end].decode("utf-8", "replace")
    stored = int.from_bytes(content[-4:], "little")
    if stored and zlib.crc32(memoryview(content)[:-4]) != stored:
        raise _DamagedError(f"attachment {name} is damaged", resync=False)
    return Attachment(name, content[type_end + 8 : -4])


def _whole(text: str | None, otherwise: int) -> int:
    try:
        return otherwise if text is None else int(text)
    except ValueError:
        return otherwise
