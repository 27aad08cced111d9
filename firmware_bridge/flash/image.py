"""An image and the manifest beside it, checked against each other and against the chip before a byte is written."""

from __future__ import annotations

import hashlib
import json
import zlib
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from firmware_bridge.flash.chips import CHIPS, Chip
from firmware_bridge.flash.descriptor import Descriptor, find_descriptor
from firmware_bridge.flash.errors import ImageError, ImageFileError
from firmware_bridge.flash.intel_hex import read_hex

MOST_HEX_BYTES = 1_000_000  # 32 KB of flash are 90 KB of text
_FIELDS: dict[str, type] = {
    "version": str,
    "protocol": int,
    "mcu": str,
    "bytes": int,
    "crc32": int,
    "sha256": str,
}


@dataclass(frozen=True, slots=True)
class Image:
    """A firmware that may be written: every check has passed.

    ``version`` is the firmware's; ``memory`` is the flash from address 0 up, gaps as 0xFF; ``crc32`` is what the
    running firmware says of itself.
    """

    path: Path
    memory: bytes = field(repr=False)
    chip: Chip
    version: str
    protocol: int
    crc32: int


def bundled_image() -> Path:
    """The image that comes with this version."""
    return Path(__file__).parents[1] / "firmware" / "shelfedge-atmega328p.hex"


def manifest_path(image: Path) -> Path:
    """Where an image's manifest is: beside it, under the same name with .json."""
    return image.with_suffix(".json")


def load_image(path: Path, protocol: int) -> Image:
    """Read and check an image for MCUs that speak ``protocol``. Nothing has been sent anywhere yet.

    Raises ImageFileError where it can't be read; ImageError, with what is wrong and what to do, for any that mustn't be
    written.
    """
    text = _read(path, "the image")
    manifest = _manifest(path)
    chip = CHIPS.get(manifest["mcu"])
    if chip is None:
        raise _refused(path, f"it is for the MCU '{manifest['mcu']}'; this version can flash: {', '.join(CHIPS)}")
    if manifest["protocol"] != protocol:
        raise _refused(
            path,
            f"its firmware speaks protocol {manifest['protocol']} and this version of shelfedge speaks {protocol}; "
            "take an image and a shelfedge of the same release",
        )
    try:
        memory = read_hex(text.decode("ascii", "replace"), chip.application_bytes)
        _check_sums(path, text, memory, manifest)
        _check_descriptor(find_descriptor(memory), memory, manifest)
    except ImageError as error:
        raise _refused(path, str(error)) from None
    return Image(path, memory, chip, manifest["version"], protocol, manifest["crc32"])


def _check_sums(path: Path, text: bytes, memory: bytes, manifest: dict[str, Any]) -> None:
    digest = hashlib.sha256(text).hexdigest()
    expected = manifest["sha256"].lower()
    if digest != expected:
        raise ImageError(
            f"its checksum isn't the one in {manifest_path(path).name} (sha256 {digest[:12]}..., expected "
            f"{expected[:12]}...): it was changed or damaged after it was built. Get both files again"
        )
    if len(memory) != manifest["bytes"]:
        raise ImageError(f"it holds {len(memory)} bytes, its manifest says {manifest['bytes']}. Get both files again")
    if zlib.crc32(memory) != manifest["crc32"]:
        raise ImageError(
            f"its bytes have the CRC {zlib.crc32(memory):08x}, its manifest says {manifest['crc32']:08x}. Get both "
            "files again"
        )


def _check_descriptor(said: Descriptor, memory: bytes, manifest: dict[str, Any]) -> None:
    """The image's own word and its manifest's must agree: the manifest may be another image's."""
    pairs = (
        ("MCU", said.mcu, manifest["mcu"]),
        ("version", said.version, manifest["version"]),
        ("protocol", said.protocol, manifest["protocol"]),
        ("length", said.length, len(memory)),
    )
    for name, inside, outside in pairs:
        if inside != outside:
            raise ImageError(f"from within it says {name} '{inside}', its manifest '{outside}'. Get both files again")


def _read(path: Path, what: str) -> bytes:
    try:
        with path.open("rb") as file:
            data = file.read(MOST_HEX_BYTES + 1)
    except OSError as error:
        raise ImageFileError(f"{path}: {what} can't be read: {error.strerror}. Nothing was written") from error
    if len(data) > MOST_HEX_BYTES:
        raise _refused(path, f"it is larger than {MOST_HEX_BYTES // 1000} KB, which no image for a shelf MCU is")
    return data


def _manifest(image: Path) -> dict[str, Any]:
    """The manifest, each field there and of its type."""
    path = manifest_path(image)
    if not path.exists():
        raise _refused(
            image,
            f"there is no manifest beside it ({path.name}), so nobody can tell what it is for and whether it is whole. "
            "Copy the manifest that was made with it to the same folder",
        )
    data = _read(path, "the manifest")
    try:
        found = json.loads(data)
    except (ValueError, RecursionError) as error:
        raise ImageError(
            f"{path}: not a JSON file: {error}. Get the image and its manifest again; nothing was written"
        ) from None
    if not isinstance(found, dict):
        raise ImageError(f"{path}: expected a JSON object with {', '.join(_FIELDS)}; nothing was written")
    for name, kind in _FIELDS.items():
        if type(found.get(name)) is not kind:
            expected = "a whole number" if kind is int else "a text"
            raise ImageError(f"{path}: '{name}' is {found.get(name)!r}, expected {expected}; nothing was written")
    return found


def _refused(path: Path, why: str) -> ImageError:
    return ImageError(f"{path}: this image is refused: {why}. Nothing was written")
