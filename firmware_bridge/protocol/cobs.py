"""Consistent overhead byte stuffing: bytes without a zero in them, so that a zero can end a frame.

A block starts with a code byte: code - 1 bytes without a zero follow, and then a zero, except after code 255 and at the
end of the data. (S. Cheshire, M. Baker: Consistent Overhead Byte Stuffing, 1997.)
"""

from __future__ import annotations

_FULL = 255  # a block of 254 bytes that no zero ended


def encode(plain: bytes) -> bytes:
    """``plain`` without zeros: one byte longer, and one more for each 254 bytes without a zero."""
    coded = bytearray()
    pieces = plain.split(b"\0")
    for index, piece in enumerate(pieces):
        rest = piece
        while len(rest) >= _FULL - 1:
            head, rest = rest[: _FULL - 1], rest[_FULL - 1 :]
            coded.append(_FULL)
            coded += head
            if not rest and index == len(pieces) - 1:
                return bytes(coded)  # a full block at the very end needs no empty one after it
        coded.append(len(rest) + 1)
        coded += rest
    return bytes(coded)


def decode(coded: bytes) -> bytes | None:
    """What `encode` was given; None for bytes that no encoder makes (empty, a zero inside, a block over the end)."""
    size = len(coded)
    if not size or 0 in coded:
        return None
    if _FULL in coded:
        return _decode_long(coded)
    plain = bytearray(coded)
    at = 0
    while at < size:  # each code byte becomes the zero before its block; the first of them is no part of the data
        code = coded[at]
        plain[at] = 0
        at += code
    return bytes(plain[1:]) if at == size else None


def _decode_long(coded: bytes) -> bytes | None:
    """The same with blocks of 254 bytes, whose code stands for no zero. A 255 that isn't a code comes here as well."""
    plain = bytearray()
    at, size = 0, len(coded)
    while at < size:
        code = coded[at]
        end = at + code
        if end > size:
            return None
        plain += coded[at + 1 : end]
        if code != _FULL and end < size:
            plain.append(0)
        at = end
    return bytes(plain)
