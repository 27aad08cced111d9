"""A block of sightings as bytes: the payload of one MCAP message. `LAYOUT` is the format's definition.

The codec knows no field: it goes by the dataclasses' type hints, writes what they are into each block, and reads what a
block says. So a field that a later shelfedge adds is passed over by an earlier one, and one that an earlier one hadn't
gets its default.
"""

from __future__ import annotations

import dataclasses
import json
import struct
import types
import typing
from collections.abc import Callable, Hashable, Sequence
from functools import cache
from typing import Any

from edge.trace.columns import (
    Before,
    Bytes,
    likeness,
    no_likeness,
    put_floats,
    put_ints,
    put_texts,
    take_floats,
    take_ints,
    take_texts,
    varint,
)
from edge.trace.errors import BlockDamagedError

LAYOUT = """shelfedge.Sightings, version 1: sightings within one epoch, in the order in which they came.
  u8  mark = 0x53    u8 version = 1    i64 epoch_ns, little-endian: begin of the epoch on the trace's clock
  varint, text       JSON: [[name, kind], ...], the kinds of sightings in this block and what their fields are
  varint             N: rows;  column of N integers: the kind of each row
  then for each kind a column of its rows. A column by its kind:
    "int"            u8 mode; N varints, zigzag of the difference to the value before (mode 0), or (mode 1) to the value
                     of the last row whose first field, a text, was the same; in a list: to the same place in that
                     row's list; 0 where there is none
    "float"          u8 d: integers as above, divided by the d-th of 1, 10, 100, 1000, 16, 256, 10000; d = 255: N f64
    "text"           varint: how many; varint length and UTF-8 of each; integers: which it is
    "flag"           N bytes, 0 or 1
    ["maybe", K]     flags: which rows have one; then those as K
    ["list", K]      integers: lengths; then all elements, one list after the other, as K
    {"name": K, ...} the fields, one column after the other. A pair's fields are called "0", "1", ...
"""
MARK, VERSION = 0x53, 1
SCHEMA_NAME = "shelfedge.Sightings"
MESSAGE_ENCODING = "shelfedge-sightings-1"

_HEAD = struct.Struct("<BBq")
_MOST_SCHEMA_BYTES = 1 << 16
_MOST_DEPTH = 8
_SCALARS: dict[Hashable, str] = {int: "int", float: "float", str: "text", bool: "flag"}


@dataclasses.dataclass(frozen=True, slots=True)
class DecodedSightings:
    """Sightings of an epoch, in order. ``unknown``: how many more there were of kinds that this shelfedge hasn't."""

    sightings: list[Any]
    epoch_begin_ns: int
    unknown: int = 0


def encode_sightings(sightings: Sequence[Any], epoch_begin_ns: int) -> bytes:
    """Bytes of frozen dataclasses of numbers, texts, tuples and each other."""
    kinds = list(dict.fromkeys(type(sighting) for sighting in sightings))
    schema = json.dumps([[kind.__name__, kind_of(kind)] for kind in kinds], separators=(",", ":")).encode()
    parts = [_HEAD.pack(MARK, VERSION, epoch_begin_ns), varint(len(schema)), schema, varint(len(sightings))]
    parts.append(put_ints([kinds.index(type(sighting)) for sighting in sightings], no_likeness(len(sightings))))
    for kind in kinds:
        rows = [sighting for sighting in sightings if type(sighting) is kind]
        parts += _put(rows, kind_of(kind), no_likeness(len(rows)))
    return b"".join(parts)


def decode_sightings(payload: bytes | memoryview, known: Sequence[type]) -> DecodedSightings:
    """What these bytes stand for, as far as ``known`` has it. Raises BlockDamagedError."""
    data = Bytes(payload)
    mark, version, epoch_begin_ns = _HEAD.unpack(data.take(_HEAD.size))
    if mark != MARK or version != VERSION:
        raise BlockDamagedError(f"sightings of format version {version}; this shelfedge reads version {VERSION}")
    schema = _schema(data)
    count = data.varint()
    data.check_count(count)
    of_kind = take_ints(data, no_likeness(count))
    if any(not 0 <= kind < len(schema) for kind in of_kind):
        raise BlockDamagedError("a block of sightings names a kind that it doesn't define")
    classes = {kind.__name__: kind for kind in known}
    columns: list[list[Any] | None] = []
    for place, (name, kind) in enumerate(schema):
        n_rows = of_kind.count(place)
        rows = _take(data, kind, n_rows, no_likeness(n_rows))
        target = classes.get(name)
        columns.append(None if target is None else list(map(_maker(target, kind), rows)))
    if data.left:
        raise BlockDamagedError("a block of sightings is longer than it says")
    readers = [None if column is None else iter(column) for column in columns]
    found = [next(reader) for kind in of_kind if (reader := readers[kind]) is not None]
    return DecodedSightings(found, epoch_begin_ns, count - len(found))


def kind_of(hint: Any) -> Any:
    """A dataclass's or a type hint's kind, as it stands in a block. Raises TypeError for what a trace can't hold."""
    return _kind(hint)


@cache
def _kind(hint: Hashable) -> Any:
    if hint in _SCALARS:
        return _SCALARS[hint]
    if dataclasses.is_dataclass(hint):
        hints = typing.get_type_hints(hint)
        return {field.name: kind_of(hints[field.name]) for field in dataclasses.fields(hint)}
    origin, inner = typing.get_origin(hint), typing.get_args(hint)
    if origin is tuple and len(inner) == 2 and inner[1] is Ellipsis:
        return ["list", kind_of(inner[0])]
    if origin is tuple and inner:
        return {str(place): kind_of(each) for place, each in enumerate(inner)}
    if origin in (types.UnionType, typing.Union) and len(inner) == 2 and inner[1] is type(None):
        return ["maybe", kind_of(inner[0])]
    raise TypeError(f"a sighting's field is {hint}; expected int, float, str, bool, tuples and dataclasses of them")


def _put(values: Sequence[Any], kind: Any, before: Before) -> list[bytes]:
    if kind == "int":
        return [put_ints(values, before)]
    if kind == "float":
        return [put_floats(values, before)]
    if kind == "text":
        return [put_texts(values, before)]
    if kind == "flag":
        return [bytes(values)]
    if isinstance(kind, dict):
        columns = [[_field(value, name) for value in values] for name in kind]
        if columns and next(iter(kind.values())) == "text":
            before = likeness(columns[0])
        return [
            part for column, inner in zip(columns, kind.values(), strict=True) for part in _put(column, inner, before)
        ]
    if kind[0] == "maybe":
        there = [value is not None for value in values]
        return [bytes(there), *_put([value for value in values if value is not None], kind[1], no_likeness(sum(there)))]
    lengths = [len(value) for value in values]
    inside = [element for value in values for element in value]
    return [put_ints(lengths, before), *_put(inside, kind[1], _in_lists(lengths, before))]


def _take(data: Bytes, kind: Any, count: int, before: Before) -> list[Any]:
    if kind == "int":
        return take_ints(data, before)
    if kind == "float":
        return take_floats(data, before)
    if kind == "text":
        return take_texts(data, before)
    if kind == "flag":
        return [bool(byte) for byte in data.take(count)]
    if isinstance(kind, dict):
        columns: list[list[Any]] = []
        for place, inner in enumerate(kind.values()):
            columns.append(_take(data, inner, count, before))
            if place == 0 and inner == "text":
                before = likeness(columns[0])
        return list(zip(*columns, strict=True)) if columns else [()] * count
    if kind[0] == "maybe":
        there = data.take(count)
        inside = iter(_take(data, kind[1], count - there.count(0), no_likeness(count - there.count(0))))
        return [next(inside) if byte else None for byte in there]
    lengths = take_ints(data, before)
    total = sum(lengths)
    if any(length < 0 for length in lengths):
        raise BlockDamagedError("a block of sightings has a list of less than nothing")
    data.check_count(total)
    elements = iter(_take(data, kind[1], total, _in_lists(lengths, before)))
    return [tuple(next(elements) for _ in range(length)) for length in lengths]


def _in_lists(lengths: Sequence[int], before: Before) -> list[int]:
    """For elements of lists one after the other: the same place in the list that a list resembles."""
    starts, at = [], 0
    for length in lengths:
        starts.append(at)
        at += length
    return [
        starts[j] + k if j >= 0 and k < lengths[j] else -1
        for j, length in zip(before, lengths, strict=True)
        for k in range(length)
    ]


def _field(value: Any, name: str) -> Any:
    return value[int(name)] if isinstance(value, tuple) else getattr(value, name)


def _maker(target: Any, kind: Any) -> Callable[[Any], Any]:
    """What makes stored values of ``kind`` into what ``target`` is now.

    Raises BlockDamagedError, now or when it is called, where that needs what isn't stored.
    """
    if isinstance(target, type) and dataclasses.is_dataclass(target):
        return _dataclass_maker(target, kind)
    origin, inner = typing.get_origin(target), typing.get_args(target)
    if origin is tuple:
        if kind == kind_of(target) and not _has_dataclass(target):
            return _as_it_is
        if len(inner) == 2 and inner[1] is Ellipsis:
            each = _maker(inner[0], kind[1])
            return lambda values: tuple(map(each, values))
        makers = [_maker(hint, kind[str(place)]) for place, hint in enumerate(inner)]
        return lambda values: tuple(make(value) for make, value in zip(makers, values, strict=True))
    if origin is not None:
        make = _maker(inner[0], kind[1] if isinstance(kind, list) and kind[0] == "maybe" else kind)
        return lambda value: None if value is None else make(value)
    return float if target is float and kind != "float" else _as_it_is


def _as_it_is(value: Any) -> Any:
    return value


def _dataclass_maker(target: Any, kind: Any) -> Callable[[Any], Any]:
    hints = _hints(target)
    stored = list(kind) if isinstance(kind, dict) else []
    fits = {name: hint for name, hint in hints.items() if name in stored and _fits(kind[name], kind_of(hint))}
    makers = {name: _maker(hint, kind[name]) for name, hint in fits.items()}
    if list(makers) == stored == list(hints) and all(make is _as_it_is for make in makers.values()):
        return lambda values: target(*values)
    needed = [field.name for field in dataclasses.fields(target) if field.default is field.default_factory]
    lacks = ", ".join(name for name in needed if name not in makers)
    if lacks:
        raise BlockDamagedError(f"a {target.__name__} was stored without {lacks}")
    places = [(name, stored.index(name), make) for name, make in makers.items()]
    return lambda values: target(**{name: make(values[place]) for name, place, make in places})


def _has_dataclass(hint: Any) -> bool:
    return dataclasses.is_dataclass(hint) or any(_has_dataclass(inner) for inner in typing.get_args(hint))


@cache
def _hints(target: Hashable) -> dict[str, Any]:
    return typing.get_type_hints(target)


def _fits(stored: Any, wanted: Any) -> bool:
    """Whether a stored value may stand for a field: the same, a number for a fraction, or what may be none."""
    if stored == wanted or (stored, wanted) == ("int", "float"):
        return True
    if isinstance(wanted, list) and wanted[0] == "maybe":
        return _fits(stored[1] if isinstance(stored, list) and stored[0] == "maybe" else stored, wanted[1])
    if isinstance(stored, list) and isinstance(wanted, list):
        return stored[0] == wanted[0] and _fits(stored[1], wanted[1])
    if not isinstance(stored, dict) or not isinstance(wanted, dict):
        return False
    if "0" in stored or "0" in wanted:  # tuples: all of it
        return stored.keys() == wanted.keys() and all(_fits(stored[name], wanted[name]) for name in wanted)
    return True


def _schema(data: Bytes) -> list[tuple[str, Any]]:
    size = data.varint()
    if size > _MOST_SCHEMA_BYTES:
        raise BlockDamagedError("a block of sightings begins with too long a description")
    try:
        found = [(str(name), kind) for name, kind in json.loads(data.take(size))]
    except (ValueError, TypeError, RecursionError):
        raise BlockDamagedError("a block of sightings has a damaged description") from None
    if not all(_is_kind(kind, 0) for _, kind in found):
        raise BlockDamagedError("a block of sightings has fields of kinds that this shelfedge doesn't know")
    return found


def _is_kind(kind: Any, depth: int) -> bool:
    if depth > _MOST_DEPTH:
        return False
    if isinstance(kind, dict):
        return bool(kind) and all(_is_kind(inner, depth + 1) for inner in kind.values())
    if isinstance(kind, list):
        return len(kind) == 2 and kind[0] in ("list", "maybe") and _is_kind(kind[1], depth + 1)
    return kind in _SCALARS.values()
