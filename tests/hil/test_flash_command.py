"""`shelfedge flash` as an installer types it, against the real firmware in the emulator (P10)."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from rig_ready import needed

from firmware_bridge.flash.image import bundled_image, load_image
from hil.flash_images import as_version, hex_text, made_up, write_image
from hil.rig.bootloader import build_bootloader
from hil.rig.port import PtyRig

ROOT = Path(__file__).parents[2]
VERSION = "0.9.9"


@pytest.fixture
def board(tmp_path: Path) -> Iterator[PtyRig]:
    """A Nano with bootloader and bundled firmware on a port of its own."""
    needed("simavr", "avr-gcc", "avrdude")
    port, eeprom = tmp_path / "tty-nano", tmp_path / "eeprom"
    with PtyRig(port, bundled_image(), bootloader=build_bootloader(), flash=tmp_path / "flash", eeprom=eeprom) as rig:
        yield rig


@pytest.fixture
def other(tmp_path: Path) -> Path:
    """The bundled firmware under another version."""
    memory = load_image(bundled_image(), 1).memory
    return write_image(tmp_path / "other.hex", as_version(memory, VERSION))


def start(*words: str | Path) -> subprocess.Popen[str]:
    return subprocess.Popen(
        [sys.executable, "-m", "edge.cli.main", "flash", *map(str, words)],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        env={**os.environ, "PYTHONPATH": str(ROOT)},
        start_new_session=True,  # a Ctrl-C of its own, for it and for what it starts
    )


def flash(*words: str | Path) -> subprocess.CompletedProcess[str]:
    """The command, to its end."""
    with start(*words) as process:
        said, told = process.communicate(timeout=180)
    return subprocess.CompletedProcess(process.args, process.returncode, said, told)


def until_writing(process: subprocess.Popen[str]) -> None:
    """Read on until it says that a quarter is written."""
    assert process.stderr is not None
    lines = []
    for line in process.stderr:
        lines.append(line)
        if line.startswith("25 %"):
            return
    pytest.fail("it ended before: " + "".join(lines))


def test_one_command_flashes_names_and_proves_an_mcu(board: PtyRig, other: Path) -> None:
    done = flash("--port", board.port, "--image", other, "--name", "bay-07", "--json")
    assert done.returncode == 0, done.stderr
    result = json.loads(done.stdout)
    assert (result["firmware"], result["serial"], result["board"]) == (VERSION, "bay-07", "atmega328p-nano")
    assert (result["port"], result["baud"], result["settings_kept"]) == (str(board.port), 115_200, True)
    assert result["crc32"] == load_image(other, 1).crc32
    assert result["before"]["serial"] == "unset"
    said = done.stderr.splitlines()
    assert said[0] == f"asking the MCU on {board.port} who it is"
    shares = ["25 % writing", "50 % reading back", "75 % reading back", "100 % finishing"]
    assert [line for line in said if " % " in line] == shares
    assert said[-1] == "written and read back; asking the MCU who it is now"


def test_a_tampered_image_is_refused_before_a_byte_is_written(board: PtyRig, other: Path) -> None:
    memory = bytearray(load_image(other, 1).memory)
    memory[5000] ^= 1
    other.write_text(hex_text(bytes(memory)), "ascii")
    done = flash("--port", board.port, "--image", other)
    assert done.returncode == 1
    assert "its checksum isn't the one in other.json" in done.stderr
    assert "Nothing was written" in done.stderr
    state = board.state()
    assert (state.resets, state.wire["mcu_passed"]) == (1, 0), "the port wasn't even opened"


def test_a_used_nano_with_a_foreign_program_and_eeprom_is_taken_over(tmp_path: Path) -> None:
    needed("simavr", "avr-gcc", "avrdude")
    foreign = write_image(tmp_path / "foreign.hex", made_up())
    (tmp_path / "eeprom").write_bytes(bytes(k * 7 % 251 for k in range(1024)))
    port, flash_file, eeprom = tmp_path / "tty-used", tmp_path / "flash", tmp_path / "eeprom"
    with PtyRig(port, foreign, bootloader=build_bootloader(), flash=flash_file, eeprom=eeprom):
        done = flash("--port", port, "--name", "bay-08", "--json")
    assert done.returncode == 0, done.stderr
    result = json.loads(done.stdout)
    assert (result["serial"], result["before"], result["settings_kept"]) == ("bay-08", None, None)
    assert "no shelfedge firmware answers there" in done.stderr
    assert "its memory of settings holds nothing of ours, or damage: it uses the defaults" in done.stderr


def test_killed_then_cancelled_then_it_goes_through(board: PtyRig, other: Path) -> None:
    with start("--port", board.port, "--image", other) as process:
        until_writing(process)
        os.killpg(process.pid, signal.SIGKILL)
    with start("--port", board.port, "--image", other) as process:
        until_writing(process)
        os.killpg(process.pid, signal.SIGINT)
        _, said = process.communicate(timeout=60)
    assert process.returncode == 130
    assert "stopped by Ctrl-C. The MCU holds only a part of the image; it stands still, harmlessly" in said
    assert "Run the same command again" in said
    assert "Traceback" not in said
    done = flash("--port", board.port, "--image", other)
    assert done.returncode == 0, done.stderr
    assert "no shelfedge firmware answers there" in done.stderr
    assert done.stdout.startswith(f"PASS: {board.port}: atmega328p-nano, serial 'unset', firmware {VERSION}")
