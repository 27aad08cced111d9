"""CBOR that a stranger may have written, read within bounds.

A general decoder does what the bytes ask for: tags build dates, regular expressions and references in circles, a few
bytes announce arrays of 2**64 items. The stream needs none of it, so this one knows only integers, floats, texts,
bytes, arrays and maps of definite length with integers or texts as keys, true, false and null. What it gives is at most
proportional to what it was given, and anything else is a `CborError`.
"""

from __future__ import annotations

import struct
from typing import Any

MOST_DEPTH = 16
_ARRAY, _MAP, _TAG, _OTHER = 4, 5, 6, 7
_FLOATS = {25: struct.Struct(">e"), 26: struct.Struct(">f"), 27: struct.Struct(">d")}
_CONSTANTS = {20: False, 21: True, 22: None}


class CborError(ValueError):
    """The bytes aren't CBOR, or not of the few kinds that the stream uses. The text says what and at which byte."""


def read_item(data: bytes, position: int) -> tuple[Any, int]:
    """The item that begins at ``position`` as plain Python, and where the next one begins. Raises CborError."""
    try:
        return _item(data, position, 0)
    except IndexError:
        raise CborError("the bytes end within an item") from None


def _item(data: bytes, position: int, depth: int) -> tuple[Any, int]:
    first = data[position]  # IndexError at the end: the one check that all share
    major, info = first >> 5, first & 31
    begin, position = position, position + 1
    if major == _OTHER:
        return _other(data, begin, info)
    if info < 24:
        number = info
    elif info < 28:
        width = 1 << (info - 24)
        number = int.from_bytes(data[position : position + width], "big")
        position += width
        if position > len(data):
            raise IndexError
    else:
        raise CborError(f"byte {begin}: expected a definite length")
    if major == 0:
        return number, position
    if major == 1:
        return -1 - number, position
    if major == _TAG:
        raise CborError(f"byte {begin}: expected no tags")
    if number > len(data) - position:  # of arrays and maps too: an item takes a byte at least
        raise IndexError
    if major == 3:
        try:
            return str(data[position : position + number], "utf-8"), position + number
        except UnicodeDecodeError:
            raise CborError(f"byte {begin}: expected a text in UTF-8") from None
    if major == 2:
        return data[position : position + number], position + number
    if depth >= MOST_DEPTH:
        raise CborError(f"byte {begin}: expected at most {MOST_DEPTH} levels of arrays and maps")
    if major == _ARRAY:
        items = []
        for _ in range(number):
            item, position = _item(data, position, depth + 1)
            items.append(item)
        return items, position
    return _map(data, position, number, depth + 1)


def _map(data: bytes, position: int, count: int, depth: int) -> tuple[dict[int | str, Any], int]:
    found: dict[int | str, Any] = {}
    for _ in range(count):
        begin = position
        key, position = _item(data, position, depth)
        if type(key) is not int and type(key) is not str:
            raise CborError(f"byte {begin}: expected an integer or a text as a key")
        if key in found:
            raise CborError(f"byte {begin}: expected each key once")
        found[key], position = _item(data, position, depth)
    return found, position


def _other(data: bytes, begin: int, info: int) -> tuple[Any, int]:
    if info in _CONSTANTS:
        return _CONSTANTS[info], begin + 1
    if info in _FLOATS:
        layout = _FLOATS[info]
        if begin + 1 + layout.size > len(data):
            raise IndexError
        return layout.unpack_from(data, begin + 1)[0], begin + 1 + layout.size
    raise CborError(f"byte {begin}: expected a number, a text, an array, a map, true, false or null")
