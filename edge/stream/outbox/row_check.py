"""The check value of each row and record: CRC-32 of everything that matters in it."""

from __future__ import annotations

import json
import struct
from typing import Any
from zlib import crc32

ROW_HEAD = struct.Struct("<IQq").pack
MOST_BOOT = (1 << 32) - 1
MOST_SEQ = (1 << 63) - 1
MOST_WALL_MS = 9_000_000_000_000  # year 2255: more can't be told in 64 bit nanoseconds


def row_crc(boot: int, seq: int, wall_ms: int, payload: bytes) -> int:
    """CRC-32 of an entry."""
    return crc32(payload, crc32(ROW_HEAD(boot, seq, wall_ms)))


def is_row(boot: object, seq: object, wall_ms: object, payload: object, crc: object) -> bool:
    """Whether what was read is an entry, unchanged."""
    return (
        type(boot) is int
        and type(seq) is int
        and type(wall_ms) is int
        and isinstance(payload, bytes)
        and 0 < boot <= MOST_BOOT
        and 0 < seq <= MOST_SEQ
        and abs(wall_ms) <= MOST_WALL_MS
        and row_crc(boot, seq, wall_ms, payload) == crc
    )


def within_wall_ms(wall_ns: int) -> int:
    """Milliseconds of a wall time, held within what `is_row` takes: a mad clock must not cost an entry."""
    wall_ms = wall_ns // 1_000_000
    return wall_ms if -MOST_WALL_MS <= wall_ms <= MOST_WALL_MS else MOST_WALL_MS if wall_ms > 0 else -MOST_WALL_MS


def record_bytes(data: dict[str, Any]) -> bytes:
    """A record as it is kept: JSON, keys sorted."""
    return json.dumps(data, separators=(",", ":"), sort_keys=True).encode()


def read_record(data: object, crc: object) -> dict[str, Any] | None:
    """A record, or None where it isn't what was written."""
    if not isinstance(data, bytes) or crc32(data) != crc:
        return None
    try:
        found = json.loads(data)
    except ValueError:
        return None
    return found if isinstance(found, dict) else None
