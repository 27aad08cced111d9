"""Frames on the line: COBS(message, CRC16), 0x00. Whatever happens to the bytes, the frame after that is whole."""

from __future__ import annotations

from binascii import crc_hqx
from collections.abc import Callable
from dataclasses import dataclass
from typing import Generic, NamedTuple, TypeVar

from firmware_bridge.protocol import cobs
from firmware_bridge.protocol.errors import DamagedMessageError, UnknownMessageError

LONGEST_MESSAGE = 248
LONGEST_FRAME = LONGEST_MESSAGE + 2 + 1 + 1  # CRC, one byte of COBS, the zero
SHORTEST_MESSAGE = 2
CRC_INIT = 0xFFFF

Decoded = TypeVar("Decoded")


def encode_frame(message: bytes) -> bytes:
    """The frame of one message, with its zero. Raises ValueError for a message that no frame may hold."""
    if not SHORTEST_MESSAGE <= len(message) <= LONGEST_MESSAGE:
        raise ValueError(f"a message has {SHORTEST_MESSAGE} to {LONGEST_MESSAGE} bytes, this one {len(message)}")
    return cobs.encode(message + crc_hqx(message, CRC_INIT).to_bytes(2, "big")) + b"\0"


class Received(NamedTuple, Generic[Decoded]):
    """One message out of the line.

    Attributes:
        message: what the decoder made of it.
        wire_bytes: length of its frame on the line, with the zero.
        bytes_after: bytes of the same `Deframer.feed` that came behind it: it was complete that much earlier.
    """

    message: Decoded
    wire_bytes: int
    bytes_after: int


@dataclass(slots=True)
class FrameCounts:
    """What came in since the start.

    Attributes:
        good: frames used.
        damaged: no COBS, a wrong CRC, too short, or a value out of range in a frame that passes.
        unknown: whole, but of a type or length that this side doesn't know.
        oversize: longer than any frame may be: a zero was lost, or it isn't our protocol at all.
        bytes_in: every byte that came in.
    """

    good: int = 0
    damaged: int = 0
    unknown: int = 0
    oversize: int = 0
    bytes_in: int = 0


class Deframer(Generic[Decoded]):
    """Bytes in, messages out. Holds at most one frame, never raises, and is in step again at the next zero.

    Args:
        decode: message bytes without CRC to whatever is wanted; raises DamagedMessageError or UnknownMessageError.
    """

    def __init__(self, decode: Callable[[bytes], Decoded]) -> None:
        self.counts = FrameCounts()
        self._decode = decode
        self._begun = b""
        self._too_long = False  # the frame begun is already longer than one may be; its rest is thrown away

    def feed(self, data: bytes) -> list[Received[Decoded]]:
        """The messages that ``data`` completes, in order."""
        counts = self.counts
        counts.bytes_in += len(data)
        *ended, rest = data.split(b"\0")
        whole: list[Received[Decoded]] = []
        after = len(data)
        for piece in ended:
            after -= len(piece) + 1
            if self._too_long:
                self._too_long = False
                counts.oversize += 1
                continue
            coded = self._begun + piece
            self._begun = b""
            if coded:
                self._use(coded, after, whole)
        if not self._too_long:
            self._begun += rest
            if len(self._begun) >= LONGEST_FRAME:
                self._begun, self._too_long = b"", True
        return whole

    def forget(self) -> None:
        """Drop the frame begun, as when the port was closed: what comes next has nothing to do with it."""
        self._begun, self._too_long = b"", False

    def _use(self, coded: bytes, after: int, whole: list[Received[Decoded]]) -> None:
        if len(coded) >= LONGEST_FRAME:
            self.counts.oversize += 1
            return
        plain = cobs.decode(coded)
        if plain is None or len(plain) < SHORTEST_MESSAGE + 2 or crc_hqx(plain, CRC_INIT) != 0:
            self.counts.damaged += 1
            return
        try:
            message = self._decode(plain[:-2])
        except UnknownMessageError:
            self.counts.unknown += 1
        except DamagedMessageError:
            self.counts.damaged += 1
        else:
            self.counts.good += 1
            whole.append(Received(message, len(coded) + 1, after))
