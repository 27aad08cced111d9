"""One thread's work: looking at the chips of a board in turn, and telling when that doesn't go well."""

from __future__ import annotations

import threading
from collections.abc import Sequence
from dataclasses import dataclass, field
from statistics import median

from drivers.hx711.polling import LONG_PULSE_NS, PolledChip, PollOutcome
from drivers.hx711.readings import Reading
from drivers.notices import Notice
from drivers.sampling import BoardSampler

_WINDOW_NS = 10_000_000_000
_LONGEST_WINDOW_NS = 600_000_000_000
_LONG_SHARE = 0.01


class PollLoop:
    """Call it in a thread of a `BoardSampler`.

    Args:
        silent_hint: what to check when a chip doesn't answer, as the end of a sentence.
        slow_hint: what to do when this machine is too slow, as the end of a sentence.
    """

    def __init__(self, sampler: BoardSampler, chips: Sequence[PolledChip], silent_hint: str, slow_hint: str) -> None:
        self._sampler = sampler
        self._chips = list(chips)
        self._silent_hint = silent_hint
        self._watches = [SlowWatch(sampler, chip.cell, slow_hint) for chip in self._chips]

    def __call__(self, stop: threading.Event) -> None:
        """Until `stop` is set."""
        time = self._sampler.time
        order = range(len(self._chips))
        while not stop.is_set():
            which = min(order, key=lambda k: self._chips[k].next_look_ns)
            chip = self._chips[which]
            wait_ns = chip.next_look_ns - time.now_ns()
            if wait_ns > 0:
                time.wait(stop, wait_ns / 1e9)
                if stop.is_set():
                    break
            outcome = chip.look()
            if outcome.reading is not None:
                self._watches[which].count(outcome.reading, outcome)
                self._sampler.push(outcome.reading)
                self._tell_restart(chip, outcome)
            if outcome.silent_since_ns is not None:
                self._tell_silent(chip, outcome.silent_since_ns, time.now_ns())
        for watch in self._watches:
            watch.tell()

    def _tell_restart(self, chip: PolledChip, outcome: PollOutcome) -> None:
        before_ns, reading = outcome.edge_before_ns, outcome.reading
        if before_ns is None or reading is None:
            return
        board, cell = self._sampler.board, self._sampler.cells[chip.cell]
        lost = max(0, round((reading.edge_ns - before_ns) / chip.edges.period_ns) - 1 - reading.missed)
        self._sampler.note(
            Notice(
                board, cell, "chip restart", before_ns, reading.edge_ns, lost,
                f"{board} {cell}: the HX711 gave nothing for {(reading.edge_ns - before_ns) / 1e9:.2f} s and was "
                f"restarted by this driver; if that happens again, check its supply, ground and plugs",
            )
        )  # fmt: skip

    def _tell_silent(self, chip: PolledChip, since_ns: int, now_ns: int) -> None:
        board, cell = self._sampler.board, self._sampler.cells[chip.cell]
        ever = "hasn't been ready since" if chip.last_edge_ns is not None else "has never been ready in"
        self._sampler.note(
            Notice(
                board, cell, "ready timeout", since_ns, now_ns, 0,
                f"{board} {cell}: the HX711 {ever} {(now_ns - since_ns) / 1e9:.2f} s; {self._silent_hint}",
            )
        )  # fmt: skip


@dataclass
class _Window:
    """What was counted since the last notice, or since the last window in which there was nothing to tell."""

    begin_ns: int = 0
    end_ns: int = 0
    reads: int = 0
    long: int = 0
    missed: int = 0
    high_ns: list[int] = field(default_factory=list)


class SlowWatch:
    """Counts what this machine was too slow for, and tells it once per window: 10 s, longer while it goes on."""

    def __init__(self, sampler: BoardSampler, cell: int, hint: str) -> None:
        self._sampler = sampler
        self._cell = sampler.cells[cell]
        self._hint = hint
        self._window_ns = _WINDOW_NS
        self._now = _Window()

    def count(self, reading: Reading, outcome: PollOutcome) -> None:
        """One reading more."""
        window = self._now
        if not window.reads:
            window.begin_ns = min(reading.edge_ns, outcome.blind_from_ns) if reading.missed else reading.edge_ns
        window.end_ns = reading.edge_ns
        window.reads += 1
        window.missed += reading.missed
        window.long += outcome.high_ns > LONG_PULSE_NS
        window.high_ns.append(outcome.high_ns)
        if window.end_ns - window.begin_ns >= self._window_ns:
            self._window_ns = min(_LONGEST_WINDOW_NS, 2 * self._window_ns) if self.tell() else _WINDOW_NS

    def tell(self) -> bool:
        """Give a notice if there is something to tell, and begin a new window. True if there was."""
        window, self._now = self._now, _Window()
        if not window.missed and window.long <= _LONG_SHARE * window.reads:
            return False
        parts = []
        if window.missed:
            parts.append(f"{window.missed} of {window.reads + window.missed} conversions were missed")
        if window.long:
            parts.append(
                f"in {window.long} of {window.reads} reads SCK was high for over 50 µs "
                f"(median {median(window.high_ns) / 1e3:.0f} µs, longest {max(window.high_ns) / 1e3:.0f} µs; "
                f"at 60 µs the chip powers down), so those samples and the ones after them aren't used"
            )
        board, cell = self._sampler.board, self._cell
        text = f"{board} {cell}: this computer can't keep up: {' and '.join(parts)}; {self._hint}"
        self._sampler.note(Notice(board, cell, "slow reads", window.begin_ns, window.end_ns, window.missed, text))
        return True
