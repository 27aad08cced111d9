"""The vectors that the C side is compiled against hold for the Python side, both ways."""

from __future__ import annotations

import json
from binascii import crc_hqx
from dataclasses import fields
from pathlib import Path
from typing import Any

import pytest

import firmware_bridge.protocol
from firmware_bridge.protocol import cobs
from firmware_bridge.protocol.codes import CommandCode, MessageType
from firmware_bridge.protocol.commands import Command, decode_command, encode_command
from firmware_bridge.protocol.frames import CRC_INIT, LONGEST_FRAME, Deframer, encode_frame
from firmware_bridge.protocol.identity import Identity
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

ROOM = Path(firmware_bridge.protocol.__file__).parent
VECTORS = json.loads((ROOM / "vectors.json").read_text(encoding="utf-8"))
KINDS = {
    "samples": Samples,
    "status": Status,
    "notice": McuNotice,
    "identity": Identity,
    "reply": Reply,
    "command": Command,
}
HEX_FIELDS = {"data", "settings", "commands"}


def _named(vectors: list[dict[str, Any]]) -> Any:
    return pytest.mark.parametrize("vector", vectors, ids=lambda vector: vector["name"])


def _message(vector: dict[str, Any]) -> Any:
    said = {k: bytes.fromhex(v) if k in HEX_FIELDS else v for k, v in vector["fields"].items()}
    if "samples" in said:
        said["samples"] = tuple(RawSample(**row) for row in said["samples"])
    if vector["kind"] == "status":
        said["chips"] = tuple(ChipStatus(**row) for row in said["chips"])
    return KINDS[vector["kind"]](**said)


def _coders(vector: dict[str, Any]) -> tuple[Any, Any]:
    return (encode_command, decode_command) if vector["direction"] == "to_mcu" else (encode_message, decode_message)


@_named(VECTORS["messages"])
def test_fields_make_the_message_and_the_frame_of_the_vector(vector: dict[str, Any]) -> None:
    encode, _ = _coders(vector)
    message = encode(_message(vector))
    assert message.hex() == vector["message"]
    assert encode_frame(message).hex() == vector["frame"]


@_named(VECTORS["messages"])
def test_the_frame_of_the_vector_gives_its_fields(vector: dict[str, Any]) -> None:
    _, decode = _coders(vector)
    deframer = Deframer(decode)
    (received,) = deframer.feed(bytes.fromhex(vector["frame"]))
    assert received.message == _message(vector)
    assert received.wire_bytes == len(vector["frame"]) // 2 <= LONGEST_FRAME
    assert (deframer.counts.good, deframer.counts.damaged) == (1, 0)


@_named(VECTORS["bad_frames"])
@pytest.mark.parametrize("direction", ["from_mcu", "to_mcu"])
def test_a_frame_that_cannot_be_used_is_counted_as_what_it_is(vector: dict[str, Any], direction: str) -> None:
    if vector["direction"] not in (direction, "both"):
        direction = vector["direction"]
    deframer: Deframer[Any] = Deframer(decode_command if direction == "to_mcu" else decode_message)
    assert deframer.feed(bytes.fromhex(vector["frame"])) == []
    counted = {name: getattr(deframer.counts, name) for name in ("good", "damaged", "unknown", "oversize")}
    assert counted == {"good": 0, "damaged": 0, "unknown": 0, "oversize": 0, vector["counts"]: 1}


@pytest.mark.parametrize("vector", VECTORS["cobs"], ids=lambda v: v["plain"][:16] or "empty")
def test_cobs_as_in_the_vectors(vector: dict[str, str]) -> None:
    plain, coded = bytes.fromhex(vector["plain"]), bytes.fromhex(vector["coded"])
    assert cobs.encode(plain) == coded
    assert cobs.decode(coded) == plain


@pytest.mark.parametrize("vector", VECTORS["crc16"], ids=lambda v: v["bytes"][:16] or "empty")
def test_crc_as_in_the_vectors(vector: dict[str, str]) -> None:
    assert crc_hqx(bytes.fromhex(vector["bytes"]), CRC_INIT) == int(vector["crc"], 16)


def test_the_vectors_speak_of_every_message_and_every_command() -> None:
    types = {int(v["message"][:2], 16) for v in VECTORS["messages"]}
    assert types == {*MessageType, *CommandCode}


def test_the_vectors_name_every_field() -> None:
    for vector in VECTORS["messages"]:
        assert set(vector["fields"]) == {field.name for field in fields(KINDS[vector["kind"]])}, vector["name"]


def test_the_page_names_every_command_and_message() -> None:
    page = (ROOM / "PROTOCOL.md").read_text(encoding="utf-8")
    for code in [*MessageType, *CommandCode]:
        assert f"0x{code:02X}" in page
        assert code.name in page
