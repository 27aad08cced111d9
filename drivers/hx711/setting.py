"""The wire's two conventions: pulses select input and gain, and codes are 24-bit two's complement."""

from __future__ import annotations

PULSES = {128: 25, 32: 26, 64: 27}
"""Pulses per read by gain. 128 and 64 are of channel A, 32 is channel B."""


def signed(code: int) -> int:
    """A 24-bit two's complement code as a number."""
    return code - (1 << 24) if code & 0x800000 else code
