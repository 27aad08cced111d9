"""A recorded cell on a chip of the rig: what was converted then is converted again, one conversion for each sample."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from hil.rig.controls import ChipSetup, Controls

_STEADY = 1.5  # intervals longer than so many medians are gaps: the chip goes on through them at its level


def play(
    rig: Controls, chip: int, times_ns: npt.NDArray[np.int64], counts: npt.NDArray[np.int32], begin_ns: int
) -> float:
    """Let a chip convert a recording, its first sample at the true time ``begin_ns``, at the recording's own rate.

    Begin once the firmware runs: at its start it restarts the chips, and they lose their step. Begin soon, and have the
    chip at about that rate from the start, or the firmware takes it for dead and restarts it. Where samples are missing
    the level before holds; after the last one it stays.

    Args:
        times_ns: int64[n], n >= 2, strictly rising, on any clock.
        counts: int32[n], at A/128.

    Returns:
        The rate in conversions a second that the chip now has.
    """
    steps = np.diff(times_ns)
    if times_ns.size < 2 or np.any(steps <= 0):
        raise ValueError(f"chip {chip}: a recording to be played needs at least two samples, with rising times")
    steady = steps[steps < _STEADY * np.median(steps)]
    period_ns = float(steady.mean())
    shifted = times_ns - times_ns[0] + begin_ns
    rig.levels(chip, shifted - round(period_ns / 2), counts)
    setup = ChipSetup(rate_hz=1e9 / period_ns, jitter=0.0, noise_counts=0.0, first_edge_ns=begin_ns)
    rig.setup(chip, setup)
    return 1e9 / period_ns
