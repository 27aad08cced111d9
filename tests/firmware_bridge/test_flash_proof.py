"""After flashing the MCU must say that it is what was written, and that it kept what is its own (P10)."""

from __future__ import annotations

import dataclasses
from pathlib import Path

import pytest

from firmware_bridge.flash.chips import CHIPS
from firmware_bridge.flash.errors import NotProvenError
from firmware_bridge.flash.flasher import Flashed, prove
from firmware_bridge.flash.image import load_image
from firmware_bridge.flash.interview import Answer
from firmware_bridge.flash.writing import Holds, parts
from firmware_bridge.protocol.identity import Identity
from hil.flash_images import made_up, write_image

CHIP = CHIPS["atmega328p"]


@pytest.fixture
def image(tmp_path: Path):
    return load_image(write_image(tmp_path / "new.hex", made_up()), 1)


@pytest.fixture
def good(image) -> Identity:
    return Identity(
        seq=0,
        boot=7,
        protocol=1,
        firmware="9.9.9",
        board="atmega328p-nano",
        serial="bay-07",
        settings=bytes([25, 25, 26, 0, 0, 0, 0, 0]),
        image_crc32=image.crc32,
    )


def test_the_right_identity_with_everything_kept_passes(image, good: Identity) -> None:
    before = dataclasses.replace(good, firmware="9.9.8", image_crc32=1, boot=6)
    prove("/dev/x", image, Answer(before, False), Answer(good, False))
    prove("/dev/x", image, None, Answer(good, False))
    assert Flashed("/dev/x", 115200, image, before, good, 1.0).settings_kept is True
    assert Flashed("/dev/x", 115200, image, None, good, 1.0).settings_kept is None


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"firmware": "9.9.8"}, "it runs firmware 9.9.8, expected 9.9.9"),
        ({"image_crc32": 0xABC}, "its image has the CRC 00000abc, expected "),
        ({"protocol": 2}, "it speaks protocol 2, expected 1"),
        ({"serial": "unset"}, "its serial was 'bay-07' and is now 'unset'"),
        ({"settings": bytes(8)}, "the settings of its chips were 0: 19 19 1a 00 00 00 00 00 and are now 0: 00 00"),
        ({"clock_mode": 1}, "the settings of its chips were 0: 19 19 1a 00 00 00 00 00 and are now 1: 19 19"),
    ],
)
def test_anything_else_is_told_apart(image, good: Identity, change: dict[str, object], said: str) -> None:
    with pytest.raises(NotProvenError) as caught:
        prove("/dev/x", image, Answer(good, False), Answer(dataclasses.replace(good, **change), False))
    assert said in str(caught.value)


def test_settings_damaged_since_before_are_told(image, good: Identity) -> None:
    with pytest.raises(NotProvenError, match="found its settings damaged and took the defaults"):
        prove("/dev/x", image, Answer(good, False), Answer(good, True))


def test_settings_damaged_before_already_or_never_ours_arent_held_against_the_flash(image, good: Identity) -> None:
    prove("/dev/x", image, Answer(good, True), Answer(good, True))
    prove("/dev/x", image, None, Answer(good, True))


@pytest.mark.parametrize("size", [140, 256, 257, 4000, 0x7800])
def test_the_two_writes_make_the_image_and_the_first_alone_never_starts_it(size: int) -> None:
    memory = made_up(size)
    first, second = parts(memory, CHIP)
    flash = bytearray(b"\xaa" * 0x8000)
    flash[: len(first)] = first
    assert flash[:20] == CHIP.standstill
    assert len(CHIP.standstill) == 20
    flash[: len(second)] = second
    assert flash[:size] == memory
    assert len(first) % 128 == 0
    assert len(second) == 128
    assert flash[len(first) :] == b"\xaa" * (0x8000 - len(first))


def test_each_state_the_mcu_can_be_left_in_has_its_own_sentence() -> None:
    sentences = [state.sentence for state in Holds]
    assert len(set(sentences)) == 3
    assert "Nothing was written" in sentences[0]
    assert all("stands still, harmlessly" in sentence for sentence in sentences[1:])
