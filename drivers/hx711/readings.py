"""One read of an HX711: the common currency of everything that reads one."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(slots=True)
class Reading:
    """What one read of a chip gave, before anyone judged it.

    Attributes:
        cell: index in the board's order of cells.
        edge_ns: monotonic time of the ready edge, which is the end of the conversion.
        counts: 24-bit two's complement, sign-extended.
        flags: `drivers.samples.SampleFlag` bits that the reader itself saw: DESYNC, LONG_PULSE, LATE_READ, SETTLING,
            RESET, SATURATED.
        missed: conversions between the previous reading of this cell and this one that are known to be lost on the way
            (in the link, in the MCU), and whose cause is accounted elsewhere.
    """

    cell: int
    edge_ns: int
    counts: int
    flags: int
    missed: int = 0
