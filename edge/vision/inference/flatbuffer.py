"""Reading tables of a flatbuffer, every offset checked: just enough of the format for what a model file says of itself.

Format: flatbuffers.dev, "Internals". A table begins with the distance to its vtable, which says where each field is.
"""

from __future__ import annotations

import struct
from dataclasses import dataclass

MOST_ELEMENTS = 1_000_000


class FlatbufferError(ValueError):
    """The bytes aren't a flatbuffer of the expected kind; inside of `edge.vision.inference` only."""


@dataclass(frozen=True, slots=True)
class Table:
    """One table in ``data``, at ``at``."""

    data: bytes | memoryview
    at: int

    def _number(self, form: str, at: int) -> int:
        try:
            value: int = struct.unpack_from(form, self.data, at)[0] if at >= 0 else 0
        except struct.error:
            raise FlatbufferError(f"byte {at} is beyond its end") from None
        return value

    def _field(self, field: int) -> int:
        """Where a field is; 0 if it isn't there."""
        vtable = self.at - self._number("<i", self.at)
        if not 0 <= vtable < len(self.data):
            raise FlatbufferError(f"a table at byte {self.at} has no description")
        slot = 4 + 2 * field
        if slot + 2 > self._number("<H", vtable):
            return 0
        offset = self._number("<H", vtable + slot)
        return self.at + offset if offset else 0

    def _target(self, at: int) -> int:
        return at + self._number("<I", at)

    def number(self, field: int, form: str, default: int) -> int:
        """A scalar; ``form`` as in `struct`, such as "<b"."""
        at = self._field(field)
        return self._number(form, at) if at else default

    def table(self, field: int) -> Table | None:
        """A table that this one points to."""
        at = self._field(field)
        return Table(self.data, self._target(at)) if at else None

    def _vector(self, field: int, size: int) -> tuple[int, int]:
        """Where a vector's first element is, and how many there are."""
        at = self._field(field)
        if not at:
            return 0, 0
        start = self._target(at)
        count = self._number("<I", start)
        if start + 4 + count * size > len(self.data):
            raise FlatbufferError(f"a list at byte {start} goes on beyond its end")
        return start + 4, count

    def tables(self, field: int) -> list[Table]:
        """A vector of tables."""
        start, count = self._vector(field, 4)
        if count > MOST_ELEMENTS:
            raise FlatbufferError(f"a list at byte {start} has {count} elements")
        return [Table(self.data, self._target(start + 4 * k)) for k in range(count)]

    def numbers(self, field: int, form: str) -> list[float]:
        """A vector of scalars."""
        size = struct.calcsize(form)
        start, count = self._vector(field, size)
        if count > MOST_ELEMENTS:
            raise FlatbufferError(f"a list at byte {start} has {count} elements")
        return [struct.unpack_from(form, self.data, start + size * k)[0] for k in range(count)]

    def raw(self, field: int) -> bytes:
        """A vector of bytes, or a text."""
        start, count = self._vector(field, 1)
        return bytes(self.data[start : start + count])

    def text(self, field: int) -> str:
        """A text; what isn't UTF-8 in it is replaced."""
        return self.raw(field).decode("utf-8", "replace")


def root_table(data: bytes | memoryview, identifier: bytes) -> Table:
    """The table that everything hangs from. Raises FlatbufferError if the file's identifier isn't that."""
    if len(data) < 8 or bytes(data[4:8]) != identifier:
        raise FlatbufferError(f"it doesn't begin as one does ({identifier.decode()} at byte 4)")
    return Table(data, Table(data, 0)._target(0))
