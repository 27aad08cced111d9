"""How one board's samples come: its cells, what their flags said, what its driver told of."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Mapping
from typing import Any

import numpy as np
import numpy.typing as npt

from calibration.record import BoardCalibration
from drivers.hx711.codes import CODE_MAX, CODE_MIN, RAW
from drivers.notices import Notice
from drivers.samples import SampleBlock, SampleFlag
from edge.config.schema import Board
from edge.node.cell_health import NS_PER_S, CellHealth
from edge.node.notice_book import NoticeBook, recent_s
from edge.trace.cell_kind import kind_of

CHUNK_SAMPLES = 32  # of a cell: the least that tells noise
SHORTEST_CHUNK_NS, LONGEST_CHUNK_NS = NS_PER_S, 5 * NS_PER_S
AT_ONCE_NS = NS_PER_S // 2  # a report takes waiting samples in when they are this old
MOST_WAITING = 4096
LEVEL_NS = 250_000_000
NOISE_NS, CALM_QUANTILE = 20 * NS_PER_S, 0.25
"""What `watch` calls noise: that of the calmer of the last seconds, since somebody stands at the shelf and tries it."""
FAULT_NS = 500_000_000
"""What most samples of so long are, a cell is."""
SILENT_S = 3.0
RUNNING, SILENT, FAILED = "running", "silent", "failed"


class BoardHealth:
    """Takes blocks (cheaply: most calls only keep the block) and gives what health says of a board.

    Not safe to be called by two threads at once; `edge.node.health` locks.

    Attributes:
        refused: samples that came and couldn't go to fusion.
        driver_state, text: what the driver is said to be: 'failed' and why, or that it runs. Whether samples come, they
            tell themselves.
        mcu: what is known of the shelf MCU that it hangs on.

    """

    def __init__(
        self, board: str, options: Board, record: BoardCalibration | None, window_s: float, phase: float = 0.0
    ) -> None:
        """``phase``, 0 to 1: where in a chunk's time it ends, so that not all boards are taken in at once."""
        self.board = board
        self.refused = 0
        self.driver_state = RUNNING
        self.text = ""
        self.mcu: Mapping[str, Any] | None = None
        self._options = options
        self._record = record
        self._chunk_ns = min(
            max(round(CHUNK_SAMPLES / options.rate_hz * NS_PER_S), SHORTEST_CHUNK_NS), LONGEST_CHUNK_NS
        )
        self._phase_ns = round(phase * self._chunk_ns)
        most_chunks = math.ceil(window_s * NS_PER_S / AT_ONCE_NS) + 1
        self.cells = {name: CellHealth(options.rate_hz, most_chunks) for name in options.cells}
        self._flags = np.zeros((16, len(self.cells)), np.int64)
        self._waiting: list[SampleBlock] = []
        self._waiting_samples = 0
        self._begun_ns: int | None = None
        self._tail = SampleBlock.empty(board)  # the newest of what was taken in: levels must not jump back a chunk
        self._tail_ns = max(FAULT_NS, round(3 * NS_PER_S / options.rate_hz))
        self._measured: dict[
            str, tuple[float | None, float | None]
        ] = {}  # rate and noise by cell, since the last chunk
        self._notices = NoticeBook(options.cells)
        self._lost: dict[str | None, Counter[str]] = {cell: Counter() for cell in (None, *self.cells)}

    def take(self, block: SampleBlock) -> None:
        """The board's next block."""
        if not len(block):
            return
        self._waiting.append(block)
        self._waiting_samples += len(block)
        if self._begun_ns is None:
            self._begun_ns = int(block.time_ns[0])
        chunk, newest = (
            (int(time_ns) + self._phase_ns) // self._chunk_ns for time_ns in (self._begun_ns, block.time_ns[-1])
        )
        if newest > chunk or self._waiting_samples > MOST_WAITING:
            self.digest()

    def noticed(self, notice: Notice) -> None:
        """Something that the board's driver told of."""
        cause = self._notices.note(notice)
        if notice.samples_lost:
            self._lost[notice.cell if notice.cell in self._lost else None][cause] += notice.samples_lost

    def digest(self, now_ns: int | None = None) -> None:
        """Take in what waits; with ``now_ns`` only if that has waited for a while: chunks shouldn't become tiny."""
        if self._begun_ns is None or (now_ns is not None and now_ns - self._begun_ns < AT_ONCE_NS):
            return
        block = SampleBlock.join(self._waiting)
        self._waiting, self._waiting_samples, self._begun_ns = [], 0, None
        self._measured = {}
        self._tail = block.part(int(block.time_ns.searchsorted(block.time_ns[-1] - self._tail_ns)), len(block))
        seen = int(np.bitwise_or.reduce(block.flags))
        for bit in range(16):
            if seen >> bit & 1:
                flagged = block.cell[(block.flags >> bit & 1).astype(np.bool_)]
                self._flags[bit] += np.bincount(flagged, minlength=len(self.cells))
        for index, cell in enumerate(self.cells.values()):
            mine = np.flatnonzero(block.cell == index)
            if mine.size:
                cell.take(block.time_ns[mine], block.counts[mine], block.flags[mine])

    def report(self, now_ns: int, since_ns: int) -> dict[str, Any]:
        """The board's part of the health report; rates and noise are of the time from ``since_ns`` until now."""
        newest = self._newest()
        cells = {
            name: self._cell(index, name, now_ns, since_ns, newest.part(*_last(newest, index)))
            for index, name in enumerate(self.cells)
        }
        ages_s = [cell["last_sample_age_s"] for cell in cells.values()]
        heard = any(age_s is not None and age_s < SILENT_S for age_s in ages_s)
        return {
            "driver": self._options.driver.type,
            "state": (RUNNING if heard else SILENT) if self.driver_state in (RUNNING, SILENT) else self.driver_state,
            "text": self.text,
            "level_g": _rounded(self._level_g(), 1),
            "refused_samples": self.refused,
            "mcu": self.mcu,
            "calibration_made": self._record.made if self._record is not None else None,
            "notices": self._notices.report(now_ns),
            "recent_s": round(recent_s(now_ns), 1),
            "lost_samples": dict(sorted(self._lost[None].items())),
            "cells": cells,
        }

    def levels(self, now_ns: int, since_ns: int) -> dict[str, Any]:
        """What `watch` shows many times a second: the mean of the last quarter second, in grams or in counts.

        None where there is none: a cell that is silent, or whose samples are bad (`fault` says how), has no level, and
        then the board has none either.
        """
        newest = SampleBlock.join([self._tail, *self._waiting])
        order = np.argsort(newest.cell, kind="stable")
        times, counts_of, flags_of = newest.time_ns[order], newest.counts[order], newest.flags[order]
        bounds = np.searchsorted(newest.cell[order], np.arange(len(self.cells) + 1)).tolist()
        cells: dict[str, Any] = {}
        total_g = 0.0
        for index, (name, cell) in enumerate(self.cells.items()):
            mine = slice(bounds[index], bounds[index + 1])
            time_ns, codes, flags = times[mine], counts_of[mine], flags_of[mine]
            last_ns = int(time_ns[-1]) if time_ns.size else cell.last_ns
            age_s = None if last_ns is None else max(0, now_ns - last_ns) / NS_PER_S
            recent = slice(0 if last_ns is None else int(time_ns.searchsorted(last_ns - FAULT_NS)), None)
            fault = self._fault(name, codes[recent], flags[recent])
            counts = math.nan
            good = codes[flags == 0]
            if good.size and not fault and age_s is not None and age_s < SILENT_S:
                counts = float(good[-max(1, round(self._options.rate_hz * LEVEL_NS / NS_PER_S)) :].mean())
            grams = self._grams(name, counts)
            total_g += grams
            if name not in self._measured:
                noisy_since_ns = max(since_ns, now_ns - NOISE_NS)
                self._measured[name] = cell.rate_hz(since_ns), cell.noise_counts(noisy_since_ns, CALM_QUANTILE)
            rate_hz, noise = self._measured[name]
            cells[name] = {
                "level_counts": _rounded(counts, 1),
                "level_g": _rounded(grams, 2),
                "rate_hz": _rounded(rate_hz, 2),
                "noise_counts": _rounded(noise, 1),
                "noise_g": _rounded(self._noise_g(name, noise), 3),
                "age_s": _rounded(age_s, 2),
                "fault": fault,
            }
        state = self.driver_state
        if state in (RUNNING, SILENT):
            ages_s = [cell["age_s"] for cell in cells.values()]
            state = RUNNING if any(age_s is not None and age_s < SILENT_S for age_s in ages_s) else SILENT
        return {"level_g": _rounded(total_g, 2), "state": state, "text": self.text, "cells": cells}

    def _fault(self, name: str, codes: npt.NDArray[np.int32], flags: npt.NDArray[np.uint16]) -> str:
        """What most of a cell's newest samples are, by the flag's name; empty where they are good."""
        known = None if self._record is None else self._record.cells.get(name)
        at_end = np.count_nonzero((codes >= CODE_MAX) | (codes <= CODE_MIN)) if kind_of(known) == RAW else 0
        if 2 * int(at_end) > codes.size:
            return SampleFlag.SATURATED.name or ""
        if 2 * int(np.count_nonzero(flags)) <= flags.size:
            return ""
        return max(_FLAGS, key=lambda flag: int(np.count_nonzero(flags & int(flag)))).name or ""

    def _newest(self) -> SampleBlock:
        """What hasn't been taken in yet."""
        return SampleBlock.join(self._waiting) if self._waiting else SampleBlock.empty(self.board)

    def _cell(self, index: int, name: str, now_ns: int, since_ns: int, newest: SampleBlock) -> dict[str, Any]:
        """``newest``: the cell's last sample, where it hasn't been taken in yet."""
        cell = self.cells[name]
        noise = cell.noise_counts(since_ns)
        until_ns = now_ns if self._begun_ns is None else min(self._begun_ns, now_ns)
        recent, flagged = cell.samples_since(since_ns)
        last_ns = int(newest.time_ns[0]) if len(newest) else cell.last_ns
        last_counts = int(newest.counts[0]) if len(newest) else cell.last_counts
        value_g = math.nan if last_counts is None else self._grams(name, float(last_counts))
        return {
            "rate_hz": _rounded(cell.rate_hz(since_ns), 3),
            "configured_hz": self._options.rate_hz,
            "delivered_hz": _rounded(cell.delivered_hz(since_ns, until_ns), 2),
            "samples_in_window": recent,
            "flagged_in_window": flagged,
            "samples": cell.samples,
            "missing_samples": cell.missing,
            "lost_samples": dict(sorted(self._lost[name].items())),
            "flags": {flag.name: n for flag in _FLAGS if (n := int(self._flags[flag.bit_length() - 1, index]))},
            "noise_counts": _rounded(noise, 1),
            "noise_g": _rounded(self._noise_g(name, noise), 3),
            "last_counts": last_counts,
            "last_g": _rounded(value_g, 1),
            "last_sample_age_s": None if last_ns is None else round(max(0, now_ns - last_ns) / NS_PER_S, 2),
        }

    def _level_g(self) -> float:
        return sum(self._grams(name, cell.level_counts) for name, cell in self.cells.items())

    def _grams(self, name: str, counts: float) -> float:
        if self._record is None or name not in self._record.cells:
            return math.nan
        cell = self._record.cells[name]
        return (counts - cell.zero_counts) / cell.counts_per_gram

    def _noise_g(self, name: str, noise_counts: float | None) -> float | None:
        if noise_counts is None or self._record is None or name not in self._record.cells:
            return None
        return noise_counts / abs(self._record.cells[name].counts_per_gram)


def _last(block: SampleBlock, cell: int) -> tuple[int, int]:
    """Where the cell's last sample is; an empty part where there is none."""
    mine = np.flatnonzero(block.cell == cell)
    return (int(mine[-1]), int(mine[-1]) + 1) if mine.size else (0, 0)


_FLAGS = [flag for flag in SampleFlag if flag]


def _rounded(value: float | None, digits: int) -> float | None:
    return None if value is None or not math.isfinite(value) else round(value, digits)
