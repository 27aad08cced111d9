"""Events as JSON lines: the keys people rely on, and reading them back."""

from __future__ import annotations

import json
import math
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from edge.stream.jsonl import EventFileError, event_from_object, event_to_line, event_to_object, events_from_jsonl
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
    ],
)
def test_a_wrong_line_is_named_with_its_key(tmp_path: Path, change: dict[str, object], words: str) -> None:
    path = tmp_path / "events.jsonl"
    path.write_text(event_to_line(EVENT) + "\n\n" + json.dumps({**event_to_object(EVENT), **change}) + "\n", "utf-8")
    with pytest.raises(EventFileError) as caught:
        events_from_jsonl(path)
    assert str(caught.value).startswith(f"{path}:3: {words}")


def test_a_line_that_was_cut_off_is_named(tmp_path: Path) -> None:
    path = tmp_path / "events.jsonl"
    path.write_text(event_to_line(EVENT)[:40], "utf-8")
    with pytest.raises(EventFileError, match=r"events.jsonl:1: not JSON"):
        events_from_jsonl(path)
