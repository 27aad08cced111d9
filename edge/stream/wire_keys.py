"""The keys and bits of entries on the wire. What one means never changes; new ones may come. See EVENTS.md."""

from __future__ import annotations

from edge.trace.event import Kind, Status
from firmware_bridge.errors import ShelfedgeError

HEAD, QUANTITY, ALTERNATIVES, WHO, EVIDENCE, HISTORICAL, MONOTONIC_MS, MONOTONIC_NS = range(1, 9)
NOTE, DETAILS = 20, 21
IDENTITY = HEAD  # whose first two members are boot and seq, of whatever kind the entry is

# Members of the head. The first five are there in notes too.
BOOT, SEQ, BITS, TIME_S, TIME_MS, NUMBER, REVISION, BOARD, SLOT, SKU, DELAY_MS, DOUBT, GRAMS, X_MM, Y_MM = range(15)
NOTE_MEMBERS, EVENT_MEMBERS = NUMBER, GRAMS  # how many there are at least

PUT_BIT = 1
STATUS_SHIFT, STATUS_MASK = 1, 0b110
REVIEW_BIT = 1 << 3
QUALITY_SHIFT, QUALITY_MASK = 4, 0b11 << 4

STATUSES = (Status.FINAL, Status.PROVISIONAL, Status.RETRACTED)
STATUS_BITS = {status: code << STATUS_SHIFT for code, status in enumerate(STATUSES)}
KINDS = (Kind.PICK, Kind.PUT)
KIND_CODES = {kind: code for code, kind in enumerate(KINDS)}

BOOT_LIMIT = 1 << 32
LATEST_WALL_S = 253_402_300_799  # 9999-12-31T23:59:59Z, the last second that ISO 8601 writes with four digits


class WireError(ShelfedgeError, ValueError):
    """Bytes aren't entries of the stream. Examples: another program's message, a message cut short."""
