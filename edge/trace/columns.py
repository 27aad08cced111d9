"""Columns of plain values as bytes, without loss: integers as differences, floats as the decimals that they are.

A column doesn't say how many values it has; who reads it knows. Each value takes at least one byte, so that a length
which can't be is found before memory is taken.
"""

from __future__ import annotations

import itertools
import struct
from collections.abc import Iterable, Sequence

from edge.trace.errors import BlockDamagedError

DIVISORS = (1, 10, 100, 1000, 16, 256, 10_000)
"""A float column whose values are all n / divisor to the last bit is stored as the integers n."""
RAW = 255
_MOST_EXACT = 1 << 52  # integers below this are floats, too
_MOST_VARINT_BYTES = 10
_PREVIOUS, _LIKE = 0, 1

Before = Sequence[int]
"""For each value the place of the one it is likely to resemble, -1 for none."""


class Bytes:
    """Bytes that are read from front to back. Raises BlockDamagedError at their end."""

    def __init__(self, data: bytes | memoryview, at: int = 0) -> None:
        self._data = bytes(data)
        self._at = at

    @property
    def left(self) -> int:
        """How many haven't been read."""
        return len(self._data) - self._at

    def take(self, count: int) -> bytes:
        """The next ``count``."""
        if not 0 <= count <= self.left:
            raise BlockDamagedError("a block of sightings is shorter than it says")
        self._at += count
        return self._data[self._at - count : self._at]

    def varint(self) -> int:
        """An unsigned number, seven bits a byte, low ones first."""
        value = shift = 0
        for _ in range(_MOST_VARINT_BYTES):
            (byte,) = self.take(1)
            value |= (byte & 0x7F) << shift
            if byte < 0x80:
                return value
            shift += 7
        raise BlockDamagedError("a number in a block of sightings is too long")

    def varints(self, count: int) -> list[int]:
        """As many unsigned numbers."""
        self.check_count(count)
        data, at = self._data, self._at
        found: list[int] = []
        try:
            for _ in range(count):
                byte = data[at]
                at += 1
                value, shift = byte & 0x7F, 7
                while byte > 0x7F:
                    if shift > 63:
                        raise BlockDamagedError("a number in a block of sightings is too long")
                    byte = data[at]
                    at += 1
                    value |= (byte & 0x7F) << shift
                    shift += 7
                found.append(value)
        except IndexError:
            raise BlockDamagedError("a block of sightings is shorter than it says") from None
        self._at = at
        return found

    def check_count(self, count: int) -> None:
        """Raises BlockDamagedError when so many values can't follow."""
        if count > self.left:
            raise BlockDamagedError(f"a block of sightings can't hold the {count} values that it announces")


def varint(value: int) -> bytes:
    """What `Bytes.varint` reads."""
    found = bytearray()
    while value > 0x7F:
        found.append(value & 0x7F | 0x80)
        value >>= 7
    found.append(value)
    return bytes(found)


def put_ints(values: Sequence[int], before: Before) -> bytes:
    """Differences to the value before or to the one each resembles, whichever takes less."""
    if any(not -(1 << 63) <= value < 1 << 63 for value in values):
        raise ValueError("a number of a sighting doesn't fit into 64 bits")
    plain = _zigzags(value - (values[k - 1] if k else 0) for k, value in enumerate(values))
    like = _zigzags(value - (values[j] if j >= 0 else 0) for value, j in zip(values, before, strict=True))
    return bytes([_LIKE]) + like if len(like) < len(plain) else bytes([_PREVIOUS]) + plain


def take_ints(data: Bytes, before: Before) -> list[int]:
    """The inverse of `put_ints`; ``before`` says how many there are."""
    (mode,) = data.take(1)
    if mode not in (_PREVIOUS, _LIKE):
        raise BlockDamagedError("a column of sightings is of an unknown kind")
    steps = [word >> 1 if not word & 1 else -(word >> 1) - 1 for word in data.varints(len(before))]
    if mode == _PREVIOUS:
        return list(itertools.accumulate(steps))
    values: list[int] = []
    for step, j in zip(steps, before, strict=True):
        values.append(step + values[j] if j >= 0 else step)
    return values


def put_floats(values: Sequence[float], before: Before) -> bytes:
    """Integers over a divisor where that is exact, or else eight bytes each."""
    for place, divisor in enumerate(DIVISORS):
        whole = _numerators(values, divisor)
        if whole is not None:
            return bytes([place]) + put_ints(whole, before)
    return bytes([RAW]) + struct.pack(f"<{len(values)}d", *values)


def take_floats(data: Bytes, before: Before) -> list[float]:
    """The inverse of `put_floats`."""
    (place,) = data.take(1)
    if place == RAW:
        data.check_count(8 * len(before))
        return list(struct.unpack(f"<{len(before)}d", data.take(8 * len(before))))
    if place >= len(DIVISORS):
        raise BlockDamagedError("a column of sightings is of an unknown kind")
    divisor = DIVISORS[place]
    try:
        return [value / divisor for value in take_ints(data, before)]
    except OverflowError:
        raise BlockDamagedError("a number in a block of sightings is too large") from None


def put_texts(values: Sequence[str], before: Before) -> bytes:
    """Each text once, then which is where."""
    places = {text: place for place, text in enumerate(dict.fromkeys(values))}
    front = [varint(len(places))]
    for text in places:
        data = text.encode()
        front += [varint(len(data)), data]
    return b"".join(front) + put_ints([places[text] for text in values], before)


def take_texts(data: Bytes, before: Before) -> list[str]:
    """The inverse of `put_texts`."""
    n_texts = data.varint()
    data.check_count(n_texts)
    try:
        texts = [str(data.take(data.varint()), "utf-8") for _ in range(n_texts)]
        places = take_ints(data, before)
        if any(place < 0 for place in places):
            raise IndexError
        return [texts[place] for place in places]
    except (UnicodeDecodeError, IndexError):
        raise BlockDamagedError("a block of sightings has a text that can't be") from None


def no_likeness(count: int) -> list[int]:
    """A `Before` in which no value resembles another."""
    return [-1] * count


def likeness(keys: Sequence[str]) -> list[int]:
    """The place of the last one before with the same key, for each."""
    last: dict[str, int] = {}
    before = []
    for place, key in enumerate(keys):
        before.append(last.get(key, -1))
        last[key] = place
    return before


def _zigzags(values: Iterable[int]) -> bytes:
    return b"".join(varint(value << 1 if value >= 0 else (-value << 1) - 1) for value in values)


def _numerators(values: Sequence[float], divisor: int) -> list[int] | None:
    """Integers n with n / divisor equal to the values bit by bit, or None."""
    found = []
    for value in values:
        scaled = value * divisor
        if not -_MOST_EXACT < scaled < _MOST_EXACT:  # NaN and infinity, too
            return None
        whole = round(scaled)
        if whole / divisor != value or (whole == 0 and str(value)[0] == "-"):
            return None
        found.append(whole)
    return found
