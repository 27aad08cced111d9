"""The tare of a recording in grams, told by its misread codes: one offset that makes codes of them all.

A recording in grams of an HX711 lacks one number, the tare that was taken off the codes, and with it every code. But
when the chip was reset in mid-read the code ended in ones, and each such reading allows only the tares that
make it so: ``v | (2^k - 1)``, where ``v`` is about the reading before. Two or three of them leave one tare.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass

from drivers.hx711.codes import BITS, CODE_MAX, CODE_MIN, is_cut_short, trailing_ones

LEAST_JUMP_COUNTS = 2000.0
_FULL_RUNS = (0, -1, *((1 << n) - 1 for n in range(15, BITS)))
_BIT_OF_RESET = math.log2(BITS + 1)  # the reset may come before any bit: each is as likely
_ZERO_BITS = 6.0  # a reset makes -1, not 0; what makes 0 (DOUT held low) is rarer
_UNLIKELY_BITS = 30.0  # a code like this without a reset
_ENOUGH_BITS = 8.0  # 1 in 256 that chance did it
_CLEAR_BITS = 3.0  # the next best tare is 8 times less likely


@dataclass(frozen=True, slots=True)
class CutReading:
    """A reading after which the chip restarted, in counts of the recording (codes less the tare).

    Attributes:
        counts: what was read. before: the good reading before it. noise: how far those two may differ without a fault.
    """

    counts: int
    before: int
    noise: float

    @property
    def jumps(self) -> bool:
        """Whether it differs by more than anything in ordinary use comes to between two readings."""
        return abs(self.counts - self.before) > max(LEAST_JUMP_COUNTS, self.noise)


@dataclass(frozen=True, slots=True)
class TareFit:
    """Attributes:
    tare_counts: code = counts + tare_counts.
    evidence_bits: how much likelier the readings are with it than by chance, as a power of two.
    codes: code of each reading that ends in ones as a reset makes it; None for the others.
    """

    tare_counts: int
    evidence_bits: float
    codes: tuple[int | None, ...]


def fit_tare(readings: Sequence[CutReading]) -> TareFit | None:
    """The tare that explains the readings best; None where none does, or another one nearly as well.

    By likelihood: a reading that was cut before bit k has k ones at its end and the bits of the reading before above
    them. A tare may be anything, the likelier the smaller it is (log-uniform): one that is off by a high power of two
    explains as much.
    """
    fits = {tare: _explained(tare, readings) for tare in _possible(readings)}
    ranked = sorted(fits.values(), key=lambda fit: math.log2(abs(fit.tare_counts) + 1000) - fit.evidence_bits)
    if not ranked or ranked[0].evidence_bits < _ENOUGH_BITS:
        return None
    best = ranked[0]
    if len(ranked) > 1:
        smaller = math.log2((abs(ranked[1].tare_counts) + 1000) / (abs(best.tare_counts) + 1000))
        if best.evidence_bits - ranked[1].evidence_bits + smaller < _CLEAR_BITS:
            return None
    return best


def _possible(readings: Iterable[CutReading]) -> Iterator[int]:
    for reading in readings:
        if reading.jumps:
            for code in _FULL_RUNS:
                tare = code - reading.counts
                if CODE_MIN < reading.before + tare < CODE_MAX:
                    yield tare


def _explained(tare: int, readings: Sequence[CutReading]) -> TareFit:
    """How much likelier the readings are with this tare than with none in particular, less 24 bits for choosing it."""
    codes: list[int | None] = []
    bits = -float(BITS)
    seen: set[int] = set()
    for reading in readings:
        code = reading.counts + tare
        inside = CODE_MIN <= code <= CODE_MAX
        explained = inside and is_cut_short(code, trailing_ones(code), reading.before + tare, reading.noise)
        zero = code == 0 and reading.jumps
        codes.append(code if explained or zero else None)
        if reading.counts in seen:
            continue  # the same code once more says nothing new of the tare
        seen.add(reading.counts)
        if reading.jumps:
            bits += BITS - (_BIT_OF_RESET if explained else _BIT_OF_RESET + _ZERO_BITS if zero else _UNLIKELY_BITS)
        elif inside:
            bits += max(trailing_ones(code) + 1.0 - _BIT_OF_RESET, -_BIT_OF_RESET)
        else:
            bits -= _UNLIKELY_BITS
    return TareFit(tare, bits, tuple(codes))
