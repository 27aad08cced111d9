"""How one cell's samples come: how fast, how many are missing, how noisy. Fed in chunks of about a second."""

from __future__ import annotations

import math
from collections import deque
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

NS_PER_S = 1_000_000_000
LONGEST_GAP = 50  # conversions; over a longer one they can't be counted through, so the rate is measured anew behind it
LEAST_DIFFERENCES = 6
KEPT_SHARE = 0.9
GAUSSIAN = 1.267  # standard deviation of Gaussian values over the root mean square of their smallest 90 %

Ints = npt.NDArray[np.int64]


class Chunk(NamedTuple):
    """What is kept of a chunk of one cell's samples."""

    segment: int  # grows with every gap that is too long to count through
    number: float  # mean of the samples' numbers, missing ones counted
    mean_ns: float  # mean of their times, since the first sample of the cell
    last_ns: int
    samples: int
    flagged: int
    noise_counts: float  # NaN where there were too few neighbours


class CellHealth:
    """Counts since the start, and chunks of the last while.

    Attributes:
        samples: since the start. missing: conversions that its own rate says there were, but that never came.
        last_ns: time of the newest sample, None before the first; last_counts: its value.
        level_counts: mean of the unflagged samples of the newest chunk that had any; NaN before.
    """

    def __init__(self, rate_hz: float, most_chunks: int) -> None:
        self.samples = 0
        self.missing = 0
        self.last_ns: int | None = None
        self.last_counts: int | None = None
        self.level_counts = math.nan
        self._period_ns = NS_PER_S / rate_hz
        self._origin_ns = 0
        self._segment = 0
        self._number = 0.0
        self._chunks: deque[Chunk] = deque(maxlen=most_chunks)

    def take(self, time_ns: Ints, counts: npt.NDArray[np.int32], flags: npt.NDArray[np.uint16]) -> None:
        """The next samples, at least one, in order of time."""
        if self.last_ns is None:
            self.last_ns = self._origin_ns = int(time_ns[0]) - round(self._period_ns)
        steps_ns = np.diff(time_ns, prepend=self.last_ns)
        if steps_ns.size > 3:
            self._period_ns = max(float(np.median(steps_ns)), 1.0)
        conversions = np.maximum(np.rint(steps_ns / self._period_ns), 1.0)
        self.samples += time_ns.size
        self.missing += int(conversions.sum()) - time_ns.size
        numbers = self._number + np.cumsum(conversions)
        self._number, self.last_ns, self.last_counts = float(numbers[-1]), int(time_ns[-1]), int(counts[-1])
        whole = 0  # the first sample after the last gap that was too long to count through
        if float(conversions.max()) > LONGEST_GAP:
            whole = int(np.flatnonzero(conversions > LONGEST_GAP)[-1])
            self._segment += 1
        good = flags == 0
        if good.any():
            self.level_counts = float(counts[good].mean())
        neighbours = good[1:] & good[:-1] & (conversions[1:] == 1.0)
        self._chunks.append(
            Chunk(
                self._segment,
                float(numbers[whole:].mean()),
                float((time_ns[whole:] - self._origin_ns).mean()),
                self.last_ns,
                time_ns.size,
                time_ns.size - int(np.count_nonzero(good)),
                _noise(np.diff(counts.astype(np.float64))[neighbours]),
            )
        )

    def rate_hz(self, since_ns: int) -> float | None:
        """Conversions a second by the chip's own clock: regression of sample times over their numbers, gaps counted.

        From samples after ``since_ns``; None where there are none.
        """
        recent = [chunk for chunk in self._recent(since_ns) if chunk.segment == self._segment]
        if not recent:
            return None
        weight = np.array([chunk.samples for chunk in recent], np.float64)
        number = np.array([chunk.number for chunk in recent])
        mean_ns = np.array([chunk.mean_ns for chunk in recent])
        number -= np.average(number, weights=weight)
        spread = float((weight * number * number).sum())
        slope_ns = float((weight * number * (mean_ns - mean_ns.mean())).sum()) / spread if spread > 0 else 0.0
        return NS_PER_S / (slope_ns if slope_ns > 0 else self._period_ns)

    def noise_counts(self, since_ns: int, quantile: float = 0.5) -> float | None:
        """Short-term noise, one standard deviation: the median over chunks, so that a hand now and then isn't noise.

        ``quantile``: another one; the lower quartile is the noise also where hands are there for most of the time.
        """
        noise = [chunk.noise_counts for chunk in self._recent(since_ns) if not math.isnan(chunk.noise_counts)]
        return float(np.quantile(noise, quantile)) if noise else None

    def delivered_hz(self, since_ns: int, until_ns: int) -> float | None:
        """Samples a second that came, from the end of the last chunk before ``since_ns``; None before the first one.

        ``until_ns``: everything before it has been taken in.
        """
        if self.last_ns is None:
            return None
        ends_ns = [chunk.last_ns for chunk in self._chunks if chunk.last_ns <= since_ns]
        took_ns = until_ns - (ends_ns[-1] if ends_ns else self._origin_ns)
        return self.samples_since(since_ns)[0] * NS_PER_S / took_ns if took_ns > 0 else None

    def samples_since(self, since_ns: int) -> tuple[int, int]:
        """Samples in the chunks that ended after ``since_ns``, and how many of them are flagged."""
        recent = self._recent(since_ns)
        return sum(chunk.samples for chunk in recent), sum(chunk.flagged for chunk in recent)

    def _recent(self, since_ns: int) -> list[Chunk]:
        return [chunk for chunk in self._chunks if chunk.last_ns > since_ns]


def _noise(differences: npt.NDArray[np.float64]) -> float:
    """Noise out of differences of neighbouring samples (von Neumann), the largest tenth left out: knocks and steps."""
    if differences.size < LEAST_DIFFERENCES:
        return math.nan
    squares = np.sort(differences * differences)
    kept = squares[: math.ceil(KEPT_SHARE * squares.size)]
    return GAUSSIAN * math.sqrt(float(kept.mean()) / 2.0)
