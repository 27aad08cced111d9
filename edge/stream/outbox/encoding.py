"""Rows of the table out of what is to be said. At each commit for each entry, so it is written to be quick."""

from __future__ import annotations

from collections.abc import Sequence
from zlib import crc32

from edge.stream.outbox.records import Body
from edge.stream.outbox.row_check import MOST_WALL_MS, ROW_HEAD, within_wall_ms
from edge.stream.outbox.spans import Span

EncodedRow = tuple[int, int, int, int, bytes, int]
"""As `INSERT` takes it: id, boot, seq, wall_ms, payload, crc."""


def encoded(bodies: Sequence[Body], span: Span) -> list[EncodedRow]:
    """The entries that follow in a boot. What a body's ``encode`` raises comes through."""
    rows: list[EncodedRow] = []
    add, boot, base_id, seq = rows.append, span.boot, span.base_id, span.last
    for body in bodies:
        seq += 1
        payload = body.encode(boot, seq)
        wall_ms = body.decided_wall_ns // 1_000_000
        if not -MOST_WALL_MS <= wall_ms <= MOST_WALL_MS:
            wall_ms = within_wall_ms(body.decided_wall_ns)
        # The same as `row_crc`, without the call.
        add((base_id + seq, boot, seq, wall_ms, payload, crc32(payload, crc32(ROW_HEAD(boot, seq, wall_ms)))))
    return rows
