"""An HX711 at its two pins, with its own clock and with faults on demand.

What the model does, so that one in another language can do the same. Times are ns of the reader's monotonic clock and
never go back. "LC n" is section n of the project's load-cell fact sheet.

*Conversions.* One ends every ``period`` (1/rate, each with Gaussian jitter), the first at ``first_edge_ns``. At its end
the code goes into the output register, the pulse counter is 0, and DOUT falls: the ready edge. If no pulse was given
since the edge before, DOUT is high for the last 75 µs before it (LC 1, "no-read update pulse").

*A read.* Each rising SCK edge is a pulse. After pulse n of 1..24, DOUT is bit 24-n of the register (MSB first); from
pulse 25 on it is high until the next ready edge. 25, 26 and 27 or more pulses select A/128, B/32, A/64 for the
conversion that is running. Pulses while no conversion is waiting (after power-up, during power-down) do nothing.

*A conversion that ends during a read* (1..24 pulses given, the last one at most 100 µs ago) replaces the register and
keeps the counter: the bits read so far are of the old code, the others of the new one. A read that was left off earlier
than that is forgotten: the counter starts at 0.

*Power-down.* SCK high for more than 60 µs. DOUT is high; the first falling edge of SCK wakes the chip. Waking, like any
restart, takes ``WAKE_PERIODS`` until the next ready edge, and the four conversions from there on are off by
``WAKE_COUNTS``. Setting after power-down: A/128 by the first datasheet, the one before by V2.0; after power loss A/128.

*A change of setting* is smeared over four conversions, as a sinc^4 filter does: each code is the sum of 1/24, 11/24,
11/24, 1/24 of the levels at the settings of this conversion and the three before it.

*Codes* are the levels of ``source`` (A/128) or ``source_b`` (B/32) at the end of the conversion, A/64 is half of A/128;
rounded (halves to even), clamped to 0x7FFFFF and 0x800000.

*Faults* (`ChipFault`). In the first read that begins at its time or later, with ``bit`` k counted from 0:
RESET_MID_READ, LONG_PULSE: at the rising edge of pulse k the chip restarts, so bits k and all after it are ones (for
the second the reader's real pulse isn't longer; one that is does the same by itself). MISSED_PULSE: pulse k isn't
seen. EXTRA_PULSE: pulse k counts twice. LATE_READ: the reader gets to see the edge 0.7 periods late, and the next
conversion ends just after pulse k of the read. Lasting ones are described where they are named; a brown-out ends with a
restart, DEAD ends as if the chip had converted unread.
"""

from __future__ import annotations

import enum
import random
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass

from drivers.hx711.chip_faults import ChipFault, FaultPlan, PlannedFault

CODE_MAX = 0x7FFFFF
CODE_MIN = -0x800000
POWER_DOWN_NS = 60_000
UPDATE_NS = 75_000
ABANDONED_NS = 100_000
WAKE_PERIODS = 4.45  # edge to edge in 141 resets of real recordings (0.42 s at 10.5 SPS); the datasheets: 4 conversions
WAKE_COUNTS = (900, 720, 580, 460)  # field recordings: the first four are 480-980 counts above what follows
FILTER = (1 / 24, 11 / 24, 11 / 24, 1 / 24)  # cubic B-spline between whole numbers; the newest conversion first
_LATE_SHARE = 0.7
_DEAF = (ChipFault.SWAPPED_LINES, ChipFault.DEAD, ChipFault.BROWN_OUT)


class Setting(enum.IntEnum):
    """Channel and gain, as the number of pulses that selects them."""

    A128 = 25
    B32 = 26
    A64 = 27


class Datasheet(enum.Enum):
    """The two revisions, which contradict each other on the setting after power-down."""

    FIRST = "A/128 after power-down"
    V2 = "keeps the setting through power-down"


@dataclass(frozen=True, slots=True)
class Conversion:
    """What the chip really did: the truth that a reader is measured against.

    Attributes:
        edge_ns: when DOUT fell.
        counts: the code, sign-extended.
        settled: False for the four after a restart or a change of setting.
        after_restart: True for the first after a restart (power-up isn't one).
    """

    edge_ns: int
    counts: int
    setting: Setting
    settled: bool
    after_restart: bool


class Chip:
    """One HX711. Drive it with `sck`, look at it with `dout`; both take the time at which that happens.

    Args:
        source: counts at A/128 at a time in ns.
        rate_hz: the chip's true rate, whatever is printed on it.
        first_edge_ns: first ready edge.
        jitter: rms of a period, relative (LC 1: 57 ppm measured).
        datasheet: which one this chip follows.
        source_b: counts at B/32; 0 if none is given.
        settling_at_start: conversions at the beginning that are not settled (4 after power-up).
        log: how many conversions `conversions` remembers.
    """

    def __init__(
        self,
        source: Callable[[int], float],
        rate_hz: float = 80.0,
        first_edge_ns: int = 0,
        jitter: float = 57e-6,
        datasheet: Datasheet = Datasheet.V2,
        source_b: Callable[[int], float] | None = None,
        settling_at_start: int = 4,
        seed: int = 0,
        log: int = 100_000,
    ) -> None:
        self.conversions: deque[Conversion] = deque(maxlen=log)
        self.setting = Setting.A128
        self.powered_down = False
        self._source = source
        self._source_b = source_b or (lambda _: 0.0)
        self._period_ns = 1e9 / rate_hz
        self._jitter = jitter
        self._datasheet = datasheet
        self._rng = random.Random(seed)
        self._plan = FaultPlan()
        self._now_ns = -(1 << 62)
        self._next_ns: int = first_edge_ns
        self._sck = False
        self._sck_rise_ns = 0
        self._register = 0
        self._waiting = False  # a conversion is in the register and not read to its 25th pulse
        self._pulses = 0  # as the chip counts them
        self._edges = 0  # as the reader gave them
        self._last_pulse_ns = 0
        self._hidden_until_ns = 0
        self._spoilt: PlannedFault | None = None
        self._used = deque([Setting.A128] * len(FILTER), maxlen=len(FILTER))  # the newest first
        self._since_wake = len(WAKE_COUNTS) - settling_at_start
        self._restarted = False
        self._stuck: int | None = None

    def inject(self, planned: PlannedFault) -> None:
        """Plan a fault."""
        self._plan.add(planned)

    @property
    def period_ns(self) -> float:
        """The chip's own period, without jitter and faults."""
        return self._period_ns

    def sck(self, level: bool, at_ns: int) -> None:
        """The reader drives SCK to a level. Raises ValueError when time goes back."""
        self._advance(at_ns)
        if level == self._sck or self._plan.any_lasting(at_ns, *_DEAF):
            return
        self._sck = level
        if level:
            self._sck_rise_ns = at_ns
            self._pulse(at_ns)
        elif self.powered_down:
            self._restart(at_ns, power_lost=False)

    def dout(self, at_ns: int) -> bool:
        """Level of DOUT. Raises ValueError when time goes back."""
        self._advance(at_ns)
        if self._plan.any_lasting(at_ns, ChipFault.DEAD, ChipFault.SWAPPED_LINES):
            return True
        if self._plan.any_lasting(at_ns, ChipFault.BROWN_OUT, ChipFault.ALL_ZEROS):
            return False
        if not self._waiting or self.powered_down or at_ns < self._hidden_until_ns:
            return True
        if self._pulses == 0:
            return self._hidden_until_ns == 0 and at_ns >= self._next_ns - UPDATE_NS
        if self._pulses <= 24:
            return bool(self._register >> (24 - self._pulses) & 1)
        return True

    def _advance(self, at_ns: int) -> None:
        if at_ns < self._now_ns:
            raise ValueError(f"chip model: time went back from {self._now_ns} ns to {at_ns} ns")
        down_ns = self._sck_rise_ns + POWER_DOWN_NS
        if self._sck and not self.powered_down and at_ns > down_ns:
            self._convert_until(down_ns)
            self.powered_down = True
            self._waiting = False
        supply_back_ns = self._plan.brown_out_ends(self._now_ns, at_ns)
        if supply_back_ns is not None:
            self._restart(supply_back_ns, power_lost=True)
        self._convert_until(at_ns)
        self._now_ns = max(self._now_ns, at_ns)

    def _convert_until(self, at_ns: int) -> None:
        while self._next_ns <= at_ns and not self.powered_down:
            end_ns = self._next_ns
            slow = self._plan.lasting(ChipFault.SLOW_CLOCK, end_ns)
            factor = (slow.amount or 1.0) if slow else 1.0
            period_ns = self._period_ns * factor * (1.0 + self._rng.gauss(0.0, self._jitter))
            self._next_ns = end_ns + max(1, round(period_ns))
            if not self._plan.any_lasting(end_ns, ChipFault.DEAD, ChipFault.BROWN_OUT):
                self._end_conversion(end_ns)

    def _end_conversion(self, end_ns: int) -> None:
        code, settled = self._code(end_ns)
        self._register = code & 0xFFFFFF
        self.conversions.append(Conversion(end_ns, code, self._used[0], settled, self._restarted))
        self._restarted = False
        if self._waiting and 1 <= self._pulses <= 24 and end_ns - self._last_pulse_ns <= ABANDONED_NS:
            return
        self._waiting = True
        self._pulses = self._edges = 0
        self._spoilt = None
        late = self._plan.take_one_read(end_ns, ChipFault.LATE_READ)
        self._hidden_until_ns = end_ns + round(_LATE_SHARE * self._period_ns) if late else 0
        self._spoilt = late

    def _code(self, end_ns: int) -> tuple[int, bool]:
        self._used.appendleft(self.setting)
        if all(each is self.setting for each in self._used):
            settled, level = True, self._level(self.setting, end_ns)
        else:
            levels = [self._level(each, end_ns) for each in self._used]
            settled, level = False, sum(share * each for share, each in zip(FILTER, levels, strict=True))
        if self._since_wake < len(WAKE_COUNTS):
            settled = False
            level += WAKE_COUNTS[self._since_wake]
            self._since_wake += 1
        code = max(CODE_MIN, min(CODE_MAX, round(level)))
        if self._plan.any_lasting(end_ns, ChipFault.CLIP_HIGH):
            code = CODE_MAX
        if self._plan.any_lasting(end_ns, ChipFault.CLIP_LOW):
            code = CODE_MIN
        if self._plan.any_lasting(end_ns, ChipFault.ALL_ONES):
            code = -1
        if self._plan.any_lasting(end_ns, ChipFault.STUCK):
            self._stuck = code if self._stuck is None else self._stuck
            code = self._stuck
        else:
            self._stuck = None
        return code, settled

    def _level(self, setting: Setting, at_ns: int) -> float:
        if setting is Setting.B32:
            return self._source_b(at_ns)
        return self._source(at_ns) / (2.0 if setting is Setting.A64 else 1.0)

    def _pulse(self, at_ns: int) -> None:
        if not self._waiting:
            return
        if self._edges == 0 and self._spoilt is None:
            self._spoilt = self._plan.take_one_read(
                at_ns, ChipFault.RESET_MID_READ, ChipFault.LONG_PULSE, ChipFault.MISSED_PULSE, ChipFault.EXTRA_PULSE
            )
        spoilt = self._spoilt if self._spoilt is not None and self._spoilt.bit == self._edges else None
        self._edges += 1
        self._last_pulse_ns = at_ns
        if spoilt is not None and spoilt.fault in (ChipFault.RESET_MID_READ, ChipFault.LONG_PULSE):
            self._restart(at_ns, power_lost=False)
            return
        if spoilt is None or spoilt.fault is not ChipFault.MISSED_PULSE:
            self._pulses += 2 if spoilt is not None and spoilt.fault is ChipFault.EXTRA_PULSE else 1
        if self._pulses >= Setting.A128:
            self.setting = Setting(min(self._pulses, Setting.A64))
        if spoilt is not None and spoilt.fault is ChipFault.LATE_READ:
            self._next_ns = at_ns
            self._convert_until(at_ns)

    def _restart(self, at_ns: int, power_lost: bool) -> None:
        self.powered_down = False
        self._waiting = False
        self._pulses = self._edges = 0
        self._spoilt = None
        self._since_wake = 0
        self._restarted = True
        if power_lost or self._datasheet is Datasheet.FIRST:
            self.setting = Setting.A128
        self._used.extend([self.setting] * len(FILTER))
        self._next_ns = at_ns + round(WAKE_PERIODS * self._period_ns)
