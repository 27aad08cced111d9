"""How another node's monotonic clock stands to ours, from the messages that go between: bounds that can't be wrong.

A message can't arrive before it was sent. One that came from there, sent at ``s`` by that clock and here at ``r`` by
ours, says offset <= r - s; one of ours that was sent at ``r`` and was there at ``s`` says offset >= r - s (offset: ours
minus theirs). The least of the first and the largest of the second hold the truth between them whatever the network
did, a stalled broker or a late thread only give bounds that don't help: Marzullo and Owicki's intersection (1983), as
NTP's. As two clocks drift apart, each bound is let out by `RATE_PPM` of its age, so that no drift has to be estimated.

The middle is taken for the offset, and half the width for its standard deviation: the error is never larger. Between
two computers of a store that is some half of the shortest way there and back.
"""

from __future__ import annotations

from dataclasses import dataclass

RATE_PPM = 100
"""Two clocks may differ so much: crystals of +-50 ppm."""
SLEWED_PPM = 1000
"""The same while somebody's clock is being set right: the kernel slews each by 500 ppm at most."""
SLEWED_NS = 600 * 10**9
ONE_WAY_NS = 20_000_000
"""Where nothing of ours is answered, a message is thought to take between nothing and this at its fastest."""
ONE_WAY_AFTER_NS = 5 * 10**9
"""So long answers are waited for."""
LEAST_SD_NS = 50_000

_PPM = 1_000_000


@dataclass(frozen=True, slots=True)
class Offset:
    """Our clock minus theirs, ns, and its standard deviation. ``two_way``: from messages in both directions."""

    offset_ns: int
    sd_ns: int
    two_way: bool


@dataclass(slots=True)
class _Bound:
    """At time ``at_ns`` (ours), the offset, or minus the offset, was no more than ``value_ns``."""

    value_ns: int
    at_ns: int


class ClockBounds:
    """What is known of one other clock. All times are nanoseconds; "ours" where nothing else is said."""

    def __init__(self) -> None:
        self.slips = 0  # how often the bounds contradicted each other: somebody's clock was slewed, or slept
        self._best: list[_Bound | None] = [None, None]  # of the offset, of minus the offset
        self._last: list[_Bound | None] = [None, None]
        self._slewed_until_ns: int | None = None
        self._began_ns: int | None = None

    def heard(self, sent_theirs_ns: int, arrived_ns: int) -> None:
        """Something that was sent at that time of theirs has come."""
        self._take(0, arrived_ns - sent_theirs_ns, arrived_ns)

    def answered(self, asked_ns: int, heard_theirs_ns: int, now_ns: int) -> None:
        """Something that we sent was heard there at that time of theirs."""
        self._take(1, heard_theirs_ns - asked_ns, asked_ns, now_ns)

    def offset(self, now_ns: int) -> Offset | None:
        """None as long as too little is known."""
        self._settle(now_ns)
        upper, lower = self._best
        if upper is None or self._began_ns is None:
            return None
        most_ns = self._aged(upper, now_ns)
        if lower is not None:
            least_ns = -self._aged(lower, now_ns)
            return Offset((least_ns + most_ns) // 2, max((most_ns - least_ns + 1) // 2, LEAST_SD_NS), True)
        if now_ns - self._began_ns < ONE_WAY_AFTER_NS:
            return None
        return Offset(most_ns - ONE_WAY_NS // 2, ONE_WAY_NS // 2, False)

    def _take(self, side: int, value_ns: int, at_ns: int, now_ns: int | None = None) -> None:
        now_ns = at_ns if now_ns is None else now_ns
        if self._began_ns is None:
            self._began_ns = now_ns
        self._settle(now_ns)
        new, best, other = _Bound(value_ns, at_ns), self._best[side], self._best[1 - side]
        self._last[side] = new
        if best is None or self._aged(new, now_ns) <= self._aged(best, now_ns):
            self._best[side] = new
        if other is not None and self._aged(new, now_ns) + self._aged(other, now_ns) < 0:
            self._slipped(side, new, now_ns)

    def _slipped(self, side: int, new: _Bound, now_ns: int) -> None:
        """No offset fits both: the older of them no longer holds."""
        self.slips += 1
        self._slewed_until_ns = now_ns + SLEWED_NS
        last = self._last[1 - side]
        fits = last is not None and self._aged(new, now_ns) + self._aged(last, now_ns) >= 0
        self._best[side], self._best[1 - side] = new, last if fits else None

    def _settle(self, now_ns: int) -> None:
        """After a slew: what was learnt before may not be trusted with the smaller rate."""
        if self._slewed_until_ns is not None and now_ns >= self._slewed_until_ns:
            self._slewed_until_ns = None
            self._best = list(self._last)

    def _aged(self, bound: _Bound, now_ns: int) -> int:
        rate = RATE_PPM if self._slewed_until_ns is None else SLEWED_PPM
        return bound.value_ns + abs(now_ns - bound.at_ns) * rate // _PPM
