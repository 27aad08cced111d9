"""The sent form of an event as protobuf: the message one would design for it, built without a compiler.

Proto2, so that a field can be left out and have a default; integers in the units of our wire, signed ones zigzag.
"""

from __future__ import annotations

import math
from collections.abc import Iterable
from functools import cache
from typing import Any

from google.protobuf import descriptor_pb2, descriptor_pool, message_factory

from edge.stream.entry import EventEntry, TimeQuality
from edge.trace.event import Alternative, Evidence, Kind, Status

_NS_PER_MS = 1_000_000
_PPM = 1_000_000
_Type = descriptor_pb2.FieldDescriptorProto
_STATUSES = (Status.FINAL, Status.PROVISIONAL, Status.RETRACTED)
_TYPES = {
    "fixed32": _Type.TYPE_FIXED32,
    "uint32": _Type.TYPE_UINT32,
    "uint64": _Type.TYPE_UINT64,
    "sint32": _Type.TYPE_SINT32,
    "sint64": _Type.TYPE_SINT64,
    "bool": _Type.TYPE_BOOL,
    "string": _Type.TYPE_STRING,
}
_MESSAGES = {
    "Alternative": "uint32 kind, string sku, string slot, uint32 quantity, uint32 ppm",
    "Track": "string track, uint32 ppm",
    "Evidence": "sint32* change, uint32 sd, uint32 before, uint32 after, sint64 begin, sint64 end, string* faults",
    "Event": (  # the fifteen most used first: their keys take one byte
        "fixed32 boot, uint64 seq, uint64 number, uint32 revision, uint32 status, uint32 kind, string board, "
        "string slot, string sku, sint32 grams, sint32 x, sint32 y, uint64 time_ms, sint32 delay_ms, uint32 doubt, "
        "uint32 quantity=1, bool needs_review, uint32 quality, string event_id, Alternative* alternatives, Track* who, "
        "Evidence evidence, uint64 monotonic_ms, bool historical"
    ),
}


def to_protobuf(entry: EventEntry) -> bytes:
    """An entry as it was sent (`decode_items` of the sent form); what has its default, or isn't known, is left out."""
    event = entry.event
    message = _message("Event")
    board, _, digits = event.event_id.rpartition("-")
    usual = board == event.board and digits.isdigit()
    known = {
        "boot": entry.boot,
        "seq": entry.seq,
        "number": int(digits) if usual else None,
        "event_id": None if usual else event.event_id,
        "revision": event.revision,
        "status": _STATUSES.index(event.status) or None,
        "kind": int(event.kind is Kind.PUT) or None,
        "board": event.board,
        "slot": event.slot,
        "sku": event.sku,
        "grams": _scaled(event.grams, 10),
        "x": _scaled(event.x_mm, 10),
        "y": _scaled(event.y_mm, 10),
        "time_ms": entry.time.wall_ns // _NS_PER_MS,
        "delay_ms": (event.decided_ns - event.time_ns) // _NS_PER_MS,
        "doubt": _scaled(1.0 - event.confidence, _PPM),
        "quantity": None if event.quantity == 1 else event.quantity,
        "needs_review": event.needs_review or None,
        "quality": int(entry.time.quality) or None,
        "historical": entry.historical or None,
    }
    if entry.time.quality is not TimeQuality.SYNCED:
        known["monotonic_ms"] = event.time_ns // _NS_PER_MS
    _fill(message, known)
    for alternative in event.alternatives:
        _fill(message.alternatives.add(), _alternative(alternative))
    for track, probability in event.who:
        _fill(message.who.add(), {"track": track, "ppm": _scaled(probability, _PPM)})
    if event.evidence is not None:
        _fill(message.evidence, _evidence(event.evidence, event.time_ns))
    return bytes(message.SerializeToString(deterministic=True))


def message_of(data: bytes) -> Any:
    """The message with its fields, out of its bytes."""
    message = _message("Event")
    message.ParseFromString(data)
    return message


def _alternative(alternative: Alternative) -> dict[str, Any]:
    return {
        "kind": None if alternative.kind is None else int(alternative.kind is Kind.PUT),
        "sku": alternative.sku,
        "slot": alternative.slot,
        "quantity": alternative.quantity,
        "ppm": _scaled(alternative.probability, _PPM),
    }


def _evidence(evidence: Evidence, time_ns: int) -> dict[str, Any]:
    """A cell without data is the least number: protobuf's lists have no nulls."""
    return {
        "change": [-(1 << 31) if math.isnan(change) else round(change * 10) for change in evidence.change_g],
        "sd": _scaled(evidence.sd_g, 100),
        "before": _scaled(evidence.before_ms, 10),
        "after": _scaled(evidence.after_ms, 10),
        "begin": time_ns - evidence.begin_ns,
        "end": evidence.end_ns - time_ns,
        "faults": list(evidence.faults),
    }


def _scaled(value: float | None, scale: int) -> int | None:
    return None if value is None or math.isnan(value) else round(value * scale)


def _fill(message: Any, values: dict[str, Any]) -> None:
    for name, value in values.items():
        if isinstance(value, list):
            getattr(message, name).extend(value)
        elif value is not None:
            setattr(message, name, value)


def _message(name: str) -> Any:
    return _classes()[name]()


@cache
def _classes() -> dict[str, Any]:
    file = descriptor_pb2.FileDescriptorProto(name="shelfedge.proto", package="shelfedge", syntax="proto2")
    for name, fields in _MESSAGES.items():
        file.message_type.append(descriptor_pb2.DescriptorProto(name=name, field=_fields(fields.split(", "))))
    pool = descriptor_pool.DescriptorPool()
    pool.Add(file)
    return {
        name: message_factory.GetMessageClass(pool.FindMessageTypeByName(f"shelfedge.{name}")) for name in _MESSAGES
    }


def _fields(texts: Iterable[str]) -> list[Any]:
    found = []
    for number, text in enumerate(texts, start=1):
        kind, name = text.split()
        name, _, default = name.partition("=")
        several, kind = kind.endswith("*"), kind.rstrip("*")
        field = _Type(name=name, number=number, label=_Type.LABEL_REPEATED if several else _Type.LABEL_OPTIONAL)
        if kind in _TYPES:
            field.type = _TYPES[kind]
            if several and kind != "string":
                field.options.packed = True
        else:
            field.type, field.type_name = _Type.TYPE_MESSAGE, f".shelfedge.{kind}"
        if default:
            field.default_value = default
        found.append(field)
    return found
