"""SQLite's write-ahead log, frame by frame (https://sqlite.org/fileformat2.html#walformat).

SQLite stops reading at the first frame whose checksum is wrong, and what was committed behind it is gone in silence.
Here such a frame is noticed.
"""

from __future__ import annotations

import struct
from collections.abc import Iterator
from pathlib import Path

from edge.stream.outbox.errors import OutboxDamagedError

HEADER_BYTES = 32
FRAME_HEADER_BYTES = 24
_MAGIC = 0x377F0682  # the lowest bit set: checksums of big-endian words
_MASK = 0xFFFFFFFF


def check_wal(path: Path, page_bytes: int) -> None:
    """Raises OutboxDamagedError where something in the log isn't what was written; OSError.

    A log that ends within a transaction is normal: that is how a crash leaves it.
    """
    data = path.read_bytes()
    if len(data) < HEADER_BYTES:
        return
    magic, _, size, _, _, _, sum_1, sum_2 = struct.unpack(">8I", data[:HEADER_BYTES])
    order = ">" if magic & 1 else "<"
    if magic & ~1 != _MAGIC or size != page_bytes or _checksum(order, data[:24], (0, 0)) != (sum_1, sum_2):
        raise OutboxDamagedError("the header of its log isn't what was written")
    seed, ended = (sum_1, sum_2), False
    for at in range(HEADER_BYTES, len(data), FRAME_HEADER_BYTES + page_bytes):
        frame = data[at : at + FRAME_HEADER_BYTES + page_bytes]
        if len(frame) < FRAME_HEADER_BYTES + page_bytes:
            if len(frame) > FRAME_HEADER_BYTES and frame[8:16] == data[16:24]:
                raise OutboxDamagedError("its log ends within a page")
            return
        current = frame[8:16] == data[16:24]  # written since the log was last begun anew
        if ended:
            if current:
                raise OutboxDamagedError("a page in its log isn't what was written")
            continue
        found = _checksum(order, frame[:8] + frame[FRAME_HEADER_BYTES:], seed)
        whole = found == struct.unpack(">2I", frame[16:24])
        if whole != current:
            raise OutboxDamagedError("a page in its log isn't what was written, or its last write was cut off")
        ended, seed = not whole, found


def wal_pages(path: Path, page_bytes: int) -> Iterator[tuple[int, bytes]]:
    """Page number and content of every frame, in the order in which they were written, valid or not."""
    try:
        with path.open("rb", buffering=0) as file:
            file.seek(HEADER_BYTES)
            while len(frame := file.read(FRAME_HEADER_BYTES + page_bytes)) > FRAME_HEADER_BYTES:
                yield int.from_bytes(frame[:4], "big"), frame[FRAME_HEADER_BYTES:]
    except OSError:
        return


def wal_page_bytes(path: Path) -> int | None:
    """The page size that the log's header says, where there is one."""
    try:
        with path.open("rb") as file:
            header = file.read(HEADER_BYTES)
    except OSError:
        return None
    size = int.from_bytes(header[8:12], "big")
    return size if len(header) == HEADER_BYTES and size in [1 << bit for bit in range(9, 17)] else None


def _checksum(order: str, data: bytes, seed: tuple[int, int]) -> tuple[int, int]:
    sum_1, sum_2 = seed
    words = iter(struct.unpack(f"{order}{len(data) // 4}I", data))
    for word in words:
        sum_1 = (sum_1 + word + sum_2) & _MASK
        sum_2 = (sum_2 + next(words) + sum_1) & _MASK
    return sum_1, sum_2
