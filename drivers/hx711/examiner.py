"""Readings of a board's chips judged as they come in, one by one: what `drivers` for real HX711s share.

A reading that only the next one of its chip can judge is held until then, or until its chip has been silent for 2.5
periods; later readings of the other chips wait with it, so that what is taken is in order of time. For the same
reason a chip that is a period behind holds up the others for that period, and one that has fallen silent doesn't.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence

import numpy as np

from drivers.hx711.codes import RAW
from drivers.hx711.intervals import HAS_LAST, known_period_ns
from drivers.hx711.judging import HELD_AT, judge, new_judgement, release_silent
from drivers.hx711.readings import Reading
from drivers.hx711.verdicts import CAUSES, lost_notice, rate_notice, restart_notice, stuck_notice
from drivers.notices import Notice
from drivers.samples import SampleFlag

LEAST_NOISE_COUNTS = 5.0
"""rms. An HX711 at gain 128 has 20 to 110; less is no signal at all (inputs shorted, no excitation, a dead chip)."""
ON_THE_WAY_NS = 250_000_000  # how long after its edge a reading may come in: frames are collected and sent
_SILENT_PERIODS = 2.5
_MOST_NOTICES = 1000
_RESET, _STUCK, _OFF_RATE = int(SampleFlag.RESET), int(SampleFlag.STUCK), int(SampleFlag.OFF_RATE)


class Examiner:
    """Judges the readings of one board.

    Attributes:
        counts: for each cell, how often what happened since the beginning, by cause ('corrupt code', 'chip restart',
            'lost conversion' ...; see `drivers.hx711.verdicts.CAUSES`).

    Args:
        cells: how many chips. rate_hz: their nominal rate; only used until a chip's own is known (8 intervals).
        board, names: what notices call them; by default nothing and the numbers from 0.
        least_noise_counts: rms below which a cell counts as stuck; 0 if that isn't known of the converter.
    """

    def __init__(
        self,
        cells: int,
        rate_hz: float,
        *,
        board: str = "",
        names: Sequence[str] | None = None,
        least_noise_counts: float = LEAST_NOISE_COUNTS,
    ) -> None:
        self.counts: list[Counter[str]] = [Counter() for _ in range(cells)]
        self._board = board
        self._names = list(names) if names is not None else [str(cell) for cell in range(cells)]
        self._rate_hz = rate_hz
        self._state = new_judgement([RAW] * cells, [rate_hz] * cells, least_noise_counts)
        self._new: list[Reading] = []
        self._next_at = 0
        self._held: list[Reading | None] = [None] * cells
        self._waiting: list[Reading] = []
        self._edge_ns: list[int | None] = [None] * cells  # newest edge of each cell
        self._first_now_ns: int | None = None
        self._taken: tuple[int, int] = (-(1 << 63), 0)
        self._notices: list[Notice] = []
        self._stuck = [False] * cells
        self._rate_told = [False] * cells
        nothing = np.empty(0, np.int64)
        judge(nothing, nothing, nothing, nothing, nothing, 0, self._state, nothing, nothing)  # compiled now, not later

    def push(self, reading: Reading) -> None:
        """The next reading of its cell; cells come interleaved in any way. It belongs to the examiner until taken."""
        self._new.append(reading)

    def clock_jumped(self) -> None:
        """The clock that stamps readings isn't the one it was: the next interval of each cell says nothing.

        What is known of the chips' periods stays.
        """
        self._judge_new()
        self._state.ints[:, HAS_LAST] = 0

    def take(self, now_ns: int) -> list[Reading]:
        """Readings that are judged, in order of (time, cell), their flags final.

        A reading that comes in when later ones have been taken already keeps its place in the line: it gets the time
        of the last one taken and OFF_RATE.
        """
        if self._first_now_ns is None:
            self._first_now_ns = now_ns
        self._judge_new()
        release_silent(self._state, now_ns - ON_THE_WAY_NS, self._next_at, _NOTHING)
        self._collect_late()
        return self._up_to(self._limit(now_ns))

    def flush(self) -> list[Reading]:
        """All that is left, when nothing more will come: what waits for a next reading is judged without it."""
        self._judge_new()
        newest_ns = max((edge_ns for edge_ns in self._edge_ns if edge_ns is not None), default=0)
        release_silent(self._state, newest_ns, self._next_at, _NOTHING)
        self._collect_late()
        for cell in range(len(self._held)):
            self._held[cell] = None
            self._state.ints[cell, HELD_AT] = -1
        return self._up_to((1 << 63, 0))

    def take_notices(self) -> list[Notice]:
        """What happened since the last call, in order of judging. Bounded: the oldest are dropped."""
        notices, self._notices = self._notices, []
        return notices

    def period_ns(self, cell: int) -> float | None:
        """The chip's own period as learned; None while it isn't known."""
        return known_period_ns(self._state.ints, self._state.floats, cell) or None

    def _judge_new(self) -> None:
        new = self._new
        if not new:
            return
        self._new = []
        count = len(new)
        table = np.array([(r.edge_ns, r.cell, r.counts, r.flags, r.missed) for r in new], np.int64).T.copy()
        out, lost = np.empty(count, np.int64), np.empty(count, np.int64)
        first_at, self._next_at = self._next_at, self._next_at + count
        judge(table[0], table[1], table[2], table[3], table[4], first_at, self._state, out, lost)
        self._collect_late()
        held_at = self._state.ints[:, HELD_AT].tolist()
        for at, reading, flags, lost_before in zip(
            range(first_at, self._next_at), new, out.tolist(), lost.tolist(), strict=True
        ):
            cell = reading.cell
            if lost_before or flags or self._stuck[cell]:
                self._note(reading, flags, lost_before)
            reading.flags = flags
            self._edge_ns[cell] = reading.edge_ns
            if held_at[cell] == at:
                self._held[cell] = reading
        self._waiting += new
        self._check_rates()

    def _collect_late(self) -> None:
        """Readings of earlier calls that were decided since."""
        state = self._state
        for cell in np.flatnonzero(state.late_at >= 0).tolist():
            reading = self._held[cell]
            if reading is not None:
                reading.flags = int(state.late_flags[cell])
            self._held[cell] = None
            state.late_at[cell] = -1

    def _limit(self, now_ns: int) -> tuple[int, int]:
        """Up to which (time, cell) nothing more is expected, and nothing waits to be judged."""
        limit = (now_ns + (1 << 62), 0)
        for cell, edge_ns in enumerate(self._edge_ns):
            held = self._held[cell]
            if held is not None:
                limit = min(limit, (held.edge_ns, cell))
                continue
            heard_ns = edge_ns if edge_ns is not None else self._first_now_ns or now_ns
            period_ns = self.period_ns(cell) or self._state.nominal_ns[cell]
            if now_ns - heard_ns <= _SILENT_PERIODS * period_ns + ON_THE_WAY_NS:
                limit = min(limit, (heard_ns, len(self._edge_ns)))
        return limit

    def _up_to(self, limit: tuple[int, int]) -> list[Reading]:
        waiting = sorted(self._waiting, key=_order)
        count = next((k for k, reading in enumerate(waiting) if _order(reading) >= limit), len(waiting))
        self._waiting = waiting[count:]
        taken = waiting[:count]
        for reading in taken:
            if _order(reading) < self._taken:
                reading.edge_ns = self._taken[0]
                reading.flags |= _OFF_RATE
                self.counts[reading.cell]["out of order"] += 1
            else:
                break
        taken.sort(key=_order)
        for reading in taken:
            if reading.flags:
                for flag, cause in CAUSES.items():
                    if reading.flags & flag:
                        self.counts[reading.cell][cause] += 1
        if taken:
            self._taken = max(self._taken, _order(taken[-1]))
        return taken

    def _note(self, reading: Reading, flags: int, lost: int) -> None:
        """Notices of what one reading shows; the reader's own flags are still in it."""
        cell = reading.cell
        before_ns = self._edge_ns[cell]
        if lost:
            self.counts[cell]["lost conversion"] += lost
        if before_ns is not None:
            where = (self._board, self._names[cell], before_ns, reading.edge_ns)
            if flags & _RESET and not reading.flags & _RESET:
                period_ns = self.period_ns(cell) or self._state.nominal_ns[cell]
                gone = round((reading.edge_ns - before_ns) / period_ns) - 1 - reading.missed
                self._tell(restart_notice(*where, max(0, gone)))
            elif lost:
                self._tell(lost_notice(*where, lost))
        if flags & _STUCK and not self._stuck[cell]:
            self._tell(stuck_notice(self._board, self._names[cell], reading.edge_ns, reading.counts))
        self._stuck[cell] = bool(flags & _STUCK)

    def _check_rates(self) -> None:
        for cell, told in enumerate(self._rate_told):
            edge_ns, period_ns = self._edge_ns[cell], self.period_ns(cell)
            if not told and period_ns is not None and edge_ns is not None:
                notice = rate_notice(self._board, self._names[cell], edge_ns, 1e9 / period_ns, self._rate_hz)
                self._rate_told[cell] = True
                if notice is not None:
                    self._tell(notice)

    def _tell(self, notice: Notice) -> None:
        self._notices = [*self._notices[1 - _MOST_NOTICES :], notice]


_NOTHING = np.empty(0, np.int64)


def _order(reading: Reading) -> tuple[int, int]:
    return (reading.edge_ns, reading.cell)
