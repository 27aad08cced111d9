"""Writes flatbuffers: tables as dictionaries of field number to value, so that tests can make any model file."""

from __future__ import annotations

import struct
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True, slots=True)
class Scalar:
    """A number in its form, as in `struct`: "<b", "<i", "<f"."""

    form: str
    value: float


@dataclass(frozen=True, slots=True)
class Numbers:
    """A vector of numbers of one form."""

    form: str
    values: Sequence[float]


def flatbuffer(root: Mapping[int, Any], identifier: bytes) -> bytes:
    """Values: Scalar, Numbers, str, bytes, a mapping (a table) or a list of mappings."""
    out = bytearray(8)
    out[4:8] = identifier
    waiting: list[tuple[int, Any]] = [(0, root)]
    while waiting:
        at, value = waiting.pop(0)
        _align(out, 16)  # generously: buffers of weights want it
        if isinstance(value, Mapping):
            place = _table(out, value, waiting)
        elif isinstance(value, str | bytes):
            raw = value.encode() if isinstance(value, str) else value
            out += bytes(12)  # so that what follows the length is aligned
            place = len(out)
            out += struct.pack("<I", len(raw)) + raw + b"\0"
        elif isinstance(value, Numbers):
            out += bytes(12)
            place = len(out)
            out += struct.pack("<I", len(value.values))
            out += struct.pack(f"<{len(value.values)}{value.form[1:]}", *value.values)
        else:
            place = len(out)
            out += struct.pack("<I", len(value)) + bytes(4 * len(value))
            waiting += [(place + 4 + 4 * k, table) for k, table in enumerate(value)]
        struct.pack_into("<I", out, at, place - at)
    return bytes(out)


def _align(out: bytearray, size: int) -> None:
    out += bytes(-len(out) % size)


def _table(out: bytearray, fields: Mapping[int, Any], waiting: list[tuple[int, Any]]) -> int:
    count = max(fields, default=-1) + 1
    offsets, size = [0] * count, 4
    for number, value in fields.items():
        wide = struct.calcsize(value.form) if isinstance(value, Scalar) else 4
        size += -size % wide
        offsets[number] = size
        size += wide
    described = len(out)
    out += struct.pack(f"<HH{count}H", 4 + 2 * count, size, *offsets)
    _align(out, 8)
    place = len(out)
    out += struct.pack("<i", place - described) + bytes(size - 4)
    for number, value in fields.items():
        at = place + offsets[number]
        if isinstance(value, Scalar):
            struct.pack_into(value.form, out, at, value.value)
        else:
            waiting.append((at, value))
    return place
