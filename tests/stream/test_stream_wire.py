"""Entries as bytes and back: nothing changes, the same entry always gives the same bytes, and they are few."""

from __future__ import annotations

import dataclasses
import json
import math
import random

import cbor2
import pytest
from hypothesis import given
from hypothesis import strategies as st
from stream_wire_entries import ENTRIES, EVENT_ENTRIES, NOTES, PICK, PICK_ENTRY, STAMPS, SYNCED

from edge.stream.entry import Entry, EventEntry, Note, Stamp, TimeQuality
from edge.stream.entry_json import entry_to_line, entry_to_object, wall_text
from edge.stream.jsonl import event_to_line
from edge.stream.wire import WireError, decode_items, encode, for_wire
from edge.trace.event import Event, Kind, Status

_NS_PER_MS = 1_000_000


def _one(payload: bytes) -> Entry:
    (entry,) = decode_items(payload)
    return entry


def _event(payload: bytes) -> EventEntry:
    entry = _one(payload)
    assert isinstance(entry, EventEntry)
    return entry


@given(EVENT_ENTRIES)
def test_what_is_kept_says_all_that_the_event_said(entry: EventEntry) -> None:
    """P1: the outbox keeps the event, not an extract."""
    found = _event(encode(entry))
    assert event_to_line(found.event) == event_to_line(entry.event)
    assert (found.boot, found.seq, found.time, found.historical) == (
        entry.boot,
        entry.seq,
        entry.time,
        entry.historical,
    )
    assert found.event.who == tuple((track, round(share, 6)) for track, share in entry.event.who)


@given(NOTES)
def test_a_note_comes_back_as_it_was_whatever_its_kind(note: Note) -> None:
    assert _one(encode(note)) == note


@given(ENTRIES)
def test_bytes_read_and_written_again_are_the_same(entry: Entry) -> None:
    """P8: the same entry gives the same bytes, also in another process after a detour."""
    data = encode(entry)
    assert encode(_one(data)) == data


@given(ENTRIES)
def test_encoding_is_the_core_deterministic_one(entry: Entry) -> None:
    """RFC 8949 4.2.1: shortest integers and floats, definite lengths, sorted keys."""
    for data in (encode(entry), for_wire(encode(entry), evidence=True, historical=True)):
        assert cbor2.dumps(cbor2.loads(data), canonical=True) == data


@given(NOTES, st.randoms(use_true_random=False))
def test_the_order_of_details_does_not_matter(note: Note, rng: random.Random) -> None:
    shuffled = list(note.details.items())
    rng.shuffle(shuffled)
    assert encode(dataclasses.replace(note, details=dict(shuffled))) == encode(note)


@given(EVENT_ENTRIES, st.booleans(), st.booleans(), st.none() | STAMPS)
def test_the_sent_form_carries_what_it_should(
    entry: EventEntry, evidence: bool, historical: bool, stamp: Stamp | None
) -> None:
    found = _event(for_wire(encode(entry), evidence=evidence, historical=historical, stamp=stamp))
    event, time = entry.event, stamp or entry.time
    shown = evidence or event.needs_review
    assert found.time == time
    assert found.historical == (historical or entry.historical)
    assert bool(found.event.alternatives) == (shown and bool(event.alternatives))
    assert (found.event.evidence is not None) == (shown and event.evidence is not None)
    expected_ns = time.wall_ns if time.quality is TimeQuality.SYNCED else event.time_ns // _NS_PER_MS * _NS_PER_MS
    assert found.event.time_ns == expected_ns
    delay_ns = found.event.decided_ns - found.event.time_ns
    assert abs(delay_ns - (event.decided_ns - event.time_ns)) <= _NS_PER_MS / 2
    same = {"time_ns": 0, "decided_ns": 0, "alternatives": (), "evidence": None}
    assert event_to_line(dataclasses.replace(found.event, **same)) == event_to_line(dataclasses.replace(event, **same))


@given(EVENT_ENTRIES, st.booleans())
def test_evidence_keeps_its_distance_from_the_event(entry: EventEntry, synced: bool) -> None:
    stamp = dataclasses.replace(entry.time, quality=TimeQuality.SYNCED if synced else TimeQuality.FREE)
    found = _event(for_wire(encode(entry), evidence=True, historical=False, stamp=stamp)).event
    if entry.event.evidence is not None:
        assert found.evidence is not None
        assert found.time_ns - found.evidence.begin_ns == entry.event.time_ns - entry.event.evidence.begin_ns
        assert found.evidence.end_ns - found.time_ns == entry.event.evidence.end_ns - entry.event.time_ns


@given(NOTES, st.booleans(), st.none() | STAMPS)
def test_a_note_is_sent_whole(note: Note, historical: bool, stamp: Stamp | None) -> None:
    time = stamp or note.time
    mono_ns = None
    if note.mono_ns is not None and time.quality is not TimeQuality.SYNCED:
        mono_ns = note.mono_ns // _NS_PER_MS * _NS_PER_MS
    found = _one(for_wire(encode(note), evidence=False, historical=historical, stamp=stamp))
    assert found == dataclasses.replace(note, time=time, mono_ns=mono_ns, historical=historical or note.historical)


@given(st.lists(ENTRIES, max_size=6))
def test_a_message_holds_any_number_of_entries_in_order(entries: list[Entry]) -> None:
    """P2: order holds."""
    payload = b"".join(encode(entry) for entry in entries)
    assert [(entry.boot, entry.seq) for entry in decode_items(payload)] == [(e.boot, e.seq) for e in entries]


def test_a_typical_pick_takes_at_most_64_bytes() -> None:
    sent = for_wire(encode(PICK_ENTRY), evidence=False, historical=False)
    assert len(sent) <= 60
    for change in (
        {"sku": "lemonade-033"},
        {"event_id": "shelf-1-123456"},
        {"x_mm": 1234.5, "confidence": 0.95},
    ):
        entry = dataclasses.replace(PICK_ENTRY, event=dataclasses.replace(PICK, **change))
        assert len(for_wire(encode(entry), evidence=False, historical=False)) <= 64
    assert len(for_wire(encode(PICK_ENTRY), evidence=False, historical=True)) <= 64


def test_what_a_later_version_adds_is_passed_over() -> None:
    item = cbor2.loads(encode(PICK_ENTRY))
    expected = _one(encode(PICK_ENTRY))
    item[1] += [None, "new", {"a": [1.5]}]
    item[3][0].append("new")
    item[5] += [[], 7, b"\x00"]
    item[8].append(0)
    item[9] = {"new": b"\xff"}
    item[300] = [None, True]
    item["name"] = -1
    item[-5] = 0
    assert _one(cbor2.dumps(item)) == expected


def test_a_row_that_a_later_version_kept_is_sent_with_what_is_new() -> None:
    """A node that was updated and then set back still has rows of the later version."""
    item = cbor2.loads(encode(PICK_ENTRY))
    item[9], item[30] = 0.5, "new"
    sent = for_wire(cbor2.dumps(item), evidence=False, historical=True)
    assert cbor2.loads(sent) == {1: item[1], 6: True, 9: 0.5, 30: "new"}
    assert list(cbor2.loads(sent)) == [1, 6, 9, 30]


def test_bits_that_are_not_known_yet_are_passed_over() -> None:
    item = cbor2.loads(encode(PICK_ENTRY))
    item[1][2] |= 1 << 6 | 1 << 20
    assert _one(cbor2.dumps(item)) == _one(encode(PICK_ENTRY))


@pytest.mark.parametrize("value", [math.inf, -math.inf, math.nan, 1e300, -1e17])
def test_numbers_that_are_no_weights_become_unknown(value: float) -> None:
    """P7: and they stop no event."""
    event = dataclasses.replace(PICK, grams=value, x_mm=value, y_mm=value, confidence=value)
    found = _event(encode(dataclasses.replace(PICK_ENTRY, event=event))).event
    assert math.isnan(found.grams)
    assert (found.x_mm, found.y_mm) == (None, None)
    assert event_to_line(found).count("null") >= 3


@pytest.mark.parametrize("grams", [0.15, 0.25, 0.35, 2.675, -0.04, 1e15 / 3, 123456789012.34999])
def test_tenths_are_rounded_as_json_rounds_them(grams: float) -> None:
    entry = dataclasses.replace(PICK_ENTRY, event=dataclasses.replace(PICK, grams=grams))
    assert event_to_line(_event(encode(entry)).event) == event_to_line(entry.event)


def test_texts_that_utf8_can_not_say_stop_no_entry() -> None:
    """A damaged file's name may hold any bytes; P5: it is reported all the same."""
    note = Note(1, 2, "damaged", SYNCED, 3, {"file": "outbox\udcff.db", "rows": [{"\ud800": "\ud800"}]})
    assert _one(encode(note)) == dataclasses.replace(note, details={"file": "outbox?.db", "rows": [{"?": "?"}]})
    event = dataclasses.replace(PICK, board="a\ud800", event_id="a\ud800-000001")
    found = _event(encode(dataclasses.replace(PICK_ENTRY, event=event))).event
    assert (found.board, found.event_id) == ("a?", "a?-000001")


def test_details_take_numpy_numbers_and_refuse_what_has_no_meaning() -> None:
    import numpy as np

    note = Note(1, 2, "x", SYNCED, None, {"a": np.int64(5), "b": np.float64(0.5), "c": (1, 2), "d": math.nan})
    assert _one(encode(note)) == dataclasses.replace(note, details={"a": 5, "b": 0.5, "c": [1, 2], "d": None})
    for bad in (b"bytes", 1 << 70, object(), {1, 2}):
        with pytest.raises(TypeError, match="a note's details"):
            encode(dataclasses.replace(note, details={"bad": bad}))


@pytest.mark.parametrize(("wall_ns", "seconds"), [(-5, 0), (1 << 80, 253_402_300_799)])
def test_a_clock_beyond_all_dates_stops_no_event(wall_ns: int, seconds: int) -> None:
    """P6: a Pi without a clock chip may believe anything."""
    stamp = Stamp(wall_ns, TimeQuality.WRONG)
    entry = _event(encode(dataclasses.replace(PICK_ENTRY, time=stamp)))
    assert entry.time == Stamp(seconds * 1_000_000_000, TimeQuality.WRONG)
    assert wall_text(entry.time)[:4] in ("1970", "9999")


@pytest.mark.parametrize(
    "kept", [b"", b"\x01", b"\xa0", b"\xff", b"\xa1\x01\x05", b"\xa1\x01\x80", b"\xa1\x01\x83\x01\x01\x61a"]
)
def test_rows_that_are_no_entries_are_refused_with_a_sentence(kept: bytes) -> None:
    with pytest.raises(WireError, match="a kept entry can't be read"):
        for_wire(kept, evidence=False, historical=False, stamp=SYNCED)


def test_json_for_people_has_every_name() -> None:
    entry = dataclasses.replace(PICK_ENTRY, time=Stamp(1_795_284_000_123_999_999, TimeQuality.FREE), historical=True)
    found = entry_to_object(entry, "store-7", "node-3")
    assert list(found)[:8] == ["store", "node", "boot", "seq", "wall_time", "time_quality", "historical", "event_id"]
    assert found["wall_time"] == "2026-11-21T18:00:00.123Z"
    assert (found["time_quality"], found["historical"]) == ("free", True)
    assert "historical" not in entry_to_object(PICK_ENTRY, None, "n")
    note = Note(1, 2, "dropped", SYNCED, None, {"boot": 9, "count": 3})
    assert entry_to_line(note, None, "n") == (
        '{"store": null, "node": "n", "boot": 1, "seq": 2, "wall_time": "2026-11-21T18:00:00.456Z", '
        '"time_quality": "synced", "note": "dropped", "details": {"boot": 9, "count": 3}}'
    )


@given(ENTRIES)
def test_any_entry_can_be_told_in_json(entry: Entry) -> None:
    found = entry_to_line(_one(encode(entry)), "s", "n")
    assert json.loads(found) == json.loads(entry_to_line(entry, "s", "n"))


def test_kind_status_and_doubt_are_independent() -> None:
    for kind in Kind:
        for status in Status:
            for review in (False, True):
                for quality in TimeQuality:
                    event: Event = dataclasses.replace(PICK, kind=kind, status=status, needs_review=review)
                    found = _event(encode(EventEntry(1, 1, event, Stamp(0, quality))))
                    assert (found.event.kind, found.event.status, found.event.needs_review, found.time.quality) == (
                        kind,
                        status,
                        review,
                        quality,
                    )
