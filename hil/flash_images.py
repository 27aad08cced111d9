"""Images to try flashing with: made up, or the real firmware under another version."""

from __future__ import annotations

import hashlib
import json
import zlib
from pathlib import Path

from firmware_bridge.flash.descriptor import Descriptor, find_descriptor, pack_descriptor
from firmware_bridge.flash.image import manifest_path
from firmware_bridge.protocol.codes import PROTOCOL_VERSION

_RECORD_BYTES = 16
NAME = "shelfedge-atmega328p"
MCU = "atmega328p"


def hex_text(memory: bytes, begin: int = 0) -> str:
    """Memory as Intel HEX with 16-bit addresses."""
    lines = []
    for at in range(0, len(memory), _RECORD_BYTES):
        data = memory[at : at + _RECORD_BYTES]
        record = bytes([len(data)]) + (begin + at).to_bytes(2, "big") + b"\0" + data
        lines.append(":" + (record + bytes([-sum(record) & 0xFF])).hex().upper())
    return "\n".join([*lines, ":00000001FF", ""])


def made_up(size: int = 4000, version: str = "9.9.9", seed: int = 1) -> bytes:
    """An image of ``size`` bytes with a descriptor; its program only stands still."""
    words = b"\xff\xcf" * 32  # rjmp to itself, in place of the vectors
    descriptor = pack_descriptor(Descriptor(NAME, version, MCU, PROTOCOL_VERSION, size))
    filling = bytes((k * 73 + k // 256 * 31 + seed) % 255 for k in range(max(size - len(words) - len(descriptor), 0)))
    memory = words + descriptor + filling
    if len(memory) != size:
        raise ValueError(f"an image has at least {len(memory)} bytes, asked for {size}")
    return memory


def as_version(memory: bytes, version: str) -> bytes:
    """A real image as another version of as many letters: wherever it says its version, it says this one."""
    present = find_descriptor(memory).version
    if len(present) != len(version):
        raise ValueError(f"'{version}' hasn't as many letters as '{present}'")
    return memory.replace(present.encode() + b"\0", version.encode() + b"\0")


def write_image(path: Path, memory: bytes, **other: object) -> Path:
    """The hex and a manifest that fits it, but for what ``other`` says; the path of the hex."""
    text = hex_text(memory).encode("ascii")
    path.write_bytes(text)
    said = find_descriptor(memory)
    manifest = {
        "name": said.name,
        "version": said.version,
        "protocol": said.protocol,
        "mcu": said.mcu,
        "bytes": len(memory),
        "crc32": zlib.crc32(memory),
        "sha256": hashlib.sha256(text).hexdigest(),
    }
    manifest_path(path).write_text(json.dumps(manifest | other, indent=2) + "\n", "utf-8")
    return path
