"""Sightings as bytes: not a bit is lost (P8), other versions' fields are passed over, nonsense is refused."""

from __future__ import annotations

import struct
from dataclasses import dataclass, make_dataclass

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from small_sights import sights

from edge.trace.errors import BlockDamagedError
from edge.trace.sighting import ShelfLook, SlotLook, TrackPoint
from edge.trace.sighting_codec import decode_sightings, encode_sightings

KNOWN = (TrackPoint, ShelfLook)
_times = st.integers(-(1 << 62), 1 << 62)
_numbers = st.floats(width=64) | st.integers(-(10**9), 10**9).map(lambda n: n / 10) | st.just(-0.0)
_names = st.text(max_size=6)
_pairs = st.lists(st.tuples(_names, _numbers), max_size=3).map(tuple)
_points = st.builds(
    TrackPoint,
    _names,
    _times,
    *[_numbers] * 7,
    hidden=st.booleans(),
    clothes=st.lists(st.integers(0, 255), max_size=6).map(tuple),
)
_slots = st.builds(SlotLook, _names, _numbers, _times, _numbers, _numbers, _pairs, _pairs)
_looks = st.builds(ShelfLook, _names, _names, _times, st.lists(_slots, max_size=3).map(tuple))


def bits(value: object) -> object:
    """The same with floats as their bits, since no NaN equals itself and -0 equals 0."""
    if isinstance(value, float):
        return struct.pack("<d", value)
    if isinstance(value, tuple | list):
        return [bits(each) for each in value]
    if hasattr(value, "__slots__"):
        return [type(value).__name__, *(bits(getattr(value, name)) for name in value.__slots__)]
    return value


@settings(max_examples=40, deadline=None)
@given(st.lists(_points | _looks, max_size=12), _times)
def test_every_bit_of_every_sighting_comes_back(sightings: list, epoch_ns: int) -> None:  # type: ignore[type-arg]
    """P8: order, times, texts, NaN, infinity and minus zero."""
    found = decode_sightings(encode_sightings(sightings, epoch_ns), KNOWN)
    assert bits(found.sightings) == bits(sightings)
    assert (found.epoch_begin_ns, found.unknown) == (epoch_ns, 0)


def test_rounded_numbers_take_few_bytes_and_raw_ones_their_eight() -> None:
    """Ten seconds of two people and a board of three slots."""
    for raw, most_bytes in ((False, 40), (True, 80)):
        points = [sighting for sighting in sights(0, 10, raw=raw) if isinstance(sighting, TrackPoint)]
        assert len(encode_sightings(points, 0)) / len(points) < most_bytes


def test_a_later_versions_fields_and_kinds_are_passed_over() -> None:
    """And told: how many sightings are of kinds that aren't known."""
    later_point = make_dataclass(
        "TrackPoint", [("mood", "str"), *TrackPoint.__annotations__.items(), ("age", "int | None")]
    )
    gaze = make_dataclass("Gaze", [("who", "str"), ("angles", "tuple[float, ...]")])
    point = sights(0, 1)[0]
    assert isinstance(point, TrackPoint)
    values = [getattr(point, name) for name in TrackPoint.__slots__]
    blocks = encode_sightings([later_point("calm", *values, None), gaze("x", (1.0,)), later_point("x", *values, 3)], 5)
    found = decode_sightings(blocks, KNOWN)
    assert found.sightings == [point, point]
    assert found.unknown == 1


def test_what_an_earlier_version_hadnt_gets_its_default_or_is_refused() -> None:
    """An earlier trace is read as far as it says enough."""
    names = [name for name in TrackPoint.__slots__ if name not in ("hidden", "clothes")]
    earlier = make_dataclass("TrackPoint", [(name, TrackPoint.__annotations__[name]) for name in names])
    found = decode_sightings(encode_sightings([earlier("a.1.1", 5, *range(7))], 0), KNOWN)
    assert found.sightings == [TrackPoint("a.1.1", 5, 0.0, 1.0, 2.0, 3.0, 4.0, 5.0, 6.0)]
    poorer = make_dataclass("TrackPoint", [("track", "str"), ("time_ns", "int")])
    with pytest.raises(BlockDamagedError, match=r"stored without .*x_mm"):
        decode_sightings(encode_sightings([poorer("a.1.1", 5)], 0), KNOWN)


@dataclass(frozen=True, slots=True)
class _Odd:
    """A field that no trace can hold."""

    names: dict[str, int]


def test_a_field_that_cant_be_stored_is_the_programmers_mistake() -> None:
    """And so is a number that doesn't fit."""
    with pytest.raises(TypeError, match="expected int, float, str"):
        encode_sightings([_Odd({})], 0)
    with pytest.raises(ValueError, match="64 bits"):
        encode_sightings([TrackPoint("a", 1 << 80, 0, 0, 0, 0, 0, 0, 0)], 0)


@settings(max_examples=80, deadline=None)
@given(st.integers(0, 10_000), st.integers(1, 255), st.integers(0, 3))
def test_changed_bytes_are_refused_or_give_sightings(place: int, change: int, cut: int) -> None:
    """P5: nothing else can happen, whatever the bytes are."""
    data = bytearray(encode_sightings(sights(0, 2), 0))
    data[place % len(data)] ^= change
    try:
        found = decode_sightings(bytes(data[: len(data) - cut]), KNOWN)
    except BlockDamagedError:
        return
    assert all(isinstance(sighting, KNOWN) for sighting in found.sightings)


def test_a_block_that_announces_more_than_it_holds_takes_no_memory() -> None:
    """P4: every length is checked before memory is taken."""
    data = encode_sightings([sights(0, 1)[0]], 0)
    schema_end = data.index(b"]]") + 2
    huge = data[:schema_end] + b"\xff\xff\xff\xff\xff\x7f" + data[schema_end + 1 :]
    with pytest.raises(BlockDamagedError, match="announces"):
        decode_sightings(huge, KNOWN)
