"""What an image says about itself from within: the descriptor that firmware/image.h puts into each."""

from __future__ import annotations

import struct
from dataclasses import dataclass

from firmware_bridge.flash.errors import ImageError

MAGIC = b"SHELFEDGE IMAGE\0"
_LAYOUT = struct.Struct("<16s24s12s12sBH")


@dataclass(frozen=True, slots=True)
class Descriptor:
    """``length``: bytes of the image from address 0 on. The other fields as in the manifest."""

    name: str
    version: str
    mcu: str
    protocol: int
    length: int


def find_descriptor(memory: bytes) -> Descriptor:
    """The one descriptor in an image. Raises ImageError where there is none, or more than one."""
    at = memory.find(MAGIC)
    if at < 0 or at + _LAYOUT.size > len(memory):
        raise ImageError("there is no shelfedge firmware in it (nothing in it says so); it is for something else")
    if memory.find(MAGIC, at + 1) >= 0:
        raise ImageError("it holds two firmwares, one behind the other")
    _, name, version, mcu, protocol, length = _LAYOUT.unpack_from(memory, at)
    return Descriptor(_text(name), _text(version), _text(mcu), protocol, length)


def pack_descriptor(descriptor: Descriptor) -> bytes:
    """The bytes of a descriptor, for an image made by hand."""
    texts = (descriptor.name.encode(), descriptor.version.encode(), descriptor.mcu.encode())
    return _LAYOUT.pack(MAGIC, *texts, descriptor.protocol, descriptor.length)


def _text(field: bytes) -> str:
    return field.split(b"\0", 1)[0].decode("ascii", "backslashreplace")
