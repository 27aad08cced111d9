"""The MCU's microseconds as the host's monotonic nanoseconds: unwrapped, drift-free, and never jumping."""

from __future__ import annotations

from collections import deque

from firmware_bridge.link.clock_band import Band, Point, fit_band

_WRAP = 1 << 32
_HALF = 1 << 31

_LONGEST_BIN_NS = 1_000_000_000
_SHORTEST_BIN_NS = 40_000_000
_BINS_A_RUN = 16  # a bin is this part of the time since the start, within its limits: quick at first, calm later
_MOST_BINS = 40  # 40 s when calm: long enough for the slope, short enough for a resonator that warms up

MOST_RATE_OFF = 0.007  # a ceramic resonator's ±0.5 % and what temperature adds
_COLD_SIGMA = 0.003
_WARM_SIGMA = 60e-6  # of a rate known from before a restart

_KNOWN_AFTER_NS = 1_000_000_000
_KNOWN_EARLY_NS = 600_000_000
_KNOWN_WIDTH_NS = 1_200_000
_KNOWN_DEPARTURES = 8
_USUAL_DELAY_NS = 500_000  # of an arrival, where no ping was ever answered

_LONGEST_SLEW_US = 2_000_000  # an error is worked off over this much MCU time; the next fit looks again
_SHORTEST_SLEW_US = 250_000
_SLEWS_A_RUN = 4  # quick at first, calm later, as the bins
_MOST_SLEW = 0.01
_STEP_NS = 500_000_000  # a clock that is off by more has jumped: it isn't slewed, it starts anew

_MOST_SEGMENTS = 128  # seconds of the past at first, a minute later: more than any message is late

_TOLERANCE_NS = 3_000_000  # a bound that the line breaks by more is an outlier ...
_BREAKS_TO_JUMP = 3  # ... and this many in a row, over at least ...
_BREAKS_SPAN_NS = 1_500_000_000  # ... this long, on one side, mean that the clock itself jumped


class McuClock:
    """One MCU's clock, learned from bounds.

    `known` turns true 0.6 to 1 s after the first arrival; before that `to_host_ns` must not be asked. The mapping is
    continuous, strictly rising, and never changes for an instant once it was asked for; what is learned later bends it
    from then on: an error is worked off within some two seconds, and the bend is 1 % at most. A clock that
    really jumped (a host that slept, an MCU that stood still) is learned anew; `jumps` counts these. One that jumped by
    over half a second isn't bent but taken up where it is: `doubtful` from the first sign of it, then not `known` for
    about a second, as at the start. Whoever waits for both gets no time that isn't right.
    """

    def __init__(self) -> None:
        self.known = False
        self.doubtful = False
        self.jumps = 0
        self.jump_ns = (
            0  # by about how much the last time: positive where the host's time of the MCU's clock is now later
        )
        self.outliers = 0
        self.uncertainty_ns = 0  # half the width of the band: the true time is within it unless both delays are at odds
        self._rate = self._prior = 1000.0
        self._sigma = _COLD_SIGMA
        self._last_us: int | None = None
        self._last_ns = 0
        self._segments: deque[tuple[int, int, float]] = deque(
            maxlen=_MOST_SEGMENTS
        )  # from this MCU time on: host time, rate
        self._top_us = 0
        self._line: tuple[int, int] | None = None  # the band's middle as last fitted: what `to_host_ns` bends towards
        self._origin: tuple[int, int] | None = None
        self._begun_ns = 0
        self._bin_end_ns = 0
        self._departures = 0
        self._upper: Point | None = None  # the tightest bounds of the bin that is open, and what makes them so
        self._lower: Point | None = None
        self._upper_key = self._lower_key = 0.0
        self._uppers: deque[Point] = deque(maxlen=_MOST_BINS)
        self._lowers: deque[Point] = deque(maxlen=_MOST_BINS)
        self._break_side = self._breaks_seen = self._break_begun_ns = 0

    @property
    def rate_ppm(self) -> float:
        """How much longer the MCU's microsecond is than the host's, in parts per million."""
        return (self._rate - 1000.0) * 1e3

    def restart(self) -> None:
        """The MCU restarted: its clock began anew, its resonator is the same."""
        self._last_us = None
        self._clear()
        self._forget()

    def unwrap(self, mcu_us: int, now_ns: int) -> int:
        """A 32-bit MCU time met at ``now_ns`` as 64 bits: right up to half an hour late, and across gaps of days."""
        if self._last_us is None:
            self._last_us = mcu_us
        else:
            expected = self._last_us + int((now_ns - self._last_ns) / self._rate)
            self._last_us = expected + (mcu_us - expected + _HALF) % _WRAP - _HALF
        self._last_ns = now_ns
        return self._last_us

    def arrived(self, mcu_us: int, host_ns: int) -> None:
        """A message made at ``mcu_us`` (unwrapped) had come in at ``host_ns``: the instant was no later than that."""
        if self._breaks(mcu_us, host_ns, 1):
            return
        x, y = self._after_origin(mcu_us, host_ns)
        key = y - x * self._rate
        if self._upper is None or key < self._upper_key:
            self._upper, self._upper_key = (x, y), key
        if host_ns >= self._bin_end_ns:
            self._close_bin(mcu_us, host_ns)

    def departed(self, mcu_us: int, host_ns: int) -> None:
        """A command handed over at ``host_ns`` had come in at the MCU at ``mcu_us``: the instant was no earlier."""
        if self._breaks(mcu_us, host_ns, -1):
            return
        self._departures += 1
        x, y = self._after_origin(mcu_us, host_ns)
        key = y - x * self._rate
        if self._lower is None or key > self._lower_key:
            self._lower, self._lower_key = (x, y), key

    def to_host_ns(self, mcu_us: int) -> int:
        """Host time of an unwrapped MCU time. Raises ValueError before the clock is `known`."""
        if mcu_us > self._top_us:
            self._top_us = mcu_us
        return self._at(mcu_us)

    def _at(self, mcu_us: int) -> int:
        for begin_us, begin_ns, rate in reversed(self._segments):
            if mcu_us >= begin_us:
                return begin_ns + int((mcu_us - begin_us) * rate)
        if not self._segments:
            raise ValueError("the MCU's clock isn't known yet; ask when `known` is true")
        begin_us, begin_ns, rate = self._segments[0]
        return begin_ns - int((begin_us - mcu_us) * rate)

    def _forget(self) -> None:
        """Give no times until enough has been heard again."""
        self.known = self.doubtful = False
        self._top_us = 0
        self._segments.clear()

    def _clear(self) -> None:
        if len(self._uppers) > _BINS_A_RUN:
            self._prior, self._sigma = self._rate, _WARM_SIGMA
        self._origin = self._line = None
        self._departures = 0
        self._upper = self._lower = None
        self._uppers.clear()
        self._lowers.clear()
        self._break_side = self._breaks_seen = 0

    def _after_origin(self, mcu_us: int, host_ns: int) -> Point:
        if self._origin is None:  # floats hold 53 bits: an origin keeps a host that has been up for years exact
            self._origin = (mcu_us, host_ns)
            self._begun_ns = host_ns
            self._bin_end_ns = host_ns + _SHORTEST_BIN_NS
        return float(mcu_us - self._origin[0]), float(host_ns - self._origin[1])

    def _breaks(self, mcu_us: int, host_ns: int, side: int) -> bool:
        """Whether a bound can't be true by what is known. Several in a row are believed: then the clock jumped."""
        if not self.known or self._line is None:
            return False
        line_us, line_ns = self._line
        beyond_ns = (line_ns + (mcu_us - line_us) * self._rate - host_ns) * side
        if beyond_ns <= _TOLERANCE_NS + self.uncertainty_ns:
            if side == self._break_side:
                self._break_side = self._breaks_seen = 0
                self.doubtful = False
            return False
        self.outliers += 1
        if side != self._break_side:
            self._break_side, self._breaks_seen, self._break_begun_ns = side, 0, host_ns
        self._breaks_seen += 1
        self.doubtful = beyond_ns > _STEP_NS
        if self._breaks_seen < _BREAKS_TO_JUMP or host_ns - self._break_begun_ns < _BREAKS_SPAN_NS:
            return True
        self._clear()
        self.jumps += 1
        self.jump_ns = -int(beyond_ns) * side
        if beyond_ns > _STEP_NS:
            self._forget()
        return False

    def _close_bin(self, mcu_us: int, host_ns: int) -> None:
        if self._upper is not None:
            self._uppers.append(self._upper)
        if self._lower is not None:
            self._lowers.append(self._lower)
        self._upper = self._lower = None
        age_ns = host_ns - self._begun_ns
        self._bin_end_ns = host_ns + min(max(age_ns // _BINS_A_RUN, _SHORTEST_BIN_NS), _LONGEST_BIN_NS)
        oldest = self._uppers[-1][0] - _MOST_BINS * _LONGEST_BIN_NS / 1000.0
        for points in (self._uppers, self._lowers):
            while points and points[0][0] < oldest:
                points.popleft()
        band = fit_band(sorted(self._uppers), sorted(self._lowers), self._prior, self._sigma, MOST_RATE_OFF)
        self._rate = band.rate
        self._bend(band, mcu_us, age_ns)

    def _bend(self, band: Band, mcu_us: int, age_ns: int) -> None:
        assert self._origin is not None
        if band.upper_ns is None:
            return
        lower_ns = band.lower_ns if band.lower_ns is not None else band.upper_ns - 2.0 * _USUAL_DELAY_NS
        self.uncertainty_ns = max(int(band.upper_ns - lower_ns) // 2, 0)
        middle_us = self._origin[0] + int(band.at_us)
        middle_ns = self._origin[1] + int((band.upper_ns + lower_ns) / 2.0)
        self._line = (middle_us, middle_ns)
        if not self._segments:
            sure = self._departures >= _KNOWN_DEPARTURES and 2 * self.uncertainty_ns < _KNOWN_WIDTH_NS
            if age_ns < (_KNOWN_EARLY_NS if sure else _KNOWN_AFTER_NS):
                return
            self._segments.append((middle_us, middle_ns, band.rate))
            self.known = True
            return
        from_us = max(self._top_us, mcu_us)
        from_ns = self._at(from_us)
        error_ns = middle_ns + (from_us - middle_us) * band.rate - from_ns
        if abs(error_ns) > _STEP_NS:
            self._forget()
            return
        slew_us = min(max(age_ns // (1000 * _SLEWS_A_RUN), _SHORTEST_SLEW_US), _LONGEST_SLEW_US)
        share = min(max(error_ns / (slew_us * 1000.0), -_MOST_SLEW), _MOST_SLEW)
        bent = band.rate * (1.0 + share)
        while self._segments and self._segments[-1][0] > from_us:
            self._segments.pop()
        self._segments.append((from_us, from_ns, bent))
        self._segments.append((from_us + slew_us, from_ns + int(slew_us * bent), band.rate))
