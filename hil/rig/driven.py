"""A rig's chips driven by what a trace recorded, so that the firmware lives through that scene."""

from __future__ import annotations

import numpy as np

from drivers.samples import SampleBlock
from hil.rig.controls import ChipSetup
from hil.rig.lockstep import LockstepRig


def drive(rig: LockstepRig, samples: SampleBlock, begin_ns: int) -> None:
    """Let chip k convert what cell k of a board did: each chip at its cell's own rate, though at another phase.

    A chip's conversion is the recorded one that was ready last. So what a reader gets is up to a conversion late, and
    its noise is the recorded noise.

    Args:
        samples: of one board, in order of time.
        begin_ns: true time at which the recording's time 0 is.
    """
    for chip in range(rig.chips):
        own = samples.cell == chip
        times, counts = samples.time_ns[own], samples.counts[own]
        rate_hz = 1e9 / float(np.median(np.diff(times)))
        rig.setup(chip, ChipSetup(rate_hz=rate_hz, noise_counts=0.0, level_counts=float(counts[0])))
        rig.levels(chip, times + begin_ns, counts.astype(np.float64))
