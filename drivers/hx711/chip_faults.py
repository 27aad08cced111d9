"""What can be made to go wrong in the chip model, by name and on demand."""

from __future__ import annotations

import enum
from dataclasses import dataclass


class ChipFault(enum.Enum):
    """One way in which an HX711, its wires or its reader fail. `drivers.hx711.chip` says what each does at the pins.

    Faults of one read happen in the first read that begins at or after their time; lasting ones from then on.
    """

    LATE_READ = "late read"  # one read: it collides with the update of the output register
    LONG_PULSE = "long pulse"  # one read: SCK stays high for over 60 µs, so the chip powers down and restarts
    MISSED_PULSE = "missed pulse"  # one read: one pulse doesn't get to the chip
    EXTRA_PULSE = "extra pulse"  # one read: the chip sees one pulse twice
    RESET_MID_READ = "reset mid-read"  # one read: the chip restarts at one bit; all further bits are ones
    CLIP_HIGH = "clip high"  # lasting: 0x7FFFFF
    CLIP_LOW = "clip low"  # lasting: 0x800000
    STUCK = "stuck"  # lasting: the code of its beginning
    ALL_ONES = "all ones"  # lasting: ready edges come, every bit is one
    ALL_ZEROS = "all zeros"  # lasting: DOUT shorted to ground: always ready, every bit zero, the 25th too
    SLOW_CLOCK = "slow clock"  # lasting: periods longer (or shorter) by a factor
    SWAPPED_LINES = "swapped lines"  # lasting: SCK and DOUT exchanged: nothing gets through, DOUT stays high
    BROWN_OUT = "brown-out"  # lasting: no supply, DOUT low; then the chip starts as after power-up
    DEAD = "dead"  # lasting: DOUT high, nothing converts


OF_ONE_READ = frozenset(
    {
        ChipFault.LATE_READ,
        ChipFault.LONG_PULSE,
        ChipFault.MISSED_PULSE,
        ChipFault.EXTRA_PULSE,
        ChipFault.RESET_MID_READ,
    }
)


@dataclass(frozen=True, slots=True)
class PlannedFault:
    """A fault with its time.

    Attributes:
        begin_ns: when a lasting fault begins; the earliest time of the read that one of a single read spoils.
        end_ns: when a lasting fault ends; None never.
        bit: the pulse of the read that is spoilt, 0..24, for a fault of a single read.
        amount: SLOW_CLOCK: factor of the period. Not used by the others.
    """

    fault: ChipFault
    begin_ns: int
    end_ns: int | None = None
    bit: int = 12
    amount: float | None = None

    def __post_init__(self) -> None:
        if not 0 <= self.bit <= 24:
            raise ValueError(f"{self.fault.value}: bit {self.bit}; a read has pulses 0 to 24")
        if self.end_ns is not None and self.end_ns < self.begin_ns:
            raise ValueError(f"{self.fault.value}: ends at {self.end_ns} ns, before it begins at {self.begin_ns} ns")


class FaultPlan:
    """The faults of one chip, in any order of planning."""

    def __init__(self) -> None:
        self._one_read: list[PlannedFault] = []
        self._lasting: list[PlannedFault] = []

    def add(self, planned: PlannedFault) -> None:
        """Plan one more."""
        (self._one_read if planned.fault in OF_ONE_READ else self._lasting).append(planned)

    def lasting(self, fault: ChipFault, at_ns: int) -> PlannedFault | None:
        """That lasting fault, if it is there at that time."""
        for planned in self._lasting:
            begun = planned.fault is fault and planned.begin_ns <= at_ns
            if begun and (planned.end_ns is None or at_ns < planned.end_ns):
                return planned
        return None

    def any_lasting(self, at_ns: int, *faults: ChipFault) -> bool:
        """Whether one of these is there at that time."""
        return bool(self._lasting) and any(self.lasting(fault, at_ns) is not None for fault in faults)

    def take_one_read(self, at_ns: int, *faults: ChipFault) -> PlannedFault | None:
        """The first planned of these that is due, taken out of the plan: it happens once."""
        for planned in self._one_read:
            if planned.fault in faults and planned.begin_ns <= at_ns:
                self._one_read.remove(planned)
                return planned
        return None

    def brown_out_ends(self, after_ns: int, until_ns: int) -> int | None:
        """When the supply comes back, if that is in (after_ns, until_ns]."""
        ends = [
            p.end_ns
            for p in self._lasting
            if p.fault is ChipFault.BROWN_OUT and p.end_ns is not None and after_ns < p.end_ns <= until_ns
        ]
        return max(ends, default=None)
