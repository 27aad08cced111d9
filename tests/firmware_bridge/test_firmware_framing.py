"""The firmware's own framing code, compiled for the host, against the vectors that the Python side is held against."""

from __future__ import annotations

import json
from binascii import crc_hqx
from typing import Any

import pytest
from firmware_native import DAMAGED, FIRMWARE, MESSAGE, NativeFirmware, native_firmware
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.strategies import DataObject

from firmware_bridge.protocol.frames import encode_frame

VECTORS = json.loads((FIRMWARE.parent / "protocol" / "vectors.json").read_text(encoding="utf-8"))
LONGEST_COMMAND = 24


@pytest.fixture(scope="module")
def native(tmp_path_factory: pytest.TempPathFactory) -> NativeFirmware:
    return native_firmware(tmp_path_factory)


def _named(vectors: list[dict[str, Any]]) -> Any:
    return pytest.mark.parametrize("vector", vectors, ids=lambda vector: vector["name"])


def test_crc_is_that_of_the_vectors(native: NativeFirmware) -> None:
    for vector in VECTORS["crc16"]:
        assert native.crc(bytes.fromhex(vector["bytes"])) == int(vector["crc"], 16)


@_named(VECTORS["messages"])
def test_firmware_writes_the_frame_of_the_vector(native: NativeFirmware, vector: dict[str, Any]) -> None:
    assert native.write(bytes.fromhex(vector["message"])).hex() == vector["frame"]


@_named([vector for vector in VECTORS["messages"] if vector["direction"] == "to_mcu"])
def test_firmware_reads_the_command_of_the_vector(native: NativeFirmware, vector: dict[str, Any]) -> None:
    assert native.read(bytes.fromhex(vector["frame"])) == [(MESSAGE, bytes.fromhex(vector["message"]))]


@_named(
    [vector for vector in VECTORS["bad_frames"] if vector["direction"] != "from_mcu" and vector["counts"] != "unknown"]
)
def test_firmware_takes_no_bad_frame_for_a_message(native: NativeFirmware, vector: dict[str, Any]) -> None:
    assert [event for event, _ in native.read(bytes.fromhex(vector["frame"])) if event == MESSAGE] == []


@given(crc_of=st.binary(max_size=64))
def test_crc_is_the_one_of_the_standard_library(native: NativeFirmware, crc_of: bytes) -> None:
    assert native.crc(crc_of) == crc_hqx(crc_of, 0xFFFF)


@given(message=st.binary(min_size=2, max_size=248), start=st.integers(0, 0xFFFF))
def test_firmware_writes_what_the_host_would_at_any_place_of_the_ring(
    native: NativeFirmware, message: bytes, start: int
) -> None:
    assert native.write(message, start) == encode_frame(message)


@given(messages=st.lists(st.binary(min_size=2, max_size=LONGEST_COMMAND), max_size=5))
def test_firmware_reads_all_commands_of_a_stream(native: NativeFirmware, messages: list[bytes]) -> None:
    stream = b"\0".join(encode_frame(message) for message in messages)
    assert native.read(stream) == [(MESSAGE, message) for message in messages]


@given(garbage=st.binary(max_size=300), message=st.binary(min_size=2, max_size=LONGEST_COMMAND))
def test_firmware_is_in_step_again_after_any_garbage(native: NativeFirmware, garbage: bytes, message: bytes) -> None:
    assert native.read(garbage + b"\0" + encode_frame(message))[-1] == (MESSAGE, message)


@given(message=st.binary(min_size=2, max_size=LONGEST_COMMAND), data=st.data())
def test_a_flipped_bit_is_never_taken_for_a_command(native: NativeFirmware, message: bytes, data: DataObject) -> None:
    frame = bytearray(encode_frame(message))
    bit = data.draw(st.integers(0, 8 * (len(frame) - 1) - 1))
    frame[bit // 8] ^= 1 << bit % 8
    wrong = [text for event, text in native.read(bytes(frame)) if event == MESSAGE]
    assert wrong == []


def test_a_command_longer_than_any_counts_as_damaged(native: NativeFirmware) -> None:
    assert [event for event, _ in native.read(encode_frame(b"x" * (LONGEST_COMMAND + 1)))] == [DAMAGED]
