"""Commands to the MCU: dataclasses to bytes and back, so that a fake MCU speaks exactly what the host speaks."""

from __future__ import annotations

import struct
from collections.abc import Sequence
from dataclasses import dataclass

from firmware_bridge.protocol.codes import MOST_CHIPS, ClockMode, CommandCode, Gain
from firmware_bridge.protocol.errors import DamagedMessageError, UnknownMessageError

LONGEST_SERIAL = 16
LONGEST_COMMAND = 32
_PING_REPLY = struct.Struct("<II")


@dataclass(frozen=True, slots=True)
class Command:
    """One command. ``token``: 0..255, another one for each command; the MCU's reply repeats it."""

    code: int
    token: int
    data: bytes = b""


def configure_data(clock_mode: int, gains: Sequence[int]) -> bytes:
    """Data of a CONFIGURE. Raises ValueError for a mode or gain that isn't one, or more chips than there can be."""
    if len(gains) > MOST_CHIPS or not gains:
        raise ValueError(f"configure takes 1 to {MOST_CHIPS} chips, got {len(gains)}")
    return bytes([ClockMode(clock_mode), *(Gain(gain) for gain in gains)])


def serial_data(serial: str) -> bytes:
    """Data of a SET_SERIAL. Raises ValueError for a name that is empty, too long, or has anything but plain ASCII."""
    if not 1 <= len(serial) <= LONGEST_SERIAL or not serial.isascii() or not serial.isprintable() or " " in serial:
        raise ValueError(
            f"an MCU's serial is 1 to {LONGEST_SERIAL} plain characters without blanks, as 'bay-07', got {serial!r}"
        )
    return serial.encode("ascii")


def ping_times(data: bytes) -> tuple[int, int]:
    """MCU clock when the ping had come in and when its reply was queued (µs, 32 bits). Raises DamagedMessageError."""
    if len(data) != _PING_REPLY.size:
        raise DamagedMessageError(f"the reply to a ping has {_PING_REPLY.size} bytes of times, this one {len(data)}")
    came, queued = _PING_REPLY.unpack(data)
    return came, queued


def encode_command(command: Command) -> bytes:
    """The message of one command, ready for `encode_frame`. Raises ValueError where it is too long."""
    message = bytes([command.code, command.token]) + command.data
    if len(message) > LONGEST_COMMAND:
        raise ValueError(f"a command has at most {LONGEST_COMMAND} bytes, this one {len(message)}")
    return message


def decode_command(message: bytes) -> Command:
    """What the MCU makes of a message; the value of its data is for whoever carries it out.

    Raises UnknownMessageError for a code that is no command.
    """
    if len(message) < 2 or message[0] not in CommandCode._value2member_map_:
        raise UnknownMessageError(f"{message[:2].hex()} is no command of this protocol")
    return Command(message[0], message[1], bytes(message[2:]))
