"""Bytes of strangers: they become entries or a WireError with a sentence, within bounds, and never anything else."""

from __future__ import annotations

import struct
import tracemalloc
from typing import Any

import cbor2
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st
from stream_wire_entries import ENTRIES, PICK_ENTRY, SYNCED

from edge.stream.cbor_reader import MOST_DEPTH, CborError, read_item
from edge.stream.entry import Entry, EventEntry, Note
from edge.stream.entry_json import entry_to_line
from edge.stream.wire import WireError, decode_items, encode, for_wire
from edge.stream.wire_reader import MOST_PAYLOAD_BYTES

_PICK = encode(PICK_ENTRY)
_NOTE = encode(Note(1, 2, "dropped", SYNCED, 5, {"boot": 1, "missing": [[1, 2, 3]], "share": 0.1}))
_ANYTHING = st.recursive(
    st.none()
    | st.booleans()
    | st.integers(-(1 << 70), 1 << 70)
    | st.floats()
    | st.text(st.characters(exclude_categories=["Cs"]), max_size=5)
    | st.binary(max_size=5)
    | st.just(cbor2.undefined)
    | st.builds(cbor2.CBORSimpleValue, st.integers(0, 19)),
    lambda inner: (
        st.lists(inner, max_size=16)
        | st.dictionaries(st.integers(-2, 22) | st.text(max_size=2), inner, max_size=6)
        | st.builds(cbor2.CBORTag, st.integers(6, 20) | st.integers(300, 400), inner)
    ),
    max_leaves=30,
)


def _read(payload: bytes) -> list[Entry] | None:
    """What it says, and that people can be told it; None if it is refused."""
    try:
        entries = decode_items(payload)
    except WireError as error:
        sentence = str(error)
        assert 10 < len(sentence) < 400
        return None
    for entry in entries:
        assert isinstance(entry, EventEntry | Note)
        entry_to_line(entry, "s", "n")
        encode(entry)
    return entries


@settings(max_examples=400)
@given(st.binary(max_size=200))
@example(b"\xff")
@example(b"\xfb\x7f\xf8\x00\x00\x00\x00\x00\x00")
def test_any_bytes(payload: bytes) -> None:
    _read(payload)


@settings(max_examples=400)
@given(st.dictionaries(st.integers(0, 22), _ANYTHING, max_size=8))
def test_any_cbor(item: dict[int, Any]) -> None:
    _read(cbor2.dumps(item))


@settings(max_examples=600)
@given(st.sampled_from([_PICK, _NOTE, for_wire(_PICK, evidence=True, historical=True)]), st.data())
def test_entries_with_one_part_exchanged(good: bytes, data: st.DataObject) -> None:
    """Whichever value is replaced by whatever: it is read or refused."""
    item = cbor2.loads(good)
    holder: Any = item
    while True:
        keys = list(holder) if isinstance(holder, dict) else list(range(len(holder)))
        key = data.draw(st.sampled_from(keys))
        if not isinstance(holder[key], list | dict) or not holder[key] or data.draw(st.booleans()):
            break
        holder = holder[key]
    holder[key] = data.draw(_ANYTHING)
    _read(cbor2.dumps(item))


@settings(max_examples=400)
@given(ENTRIES, st.data())
def test_entries_with_damaged_bytes(entry: Entry, data: st.DataObject) -> None:
    payload = bytearray(encode(entry))
    for _ in range(data.draw(st.integers(1, 3))):
        position = data.draw(st.integers(0, len(payload) - 1))
        payload[position] = data.draw(st.integers(0, 255))
    _read(bytes(payload))
    _read(bytes(payload[: data.draw(st.integers(0, len(payload)))]))


@pytest.mark.parametrize("good", [_PICK, _NOTE], ids=["event", "note"])
def test_every_cut_is_refused(good: bytes) -> None:
    for length in range(1, len(good)):
        with pytest.raises(WireError, match="end within an item"):
            decode_items(good[:length])


@pytest.mark.parametrize("good", [_PICK, _NOTE], ids=["event", "note"])
def test_every_byte_changed_is_read_or_refused(good: bytes) -> None:
    for position in range(len(good)):
        for value in range(256):
            _read(good[:position] + bytes([value]) + good[position + 1 :])


@pytest.mark.parametrize(
    "bomb",
    [
        b"\x81" * 100_000 + b"\x01",
        b"\xa1\x01" * 100_000 + b"\x01",
        b"\xd8\x1c" * 100_000,
        b"\xa1" * 100_000,
        b"\x9b" + b"\xff" * 8,
        b"\xbb" + b"\xff" * 8,
        b"\x7b" + b"\xff" * 8 + b"a",
        b"\x5b\x00\x00\x00\xff" + b"\xff" * 4,
        b"\x9a\x7f\xff\xff\xff" * 1000,
        b"\x9f" * 1000,
        b"\x7f\x61a\xff",
        b"\xc2\x5a\x00\x0f\xff\xff" + b"\xff" * 1_000,
        b"\xc4\x82\x1b\x7f" + b"\xff" * 7 + b"\x01",
        b"\xd8\x23\x6a(a{9999}){9}",
        b"\xf8\xff",
        b"\xfc",
        b"\x1c",
        b"\x62\xff\xff",
        b"\xa2\xa1\x01\x02\x03\x80\x04",
        b"\xa1\xf9\x7e\x00\x01",
    ],
    ids=lambda bomb: bomb[:6].hex(),
)
def test_bombs_are_refused_at_once_and_cheaply(bomb: bytes) -> None:
    """P4: what a message may cost is bounded by its length."""
    decode_items(b"")
    tracemalloc.start()
    try:
        with pytest.raises(WireError):
            decode_items(bomb)
        assert tracemalloc.get_traced_memory()[1] < 2_000_000
    finally:
        tracemalloc.stop()


def test_a_message_beyond_all_measure_is_refused_unread() -> None:
    with pytest.raises(WireError, match=f"expected at most {MOST_PAYLOAD_BYTES}"):
        decode_items(b"\x80" * (MOST_PAYLOAD_BYTES + 1))


@pytest.mark.parametrize("depth", [MOST_DEPTH, MOST_DEPTH + 1])
def test_nesting_has_a_limit(depth: int) -> None:
    data = b"\x81" * (depth - 1) + b"\x80"
    if depth <= MOST_DEPTH:
        assert read_item(data, 0)[1] == depth
    else:
        with pytest.raises(CborError, match=f"at most {MOST_DEPTH} levels"):
            read_item(data, 0)


@pytest.mark.parametrize(
    ("change", "says"),
    [
        ({1: None}, "key 1: expected .boot, seq, bits"),
        ({1: [1, 2, 3, 4, 5]}, "key 1: expected .boot, seq, bits"),
        ({2: True}, "key 2, quantity: expected a whole number"),
        ({2: 1.0}, "key 2, quantity"),
        ({2: 1 << 32}, "key 2, quantity"),
        ({3: {}}, "key 3, alternatives: expected an array"),
        ({3: [[2, "a", "b", 1, 5]]}, "key 3, kind"),
        ({3: [[0, "a", "b", 1, 1_000_001]]}, "key 3, ppm"),
        ({4: [["t"]]}, "key 4, who: expected .track, ppm"),
        ({4: [[5, 5]]}, "key 4, track: expected a text"),
        ({5: []}, "key 5, evidence"),
        ({5: [5, 1, 1, 1, 1, 1]}, "key 5, change: expected an array"),
        ({5: [[1], 1, 1, 1, 1, 1, [7]]}, "key 5, fault: expected a text"),
        ({6: 1}, "key 6, historical: expected true or false"),
        ({8: [1]}, "key 8: expected .time_ns, decided_ns"),
        ({8: [float("nan"), 1]}, "key 8, monotonic"),
    ],
)
def test_the_sentence_says_which_key_and_what_is_expected(change: dict[int, Any], says: str) -> None:
    payload = _PICK + cbor2.dumps(cbor2.loads(_PICK) | change)
    with pytest.raises(WireError, match=f"^entry 2 of the message: {says}"):
        decode_items(payload)


@pytest.mark.parametrize("details", [{1: 2}, {"a": b"x"}, {"a": float("nan")}, {"a": [{"b": {"c": float("inf")}}]}, []])
def test_details_are_what_json_can_say(details: Any) -> None:
    item = cbor2.loads(_NOTE) | {21: details}
    with pytest.raises(WireError, match="key 21, details"):
        decode_items(cbor2.dumps(item))


def test_numbers_in_longer_forms_than_needed_are_read() -> None:
    """Only we must write the shortest; a bridge in between may write as it likes."""
    item = cbor2.loads(_PICK)
    head = b"\x01\x98" + bytes([len(item[1])]) + b"".join(_long(value) for value in item[1])
    assert decode_items(b"\xb8\x01" + head) == decode_items(cbor2.dumps({1: item[1]}))


def _long(value: int | str) -> bytes:
    if isinstance(value, str):
        return b"\x7a" + struct.pack(">I", len(value)) + value.encode()
    return struct.pack(">BQ", 0x1B, value) if value >= 0 else struct.pack(">BQ", 0x3B, -1 - value)
