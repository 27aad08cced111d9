"""What a load-cell driver delivers: blocks of samples, each with its own time and its own evidence.

The cells of one board are converted by one chip each, on clocks of their own: no two sample at the same instant, or at
the same rate (-3..+17 % was measured between HX711s). So a block isn't a matrix. It is a list of samples in order of
time, each naming its cell.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import IntFlag

import numpy as np
import numpy.typing as npt


class SampleFlag(IntFlag):
    """Evidence that travels with a sample. Zero is a good sample; any set bit keeps it from becoming weight."""

    GOOD = 0
    SATURATED = 1 << 0  # the converter's end stops 0x7FFFFF and 0x800000: open lead, broken gauge, gross overload
    CORRUPT_CODE = 1 << 1  # the code gives it away: 2^n - 1 or 0 out of place, a run of ones, shifted bits
    SPIKE = 1 << 2  # one sample far from both its neighbours
    SETTLING = 1 << 3  # one of the first conversions after power-up, reset or a change of gain
    STUCK = 1 << 4  # the same code for longer than noise allows
    DESYNC = 1 << 5  # the bit after the last one wasn't high: bits were lost or added
    LONG_PULSE = 1 << 6  # the clock was held high for over 50 µs during this read
    LATE_READ = 1 << 7  # read too long after the ready edge, so it may mix two conversions
    RESET = 1 << 8  # the chip restarted since the sample before
    MISSING = 1 << 9  # there is a row for it in the source, but no value
    NOT_READY = 1 << 10  # a CORRUPT_CODE of all ones (-1): the chip wasn't ready, or was reset at once
    OFF_RATE = 1 << 11  # ready at a time that isn't one of its chip's own, which are regular to 0.01 %
    CUT_SHORT = 1 << 12  # the chip was reset while this was read: whatever follows in it are ones
    GAIN_SLIP = 1 << 13  # a clock pulse too many or too few: shifted bits, or 2, 4, 1/2, 1/4 times what it was before


@dataclass(frozen=True, slots=True)
class SampleBlock:
    """Samples of one board in order of time (equal times in order of cell).

    Attributes:
        board: the board's id in the node file.
        time_ns: int64[n], monotonic nanoseconds of the conversion, never decreasing within a board.
        cell: uint8[n], index of the cell in the board's order of cells.
        counts: int32[n], what the converter said.
        flags: uint16[n], `SampleFlag` bits.
    """

    board: str
    time_ns: npt.NDArray[np.int64]
    cell: npt.NDArray[np.uint8]
    counts: npt.NDArray[np.int32]
    flags: npt.NDArray[np.uint16]

    def __len__(self) -> int:
        return int(self.time_ns.size)

    def part(self, begin: int, end: int) -> SampleBlock:
        """Samples ``begin`` to ``end`` (Python slicing), without copying."""
        cut = slice(begin, end)
        return SampleBlock(self.board, self.time_ns[cut], self.cell[cut], self.counts[cut], self.flags[cut])

    @staticmethod
    def join(blocks: list[SampleBlock]) -> SampleBlock:
        """Blocks of one board, in order, as one. Raises ValueError for an empty list or a mix of boards."""
        boards = {block.board for block in blocks}
        if len(boards) != 1:
            raise ValueError(f"join needs blocks of exactly one board, got {sorted(boards)}")
        return SampleBlock(
            blocks[0].board,
            np.concatenate([block.time_ns for block in blocks]),
            np.concatenate([block.cell for block in blocks]),
            np.concatenate([block.counts for block in blocks]),
            np.concatenate([block.flags for block in blocks]),
        )

    @staticmethod
    def empty(board: str) -> SampleBlock:
        """A block with no samples."""
        return SampleBlock(
            board, np.empty(0, np.int64), np.empty(0, np.uint8), np.empty(0, np.int32), np.empty(0, np.uint16)
        )
