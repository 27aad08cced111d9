"""Reading one chip whose ready edge is found by looking at DOUT now and then: what `spi` and `gpio` share."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Protocol

from drivers.hx711.chip import CODE_MAX, CODE_MIN
from drivers.hx711.edges import EdgeTracker
from drivers.hx711.readings import Reading
from drivers.samples import SampleFlag

THROW_AWAY = 5  # readings not settled after a (re)start: one made with who knows what gain, then four conversions
RESTART_PERIODS = 2.5  # without an edge, though somebody looked all the time: the chip restarted (it takes 4 and more)
SILENT_PERIODS = 8.0  # then it's told: a restart is over by now
RETRY_NS = 2_000_000_000
LONG_PULSE_NS = 50_000  # datasheet: SCK high for 50 µs at most; at 60 µs the chip powers down
_FRESH_SHARE = 0.9
_BLIND_SHARE = 0.99
_STEP_UNKNOWN_NS = 2_000_000
_LEAD_SHARE = 0.04  # of a period: looking begins so long before the edge is expected; more than the tracker forgives
_STEP_NS = 250_000
_STEP_LATE_NS = 1_000_000
_STEP_SILENT_NS = 10_000_000


@dataclass(frozen=True, slots=True)
class Shot:
    """One code clocked out of a chip.

    Attributes:
        counts: sign-extended.
        framed: DOUT was high after the last pulse, as the chip says the end.
        high_ns: the longest that SCK may have been high.
        end_ns: when the last bit had been read.
    """

    counts: int
    framed: bool
    high_ns: int
    end_ns: int


class ChipLines(Protocol):
    """The two wires of a chip."""

    def ready(self) -> bool:
        """Whether DOUT is low now."""

    def clock_out(self) -> Shot:
        """Give the 25 to 27 pulses of the wanted channel and gain, and read the code."""

    def restart(self) -> bool:
        """Power the chip down and up again. False where these wires can't."""


@dataclass(slots=True)
class PollOutcome:
    """What one look at a chip gave: at most one reading, at most one of the happenings."""

    reading: Reading | None = None
    high_ns: int = 0  # with a reading: the longest that SCK may have been high
    blind_from_ns: int = 0  # with a reading: when the chip was last looked at before
    edge_before_ns: int | None = None  # with the first reading after a restart by the reader: the edge before it
    silent_since_ns: int | None = None  # told once when the chip has been silent for SILENT_PERIODS


class PolledChip:
    """The state of one chip between looks at it.

    Args:
        cell: index in the board's order.
        clock: monotonic ns.
    """

    def __init__(self, cell: int, lines: ChipLines, rate_hz: float, clock: Callable[[], int]) -> None:
        self.cell = cell
        self.edges = EdgeTracker(rate_hz)
        self._lines = lines
        self._clock = clock
        self._unsettled = THROW_AWAY
        self._heard_ns = clock()  # when it last was read
        self._high_ns = self._heard_ns  # when DOUT was last known to be high
        self._looked_ns = self._looked_before_ns = self._heard_ns
        self._rose = False  # DOUT was seen high since the last read
        self._widest_ns = 0  # the longest that nobody looked since the last reading
        self._told_silent = False
        self._retry_ns = 0
        self._restarted = False
        self.next_look_ns = self._heard_ns

    @property
    def last_edge_ns(self) -> int | None:
        """The last ready edge seen."""
        return self.edges.last_ns

    def look(self) -> PollOutcome:
        """Look at DOUT once; read the chip when it is ready. `next_look_ns` says when to look again."""
        begin_ns = self._clock()
        self._widest_ns = max(self._widest_ns, begin_ns - self._looked_ns)
        ready = self._lines.ready()
        by_ns = self._clock()
        self._looked_before_ns, self._looked_ns = self._looked_ns, begin_ns
        if ready:
            return self._read(by_ns)
        self._high_ns = begin_ns
        self._rose = True
        return self._not_ready(begin_ns)

    def _read(self, by_ns: int) -> PollOutcome:
        last_ns, blind_ns, blind_from_ns = self.edges.last_ns, self._widest_ns, self._looked_before_ns
        was_locked = self.edges.locked
        shot = self._lines.clock_out()
        if self._rose:
            edge_ns, periods = self.edges.seen(self._high_ns, by_ns)
        else:  # DOUT has been low since the last read: no edge, so nothing to learn a period from
            edge_ns, periods = by_ns, 0
        period_ns = self.edges.period_ns
        flags = SampleFlag.GOOD
        if shot.counts in (CODE_MAX, CODE_MIN):
            flags |= SampleFlag.SATURATED
        if not shot.framed:
            flags |= SampleFlag.DESYNC
        since_ns = edge_ns if self.edges.fits else self._high_ns
        if self._rose and shot.end_ns > since_ns + _FRESH_SHARE * period_ns:
            flags |= SampleFlag.LATE_READ
        missed = 0
        if last_ns is not None and periods > 1:
            if blind_ns >= _BLIND_SHARE * (periods - 1) * period_ns:
                missed = periods - 1
            elif was_locked and edge_ns - last_ns > RESTART_PERIODS * period_ns:
                self._unsettled = THROW_AWAY  # it may have restarted by itself
        restarted, self._restarted = self._restarted, False
        if restarted:
            flags |= SampleFlag.RESET
            self._unsettled = THROW_AWAY
        if shot.high_ns > LONG_PULSE_NS:
            flags |= SampleFlag.LONG_PULSE
        if self._unsettled:
            flags |= SampleFlag.SETTLING
            self._unsettled -= 1
        if flags & (SampleFlag.LONG_PULSE | SampleFlag.DESYNC):
            self._unsettled = THROW_AWAY  # it may have restarted, or changed its gain
        self._rose = shot.framed
        if shot.framed:
            self._high_ns = shot.end_ns
        self._looked_ns = self._heard_ns = shot.end_ns
        self._widest_ns = 0
        self._told_silent = False
        self._plan(shot)
        reading = Reading(self.cell, edge_ns, shot.counts, int(flags), missed)
        return PollOutcome(reading, shot.high_ns, blind_from_ns, edge_before_ns=last_ns if restarted else None)

    def _not_ready(self, now_ns: int) -> PollOutcome:
        period_ns = self.edges.period_ns
        since_ns = self._heard_ns
        silent = now_ns - since_ns > SILENT_PERIODS * period_ns
        outcome = PollOutcome()
        if silent and not self._told_silent:
            self._told_silent = True
            outcome.silent_since_ns = since_ns
        if silent and now_ns >= self._retry_ns:
            self._retry_ns = now_ns + RETRY_NS
            self._restarted = self._lines.restart() or self._restarted
        predicted_ns = self.edges.predicted_ns()
        expected = predicted_ns is None or now_ns < predicted_ns + 4 * _STEP_LATE_NS
        step_ns = _STEP_NS if expected else _STEP_SILENT_NS if silent else _STEP_LATE_NS
        if predicted_ns is None and silent:
            step_ns = _STEP_SILENT_NS
        self.next_look_ns = now_ns + step_ns
        return outcome

    def _plan(self, shot: Shot) -> None:
        """After a read: when to look again. A DOUT that is always low must not keep this thread busy."""
        predicted_ns = self.edges.predicted_ns()
        lead_ns = round(_LEAD_SHARE * self.edges.period_ns)
        if not shot.framed:
            self.next_look_ns = shot.end_ns + round(0.98 * self.edges.period_ns)
        elif predicted_ns is not None:
            self.next_look_ns = max(predicted_ns - lead_ns, shot.end_ns + round(0.3 * self.edges.period_ns))
        else:  # the rate may be another one than the node file says
            self.next_look_ns = shot.end_ns + _STEP_UNKNOWN_NS
