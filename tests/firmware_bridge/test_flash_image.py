"""An image is checked before a byte is written: only a whole one for this MCU passes (P10)."""

from __future__ import annotations

import hashlib
import json
import zlib
from pathlib import Path

import pytest

from firmware_bridge.errors import ShelfedgeError
from firmware_bridge.flash.descriptor import MAGIC
from firmware_bridge.flash.errors import ImageError, ImageFileError
from firmware_bridge.flash.image import Image, load_image, manifest_path
from hil.flash_images import as_version, hex_text, made_up, write_image

PROTOCOL = 1


@pytest.fixture
def image(tmp_path: Path) -> Path:
    return write_image(tmp_path / "new.hex", made_up())


def refusal(path: Path) -> str:
    with pytest.raises(ImageError) as caught:
        load_image(path, PROTOCOL)
    text = str(caught.value)
    assert text.count("othing was written") == 1
    assert "\n" not in text
    return text


def replace_manifest(image: Path, **fields: object) -> None:
    path = manifest_path(image)
    path.write_text(json.dumps(json.loads(path.read_text("utf-8")) | fields), "utf-8")


def test_a_whole_image_passes_with_what_it_is(image: Path) -> None:
    checked = load_image(image, PROTOCOL)
    memory = made_up()
    assert (checked.memory, checked.version) == (memory, "9.9.9")
    assert checked.crc32 == zlib.crc32(memory)
    assert checked.chip.avrdude_part == "m328p"


def test_an_image_up_to_the_last_byte_below_the_boot_section_passes(tmp_path: Path) -> None:
    path = write_image(tmp_path / "full.hex", made_up(0x7800))
    assert len(load_image(path, PROTOCOL).memory) == 0x7800


def test_an_image_that_reaches_into_the_boot_section_is_refused(tmp_path: Path) -> None:
    text = refusal(write_image(tmp_path / "long.hex", made_up(0x7801)))
    assert "0x77ff (30720 bytes), the bootloader is above" in text


def test_an_image_for_another_mcu_is_refused_with_those_that_can_be_flashed(image: Path) -> None:
    replace_manifest(image, mcu="atmega2560")
    assert "for the MCU 'atmega2560'; this version can flash: atmega328p" in refusal(image)


def test_an_image_of_another_protocol_is_refused(image: Path) -> None:
    replace_manifest(image, protocol=2)
    assert "speaks protocol 2 and this version of shelfedge speaks 1" in refusal(image)


@pytest.mark.parametrize("at", [0, 100, 2000, 3999])
def test_a_tampered_image_is_refused_though_every_checksum_within_it_fits(image: Path, at: int) -> None:
    memory = bytearray(made_up())
    memory[at] ^= 0x10
    image.write_text(hex_text(bytes(memory)), "ascii")
    assert "its checksum isn't the one in new.json" in refusal(image)


def test_a_tampered_image_with_a_new_sha256_but_the_old_crc_is_refused(tmp_path: Path) -> None:
    path = write_image(tmp_path / "new.hex", made_up(seed=2), crc32=zlib.crc32(made_up()))
    assert "its bytes have the CRC " in refusal(path)


def test_a_flipped_digit_is_refused_by_its_line(image: Path) -> None:
    lines = image.read_text("ascii").splitlines()
    lines[7] = lines[7][:12] + ("0" if lines[7][12] != "0" else "1") + lines[7][13:]
    image.write_text("\n".join(lines), "ascii")
    assert "line 8: its checksum doesn't fit" in refusal(image)


@pytest.mark.parametrize("share", [0.02, 0.5, 0.98])
def test_a_truncated_image_is_refused(image: Path, share: float) -> None:
    data = image.read_bytes()
    image.write_bytes(data[: int(len(data) * share)])
    assert "the file is cut short" in refusal(image)


def test_an_image_cut_between_two_lines_is_refused(image: Path) -> None:
    image.write_text("\n".join(image.read_text("ascii").splitlines()[:100]) + "\n", "ascii")
    assert "the end record is missing: the file is cut short" in refusal(image)


@pytest.mark.parametrize(
    "content", [b"\x7fELF\x01\x01\x01" + bytes(200), b"hello\n", b"\xff\xfe\x00", "größe".encode()]
)
def test_what_is_no_hex_file_is_refused(image: Path, content: bytes) -> None:
    image.write_bytes(content)
    assert "each line of an Intel HEX file starts with ':'" in refusal(image)


def test_an_empty_image_is_refused(image: Path) -> None:
    image.write_bytes(b"")
    assert "isn't an Intel HEX file" in refusal(image)


def test_a_hex_of_no_firmware_of_ours_is_refused(tmp_path: Path) -> None:
    memory = made_up()
    path = write_image(tmp_path / "other.hex", memory)
    other = memory.replace(MAGIC, b"SOMETHING ELSE  ")
    text = hex_text(other)
    path.write_text(text, "ascii")
    replace_manifest(path, sha256=hashlib.sha256(text.encode()).hexdigest(), crc32=zlib.crc32(other))
    assert "there is no shelfedge firmware in it" in refusal(path)


@pytest.mark.parametrize(("field", "value"), [("version", "9.9.8"), ("bytes", 3999), ("crc32", 1), ("sha256", "00")])
def test_a_manifest_of_another_image_is_noticed(image: Path, field: str, value: object) -> None:
    replace_manifest(image, **{field: value})
    refusal(image)


def test_the_image_of_another_version_under_this_manifest_is_noticed(tmp_path: Path) -> None:
    path = write_image(tmp_path / "new.hex", as_version(made_up(), "9.9.7"), version="9.9.9")
    assert "from within it says version '9.9.7', its manifest '9.9.9'" in refusal(path)


def test_without_a_manifest_it_is_refused(image: Path) -> None:
    manifest_path(image).unlink()
    assert "there is no manifest beside it (new.json)" in refusal(image)


@pytest.mark.parametrize("content", ["", "{", "[]", '"x"', "[" * 100_000, "{}", '{"version": 1}', '{"bytes": true}'])
def test_a_broken_manifest_is_refused(image: Path, content: str) -> None:
    manifest_path(image).write_text(content, "utf-8")
    assert "new.json: " in refusal(image)


@pytest.mark.parametrize("field", ["version", "protocol", "mcu", "bytes", "crc32", "sha256"])
def test_each_field_that_is_missing_is_named(image: Path, field: str) -> None:
    path = manifest_path(image)
    fields = json.loads(path.read_text("utf-8"))
    del fields[field]
    path.write_text(json.dumps(fields), "utf-8")
    assert f"'{field}' is None, expected " in refusal(image)


def test_a_file_that_isnt_there_is_told(tmp_path: Path) -> None:
    with pytest.raises(ImageFileError, match=r"none\.hex: the image can't be read: No such file or directory"):
        load_image(tmp_path / "none.hex", PROTOCOL)


def test_a_huge_file_is_refused_without_reading_it_all(image: Path) -> None:
    with image.open("wb") as file:
        file.truncate(1 << 33)  # sparse
    assert "it is larger than 1000 KB" in refusal(image)


def test_every_refusal_is_an_error_of_the_tree_and_a_built_in() -> None:
    assert issubclass(ImageError, ShelfedgeError)
    assert issubclass(ImageError, ValueError)
    assert issubclass(ImageFileError, OSError)
    assert Image.__doc__
