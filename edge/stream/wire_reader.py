"""Bytes that somebody sent, as entries; or a `WireError` that says what is wrong, never anything else."""

from __future__ import annotations

import math
import reprlib
from collections.abc import Callable
from typing import Any, NoReturn, TypeVar

from edge.stream.cbor_reader import CborError, read_item
from edge.stream.entry import Entry, EventEntry, Note, Stamp, TimeQuality
from edge.stream.wire_keys import (
    ALTERNATIVES,
    BITS,
    BOARD,
    BOOT,
    BOOT_LIMIT,
    DELAY_MS,
    DETAILS,
    DOUBT,
    EVENT_MEMBERS,
    EVIDENCE,
    GRAMS,
    HEAD,
    HISTORICAL,
    KINDS,
    LATEST_WALL_S,
    MONOTONIC_MS,
    MONOTONIC_NS,
    NOTE,
    NOTE_MEMBERS,
    NUMBER,
    PUT_BIT,
    QUALITY_MASK,
    QUALITY_SHIFT,
    QUANTITY,
    REVIEW_BIT,
    REVISION,
    SEQ,
    SKU,
    SLOT,
    STATUS_MASK,
    STATUS_SHIFT,
    STATUSES,
    TIME_MS,
    TIME_S,
    WHO,
    WireError,
)
from edge.trace.event import Alternative, Event, Evidence

MOST_PAYLOAD_BYTES = 1 << 20

_MOST_UINT32, _MOST_UINT64 = (1 << 32) - 1, (1 << 64) - 1
_MOST_INT64 = (1 << 63) - 1
_MOST_MS = _MOST_INT64 // 1_000_000
_NS_PER_S, _NS_PER_MS = 1_000_000_000, 1_000_000
_PPM = 1_000_000
_QUALITIES = tuple(TimeQuality)
_Value = TypeVar("_Value")


def decode_items(payload: bytes) -> list[Entry]:
    """The entries of a message: a CBOR sequence (RFC 8742), one map after the other.

    Keys that this version doesn't know and longer arrays are passed over. Times of an event without monotonic ones are
    wall time, to the millisecond.

    Raises:
        WireError: an item isn't an entry; the text says which one, where, and what is expected.
    """
    if len(payload) > MOST_PAYLOAD_BYTES:
        raise WireError(f"a message of {len(payload)} bytes; expected at most {MOST_PAYLOAD_BYTES}")
    payload = bytes(payload)
    entries: list[Entry] = []
    position = 0
    while position < len(payload):
        try:
            item, position = read_item(payload, position)
            entries.append(entry_from_item(item))
        except CborError as error:
            raise WireError(f"entry {len(entries) + 1} of the message: not the stream's CBOR: {error}") from None
        except WireError as error:
            raise WireError(f"entry {len(entries) + 1} of the message: {error}") from None
    return entries


def entry_from_item(item: Any) -> Entry:
    """The entry that one item of CBOR is, as `read_item` gives it. Raises WireError."""
    if type(item) is not dict:
        raise WireError(f"expected a map with integer keys, got {reprlib.repr(item)}")
    return _note(item) if NOTE in item else _event_entry(item)


def _event_entry(item: dict[Any, Any]) -> EventEntry:
    head = _head(item, EVENT_MEMBERS, "[boot, seq, bits, time_s, time_ms, number, revision, board, slot, sku, ...]")
    time = _stamp(head)
    bits, board, number = head[BITS], _text(head[BOARD], "1, board"), head[NUMBER]
    status = (bits & STATUS_MASK) >> STATUS_SHIFT
    if status >= len(STATUSES):
        _wrong("1, bits", "a status of 0 to 2", bits)
    delay_ms = _whole(head[DELAY_MS], "1, delay_ms", -_MOST_MS, _MOST_MS)
    if MONOTONIC_NS in item:
        time_ns, decided_ns = _exact_times(item, 2)
    else:
        time_ns = _monotonic_ns(item, time.wall_ns)
        decided_ns = time_ns + _NS_PER_MS * delay_ms
    doubt = head[DOUBT]
    grams, x_mm, y_mm = [_maybe(_tenths, value, "1, grams or place") for value in (*head[GRAMS:], None, None, None)[:3]]
    event = Event(
        event_id=number if type(number) is str else f"{board}-{_whole(number, '1, number', 0, _MOST_UINT64):06d}",
        revision=_whole(head[REVISION], "1, revision", 0, _MOST_UINT32),
        status=STATUSES[status],
        kind=KINDS[bits & PUT_BIT],
        board=board,
        slot=_maybe(_text, head[SLOT], "1, slot"),
        sku=_maybe(_text, head[SKU], "1, sku"),
        quantity=_whole(item.get(QUANTITY, 1), "2, quantity", 0, _MOST_UINT32),
        grams=math.nan if grams is None else grams,
        x_mm=x_mm,
        y_mm=y_mm,
        time_ns=time_ns,
        decided_ns=decided_ns,
        confidence=math.nan if doubt is None else (_PPM - _whole(doubt, "1, doubt_ppm", 0, _PPM)) / _PPM,
        needs_review=bool(bits & REVIEW_BIT),
        alternatives=tuple([_alternative(inner) for inner in _list(item.get(ALTERNATIVES, []), "3, alternatives")]),
        who=tuple([_track(inner) for inner in _list(item.get(WHO, []), "4, who")]),
        evidence=_evidence(item[EVIDENCE], time_ns) if EVIDENCE in item else None,
    )
    return EventEntry(head[BOOT], head[SEQ], event, time, _historical(item))


def _note(item: dict[Any, Any]) -> Note:
    head = _head(item, NOTE_MEMBERS, "[boot, seq, bits, time_s, time_ms]")
    mono_ns = _exact_times(item, 1)[0] if MONOTONIC_NS in item else _monotonic_ns(item, None)
    details = item.get(DETAILS, {})
    if type(details) is not dict:
        _wrong("21, details", "a map", details)
    _check_plain(details)
    what = _text(item[NOTE], "20, note")
    return Note(head[BOOT], head[SEQ], what, _stamp(head), mono_ns, details, _historical(item))


def _head(item: dict[Any, Any], members: int, expected: str) -> list[Any]:
    """What all entries begin with; boot, seq and bits are checked."""
    if HEAD not in item:
        raise WireError(f"key 1: missing; expected {expected}")
    head = _parts(item[HEAD], "1", expected, members)
    _whole(head[BOOT], "1, boot", 0, BOOT_LIMIT - 1)
    _whole(head[SEQ], "1, seq", 1, _MOST_UINT64)
    _whole(head[BITS], "1, bits", 0, _MOST_UINT64)
    return head


def _stamp(head: list[Any]) -> Stamp:
    quality = (head[BITS] & QUALITY_MASK) >> QUALITY_SHIFT
    if quality > TimeQuality.WRONG:
        _wrong("1, bits", "a time quality of 0 to 2", head[BITS])
    seconds = _whole(head[TIME_S], "1, time_s", 0, LATEST_WALL_S)
    milliseconds = _whole(head[TIME_MS], "1, time_ms", 0, 999)
    return Stamp(seconds * _NS_PER_S + milliseconds * _NS_PER_MS, _QUALITIES[quality])


def _historical(item: dict[Any, Any]) -> bool:
    value = item.get(HISTORICAL, False)
    if type(value) is not bool:
        _wrong("6, historical", "true or false", value)
    return bool(value)


def _monotonic_ns(item: dict[Any, Any], otherwise: _Value) -> int | _Value:
    if MONOTONIC_MS not in item:
        return otherwise
    return _NS_PER_MS * _whole(item[MONOTONIC_MS], "7, monotonic", -_MOST_MS, _MOST_MS)


def _exact_times(item: dict[Any, Any], count: int) -> list[int]:
    expected = "[time_ns, decided_ns]" if count == 2 else "[time_ns]"
    return [_int64(value, "8, monotonic") for value in _parts(item[MONOTONIC_NS], "8", expected, count)[:count]]


def _alternative(value: Any) -> Alternative:
    expected = "[kind, sku, slot, quantity, ppm]"
    kind, sku, slot, quantity, probability = _parts(value, "3, an alternative", expected, 5)[:5]
    return Alternative(
        kind=None if kind is None else KINDS[_whole(kind, "3, kind", 0, len(KINDS) - 1)],
        sku=_maybe(_text, sku, "3, sku"),
        slot=_maybe(_text, slot, "3, slot"),
        quantity=_whole(quantity, "3, quantity", 0, _MOST_UINT32),
        probability=_probability(probability, "3, ppm"),
    )


def _track(value: Any) -> tuple[str, float]:
    track, probability = _parts(value, "4, who", "[track, ppm]", 2)[:2]
    return _text(track, "4, track"), _probability(probability, "4, ppm")


def _evidence(value: Any, time_ns: int) -> Evidence:
    expected = "[change, sd, before, after, begin, end ...]"
    change, sd, before, after, begin, end = _parts(value, "5, evidence", expected, 6)[:6]
    tenths = [_tenths_or_nan(inner, "5, change") for inner in _list(change, "5, change")]
    return Evidence(
        change_g=tuple(tenths),
        sd_g=math.nan if sd is None else _int64(sd, "5, sd") / 100,
        before_ms=_tenths_or_nan(before, "5, before"),
        after_ms=_tenths_or_nan(after, "5, after"),
        begin_ns=time_ns - _int64(begin, "5, begin"),
        end_ns=time_ns + _int64(end, "5, end"),
        faults=tuple([_text(fault, "5, fault") for fault in _list(value[6] if len(value) > 6 else [], "5, faults")]),
    )


def _check_plain(value: Any) -> None:
    """Details are what JSON can say too: texts as keys, no bytes, no NaN."""
    if type(value) is dict:
        for key, inner in value.items():
            _text(key, "21, details, a key")
            _check_plain(inner)
    elif type(value) is list:
        for inner in value:
            _check_plain(inner)
    elif type(value) is bytes:
        _wrong("21, details", "numbers, texts, arrays and maps", value)
    elif type(value) is float and not math.isfinite(value):
        _wrong("21, details", "a finite number", value)


def _parts(value: Any, where: str, expected: str, count: int) -> list[Any]:
    if type(value) is not list or len(value) < count:
        _wrong(where, expected, value)
    return value


def _list(value: Any, where: str) -> list[Any]:
    if type(value) is not list:
        _wrong(where, "an array", value)
    return value


def _whole(value: Any, where: str, least: int, most: int) -> int:
    if type(value) is not int or not least <= value <= most:
        _wrong(where, f"a whole number from {least} to {most}", value)
    return value


def _int64(value: Any, where: str) -> int:
    return _whole(value, where, -_MOST_INT64 - 1, _MOST_INT64)


def _tenths(value: Any, where: str) -> float:
    return _int64(value, where) / 10


def _tenths_or_nan(value: Any, where: str) -> float:
    return math.nan if value is None else _tenths(value, where)


def _probability(value: Any, where: str) -> float:
    return math.nan if value is None else _whole(value, where, 0, _PPM) / _PPM


def _text(value: Any, where: str) -> str:
    if type(value) is not str:
        _wrong(where, "a text", value)
    return value


def _maybe(take: Callable[[Any, str], _Value], value: Any, where: str) -> _Value | None:
    return None if value is None else take(value, where)


def _wrong(where: str, expected: str, value: Any) -> NoReturn:
    raise WireError(f"key {where}: expected {expected}, got {reprlib.repr(value)}")
