"""A chip's own clock out of its samples' times: rate, steadiness, what is missing, and pauses that are restarts.

A chip's rate is unknown to ±10 % and stable to 0.01 %, so the interval between two samples is whole periods, or else
the chip restarted (4.45 periods: facts/loadcell.md 1 and 5, `drivers.hx711.intervals`).
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from calibration.diagnosis.samples import CellSamples
from drivers.samples import SampleFlag

LEAST_SAMPLES = 12
_RESTART_PERIODS = (3.7, 6.5)


@dataclass(frozen=True, slots=True)
class ChipClock:
    """Attributes:
    rate_hz: by the median interval, refined over whole periods; 0 where there are too few samples.
    jitter_share: rms scatter of single intervals, of a period (half of what two stamps give).
    lost: conversions that its own clock says there were, but that never came; pauses of restarts aren't among them.
    gaps: how many times some were lost.
    restarts_s: when the chip began afresh.
    doubles: intervals under half a period: a conversion read twice, or a stamp that is wrong.
    """

    rate_hz: float
    jitter_share: float
    lost: int
    gaps: int
    restarts_s: tuple[float, ...]
    doubles: int


def chip_clock(cell: CellSamples) -> ChipClock:
    """What the times of a cell's samples say."""
    if len(cell) < LEAST_SAMPLES:
        return ChipClock(0.0, 0.0, 0, 0, (), 0)
    steps = np.diff(cell.time_s)
    usual = float(np.median(steps))
    if usual <= 0.0:
        return ChipClock(0.0, 1.0, 0, 0, (), int(np.count_nonzero(steps <= 0)))
    single = steps[np.abs(steps - usual) < 0.3 * usual]
    period = float(single.mean()) if single.size else usual
    scatter = np.sort(np.abs(single - period))[: max(1, round(0.98 * single.size))]
    ends = cell.flags[1:]
    periods = steps / period
    flagged = (ends & int(SampleFlag.RESET)) != 0
    broken = (periods > _RESTART_PERIODS[0]) & (periods < _RESTART_PERIODS[1])
    broken &= np.abs(periods - np.rint(periods)) > 0.25
    restarted = flagged | broken
    whole = np.rint(periods)
    short = ~restarted & (whole > 1)
    return ChipClock(
        1.0 / period,
        float(np.sqrt(np.mean(scatter**2)) / period) if scatter.size else 0.0,
        int((whole[short] - 1).sum()),
        int(np.count_nonzero(short)),
        tuple(cell.time_s[1:][restarted].tolist()),
        int(np.count_nonzero(periods < 0.5)),
    )
