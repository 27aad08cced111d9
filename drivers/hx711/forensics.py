"""Recordings judged as readings are that come in live: the same loop over blocks of samples."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence

import numpy as np
import numpy.typing as npt

from drivers.hx711.intervals import known_period_ns
from drivers.hx711.judging import HELD_AT, judge, new_judgement, release_silent
from drivers.samples import SampleBlock

UNKNOWN_NOISE = 0.0


class BlockForensics:
    """Judges the blocks of one board, however they are cut: the flags come out the same.

    Attributes:
        lost: int64[cells] conversions lost before readings of each cell, as its chip's clock tells.

    Args:
        board: its id. kind: of each cell, RAW, SHIFTED or OTHER of `drivers.hx711.codes`. rate_hz: nominal, of each.
        least_noise_counts: rms below which a RAW cell counts as stuck; 0 if that isn't known of the converter.
    """

    def __init__(
        self, board: str, kind: Sequence[int], rate_hz: Sequence[float], least_noise_counts: float = UNKNOWN_NOISE
    ) -> None:
        self.lost = np.zeros(len(kind), np.int64)
        self._board = board
        self._state = new_judgement(list(kind), list(rate_hz), least_noise_counts)
        self._held_back = SampleBlock.empty(board)
        self._next_at = 0
        self._newest_ns: int | None = None

    def push(self, block: SampleBlock) -> SampleBlock:
        """The next samples of the board in order of time; those that are judged, in order, flags final.

        Flags that samples have already are kept. What waits for a later sample comes with a later call, and
        everything after it too.
        """
        if not len(block):
            return block
        self._newest_ns = int(block.time_ns[-1])
        count = len(block)
        out, lost = np.empty(count, np.int64), np.empty(count, np.int64)
        wide = [array.astype(np.int64) for array in (block.time_ns, block.cell, block.counts, block.flags)]
        first_at, self._next_at = self._next_at, self._next_at + count
        judge(wide[0], wide[1], wide[2], wide[3], np.zeros(count, np.int64), first_at, self._state, out, lost)
        if lost.any():
            np.add.at(self.lost, wide[1], lost)
        self._collect_late(first_at)
        judged = dataclasses.replace(block, flags=out.astype(np.uint16))
        self._held_back = SampleBlock.join([self._held_back, judged]) if len(self._held_back) else judged
        return self._decided()

    def pass_time(self, now_ns: int) -> SampleBlock:
        """No sample of the board comes any more before ``now_ns``: what is decided by that."""
        release_silent(self._state, now_ns, self._next_at, np.empty(0, np.int64))
        self._collect_late(self._next_at)
        return self._decided()

    def finish(self) -> SampleBlock:
        """The recording is over: all that is left; what waits for a next sample is judged without it."""
        rest = [] if self._newest_ns is None else [self.pass_time(self._newest_ns)]
        self._state.ints[:, HELD_AT] = -1
        return SampleBlock.join([*rest, self._decided()])

    def period_ns(self, cell: int) -> float | None:
        """The chip's own period as learned; None while it isn't known."""
        return known_period_ns(self._state.ints, self._state.floats, cell) or None

    def _collect_late(self, first_at: int) -> None:
        """Flags of samples that were held back by an earlier call and are decided now."""
        state = self._state
        begin = first_at - len(self._held_back)
        for cell in np.flatnonzero(state.late_at >= 0).tolist():
            self._held_back.flags[int(state.late_at[cell]) - begin] = state.late_flags[cell]
            state.late_at[cell] = -1

    def _decided(self) -> SampleBlock:
        held_at: npt.NDArray[np.int64] = self._state.ints[:, HELD_AT]
        begin = self._next_at - len(self._held_back)
        waiting = held_at[held_at >= 0]
        count = int(waiting.min()) - begin if waiting.size else len(self._held_back)
        ready, self._held_back = self._held_back.part(0, count), self._held_back.part(count, len(self._held_back))
        return ready
