"""The IDENTITY message: records of tag, length and bytes, so that it describes itself and can grow."""

from __future__ import annotations

import struct
from dataclasses import dataclass

from firmware_bridge.protocol.errors import DamagedMessageError

_NUMBERS = {1: 1, 5: 4, 6: 4, 7: 1, 10: 1, 11: 1, 12: 2, 13: 1, 15: 4}  # tag -> bytes of its little-endian number
_TEXTS = (2, 3, 4, 8)
_BYTES = (9, 14)


@dataclass(frozen=True, slots=True)
class Identity:
    """Who the MCU is. What it didn't say is 0 or empty; `protocol` 0 is then a firmware that breaks the contract.

    Attributes:
        protocol: version of the protocol it speaks.
        firmware: version of the firmware.
        board: kind of board, as 'atmega328p-nano'.
        serial: name given by `SET_SERIAL`; 'unset' before.
        boot_count: full count of boots; its low 16 bits are in every message.
        baud: of its line; 0 where the line has no baud, as on native USB.
        chips: how many chips its pin map has.
        pin_map: 'SCK=D8,DOUT=D4;...' in order of chip.
        settings: a `Gain` for each chip.
        clock_mode: `ClockMode` in use.
        reset_cause: `ResetCause` bits of this boot.
        high_tick_ns: what one step of a sample's `high_500ns` is.
        largest_message: bytes of its largest message.
        commands: codes of the commands it knows.
        image_crc32: CRC-32 of the running image.
    """

    seq: int
    boot: int
    protocol: int = 0
    firmware: str = ""
    board: str = ""
    serial: str = ""
    boot_count: int = 0
    baud: int = 0
    chips: int = 0
    pin_map: str = ""
    settings: bytes = b""
    clock_mode: int = 0
    reset_cause: int = 0
    high_tick_ns: int = 0
    largest_message: int = 0
    commands: bytes = b""
    image_crc32: int = 0


_FIELDS = {
    1: "protocol",
    2: "firmware",
    3: "board",
    4: "serial",
    5: "boot_count",
    6: "baud",
    7: "chips",
    8: "pin_map",
    9: "settings",
    10: "clock_mode",
    11: "reset_cause",
    12: "high_tick_ns",
    13: "largest_message",
    14: "commands",
    15: "image_crc32",
}


def decode_identity(seq: int, boot: int, body: bytes) -> Identity:
    """The records; unknown tags are skipped. Raises DamagedMessageError where a record breaks off or doesn't fit."""
    said: dict[str, int | str | bytes] = {}
    at = 0
    while at < len(body):
        if at + 2 > len(body) or at + 2 + body[at + 1] > len(body):
            raise DamagedMessageError(f"an identity record breaks off at byte {at} of {len(body)}")
        tag, size = body[at], body[at + 1]
        value = body[at + 2 : at + 2 + size]
        at += 2 + size
        if tag in _NUMBERS:
            if size != _NUMBERS[tag]:
                raise DamagedMessageError(f"identity tag {tag} has {size} bytes, expected {_NUMBERS[tag]}")
            said[_FIELDS[tag]] = int.from_bytes(value, "little")
        elif tag in _TEXTS:
            said[_FIELDS[tag]] = value.decode("utf-8", "backslashreplace")
        elif tag in _BYTES:
            said[_FIELDS[tag]] = value
    return Identity(seq, boot, **said)  # type: ignore[arg-type]  # each field by the kind of its tag, as tested


def encode_identity(identity: Identity) -> bytes:
    """All records, in order of tag."""
    body = b""
    for tag, name in _FIELDS.items():
        value: int | str | bytes = getattr(identity, name)
        if isinstance(value, int):
            record = value.to_bytes(_NUMBERS[tag], "little")
        else:
            record = value.encode() if isinstance(value, str) else value
        body += struct.pack("<BB", tag, len(record)) + record
    return body
