"""The longest run of one repeated code: a converter's noise never repeats itself for long, so such a cell is stuck."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt


@dataclass(slots=True)
class LongestRun:
    """Attributes:
    length: samples in the longest run so far, 0 before the first sample.
    code: what they all are. begin_ns, end_ns: the first and the last of them.
    """

    length: int = 0
    code: int = 0
    begin_ns: int = 0
    end_ns: int = 0
    _open_length: int = 0
    _open_code: int = 0
    _open_begin_ns: int = 0

    def add(self, time_ns: npt.NDArray[np.int64], counts: npt.NDArray[np.int32]) -> None:
        """The next samples of the cell; a run may go on from those before."""
        if not time_ns.size:
            return
        begins = np.concatenate(([0], np.flatnonzero(counts[1:] != counts[:-1]) + 1))
        lengths = np.diff(begins, append=counts.size)
        goes_on = self._open_length > 0 and int(counts[0]) == self._open_code
        if goes_on:
            lengths[0] += self._open_length
        best = int(np.argmax(lengths))
        if int(lengths[best]) > self.length:
            self.length, self.code = int(lengths[best]), int(counts[begins[best]])
            self.begin_ns = self._open_begin_ns if goes_on and best == 0 else int(time_ns[begins[best]])
            after = int(begins[best + 1]) if best + 1 < begins.size else counts.size
            self.end_ns = int(time_ns[after - 1])
        if not goes_on or begins.size > 1:
            self._open_begin_ns = int(time_ns[begins[-1]])
        self._open_length, self._open_code = int(lengths[-1]), int(counts[-1])
