"""What a 24-bit code gives away by itself: runs of ones that a clean read doesn't end in, and what people call them.

A chip that is reset in the middle of a read lets DOUT go high, so all later bits read 1: ``v | (2^k - 1)``. For the
ordinary positive reading that is ``2^n - 1``; reset before the first bit it is -1. The bit after the last one is then 1
too, so the usual check of the 25th bit passes. A good code ends in k ones by chance in 1 of 2^k cases.

Plain Python without calls from one function to another, so that kernels can compile these as they are.
"""

from __future__ import annotations

BITS = 24
CODE_MAX, CODE_MIN = (1 << (BITS - 1)) - 1, -(1 << (BITS - 1))
RAW, SHIFTED, OTHER = range(3)
"""What a cell's numbers are: the chip's codes; its codes less a tare that isn't known (then only the intervals tell
which readings were cut short); or no codes at all (then only the intervals are judged)."""
SUSPECT_ONES = 4
"""Fewer trailing ones change a value by 7 counts at most, which is below any HX711's noise (20 counts rms)."""
SHORTEST_FULL_RUN = 10  # 2^10 - 1 and up; below that, codes lie within a cell's noise of 0


def trailing_ones(code: int) -> int:
    """Ones at the low end of a sign-extended 24-bit code, 0 to 24."""
    ones = 0
    while ones < BITS and (code >> ones) & 1:
        ones += 1
    return ones


def is_saturated(code: int) -> bool:
    """Whether it is one of the converter's end stops, or beyond."""
    return bool(code >= CODE_MAX or code <= CODE_MIN)


def is_full_run(code: int) -> bool:
    """0, -1 or 2^n - 1 (n = 10..23): codes that a chip sends far more often when it is read wrongly than otherwise."""
    if code == 0 or code == -1:
        return True
    return bool(code >= (1 << SHORTEST_FULL_RUN) - 1 and code & (code + 1) == 0)


def is_cut_short(code: int, ones: int, before: float, tolerance: float) -> bool:
    """Whether `code` with that many trailing ones is a reading of about `before` whose last bits all turned to ones.

    `tolerance`: counts by which the reading may have differed from `before`.
    """
    if ones == BITS:
        return True
    rise = code - before
    return bool(ones >= SUSPECT_ONES and rise > -tolerance and rise < (1 << ones) + tolerance)


def has_shifted_bits(code: int, before: int, tolerance: float) -> bool:
    """Whether `code` is a reading of about `before` of which a clock pulse got lost, or counted twice, at some bit.

    From that bit on all stand one place too low (the bit at the lost pulse is there twice), or one too high (one is
    gone, and the last is the 1 that follows the 24th).
    """
    value = before & 0xFFFFFF
    for low in range(2, BITS + 1):
        kept = (value >> low) << low
        part = value & ((1 << low) - 1)
        lost = kept | (part >> 1) | (part & (1 << (low - 1)))
        twice = kept | ((part << 1) & ((1 << low) - 1)) | 1
        for found, spread in ((lost, 1.0), (twice, 2.0)):  # a bit higher, noise is twice as high
            if abs(code - (found - ((found >> (BITS - 1)) << BITS))) <= spread * tolerance:
                return True
    return False


def code_name(code: int) -> str:
    """What people call it: ``2^21-1``, ``-1``, ``0``, ``8 low bits 1``; else the number."""
    if code in (0, -1):
        return str(code)
    if is_full_run(code):
        return f"2^{code.bit_length()}-1"
    ones = trailing_ones(code)
    return f"{ones} low bits 1" if ones >= SUSPECT_ONES else str(code)
