"""What really happened: every conversion of every chip, as the simulator logged it."""

from __future__ import annotations

import enum

import numpy as np
import numpy.typing as npt

# As `struct truth` in sim/chips.h. Times are true time (see `hil.rig.controls`).
TRUTH = np.dtype(
    [
        ("edge_ns", "<i8"),  # the ready edge: DOUT falls
        ("number", "<u4"),  # conversions of this chip before it
        ("counts", "<i4"),  # the code in the chip's output register
        ("read_begin_ns", "<i8"),  # first pulse of the read that took it; -1: none did
        ("chip", "u1"),
        ("setting", "u1"),  # 25 A/128, 26 B/32, 27 A/64
        ("pulses", "u1"),  # that the reader gave until the next conversion
        ("marks", "u1"),  # Mark bits
        ("fault", "<u2"),  # bit n: the n-th RigFault was at work while it was converted or read
        ("spare", "<u2"),
    ]
)


class Mark(enum.IntFlag):
    """How a conversion came to be and what became of it."""

    SETTLED = 1  # not one of the four after a start or a change of setting
    AFTER_RESTART = 2  # the first since the chip restarted
    READ = 4  # read with 25 to 27 pulses
    LOST = 8  # nobody read it before the next
    SPOILT = 16  # a read of it was left off, had a wrong number of pulses, or was hit by an update or a restart


def read_truth(records: bytes) -> npt.NDArray[np.void]:
    """The simulator's records as an array of `TRUTH`, in order of the time at which their fate was known."""
    return np.frombuffer(records, TRUTH)
