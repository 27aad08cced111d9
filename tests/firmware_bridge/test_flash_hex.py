"""Intel HEX: what is read is exactly what was written, and damage never passes unseen."""

from __future__ import annotations

import contextlib

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from firmware_bridge.flash.errors import ImageError
from firmware_bridge.flash.intel_hex import read_hex
from hil.flash_images import hex_text

LIMIT = 4096


@settings(deadline=None)
@given(st.binary(min_size=1, max_size=600))
def test_memory_comes_back_as_it_was(memory: bytes) -> None:
    assert read_hex(hex_text(memory), LIMIT) == memory


@settings(deadline=None)
@given(st.binary(min_size=1, max_size=40), st.integers(0, LIMIT - 40))
def test_gaps_are_erased_flash(memory: bytes, begin: int) -> None:
    assert read_hex(hex_text(memory, begin), LIMIT) == b"\xff" * begin + memory


@settings(deadline=None)
@given(st.text(max_size=300))
def test_any_text_is_read_or_refused(text: str) -> None:
    with contextlib.suppress(ImageError):
        assert len(read_hex(text, LIMIT)) <= LIMIT


@settings(deadline=None)
@given(st.binary(min_size=20, max_size=200), st.data())
def test_one_changed_character_never_passes_as_other_memory(memory: bytes, data: st.DataObject) -> None:
    text = hex_text(memory)
    at = data.draw(st.integers(0, len(text) - 1))
    new = data.draw(st.characters(codec="ascii"))
    with contextlib.suppress(ImageError):
        assert read_hex(text[:at] + new + text[at + 1 :], LIMIT) == memory


@settings(deadline=None)
@given(st.binary(min_size=20, max_size=200), st.data())
def test_a_cut_text_never_passes(memory: bytes, data: st.DataObject) -> None:
    text = hex_text(memory).rstrip()
    with pytest.raises(ImageError):
        read_hex(text[: data.draw(st.integers(0, len(text) - 1))], LIMIT)


def test_base_addresses_and_start_records_are_understood() -> None:
    # 0x10 * 16 by a segment record, then 0x0000 << 16 by a linear one; both start records say nothing about memory.
    bases = ":020000020010EC\n:0100000041BE\n:020000040000FA\n:0100010042BC\n"
    text = bases + ":0400000300000000F9\n:0400000500000000F7\n:00000001FF"
    assert read_hex(text, LIMIT) == b"\xff\x42" + b"\xff" * 254 + b"\x41"


@pytest.mark.parametrize(
    ("text", "why"),
    [
        (":0100000041BE\n:0100000042BD\n:00000001FF", "line 2: sets bytes at 0x0 that an earlier line has set already"),
        (":00000001FF\n:0100000041BE", "line 2: there is more after the end record"),
        (":00000001FF", "there is no data in it"),
        (":0100000941B5\n:00000001FF", "line 1: record type 9; Intel HEX has types 0 to 5"),
        (":01000004FFFC", "line 1: an address record of 1 bytes; expected 2"),
        (":020000040001F9\n:0100000041BE\n:00000001FF", "it needs flash up to 0x10000"),
        ("100000041BE", "line 1: starts with '1'; each line of an Intel HEX file starts with ':'"),
        (":01000000４１BE", "line 1: holds something else than hex digits"),
    ],
)
def test_what_is_wrong_is_named_with_its_line(text: str, why: str) -> None:
    with pytest.raises(ImageError) as caught:
        read_hex(text, LIMIT)
    assert why in str(caught.value)
