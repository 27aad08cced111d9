"""The creep run: a weight stands on a calibrated board for twenty minutes, and how its reading creeps is fitted."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt

from calibration.creep import CREEP_RUN_S, CreepFit, fit_creep
from calibration.levels import Rest
from calibration.placements import BoardSite, CalibrationInputError
from calibration.prompts import Progress, Prompt, Step
from calibration.watch import BoardWatch
from drivers.samples import SampleBlock

Floats = npt.NDArray[np.float64]

EMPTY_S = 3.0
LANDED_SHARE = 0.5  # of the weight: it is on the board
PLACE_LIMIT_S = 120.0


class CreepRun:
    """Blocks in, prompts out, as `CalibrationSession` does; the reading is kept once per second.

    Attributes:
        result: None while it goes on, and where the run came to nothing. failed: why it did; empty otherwise.
    """

    def __init__(self, site: BoardSite, grams_per_count: Floats, weight_g: float, lasts_s: float = CREEP_RUN_S) -> None:
        """``grams_per_count``: float64[channels], of the board's calibration. Raises CalibrationInputError."""
        if not weight_g >= 1.0 or lasts_s < 120.0:
            raise CalibrationInputError("a creep run needs a weight from 1 g on, and two minutes at least")
        self.result: CreepFit | None = None
        self.failed = ""
        self._site = site
        self._a = grams_per_count
        self._weight_g = weight_g
        self._lasts_s = lasts_s
        self._watch = BoardWatch(len(site.cells), site.rate_hz)
        self._empty: Floats | None = None
        self._landed_ns: int | None = None
        self._begin_ns: int | None = None
        self._at: list[float] = []
        self._grams: list[float] = []
        self._kept_s = -1.0

    def push(self, blocks: Sequence[SampleBlock], now_ns: int) -> list[Prompt | Progress]:
        """Samples that came since the last call; prompts and progress out, nothing once it is over."""
        if self._is_over():
            return []
        said: list[Prompt | Progress] = []
        if self._begin_ns is None:
            self._begin_ns = now_ns
            said.append(Prompt(Step.CLEAR, "Clear the board and keep your hands off it.", limit_s=PLACE_LIMIT_S))
        for block in blocks:
            if block.board == self._site.board:
                for _ in self._watch.push(block):
                    if not self._is_over():
                        said += self._look()
        waited_s = (now_ns - self._begin_ns) / 1e9
        if self._landed_ns is None and waited_s > PLACE_LIMIT_S:
            self.failed = f"no weight came to rest on the board in {PLACE_LIMIT_S:.0f} s; begin again"
        if self._is_over():
            return [*said, Prompt(Step.DONE, self.failed or "Done. Take the weight off.")]
        since_s = self._at[-1] if self._at else 0.0
        live = self._grams[-1] if self._grams else None
        step = Step.CLEAR if self._empty is None else Step.PUT
        left_s = self._lasts_s - since_s
        share = since_s / self._lasts_s
        return [*said, Progress(step, live, self._watch.finder.rest is not None, share, left_s, left_s)]

    def _is_over(self) -> bool:
        return self.result is not None or bool(self.failed)

    def _look(self) -> list[Prompt]:
        finder = self._watch.finder
        rest: Rest | None = finder.rest
        if self._empty is None:
            if rest is None or rest.seconds < EMPTY_S:
                return []
            self._empty = rest.last(EMPTY_S).counts
            text = f"Put {self._weight_g:g} g on the middle and leave it for {self._lasts_s / 60:.0f} minutes."
            return [Prompt(Step.PUT, text, weight_g=self._weight_g, number=1, of=1, limit_s=PLACE_LIMIT_S)]
        grams = float(np.nansum((finder.latest - self._empty) * self._a))
        if rest is None or grams < LANDED_SHARE * self._weight_g:
            if self._landed_ns is not None and grams < LANDED_SHARE * self._weight_g:
                self.failed = "the weight was taken off too early; begin again"
            return []
        if self._landed_ns is None:
            self._landed_ns = rest.begin_ns
        since_s = (self._watch.end_ns - self._landed_ns) / 1e9
        if since_s - self._kept_s >= 1.0:
            self._kept_s = since_s
            self._at.append(since_s)
            self._grams.append(float(np.nansum((rest.last(1.0).counts - self._empty) * self._a)))
        if since_s >= self._lasts_s:
            self.result = fit_creep(np.array(self._at), np.array(self._grams), self._weight_g)
        return []
