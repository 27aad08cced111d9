"""Bytes of the track stream: what is read is what was written, small, published, and no bytes do any harm."""

from __future__ import annotations

import dataclasses
import json
import math
import re
import subprocess
import sys
from pathlib import Path
from typing import Any

import cbor2
import pycddl
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

import edge.stream
from edge.stream.track_publisher import ENDED_TOLD, MOST_HZ
from edge.stream.track_vectors import vectors
from edge.stream.track_wire import (
    MOST_IDENTITY,
    MOST_UPDATE_BYTES,
    Answer,
    Here,
    TrackMessage,
    TrackUpdate,
    decode_answer,
    decode_ask,
    decode_message,
    encode_answer,
    encode_ask,
    encode_message,
    update_of,
)
from edge.stream.wire import WireError
from edge.trace.sighting import TrackPoint

_FOLDER = Path(edge.stream.__file__).parent
_SCHEMA = pycddl.Schema((_FOLDER / "tracks.cddl").read_text(encoding="utf-8"))
_PUBLISHED = json.loads((_FOLDER / "track_vectors.json").read_text(encoding="utf-8"))
_OF_A_LATER_VERSION = "keys and members to come"

_IDENTITIES = st.integers(0, 65_535) | st.integers(0, MOST_IDENTITY)
_UPDATES = st.builds(
    TrackUpdate,
    _IDENTITIES,
    st.integers(-(1 << 31) + 1, (1 << 31) - 1),
    st.integers(-(1 << 31) + 1, (1 << 31) - 1),
    st.integers(0, 255),
    st.integers(0, 255),
    st.integers(-99, 99),
    st.integers(-65_535, 65_535),
    st.integers(-65_535, 65_535),
    st.booleans(),
)
_NAMES = st.text(st.characters(codec="utf-8", categories=["L", "N"]), min_size=1, max_size=64)
_MESSAGES = st.builds(
    TrackMessage,
    st.integers(0, 65_535),
    st.integers(0, 255),
    st.integers(0, 255),
    st.integers(0, (1 << 32) - 1),
    st.lists(_UPDATES, max_size=3).map(tuple),
    st.lists(_IDENTITIES, max_size=3).map(tuple),
    st.none() | st.builds(Here, _NAMES, st.integers(0, 65_535), st.integers(0, (1 << 32) - 1)),
    st.lists(st.tuples(_IDENTITIES, st.binary(max_size=32)), max_size=2).map(tuple),
)
_US = st.integers(0, (1 << 63) - 1)
_ANSWERS = st.builds(Answer, _US, st.integers(0, 65_535), _US, _US)
_MM = st.floats(-65_535, 65_535)
_POINTS = st.builds(
    TrackPoint, st.just("a.1.2"), st.just(0), _MM, _MM, st.floats(1, 1e7), st.floats(-0.9, 0.9), st.floats(1, 1e7),
    st.floats(-9e3, 9e3), st.floats(-9e3, 9e3), st.booleans(),
).map(lambda p: dataclasses.replace(p, xy_mm2=p.xy_mm2 * math.sqrt(p.xx_mm2 * p.yy_mm2)))  # fmt: skip
_GOOD = [
    encode_message(TrackMessage(40_123, 0, 211, 5, (TrackUpdate(17, 12_340, 4_025, 85, 91, -12, 96, -104),))),
    encode_message(TrackMessage(40_123, 0, 2, 5, (), (16,), Here("aisle-1", 1, 41_850), ((17, b"123456"),))),
    encode_ask(7_214_300_456_789),
    encode_answer(Answer(7_214_300_456_789, 40_123, 3_214_300_500_001, 3_214_300_500_420)),
]


@given(_MESSAGES)
def test_what_is_read_is_what_was_written(message: TrackMessage) -> None:
    payload = encode_message(message)
    assert decode_message(payload) == message
    assert encode_message(decode_message(payload)) == payload


@settings(max_examples=30)
@given(_MESSAGES)
def test_track_messages_are_what_the_schema_says(message: TrackMessage) -> None:
    _SCHEMA.validate_cbor(encode_message(message))


@given(_ANSWERS)
def test_questions_and_answers_come_through(answer: Answer) -> None:
    assert decode_answer(encode_answer(answer)) == answer
    assert decode_ask(encode_ask(answer.ask_us)) == answer.ask_us


@given(_POINTS)
def test_a_point_keeps_its_place_velocity_and_doubt(point: TrackPoint) -> None:
    update = update_of(point, 2)
    assert update is not None
    (update,) = decode_message(encode_message(TrackMessage(1, 0, 0, 0, (update,)))).updates
    read = update.point(point.track, point.time_ns)
    assert abs(read.x_mm - point.x_mm) <= 0.5
    assert abs(read.y_mm - point.y_mm) <= 0.5
    assert abs(read.vx_mm_s - point.vx_mm_s) <= 5.0
    assert abs(read.vy_mm_s - point.vy_mm_s) <= 5.0
    for mine, theirs in ((read.xx_mm2, point.xx_mm2), (read.yy_mm2, point.yy_mm2)):
        assert math.sqrt(mine / theirs) == pytest.approx(1.0, abs=0.023)
    assert read.xy_mm2 / math.sqrt(read.xx_mm2 * read.yy_mm2) == pytest.approx(
        point.xy_mm2 / math.sqrt(point.xx_mm2 * point.yy_mm2), abs=0.0051
    )
    assert read.hidden == point.hidden


@pytest.mark.parametrize("variances", [(0.0, 0.0, 0.0), (1e30, 1e30, 1e30), (4.0, -50.0, 9.0), (-1.0, 5.0, 2.0)])
def test_an_impossible_covariance_is_sent_as_a_possible_one(variances: tuple[float, float, float]) -> None:
    update = update_of(TrackPoint("a.1.2", 0, 1e12, -1e12, *variances, 1e9, -1e9), 2)
    assert update is not None
    read = decode_message(encode_message(TrackMessage(1, 0, 0, 0, (update,)))).updates[0].point("", 0)
    assert read.xx_mm2 * read.yy_mm2 > read.xy_mm2 * read.xy_mm2


@pytest.mark.parametrize("wrong", [math.nan, math.inf, -math.inf])
def test_a_point_without_a_place_isnt_sent(wrong: float) -> None:
    assert update_of(TrackPoint("a.1.2", 0, wrong, 0.0, 1.0, 0.0, 1.0, 0.0, 0.0), 2) is None


@given(st.lists(_POINTS, min_size=1, max_size=8), st.integers(0, 65_535), st.integers(0, (1 << 32) - 1))
def test_an_update_takes_at_most_40_bytes_with_its_share_of_the_head(
    points: list[TrackPoint], number: int, time_ms: int
) -> None:
    """Issue F, also where only one person is there: within 65 m of the store's origin, cameras 0 to 23."""
    updates = tuple(update for point in points if (update := update_of(point, number)) is not None)
    message = TrackMessage(number, number % 24, number % 256, time_ms, updates)
    assert len(encode_message(message)) <= MOST_UPDATE_BYTES * len(points)


@settings(max_examples=300)
@given(st.binary(max_size=120))
@example(b"\xff")
@example(cbor2.dumps({1: [1, 2, 3, 4], 5: {1: b""}}))
@example(b"\xa1\x01" * 40)
def test_any_bytes_are_read_or_refused_with_a_sentence(payload: bytes) -> None:
    _read(payload)


@settings(max_examples=300)
@given(st.sampled_from(_GOOD), st.data())
def test_damaged_messages_are_read_or_refused_with_a_sentence(good: bytes, data: st.DataObject) -> None:
    at = data.draw(st.integers(0, len(good) - 1))
    _read(good[:at] + bytes([good[at] ^ data.draw(st.integers(1, 255))]) + good[at + 1 :])
    _read(good[:at])
    _read(good[:at] + good[at + 1 :])
    _read(good + good[:at])


@settings(max_examples=100)
@given(st.dictionaries(st.integers(0, 10), st.recursive(
    st.none() | st.integers(-(1 << 70), 1 << 70) | st.floats() | st.text(max_size=4) | st.binary(max_size=4),
    lambda inner: st.lists(inner, max_size=9) | st.dictionaries(st.integers(-2, 9), inner, max_size=3), max_leaves=12,
), max_size=5))  # fmt: skip
def test_any_cbor_is_read_or_refused_with_a_sentence(item: dict[int, Any]) -> None:
    _read(cbor2.dumps(item))


def _read(payload: bytes) -> None:
    for decode in (decode_message, decode_ask, decode_answer):
        said = "a sentence of its own"
        try:
            decode(payload)
        except WireError as error:
            said = str(error)
        assert 10 < len(said) < 400


def test_a_message_that_is_too_long_is_refused_unread() -> None:
    update = TrackUpdate(17, 12_340, 4_025, 85, 91, -12, 96, -104)
    decode_message(encode_message(TrackMessage(1, 0, 0, 0, (update,) * 300)))
    with pytest.raises(WireError, match="expected at most 8192"):
        decode_message(encode_message(TrackMessage(1, 0, 0, 0, (update,) * 500)))


@given(_MESSAGES, st.integers(-9, 99), st.text(max_size=3))
def test_what_later_versions_add_is_passed_over(message: TrackMessage, number: int, text: str) -> None:
    item = cbor2.loads(encode_message(message))
    item[1] += [number, text]
    for update in item.get(2, []):
        update.append(text)
        update[8] |= 0b1110
    for clothes in item.get(5, []):
        clothes.append(number)
    if 4 in item:
        item[4].append({text: number})
    item[17], item[text] = [1.5, None], {"more": [number]}
    assert decode_message(cbor2.dumps(item)) == message


@pytest.mark.parametrize("vector", _PUBLISHED["read"], ids=lambda vector: vector["name"])
def test_published_track_bytes_are_what_the_schema_says(vector: dict[str, Any]) -> None:
    if vector["name"] != _OF_A_LATER_VERSION:
        _SCHEMA.validate_cbor(bytes.fromhex(vector["hex"]))


@pytest.mark.parametrize(
    "change",
    [
        {1: None},
        {1: [1, 2, 3]},
        {1: [-1, 0, 0, 0]},
        {1: [0, 256, 0, 0]},
        {2: [[1, 2, 3]]},
        {2: [[1, 2, 3, 4, 256, 6, 7, 8, 0]]},
        {2: [[1, 2.5, 3, 4, 5, 6, 7, 8, 0]]},
        {3: ["x"]},
        {4: ["name", -1, 0]},
        {4: "name"},
        {5: [[1, "x"]]},
        {6: 1},
    ],
    ids=repr,
)
def test_the_schema_refuses_what_is_no_track_message(change: dict[int, Any]) -> None:
    item = cbor2.loads(_GOOD[0])
    _SCHEMA.validate_cbor(cbor2.dumps(item))
    with pytest.raises(pycddl.ValidationError):
        _SCHEMA.validate_cbor(cbor2.dumps(item | change))


@pytest.mark.parametrize("vector", _PUBLISHED["refused"], ids=lambda vector: vector["name"])
def test_published_track_bytes_that_are_refused(vector: dict[str, Any]) -> None:
    decode: Any = (
        decode_ask if "ask" in vector["topic"] else decode_answer if "answer" in vector["topic"] else decode_message
    )
    with pytest.raises(WireError):
        decode(bytes.fromhex(vector["hex"]))


def test_published_track_examples_are_still_written_byte_for_byte() -> None:
    """The promise to those who read: what a key means never changes."""
    assert vectors() == _PUBLISHED
    command = [sys.executable, "-m", "edge.stream.track_vectors"]
    written = subprocess.run(command, check=True, capture_output=True, cwd=_FOLDER.parents[1])
    assert written.stdout == (_FOLDER / "track_vectors.json").read_bytes()


def test_the_page_on_tracks_quotes_an_example_and_the_limits() -> None:
    page = (_FOLDER / "TRACKS.md").read_text(encoding="utf-8")
    quoted = re.search(r"```hex\n(.*?)\n```", page, re.DOTALL)
    assert quoted is not None
    assert quoted[1] == _PUBLISHED["read"][0]["hex"]
    assert f"{len(bytes.fromhex(quoted[1]))} bytes; in CBOR" in page
    assert MOST_HZ == 10
    assert "**10 times in any second**" in page
    assert ENDED_TOLD == 3
    assert "told three times" in page
    assert f"{MOST_UPDATE_BYTES} bytes at most" in page
    assert page.count("\n") < 120
