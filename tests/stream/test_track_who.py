"""Who it was, on its way to the store's back end: tracks of ceiling cameras, and nobody who is followed."""

from __future__ import annotations

import dataclasses
from datetime import UTC

import cbor2
from hypothesis import given
from hypothesis import strategies as st
from stream_wire_entries import PICK_ENTRY

from edge.stream.entry import EventEntry
from edge.stream.entry_json import entry_to_object
from edge.stream.entry_text import entry_to_text
from edge.stream.jsonl import event_from_object, event_to_object
from edge.stream.wire import decode_items, encode, for_wire
from edge.trace.event import Event

_TRACKS = st.builds(
    "{}.{}.{}".format, st.sampled_from(["aisle-1", "b.2"]), st.integers(0, 65_535), st.integers(1, 9_999)
)
_WHO = st.dictionaries(_TRACKS | st.just(""), st.integers(0, 1_000_000).map(lambda ppm: ppm / 1e6), max_size=6)


def with_who(who: dict[str, float]) -> EventEntry:
    return dataclasses.replace(PICK_ENTRY, event=dataclasses.replace(PICK_ENTRY.event, who=tuple(who.items())))


def sent(entry: EventEntry) -> bytes:
    return for_wire(encode(entry), evidence=False, historical=False)


def read(payload: bytes) -> Event:
    (entry,) = decode_items(payload)
    assert isinstance(entry, EventEntry)
    return entry.event


@given(_WHO)
def test_who_comes_through_wire_and_json_whole_and_in_order(who: dict[str, float]) -> None:
    entry = with_who(who)
    assert read(sent(entry)).who == tuple(who.items())
    assert entry_to_object(entry, "store-7", "bay-12")["who"] == who
    assert event_from_object(event_to_object(entry.event)).who == tuple(who.items())
    assert (4 in cbor2.loads(sent(entry))) == bool(who)  # without cameras not a byte


def test_a_candidate_takes_some_25_bytes() -> None:
    plain = len(sent(with_who({})))
    assert len(sent(with_who({"aisle-1.40123.17": 0.93}))) - plain <= 25
    assert len(sent(with_who({"aisle-1.40123.17": 0.93, "": 0.07}))) - plain <= 32


def test_a_person_reads_whom_the_cameras_think_most_likely() -> None:
    text = entry_to_text(with_who({"": 0.2, "aisle-1.40123.17": 0.7, "aisle-1.40123.18": 0.1}), UTC)
    assert "by aisle-1.40123.17 (70.00 %)" in text
    assert "by nobody followed (60.00 %)" in entry_to_text(with_who({"": 0.6, "aisle-1.40123.17": 0.4}), UTC)
    assert "by " not in entry_to_text(with_who({}), UTC)
    assert "\x1b" not in entry_to_text(with_who({"\x1b[2J.1.2": 1.0}), UTC)
