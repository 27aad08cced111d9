"""The rig's bootloader, byte by byte in lockstep: what it answers and refuses, and that nothing cut off harms it."""

from __future__ import annotations

import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest
from rig_ready import compile_avr, needed

from firmware_bridge.flash.chips import CHIPS
from hil.flash_images import hex_text
from hil.rig.bootloader import Bootloader, build_bootloader
from hil.rig.faults import Reset
from hil.rig.lockstep import LockstepRig

IN_SYNC, OK, FAILED, NO_SYNC = 0x14, 0x10, 0x11, 0x15
EOP = b"\x20"
SYNC = b"\x30" + EOP
WINDOW_US = 1_000_000
START_UP_US = 70_000  # of the chip itself, by its fuses 65 ms
PAGE = bytes(range(1, 129))
WRITE = b"\x64\x00\x80F" + PAGE + EOP

APPLICATION = """
#include <avr/io.h>
#include <util/delay.h>
uint8_t cause __attribute__((section(".noinit")));
void first(void) __attribute__((naked, used, section(".init3")));
void first(void) { __asm__ volatile("sts cause, r2"); }
static void put(uint8_t byte) { while (!(UCSR0A & _BV(UDRE0))); UDR0 = byte; }
int main(void) {
    uint8_t clean = UCSR0B == 0 && UBRR0 == 0 && TCCR1B == 0 && WDTCSR == 0 && UCSR0C == 6;
    UCSR0A = _BV(U2X0); UBRR0 = 16; UCSR0B = _BV(TXEN0);
    put('A'); put(cause); put(MCUSR); put(clean);
    _delay_ms(3);
#ifdef BITES
    WDTCSR = _BV(WDCE) | _BV(WDE); WDTCSR = _BV(WDE); /* 16 ms */
#endif
    for (;;);
}
"""


@pytest.fixture(scope="module")
def applications(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    """A program that says with what it was started; the other one lets the watchdog bite."""
    needed("simavr", "avr-gcc")
    folder = tmp_path_factory.mktemp("applications")
    source = folder / "application.c"
    source.write_text(APPLICATION)
    return {
        "says": compile_avr(source, folder / "says.hex"),
        "bites": compile_avr(source, folder / "bites.hex", "-DBITES"),
    }


@pytest.fixture
def rig(tmp_path: Path) -> Iterator[LockstepRig]:
    """A board with nothing but the bootloader, just reset by the line."""
    needed("simavr", "avr-gcc")
    with LockstepRig(bootloader=build_bootloader(), flash=tmp_path / "flash", eeprom=tmp_path / "eeprom") as made:
        restart(made)
        yield made


def restart(rig: LockstepRig) -> None:
    rig.reset(Reset.EXTERNAL)
    rig.run(START_UP_US)


def talk(rig: LockstepRig, data: bytes, wait_us: float = 30_000) -> bytes:
    rig.send(data)
    return b"".join(chunk.data for chunk in rig.run(wait_us))


def at_word(address: int) -> bytes:
    return b"\x55" + (address // 2).to_bytes(2, "little") + EOP


def test_it_answers_as_avr061_says(rig: LockstepRig) -> None:
    assert talk(rig, SYNC) == bytes([IN_SYNC, OK])
    assert talk(rig, b"\x75" + EOP) == bytes([IN_SYNC, 0x1E, 0x95, 0x0F, OK])
    assert talk(rig, b"\x41\x81" + EOP) == bytes([IN_SYNC, 1, OK])
    assert talk(rig, b"\x56\x30\x00\x00\x00" + EOP) == bytes([IN_SYNC, 0, OK])
    assert talk(rig, b"\x42" + bytes(20) + EOP) == bytes([IN_SYNC, OK])
    assert talk(rig, b"\x45\x05\x04\xd7\xc2\x00" + EOP) == bytes([IN_SYNC, OK])
    assert talk(rig, b"\x30\x30") == bytes([NO_SYNC])


def test_a_page_is_written_and_read_back(rig: LockstepRig, tmp_path: Path) -> None:
    assert talk(rig, at_word(0x100) + WRITE, 60_000) == bytes([IN_SYNC, OK]) * 2
    assert talk(rig, b"\x74\x00\x80F" + EOP) == bytes([IN_SYNC]) + PAGE + bytes([OK])
    assert (tmp_path / "flash").read_bytes()[0x100:0x180] == PAGE


@pytest.mark.parametrize("address", [0x7800, 0x7C00, 0x7F80])
def test_it_never_writes_on_itself(rig: LockstepRig, tmp_path: Path, address: int) -> None:
    before = (tmp_path / "flash").read_bytes()[0x7800:]
    assert talk(rig, at_word(address) + WRITE, 60_000) == bytes([IN_SYNC, OK, IN_SYNC, FAILED])
    assert (tmp_path / "flash").read_bytes()[0x7800:] == before


@pytest.mark.parametrize(
    "write",
    [
        b"\x64\x00\x80E" + PAGE + EOP,  # the EEPROM holds the settings
        b"\x64\x00\x00F" + EOP,
        b"\x64\x00\x03F" + PAGE[:3] + EOP,
        b"\x64\x01\x00F" + PAGE + PAGE + EOP,
    ],
)
def test_what_isnt_a_page_of_flash_is_refused(rig: LockstepRig, tmp_path: Path, write: bytes) -> None:
    before = (tmp_path / "flash").read_bytes(), (tmp_path / "eeprom").read_bytes()
    assert talk(rig, at_word(0) + write, 60_000) == bytes([IN_SYNC, OK, IN_SYNC, FAILED])
    assert ((tmp_path / "flash").read_bytes(), (tmp_path / "eeprom").read_bytes()) == before


def test_cut_off_after_any_byte_it_is_there_again_after_the_next_reset(rig: LockstepRig, tmp_path: Path) -> None:
    """P10, at the smallest scale: a reset in the middle of every byte of a session."""
    until_whole = len(SYNC + at_word(0) + WRITE)
    session = SYNC + at_word(0) + WRITE + b"\x74\x00\x80F" + EOP
    bootloader = (tmp_path / "flash").read_bytes()[0x7800:]
    for count in range(len(session)):
        rig.send(session[:count])
        rig.run(87 * count + 40)  # the last byte is half way in
        restart(rig)
        assert talk(rig, SYNC, 1000) == bytes([IN_SYNC, OK]), f"after {count} bytes"
        if count < until_whole:  # a page that isn't whole isn't begun
            assert (tmp_path / "flash").read_bytes()[:128] == b"\xff" * 128
    assert (tmp_path / "flash").read_bytes()[0x7800:] == bootloader


def test_the_application_starts_when_nobody_speaks(applications: dict[str, Path]) -> None:
    with LockstepRig(applications["says"], bootloader=build_bootloader()) as rig:
        restart(rig)
        assert b"".join(chunk.data for chunk in rig.run(WINDOW_US * 0.9)) == b""
        said = b"".join(chunk.data for chunk in rig.run(WINDOW_US * 0.2))
        assert said[:1] == b"A"
        assert said[1] & 2, "the cause of the reset, EXTRF, came along in r2"
        assert said[2] & 2, "and stands in MCUSR"
        assert said[3] == 1, "all registers as after a reset"


def test_speech_that_makes_no_sense_keeps_nobody_from_starting(applications: dict[str, Path]) -> None:
    with LockstepRig(applications["says"], bootloader=build_bootloader()) as rig:
        restart(rig)
        said = b"".join(talk(rig, bytes([7, 0, 0xC3, 0x99, 0x42 + k % 2]), 100_000) for k in range(12))
        assert b"A" in said


def test_after_power_on_and_watchdog_the_application_starts_at_once(applications: dict[str, Path]) -> None:
    with LockstepRig(applications["bites"], bootloader=build_bootloader()) as rig:
        said = b"".join(chunk.data for chunk in rig.run(600_000))
        starts = said.split(b"A")[1:]
        assert starts[0][0] == 1, "power-on"
        assert len(starts) > 5, "the watchdog bites after 16 ms, and no window is between"
        assert all(start[0] & 8 for start in starts[1:]), "the watchdog's flag comes along in r2"
        assert all(start[2] == 1 for start in starts[1:]), "and the watchdog is off"


def test_leaving_starts_the_application_at_once(applications: dict[str, Path]) -> None:
    with LockstepRig(applications["says"], bootloader=build_bootloader()) as rig:
        restart(rig)
        assert talk(rig, SYNC) == bytes([IN_SYNC, OK])
        said = talk(rig, b"\x51" + EOP)
        assert said[:3] == bytes([IN_SYNC, OK]) + b"A"


def test_an_empty_flash_keeps_it_waiting(rig: LockstepRig) -> None:
    rig.run(5 * WINDOW_US)
    assert talk(rig, SYNC) == bytes([IN_SYNC, OK])


def test_the_standstill_is_the_program_that_its_comments_say(tmp_path: Path) -> None:
    needed("avr-gcc")
    source = tmp_path / "standstill.S"
    source.write_text(
        "cli\nwdr\nclr r24\nout 0x34, r24\nldi r25, 0x18\nsts 0x60, r25\nsts 0x60, r24\nhere: rjmp here\n"
    )
    made, plain = tmp_path / "standstill.elf", tmp_path / "standstill.bin"
    subprocess.run(["avr-gcc", "-mmcu=atmega328p", "-nostdlib", "-o", str(made), str(source)], check=True)
    subprocess.run(["avr-objcopy", "-O", "binary", str(made), str(plain)], check=True)
    assert plain.read_bytes() == CHIPS["atmega328p"].standstill


def test_the_standstill_stands_still(tmp_path: Path) -> None:
    needed("simavr")
    image = tmp_path / "standstill.hex"
    image.write_text(hex_text(CHIPS["atmega328p"].standstill), "ascii")
    with LockstepRig(image) as rig:
        resets = rig.state().resets
        assert rig.run(10e6) == []
        assert (rig.state().mcu, rig.state().resets) == ("running", resets)


@pytest.mark.parametrize(("kind", "signature"), [(Bootloader.OTHER_CHIP, "1e9516"), (Bootloader.NEW, "1e950f")])
def test_its_kinds_say_what_chip_they_are(kind: Bootloader, signature: str) -> None:
    needed("simavr", "avr-gcc")
    with LockstepRig(bootloader=build_bootloader(kind)) as rig:
        restart(rig)
        assert talk(rig, b"\x75" + EOP)[1:4].hex() == signature


def test_the_old_kind_speaks_slowly() -> None:
    needed("simavr", "avr-gcc")
    with LockstepRig(bootloader=build_bootloader(Bootloader.OLD)) as rig:
        restart(rig)
        assert rig.state().baud == pytest.approx(57_600, rel=0.025)
