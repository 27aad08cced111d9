"""Entries as bytes: CBOR maps with integer keys. events.cddl is the schema, EVENTS.md the page for back ends.

The encoding is deterministic (RFC 8949, 4.2.1): the same entry always gives the same bytes. Reading is `wire_reader`.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from numbers import Integral
from typing import Any

import cbor2

from edge.stream.entry import Entry, EventEntry, Note, Stamp
from edge.stream.wire_keys import (
    ALTERNATIVES,
    BITS,
    DETAILS,
    EVIDENCE,
    GRAMS,
    HEAD,
    HISTORICAL,
    KIND_CODES,
    LATEST_WALL_S,
    MONOTONIC_MS,
    MONOTONIC_NS,
    NOTE,
    PUT_BIT,
    QUALITY_MASK,
    QUALITY_SHIFT,
    QUANTITY,
    REVIEW_BIT,
    STATUS_BITS,
    TIME_MS,
    TIME_S,
    WHO,
    WireError,
)
from edge.stream.wire_reader import decode_items
from edge.trace.event import Alternative, Event, Evidence, Kind

__all__ = ["WireError", "decode_items", "encode", "for_wire"]

_MOST_UINT64 = (1 << 64) - 1
_MOST_NUMBER = 1e16  # grams or millimetres; a hundred times that still fits in 64 bits
_NS_PER_MS = 1_000_000
_PPM = 1_000_000
_LEAST_DIGITS = 6  # of the number in an event id
_MOST_DIGITS = 19  # any more might not fit in 64 bits


def encode(entry: Entry) -> bytes:
    """An entry with everything that is known of it: the full form, which the outbox keeps."""
    if isinstance(entry, Note):
        return _note_bytes(entry)
    event = entry.event
    item: dict[int, Any] = {HEAD: _head(entry)}
    if event.quantity != 1:
        item[QUANTITY] = int(event.quantity)
    if event.alternatives:
        item[ALTERNATIVES] = [_alternative(alternative) for alternative in event.alternatives]
    if event.who:
        item[WHO] = [[track, ppm(probability)] for track, probability in event.who]
    if event.evidence is not None:
        item[EVIDENCE] = _evidence(event.evidence, int(event.time_ns))
    if entry.historical:
        item[HISTORICAL] = True
    item[MONOTONIC_NS] = [int(event.time_ns), int(event.decided_ns)]
    return _dumps(item)


def for_wire(full: bytes, *, evidence: bool, historical: bool, stamp: Stamp | None = None) -> bytes:
    """The form that is sent of what `encode` gave.

    Alternatives and evidence go along when a person must look at the event, or where ``evidence`` says so for all;
    the monotonic time only while the wall clock can't be trusted, and to the millisecond.

    Args:
        historical: it is sent late, out of what was buffered.
        stamp: a better wall time, where the clock has been set since.
    Raises:
        WireError: ``full`` isn't one entry.
    """
    try:
        item = cbor2.loads(full)
        head = item[HEAD]
        if stamp is not None:
            head[TIME_S], head[TIME_MS] = _wall(stamp)
            head[BITS] = head[BITS] & ~QUALITY_MASK | stamp.quality << QUALITY_SHIFT
        bits = head[BITS]
        if not (evidence or bits & REVIEW_BIT):
            item.pop(ALTERNATIVES, None)
            item.pop(EVIDENCE, None)
        monotonic = item.pop(MONOTONIC_NS, None)
        sort = next(reversed(item)) > EVIDENCE  # a note, or what a later version wrote
        if historical:
            item[HISTORICAL] = True
        if bits & QUALITY_MASK and monotonic:
            item[MONOTONIC_MS] = monotonic[0] // _NS_PER_MS
    except (cbor2.CBORDecodeError, LookupError, TypeError, AttributeError, ValueError) as error:
        raise WireError(f"a kept entry can't be read ({error}); expected what `encode` gives") from None
    return _dumps_sorted(item) if sort else _dumps(item)


def tenths(value: float | None) -> int | None:
    """A number times ten, as `edge.stream.jsonl` rounds it; None where there is none.

    The digits themselves: multiplying first would round 0.15 another way than `round(0.15, 1)` does.
    """
    if value is None or not -_MOST_NUMBER < value < _MOST_NUMBER:  # NaN isn't either
        return None
    return int(f"{value:.1f}".replace(".", ""))


def hundredths(value: float) -> int | None:
    """A number times a hundred, rounded in the same way."""
    if not -_MOST_NUMBER < value < _MOST_NUMBER:
        return None
    return int(f"{value:.2f}".replace(".", ""))


def ppm(probability: float) -> int | None:
    """A probability in millionths, 0 to 1,000,000."""
    if not -_MOST_NUMBER < probability < _MOST_NUMBER:
        return None
    return min(max(int(f"{probability:.6f}".replace(".", "")), 0), _PPM)


def _number(event: Event) -> int | str:
    """The number of an id of the usual form, ``<board>-<nnnnnn>``; any other id as it is."""
    event_id = event.event_id
    start = len(event.board) + 1
    digits = event_id[start:]
    if _LEAST_DIGITS <= len(digits) <= _MOST_DIGITS and digits.isascii() and digits.isdigit():
        number = int(digits)
        if event_id == f"{event.board}-{number:06d}":
            return number
    return event_id


def _head(entry: EventEntry) -> list[Any]:
    event = entry.event
    bits = STATUS_BITS[event.status] | entry.time.quality << QUALITY_SHIFT
    if event.kind == Kind.PUT:
        bits |= PUT_BIT
    if event.needs_review:
        bits |= REVIEW_BIT
    doubt = ppm(event.confidence)
    head = [
        entry.boot,
        entry.seq,
        bits,
        *_wall(entry.time),
        _number(event),
        int(event.revision),
        event.board,
        event.slot,
        event.sku,
        (int(event.decided_ns) - int(event.time_ns) + _NS_PER_MS // 2) // _NS_PER_MS,
        None if doubt is None else _PPM - doubt,
        tenths(event.grams),
        tenths(event.x_mm),
        tenths(event.y_mm),
    ]
    while head[-1] is None and len(head) > GRAMS:
        head.pop()
    return head


def _wall(time: Stamp) -> tuple[int, int]:
    """Whole seconds and milliseconds; no clock is believed that it is before 1970 or after 9999."""
    seconds, milliseconds = divmod(time.wall_ns // _NS_PER_MS, 1000)
    return (seconds, milliseconds) if 0 <= seconds <= LATEST_WALL_S else (0 if seconds < 0 else LATEST_WALL_S, 0)


def _alternative(alternative: Alternative) -> list[Any]:
    kind = None if alternative.kind is None else KIND_CODES[alternative.kind]
    return [kind, alternative.sku, alternative.slot, int(alternative.quantity), ppm(alternative.probability)]


def _evidence(evidence: Evidence, time_ns: int) -> list[Any]:
    """Times relative to the event's: they mean the same whether that is monotonic or wall time, and are shorter."""
    found: list[Any] = [
        [tenths(change) for change in evidence.change_g],
        hundredths(evidence.sd_g),
        tenths(evidence.before_ms),
        tenths(evidence.after_ms),
        time_ns - int(evidence.begin_ns),
        int(evidence.end_ns) - time_ns,
    ]
    if evidence.faults:
        found.append(list(evidence.faults))
    return found


def _note_bytes(note: Note) -> bytes:
    item: dict[int, Any] = {
        HEAD: [note.boot, note.seq, note.time.quality << QUALITY_SHIFT, *_wall(note.time)],
        NOTE: note.what,
        DETAILS: _plain(note.details),
    }
    if note.historical:
        item[HISTORICAL] = True
    if note.mono_ns is not None:
        item[MONOTONIC_NS] = [int(note.mono_ns)]
    return _dumps_sorted(item)


def _plain(value: object) -> Any:
    """Details as CBOR and JSON both know them. Raises TypeError for what neither does."""
    if isinstance(value, Mapping):
        return {str(key): _plain(inner) for key, inner in value.items()}
    if isinstance(value, list | tuple):
        return [_plain(inner) for inner in value]
    if isinstance(value, float):
        return float(value) if math.isfinite(value) else None
    if value is None or isinstance(value, bool | str):
        return value
    if isinstance(value, Integral) and -_MOST_UINT64 - 1 <= (number := int(value)) <= _MOST_UINT64:
        return number
    raise TypeError(f"a note's details: expected numbers, texts, lists and mappings, got {value!r:.60}")


def _dumps(item: dict[int, Any]) -> bytes:
    """Keys were put in in their order, there are no floats, and cbor2 writes integers and lengths in their shortest."""
    try:
        return cbor2.dumps(item)
    except UnicodeEncodeError:
        return cbor2.dumps(_in_utf8(item))


def _dumps_sorted(item: dict[int, Any]) -> bytes:
    """The same for any details: keys sorted, floats in their shortest form."""
    try:
        return cbor2.dumps(item, canonical=True)
    except UnicodeEncodeError:
        return cbor2.dumps(_in_utf8(item), canonical=True)


def _in_utf8(value: Any) -> Any:
    """Texts that UTF-8 can say: Linux has file names, and YAML has escapes, that it can't. They get question marks."""
    if isinstance(value, str):
        return value.encode("utf-8", "replace").decode("utf-8")
    if isinstance(value, list):
        return [_in_utf8(inner) for inner in value]
    if isinstance(value, dict):
        return {_in_utf8(key): _in_utf8(inner) for key, inner in value.items()}
    return value
