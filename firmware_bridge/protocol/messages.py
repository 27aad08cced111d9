"""Messages from the MCU: bytes (CRC already checked and taken off) to dataclasses, and back."""

from __future__ import annotations

import struct
from dataclasses import dataclass
from typing import NamedTuple

from firmware_bridge.protocol.codes import MOST_CHIPS, MOST_SAMPLES, WHOLE_MCU, MessageType
from firmware_bridge.protocol.errors import DamagedMessageError, UnknownMessageError
from firmware_bridge.protocol.identity import Identity, decode_identity, encode_identity

_HEADER = struct.Struct("<BHH")
_SAMPLES_HEADER = struct.Struct("<BHHI")
_SAMPLE = struct.Struct("<BBBhHbBB")  # the 24-bit code comes as its low 16 bits and its signed high byte
_STATUS = struct.Struct("<IBHHIHHHHB")
_CHIP_STATUS = struct.Struct("<IHHHHHHHHHBB")
_NOTICE = struct.Struct("<IBBH")
_REPLY = struct.Struct("<BBB")


class RawSample(NamedTuple):
    """One conversion as it came over the line.

    Attributes:
        chip: 0..7.
        flags: `McuFlag` bits.
        number: low byte of the chip's count of conversions, this one counted.
        edge_us: ready edge after the frame's `base_us`, -32768..32767.
        counts: the code, sign-extended, -0x800000..0x7FFFFF.
        read_4us: time from the edge to the end of the read in steps of 4 µs; 255 is that or longer.
        high_500ns: longest time the clock was high in this read in steps of 0.5 µs; 255 is that or longer.
    """

    chip: int
    flags: int
    number: int
    edge_us: int
    counts: int
    read_4us: int
    high_500ns: int


@dataclass(frozen=True, slots=True)
class Samples:
    """Conversions in the order they were read. ``base_us``: MCU clock (32 bits) at the first one's ready edge."""

    seq: int
    boot: int
    base_us: int
    samples: tuple[RawSample, ...]


@dataclass(frozen=True, slots=True)
class ChipStatus:
    """One chip's counters since boot; those of 16 bits stop at 65535. Names and units as in PROTOCOL.md."""

    conversions: int
    period_10us: int
    desync: int
    timeouts: int
    restarts: int
    self_restarts: int
    late: int
    overruns: int
    saturated: int
    long_pulses: int
    longest_high_500ns: int
    state: int


@dataclass(frozen=True, slots=True)
class Status:
    """How the MCU is, each second. Names and units as in PROTOCOL.md."""

    seq: int
    boot: int
    uptime_ms: int
    reset_cause: int
    supply_mv: int
    sensor_mv: int
    frames_sent: int
    samples_dropped: int
    rx_damaged: int
    rx_overrun: int
    stack_free: int
    chips: tuple[ChipStatus, ...]


@dataclass(frozen=True, slots=True)
class McuNotice:
    """Something happened at ``at_us`` of the MCU's clock. ``chip`` 255 is the MCU itself; ``cause`` a `NoticeCause`."""

    seq: int
    boot: int
    at_us: int
    chip: int
    cause: int
    value: int


@dataclass(frozen=True, slots=True)
class Reply:
    """What became of the command with this token. ``result``: `ReplyResult`; ``data`` as the command defines it."""

    seq: int
    boot: int
    token: int
    command: int
    result: int
    data: bytes = b""


McuMessage = Samples | Status | McuNotice | Identity | Reply


def decode_message(message: bytes) -> McuMessage:
    """One message from the MCU.

    Raises UnknownMessageError for a type or length that isn't known, DamagedMessageError for a value out of range.
    """
    kind = message[0]
    if kind == MessageType.SAMPLES:
        return _decode_samples(message)
    if len(message) < _HEADER.size:
        raise UnknownMessageError(f"a message from the MCU has at least {_HEADER.size} bytes, this one {len(message)}")
    _, seq, boot = _HEADER.unpack_from(message)
    body = message[_HEADER.size :]
    if kind == MessageType.STATUS:
        return _decode_status(seq, boot, body)
    if kind == MessageType.NOTICE and len(body) == _NOTICE.size:
        notice = McuNotice(seq, boot, *_NOTICE.unpack(body))
        if notice.chip >= MOST_CHIPS and notice.chip != WHOLE_MCU:
            raise DamagedMessageError(f"a notice of chip {notice.chip}; there are 0..{MOST_CHIPS - 1}")
        return notice
    if kind == MessageType.IDENTITY:
        return decode_identity(seq, boot, body)
    if kind == MessageType.REPLY and len(body) >= _REPLY.size:
        token, command, result = _REPLY.unpack_from(body)
        return Reply(seq, boot, token, command, result, body[_REPLY.size :])
    raise UnknownMessageError(f"type 0x{kind:02x} with {len(message)} bytes is no message of this protocol")


def encode_message(message: McuMessage) -> bytes:
    """The same as bytes, ready for `encode_frame`. Raises struct.error for a value that doesn't fit its field."""
    match message:
        case Samples():
            head = _SAMPLES_HEADER.pack(MessageType.SAMPLES, message.seq, message.boot, message.base_us)
            return head + b"".join(
                _SAMPLE.pack(s.chip, s.flags, s.number, s.edge_us, s.counts & 0xFFFF, s.counts >> 16, *s[5:])
                for s in message.samples
            )
        case Status():
            return (
                _HEADER.pack(MessageType.STATUS, message.seq, message.boot)
                + _STATUS.pack(
                    message.uptime_ms,
                    message.reset_cause,
                    message.supply_mv,
                    message.sensor_mv,
                    message.frames_sent,
                    message.samples_dropped,
                    message.rx_damaged,
                    message.rx_overrun,
                    message.stack_free,
                    len(message.chips),
                )
                + b"".join(_encode_chip(chip) for chip in message.chips)
            )
        case McuNotice():
            body = _NOTICE.pack(message.at_us, message.chip, message.cause, message.value)
            return _HEADER.pack(MessageType.NOTICE, message.seq, message.boot) + body
        case Identity():
            return _HEADER.pack(MessageType.IDENTITY, message.seq, message.boot) + encode_identity(message)
        case Reply():
            body = _REPLY.pack(message.token, message.command, message.result)
            return _HEADER.pack(MessageType.REPLY, message.seq, message.boot) + body + message.data


def _decode_samples(message: bytes) -> Samples:
    count, over = divmod(len(message) - _SAMPLES_HEADER.size, _SAMPLE.size)
    if over or not 1 <= count <= MOST_SAMPLES:
        raise UnknownMessageError(f"samples in {len(message)} bytes; it's 9 and 10 for each of 1..{MOST_SAMPLES}")
    _, seq, boot, base_us = _SAMPLES_HEADER.unpack_from(message)
    body = memoryview(message)[_SAMPLES_HEADER.size :]
    samples = tuple(
        RawSample(chip, flags, number, edge_us, low | high << 16, read_4us, high_500ns)
        for chip, flags, number, edge_us, low, high, read_4us, high_500ns in _SAMPLE.iter_unpack(body)
    )
    worst = max(samples)[0]  # tuples compare by their first field, the chip
    if worst >= MOST_CHIPS:
        raise DamagedMessageError(f"a sample of chip {worst}; there are 0..{MOST_CHIPS - 1}")
    return Samples(seq, boot, base_us, samples)


def _decode_status(seq: int, boot: int, body: bytes) -> Status:
    if len(body) < _STATUS.size:
        raise UnknownMessageError(f"a status of {len(body)} bytes; it has at least {_STATUS.size}")
    head = _STATUS.unpack_from(body)
    chips: int = head[-1]
    if len(body) != _STATUS.size + chips * _CHIP_STATUS.size:
        raise UnknownMessageError(f"a status of {chips} chips in {len(body)} bytes")
    if chips > MOST_CHIPS:
        raise DamagedMessageError(f"a status of {chips} chips; there are at most {MOST_CHIPS}")
    rows = _CHIP_STATUS.iter_unpack(memoryview(body)[_STATUS.size :])
    return Status(seq, boot, *head[:-1], tuple(ChipStatus(*row) for row in rows))  # type: ignore[call-arg]  # by count


def _encode_chip(chip: ChipStatus) -> bytes:
    return _CHIP_STATUS.pack(
        chip.conversions,
        chip.period_10us,
        chip.desync,
        chip.timeouts,
        chip.restarts,
        chip.self_restarts,
        chip.late,
        chip.overruns,
        chip.saturated,
        chip.long_pulses,
        chip.longest_high_500ns,
        chip.state,
    )
