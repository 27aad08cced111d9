"""What is published of the wire format holds: the schema, the examples, and the page for people who write back ends."""

from __future__ import annotations

import hashlib
import hmac
import json
import re
import subprocess
import sys
from pathlib import Path
from typing import Any

import cbor2
import pycddl
import pytest
from hypothesis import given
from stream_wire_entries import EVENT_ENTRIES, NOTES, PICK_ENTRY, SYNCED
from uplink_bed import BOOT, MemoryOutbox

import edge.stream
from edge.stream.cbor_reader import read_item
from edge.stream.entry import EventEntry, Note
from edge.stream.entry_json import entry_to_object
from edge.stream.uplink import commands
from edge.stream.uplink.command_keys import CommandKey, why_refused
from edge.stream.uplink.commands import MOST_COMMAND_BYTES, MOST_ID_CHARACTERS
from edge.stream.uplink.log import ThrottledLog
from edge.stream.uplink.patience import Pace
from edge.stream.uplink.resends import MOST_AT_ONCE, Resends
from edge.stream.uplink.sender import Sender, WireForm
from edge.stream.uplink.topics import Names
from edge.stream.vectors import vectors
from edge.stream.wire import WireError, decode_items, encode, for_wire

_FOLDER = Path(edge.stream.__file__).parent
_SCHEMA = pycddl.Schema((_FOLDER / "events.cddl").read_text(encoding="utf-8"))
_PUBLISHED = json.loads((_FOLDER / "vectors.json").read_text(encoding="utf-8"))
_OF_A_LATER_VERSION = "keys and members to come"
_KEPT = cbor2.loads(encode(PICK_ENTRY))
_SENT_NOTE = cbor2.loads(encode(Note(1, 2, "dropped", SYNCED, 5, {"boot": 1, "missing": [[1, 2, 3]], "share": 0.1})))


@given(EVENT_ENTRIES)
def test_events_are_what_the_schema_says(entry: EventEntry) -> None:
    kept = encode(entry)
    _SCHEMA.validate_cbor(kept)
    _SCHEMA.validate_cbor(for_wire(kept, evidence=True, historical=True))


@given(NOTES)
def test_notes_are_what_the_schema_says(note: Note) -> None:
    item = cbor2.loads(encode(note))
    item[21] = {name: value for name, value in item[21].items() if not isinstance(value, dict)}
    _SCHEMA.validate_cbor(cbor2.dumps(item))  # pycddl 0.6 refuses any map right within a map, whatever the schema


@pytest.mark.parametrize("vector", _PUBLISHED["read"], ids=lambda vector: vector["name"])
def test_examples_are_what_the_schema_says(vector: dict[str, Any]) -> None:
    data, position = bytes.fromhex(vector["hex"]), 0
    if vector["name"] == _OF_A_LATER_VERSION:
        return
    while position < len(data):
        _, end = read_item(data, position)
        _SCHEMA.validate_cbor(data[position:end])
        position = end


@pytest.mark.parametrize(
    "change",
    [
        {1: None},
        {1: _KEPT[1][:11]},
        *({1: [*_KEPT[1][:member], wrong, *_KEPT[1][member + 1 :]]} for member, wrong in (
            (0, -1), (0, 1 << 32), (1, 0), (1, "x"), (2, -1), (3, -1), (3, 1.5), (4, 1000), (5, -1), (5, None),
            (6, "x"), (7, None), (9, 5), (10, None), (11, -1), (11, 1_000_001), (12, 1.5), (13, "x"),
            (8, 5), (14, True),
        )),
        {2: -1},
        {2: True},
        {3: 5},
        {3: [[2, None, None, 1, 5]]},
        {3: [[0, None, None, 1]]},
        {4: {}},
        {4: [["t", -1]]},
        {5: [[1], 2]},
        {5: [["x"], 1, 1, 1, 1, 1]},
        {5: [[1], 1, 1, 1, None, 1]},
        {6: 1},
        {7: "x"},
        {8: [1]},
        {8: 5},
        {20: "dropped"},
        {99: 1},
    ],
    ids=repr,
)  # fmt: skip
def test_the_schema_refuses_what_is_no_event(change: dict[int, Any]) -> None:
    _SCHEMA.validate_cbor(cbor2.dumps(_KEPT))
    with pytest.raises(pycddl.ValidationError):
        _SCHEMA.validate_cbor(cbor2.dumps(_KEPT | change))


@pytest.mark.parametrize(
    "change",
    [{1: [1]}, {1: [1, 0, 0, 0, 0]}, {99: 1}, {6: 0}, {8: []}, {20: 5}, {21: {1: 1}}, {21: {"a": b""}}],
    ids=repr,
)
def test_the_schema_refuses_what_is_no_note(change: dict[int, Any]) -> None:
    _SCHEMA.validate_cbor(cbor2.dumps(_SENT_NOTE))
    with pytest.raises(pycddl.ValidationError):
        _SCHEMA.validate_cbor(cbor2.dumps(_SENT_NOTE | change))


@pytest.mark.parametrize("vector", _PUBLISHED["read"], ids=lambda vector: vector["name"])
def test_published_bytes_say_what_is_published(vector: dict[str, Any]) -> None:
    entries = decode_items(bytes.fromhex(vector["hex"]))
    assert [entry_to_object(entry, _PUBLISHED["store"], _PUBLISHED["node"]) for entry in entries] == vector["json"]


@pytest.mark.parametrize("vector", _PUBLISHED["refused"], ids=lambda vector: vector["name"])
def test_published_bytes_that_are_refused(vector: dict[str, Any]) -> None:
    with pytest.raises(WireError):
        decode_items(bytes.fromhex(vector["hex"]))


def test_published_examples_are_still_written_byte_for_byte() -> None:
    """P8, and the promise to back ends: what a key means never changes."""
    assert vectors() == _PUBLISHED
    command = [sys.executable, "-m", "edge.stream.vectors"]
    written = subprocess.run(command, check=True, capture_output=True, cwd=_FOLDER.parents[1])
    assert written.stdout == (_FOLDER / "vectors.json").read_bytes()


def test_the_page_for_back_ends_quotes_the_examples() -> None:
    """EVENTS.md: its bytes are among the examples, and it speaks of every key and every note."""
    page = (_FOLDER / "EVENTS.md").read_text(encoding="utf-8")
    quoted = re.sub(r"\s", "", re.search(r"```hex\n(.*?)```", page, re.DOTALL)[1])  # type: ignore[index]
    assert quoted in [vector["hex"] for vector in _PUBLISHED["read"]]
    for word in ("dropped", "damaged", "clock", "planogram", "started", "resend", "ack", "historical", "events.cddl"):
        assert word in page
    assert page.count("\n") < 220


@pytest.mark.parametrize("vector", _PUBLISHED["signed"], ids=lambda vector: vector["command"])
def test_published_signatures_are_an_hmac_of_the_text_beside_them(vector: dict[str, Any]) -> None:
    """As somebody reads the page who has none of our code."""
    payload, text = vector["payload"], vector["text"]
    right = hmac.new(bytes.fromhex(vector["key_hex"]), text.encode("ascii"), hashlib.sha256).hexdigest()
    assert payload["signature"] == right
    said = json.loads(text)
    rest = {key: payload[key] for key in payload if key not in ("id", "key_id", "signed_boot", "signature")}
    assert said[1:] == [
        *vector["topic"].split("/")[2:4],
        vector["command"],
        payload["signed_boot"],
        payload["id"],
        rest,
    ]
    names = Names(None if said[1] == "-" else said[1], said[2])
    key = CommandKey(bytes.fromhex(vector["key_hex"]), frozenset([vector["command"]]))
    assert why_refused({payload["key_id"]: key}, names, vector["command"], payload["signed_boot"], payload) is None


def test_the_page_quotes_a_signed_command() -> None:
    page = (_FOLDER / "EVENTS.md").read_text(encoding="utf-8")
    signed = _PUBLISHED["signed"][0]
    for quoted in (signed["text"], signed["key_hex"], signed["payload"]["signature"]):
        assert quoted in page


def test_the_page_tells_every_field_of_an_answer_and_every_limit() -> None:
    page = (_FOLDER / "EVENTS.md").read_text(encoding="utf-8")
    outbox = MemoryOutbox()
    outbox.add(1)
    sender = Sender(outbox, WireForm(BOOT, False, 10.0), False, Pace(), ThrottledLog())
    for field in (*Resends(outbox, sender, BOOT).ask({"from_seq": 1}), "retry_s"):
        assert f"`{field}`" in page
    assert f"at most {MOST_COMMAND_BYTES} bytes" in page
    assert f"1 to {MOST_ID_CHARACTERS} printable" in page
    assert f"{commands._BURST} commands at once and then {commands._PER_S:g} a second" in page
    assert f"{MOST_AT_ONCE:,} for one command" in page
