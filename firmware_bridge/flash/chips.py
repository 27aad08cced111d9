"""The MCUs that can be flashed: their sizes, and the program that keeps one still while it has no whole firmware."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Chip:
    """One kind of MCU with a serial bootloader.

    ``application_bytes`` is what is left below the largest boot section that its boards have; ``bauds`` are the
    bootloaders' speeds, the likelier first; ``standstill`` is the machine code of a program that does nothing.
    """

    mcu: str
    avrdude_part: str
    signature: bytes
    application_bytes: int
    page_bytes: int
    bauds: tuple[int, ...]
    standstill: bytes


# Interrupts off, the watchdog off in the data sheet's timed sequence (WDRF cleared first, or it stays on), then a loop.
# All pins stay inputs, as the reset left them. Opcodes from the AVR instruction set manual, low byte first.
_AVR_STANDSTILL = b"".join(
    word.to_bytes(2, "little")
    for word in (
        0x94F8,  # cli
        0x95A8,  # wdr
        0x2788,  # clr  r24
        0xBF84,  # out  MCUSR, r24
        0xE198,  # ldi  r25, WDCE | WDE
        0x9390,  # sts  WDTCSR, r25
        0x0060,
        0x9380,  # sts  WDTCSR, r24
        0x0060,
        0xCFFF,  # rjmp to itself
    )
)

CHIPS = {
    chip.mcu: chip
    for chip in (
        # 0x7800: old Nanos have a boot section of 2 KB. New ones have 512 bytes, but what fits one shall fit each.
        # 115200: optiboot; 57600: "old bootloader" Nanos.
        Chip("atmega328p", "m328p", b"\x1e\x95\x0f", 0x7800, 128, (115_200, 57_600), _AVR_STANDSTILL),
    )
}
