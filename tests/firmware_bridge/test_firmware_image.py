"""The image that is kept in the repository is the one its sources give, and its manifest is true."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import zlib
from hashlib import sha256
from pathlib import Path

import pytest
from firmware_on_rig import FIRMWARE, build_firmware, needed

from firmware_bridge.flash.image import load_image

NAME = "shelfedge-atmega328p"
HEX, MANIFEST = FIRMWARE / f"{NAME}.hex", json.loads((FIRMWARE / f"{NAME}.json").read_text(encoding="utf-8"))
RAM_BYTES = 2048
STACK_LEAST = 200  # what is left for the stack; the rig's tests see how much of it is never touched


@pytest.fixture(scope="module")
def built(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return build_firmware(tmp_path_factory.mktemp("image"))


def test_the_bundled_image_passes_its_own_checks() -> None:
    image = load_image(HEX, protocol=MANIFEST["protocol"])
    assert image.version == MANIFEST["version"]
    assert image.crc32 == MANIFEST["crc32"] == zlib.crc32(image.memory)
    assert len(image.memory) == MANIFEST["bytes"]


def test_the_manifest_has_the_checksum_of_the_hex() -> None:
    assert MANIFEST["sha256"] == sha256(HEX.read_bytes()).hexdigest()


def test_building_again_gives_the_same_bytes(built: Path) -> None:
    compiler = subprocess.run(["avr-gcc", "-dumpversion"], capture_output=True, text=True, check=True).stdout.strip()
    if MANIFEST["compiler"] != f"avr-gcc {compiler}":
        pytest.skip(f"the image was built with {MANIFEST['compiler']} (Debian 12); this is {compiler}, which differs")
    assert built.read_bytes() == HEX.read_bytes()
    assert json.loads(built.with_suffix(".json").read_text(encoding="utf-8")) == MANIFEST


def test_neither_place_nor_time_of_building_shows_in_the_image(built: Path, tmp_path: Path) -> None:
    needed("avr-gcc")
    sources = tmp_path / "somewhere else"
    shutil.copytree(FIRMWARE, sources)
    environment = {**os.environ, "TZ": "Asia/Tokyo", "LANG": "C"}
    subprocess.run(
        ["make", "image", "BUILD=other"], cwd=sources, env=environment, check=True, stdout=subprocess.DEVNULL
    )
    assert (sources / "other" / HEX.name).read_bytes() == built.read_bytes()


def test_data_leave_room_for_the_stack(built: Path) -> None:
    sizes = subprocess.run(["avr-size", str(built.with_suffix(".elf"))], capture_output=True, text=True, check=True)
    _, data, bss, *_ = (int(word) for word in sizes.stdout.splitlines()[1].split()[:3])
    assert data + bss <= RAM_BYTES - STACK_LEAST
