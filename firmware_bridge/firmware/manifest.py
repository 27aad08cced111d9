"""Writes the manifest of a firmware image: what it is, and the sums that tell whether a file is that image.

Called by the Makefile: ``manifest.py IMAGE.hex IMAGE.bin COMPILER_VERSION``, JSON to standard output. It reads name,
version and so on out of the image's own descriptor (image.h), so that the two can't disagree.
"""

from __future__ import annotations

import hashlib
import json
import struct
import sys
import zlib
from pathlib import Path

MAGIC = b"SHELFEDGE IMAGE\0"
DESCRIPTOR = struct.Struct("<16s24s12s12sBH")


def describe(hex_file: bytes, image: bytes, compiler: str) -> dict[str, str | int]:
    """The manifest's fields for an image, given as Intel HEX and as plain bytes from address 0.

    Raises:
        ValueError: the image holds no descriptor, or one for another length than it has.
    """
    at = image.find(MAGIC)
    if at < 0:
        raise ValueError(f"there is no descriptor ({MAGIC!r}) in the image; was image.c linked in?")
    _, name, version, mcu, protocol, length = DESCRIPTOR.unpack_from(image, at)
    if length != len(image):
        raise ValueError(f"the descriptor says {length} bytes, the image has {len(image)}")
    return {
        "name": _text(name),
        "version": _text(version),
        "protocol": protocol,
        "mcu": _text(mcu),
        "sha256": hashlib.sha256(hex_file).hexdigest(),
        "bytes": length,
        "crc32": zlib.crc32(image),
        "compiler": f"avr-gcc {compiler}",
    }


def _text(padded: bytes) -> str:
    return padded.rstrip(b"\0").decode("ascii")


if __name__ == "__main__":
    hex_path, image_path, compiler_version = sys.argv[1:]
    fields = describe(Path(hex_path).read_bytes(), Path(image_path).read_bytes(), compiler_version)
    sys.stdout.write(json.dumps(fields, indent=2) + "\n")
