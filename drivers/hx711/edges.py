"""When a chip's conversions end, from polls that only bracket it: the period is the chip's own, stable to < 0.01 %."""

from __future__ import annotations

from collections import deque
from statistics import median

_LEAST_GAIN = 0.01  # of a correction goes into the period; at first a third
_AHEAD_SHARE = 0.02  # of a period: an edge isn't predicted later than it was seen by more than this
_LEARNED_FROM = 5
_SPREAD = 0.03


class EdgeTracker:
    """Predicts the next ready edge of one chip and narrows each down to a moment.

    An edge is known to lie after the last poll that found DOUT high and before the first that found it low. Where the
    prediction lies between the two, it is the edge; else the nearer end. So a reader that polls coarsely or is held up
    gets times that don't jitter with it.

    Args:
        rate_hz: nominal; the chip's own is learned.
        off_share: of a period: an edge farther than this from its prediction isn't the chip going on as before.
        sure: the polls are what they say. If they aren't (the program may have been stopped between a poll and its
            time), an edge that seems off is first taken for one on time that was seen late.
    """

    def __init__(self, rate_hz: float, off_share: float = 0.03, sure: bool = True) -> None:
        self._off_share = off_share
        self._sure = sure
        self.period_ns = 1e9 / rate_hz
        self.last_ns: int | None = None
        self.locked = False
        self.fits = False  # the last edge was where it was predicted
        self._intervals: deque[int] = deque(maxlen=_LEARNED_FROM)
        self._off_in_a_row = 0
        self._matches = 0

    def predicted_ns(self) -> int | None:
        """The next edge, once the chip's period is known."""
        if self.last_ns is None or not self.locked:
            return None
        return self.last_ns + round(self.period_ns)

    def seen(self, after_ns: int, by_ns: int) -> tuple[int, int]:
        """An edge in (after_ns, by_ns]: its time, and how many periods it is after the one before (0: can't tell)."""
        last = self.last_ns
        self.fits = False
        if last is None:
            self.last_ns = by_ns
            return by_ns, 0
        after_ns = max(after_ns, last)
        count = max(1, round((by_ns - last) / self.period_ns))
        if not self.locked:
            edge = by_ns
            self._learn(edge - last)
        else:
            count, edge = self._matched(last, after_ns, by_ns, count)
        self.last_ns = edge
        return edge, count

    def _matched(self, last: int, after_ns: int, by_ns: int, count: int) -> tuple[int, int]:
        """The number of periods whose prediction fits the bracket best, and the edge."""
        while count > 1 and last + count * self.period_ns > by_ns + _AHEAD_SHARE * self.period_ns:
            count -= 1
        predicted = last + count * self.period_ns
        edge = min(max(predicted, after_ns), by_ns)
        off = edge - predicted
        if abs(off) > self._off_share * self.period_ns:
            self._off_in_a_row += 1
            if self._off_in_a_row >= 3:
                self.locked = False
                self._intervals.clear()
            if self._sure:
                return count, by_ns
            whole = max(1, int((by_ns - last) / self.period_ns))
            return whole, min(by_ns, last + round(whole * self.period_ns))
        self._off_in_a_row = 0
        self.fits = True
        self.period_ns += max(_LEAST_GAIN, 1.0 / (3.0 + self._matches / 8.0)) * off / count
        self._matches += 1
        return count, round(edge)

    def _learn(self, interval_ns: int) -> None:
        self._intervals.append(interval_ns)
        if len(self._intervals) < _LEARNED_FROM:
            return
        middle = median(self._intervals)
        alike = [each for each in self._intervals if abs(each - middle) <= _SPREAD * middle]
        if middle > 0 and len(alike) >= _LEARNED_FROM - 1:
            self.period_ns = sum(alike) / len(alike)
            self.locked = True
            self._matches = 0
            self._off_in_a_row = 0
