"""Events as JSON lines: the keys people rely on, and reading them back."""

from __future__ import annotations

import json
import math
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from edge.stream.event_file import EventFileDamagedError, EventFileError, read_event_file
from edge.stream.jsonl import event_from_object, event_to_line, event_to_object
from edge.trace.event import Alternative, Event, Evidence, Kind, Status

KEYS = [
    *("event_id", "revision", "status", "kind", "board", "slot", "sku", "quantity", "grams", "x_mm", "y_mm"),
    *("time", "decided", "confidence", "needs_review", "alternatives", "who", "evidence", "time_s", "decided_s"),
]

EVENT = Event(
    event_id="shelf-1-4",
    revision=2,
    status=Status.FINAL,
    kind=Kind.PICK,
    board="shelf-1",
    slot="A1",
    sku="cola-033",
    quantity=2,
    grams=-704.06,
    x_mm=55.04,
    y_mm=None,
    time_ns=12_345_678_901,
    decided_ns=13_500_000_000,
    confidence=0.99999949,
    needs_review=False,
    alternatives=(Alternative(None, None, None, 0, 0.0000004),),
    who=(("track-7", 0.8),),
    evidence=Evidence((-700.02, math.nan), 1.234, 1000.0, 800.0, 1, 2, ("cell fr: stuck",)),
)


def test_keys_are_these_in_this_order() -> None:
    assert list(event_to_object(EVENT)) == KEYS


def test_numbers_are_rounded_for_people_and_times_are_exact() -> None:
    data = json.loads(event_to_line(EVENT))
    assert (data["grams"], data["x_mm"], data["y_mm"]) == (-704.1, 55.0, None)
    assert data["confidence"] == 0.999999
    assert (data["time"], data["decided"]) == (12_345_678_901, 13_500_000_000)
    assert (data["time_s"], data["decided_s"]) == (12.345678901, 13.5)
    assert data["evidence"]["change_g"] == [-700.0, None]
    assert data["who"] == {"track-7": 0.8}


def test_a_small_negative_weight_is_no_minus_zero() -> None:
    from dataclasses import replace

    assert '"grams": 0.0' in event_to_line(replace(EVENT, grams=-0.04))


_names = st.text(min_size=1, max_size=8)
_maybe_names = st.none() | _names
_grams = st.floats(-50_000, 50_000)
_events = st.builds(
    Event,
    event_id=_names,
    revision=st.integers(0, 99),
    status=st.sampled_from(Status),
    kind=st.sampled_from(Kind),
    board=_names,
    slot=_maybe_names,
    sku=_maybe_names,
    quantity=st.integers(1, 99),
    grams=_grams,
    x_mm=st.none() | _grams,
    y_mm=st.none() | _grams,
    time_ns=st.integers(-(2**62), 2**62),
    decided_ns=st.integers(-(2**62), 2**62),
    confidence=st.floats(0, 1),
    needs_review=st.booleans(),
    alternatives=st.lists(
        st.builds(
            Alternative,
            st.none() | st.sampled_from(Kind),
            _maybe_names,
            _maybe_names,
            st.integers(0, 9),
            st.floats(0, 1),
        ),
        max_size=2,
    ).map(tuple),
    who=st.dictionaries(_names, st.floats(0, 1), max_size=2).map(lambda who: tuple(who.items())),
)


@settings(max_examples=60, deadline=None)
@given(_events)
def test_what_is_written_is_read_back_the_same(event: Event) -> None:
    line = event_to_line(event)
    assert "\n" not in line
    again = event_from_object(json.loads(line))
    assert event_to_line(again) == line
    assert (again.event_id, again.time_ns, again.decided_ns) == (event.event_id, event.time_ns, event.decided_ns)


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"kind": "steal"}, "kind: expected one of pick, put, got 'steal'"),
        ({"time": 1.5}, "time: expected a whole number, got 1.5"),
        ({"quantity": True}, "quantity: expected a whole number"),
        ({"needs_review": "no"}, "needs_review: expected true or false"),
        ({"slot": 7}, "slot: expected a text, got 7"),
        ({"alternatives": [3]}, "alternatives: expected a JSON object"),
        ({"evidence": {"change_g": []}}, "evidence.sd_g: missing"),
        ({"grams": math.nan}, "grams: expected a number within ±1e15, got nan"),
        ({"grams": 10**400}, "grams: expected a number within ±1e15, got a number of more than 64 bits"),
        ({"x_mm": math.inf}, "x_mm: expected a number within ±1e15, got inf"),
        ({"quantity": 0}, "quantity: expected a whole number from 1 to 1000, got 0"),
        ({"quantity": 1001}, "quantity: expected a whole number from 1 to 1000, got 1001"),
        ({"confidence": 1.1}, "confidence: expected a number from 0 to 1, got 1.1"),
        ({"confidence": math.nan}, "confidence: expected a number from 0 to 1, got nan"),
        ({"who": {"track-7": -0.1}}, "who.track-7: expected a number from 0 to 1"),
        ({"time": 1 << 63}, "time: expected a whole number that fits in 64 bits"),
        ({"decided": -(1 << 63) - 1}, "decided: expected a whole number that fits in 64 bits"),
    ],
)
def test_a_wrong_line_is_named_with_its_key(tmp_path: Path, change: dict[str, object], words: str) -> None:
    path = tmp_path / "events.jsonl"
    path.write_text(event_to_line(EVENT) + "\n\n" + json.dumps({**event_to_object(EVENT), **change}) + "\n", "utf-8")
    found = read_event_file(path)
    assert [event.event_id for event in found.events] == [EVENT.event_id], "the good line is used"
    assert found.problem_lines()[0].startswith(f"{path}:3: {words}")
    with pytest.raises(EventFileDamagedError, match=r"events.jsonl: 1 line isn't an event; the other one was used"):
        found.raise_damage()


def test_1e400_is_no_number(tmp_path: Path) -> None:
    path = tmp_path / "events.jsonl"
    path.write_text(event_to_line(EVENT).replace("-704.1", "1e400"), "utf-8")
    with pytest.raises(EventFileError, match=r"events.jsonl:1: grams: expected a number within ±1e15, got inf"):
        read_event_file(path)


def test_unknown_numbers_are_read_back(tmp_path: Path) -> None:
    """NaN is written as null, and null is read as NaN."""
    from dataclasses import replace

    blurred = replace(EVENT, grams=math.nan, evidence=Evidence((math.nan,), math.nan, math.nan, math.nan, 1, 2))
    path = tmp_path / "events.jsonl"
    path.write_text(event_to_line(blurred), "utf-8")
    (again,) = read_event_file(path).events
    assert math.isnan(again.grams)
    assert event_to_line(again) == event_to_line(blurred)


def test_of_many_bad_lines_twenty_are_listed(tmp_path: Path) -> None:
    path = tmp_path / "events.jsonl"
    path.write_bytes(b"\xff\n" * 15 + b"[" * 100_000 + b"\n" + b"9" * 9999 + b"\n" + b"{\n" * 8)
    with pytest.raises(EventFileError) as caught:
        read_event_file(path)
    lines = str(caught.value).splitlines()
    assert len(lines) == 22
    assert lines[20:] == [f"{path}: and 5 more bad lines", f"{path}: no line of it is an event"]


def test_an_empty_file_holds_no_events(tmp_path: Path) -> None:
    """A replay in which nothing happened writes such a file."""
    (tmp_path / "events.jsonl").touch()
    assert read_event_file(tmp_path / "events.jsonl").events == []


def test_a_line_that_was_cut_off_is_named(tmp_path: Path) -> None:
    path = tmp_path / "events.jsonl"
    path.write_text(event_to_line(EVENT)[:40], "utf-8")
    with pytest.raises(EventFileError, match=r"events.jsonl:1: not JSON"):
        read_event_file(path)
