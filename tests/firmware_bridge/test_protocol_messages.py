"""Messages and commands survive their bytes; what is out of range or breaks off is refused with a reason."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from firmware_bridge.protocol.codes import ClockMode, CommandCode, Gain
from firmware_bridge.protocol.commands import (
    Command,
    configure_data,
    decode_command,
    encode_command,
    ping_times,
    serial_data,
)
from firmware_bridge.protocol.errors import DamagedMessageError, UnknownMessageError
from firmware_bridge.protocol.frames import LONGEST_MESSAGE
from firmware_bridge.protocol.identity import Identity, decode_identity, encode_identity
from firmware_bridge.protocol.messages import (
    ChipStatus,
    McuNotice,
    RawSample,
    Reply,
    Samples,
    Status,
    decode_message,
    encode_message,
)

U8, U16, U32 = (st.integers(0, (1 << bits) - 1) for bits in (8, 16, 32))
SAMPLE = st.builds(
    RawSample, st.integers(0, 7), U8, U8, st.integers(-(1 << 15), (1 << 15) - 1),
    st.integers(-(1 << 23), (1 << 23) - 1), U8, U8,
)  # fmt: skip
CHIP = st.builds(ChipStatus, U32, *[U16] * 9, U8, U8)
TEXT = st.text(st.characters(min_codepoint=32, max_codepoint=126), max_size=16)
IDENTITY = st.builds(
    Identity, U16, U16, U8, TEXT, TEXT, TEXT, U32, U32, U8, TEXT, st.binary(max_size=9), U8, U8, U16, U8,
    st.binary(max_size=9), U32,
)  # fmt: skip
ANY = st.one_of(
    st.builds(Samples, U16, U16, U32, st.lists(SAMPLE, min_size=1, max_size=20).map(tuple)),
    st.builds(Status, U16, U16, U32, U8, U16, U16, U32, *[U16] * 4, st.lists(CHIP, max_size=8).map(tuple)),
    st.builds(McuNotice, U16, U16, U32, st.integers(0, 7) | st.just(255), U8, U16),
    st.builds(Reply, U16, U16, U8, U8, U8, st.binary(max_size=32)),
    IDENTITY,
)


@settings(max_examples=300, deadline=None)
@given(ANY)
def test_any_message_survives_its_bytes(message: Any) -> None:
    data = encode_message(message)
    assert 5 <= len(data) <= LONGEST_MESSAGE
    assert decode_message(data) == message


@settings(max_examples=500, deadline=None)
@given(st.binary(min_size=2, max_size=LONGEST_MESSAGE), st.sampled_from([None, 1, 2, 3, 4, 5]))
def test_any_bytes_give_a_message_or_a_reason(data: bytes, kind: int | None) -> None:
    data = data if kind is None else bytes([kind]) + data[1:]
    try:
        message = decode_message(data)
    except (UnknownMessageError, DamagedMessageError):
        return
    if isinstance(message, Samples):
        assert all(0 <= sample.chip <= 7 for sample in message.samples)


@given(ANY, st.data())
@settings(max_examples=200, deadline=None)
def test_a_message_cut_short_is_never_taken_for_samples_of_another_number(message: Any, data: Any) -> None:
    whole = encode_message(message)
    cut = whole[: data.draw(st.integers(1, len(whole) - 1))]
    try:
        found = decode_message(cut)
    except (UnknownMessageError, DamagedMessageError):
        return
    if isinstance(message, Samples):  # cut at a sample's end: the CRC, not the length, keeps this from happening
        assert isinstance(found, Samples)
        assert found.samples == message.samples[: len(found.samples)]


@given(st.sampled_from(CommandCode), U8, st.binary(max_size=30))
def test_any_command_survives_its_bytes(code: CommandCode, token: int, data: bytes) -> None:
    command = Command(code, token, data)
    assert decode_command(encode_command(command)) == command


@given(st.binary(max_size=40))
def test_any_bytes_are_a_command_or_refused(data: bytes) -> None:
    if len(data) >= 2 and data[0] in set(CommandCode):
        assert decode_command(data).code == data[0]
    else:
        with pytest.raises(UnknownMessageError, match="no command"):
            decode_command(data)


def test_a_sample_of_a_chip_that_cannot_be_is_damage() -> None:
    data = bytearray(encode_message(Samples(0, 0, 0, (RawSample(0, 0, 0, 0, 0, 0, 0), RawSample(1, 0, 0, 0, 0, 0, 0)))))
    data[9] = 8
    with pytest.raises(DamagedMessageError, match="chip 8"):
        decode_message(bytes(data))


def test_a_status_of_more_chips_than_there_can_be_is_damage() -> None:
    chips = tuple(ChipStatus(*[0] * 12) for _ in range(9))
    with pytest.raises(DamagedMessageError, match="9 chips"):
        decode_message(encode_message(Status(0, 0, *[0] * 9, chips)))


def test_a_notice_of_a_chip_that_cannot_be_is_damage() -> None:
    with pytest.raises(DamagedMessageError, match="chip 8"):
        decode_message(encode_message(McuNotice(0, 0, 0, 8, 1, 0)))


@given(IDENTITY, st.integers(16, 255), st.binary(max_size=9))
@settings(deadline=None)
def test_an_identity_with_records_of_the_future_is_read_without_them(identity: Identity, tag: int, data: bytes) -> None:
    record = bytes([tag, len(data)]) + data
    body = record + encode_identity(identity) + record
    assert decode_identity(identity.seq, identity.boot, body) == identity


def test_an_identity_that_breaks_off_or_has_a_number_of_other_size_is_damage() -> None:
    body = encode_identity(Identity(0, 0, protocol=1))
    with pytest.raises(DamagedMessageError, match="breaks off"):
        decode_identity(0, 0, body[:-1])
    with pytest.raises(DamagedMessageError, match="tag 5 has 2 bytes, expected 4"):
        decode_identity(0, 0, bytes([5, 2, 0, 0]))


def test_configure_takes_known_modes_and_gains_alone() -> None:
    assert configure_data(ClockMode.SHARED, [Gain.A128, Gain.OFF, Gain.B32, Gain.A64]) == bytes([1, 25, 0, 26, 27])
    with pytest.raises(ValueError, match="28"):
        configure_data(0, [28])
    with pytest.raises(ValueError, match="1 to 8 chips"):
        configure_data(0, [25] * 9)


@pytest.mark.parametrize("serial", ["", "x" * 17, "bay 7", "kühl-7", "bay\n7"])
def test_a_serial_that_people_could_not_read_back_is_refused(serial: str) -> None:
    with pytest.raises(ValueError, match="1 to 16 plain characters"):
        serial_data(serial)
    assert serial_data("bay-07") == b"bay-07"


def test_ping_times_need_all_their_bytes() -> None:
    assert ping_times(bytes([1, 0, 0, 0, 0, 1, 0, 0])) == (1, 256)
    with pytest.raises(DamagedMessageError, match="8 bytes"):
        ping_times(bytes(7))


def test_a_command_too_long_for_the_mcu_is_refused() -> None:
    with pytest.raises(ValueError, match="at most 32"):
        encode_command(Command(CommandCode.SET_SERIAL, 0, bytes(31)))
