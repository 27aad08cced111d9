"""Peaks of a step filter by `scipy`: mean of the next 0.1 s less that of the last, then `scipy.signal.find_peaks`.

A peak counts from half the least step on. Its neighbours within 0.2 s, and shoulders that stand out by less than a
tenth of a step, are part of it.
"""

from __future__ import annotations

import numpy as np
from scipy.signal import find_peaks

from hil.peers.recording import Floats
from hil.peers.steps import Moment
from hil.peers.windows import moving_mean

HALF = 2  # frames: 0.1 s; longer halves lose the hand's own steps, which hold a visit together
DISTANCE = 4  # frames: 0.2 s
HEIGHT_SHARE = 0.5
PROMINENCE_SHARE = 0.1


def moments(sum_g: Floats, least_g: float) -> list[Moment]:
    """Frames where the filter peaks; known when its later half is full."""
    means = moving_mean(sum_g, HALF)  # of frames [i - HALF / 2, i + HALF / 2)
    frames = np.arange(sum_g.size)
    ahead = means[np.minimum(frames + HALF // 2, sum_g.size - 1)]
    behind = means[np.maximum(frames - HALF // 2, 0)]
    peaks, _ = find_peaks(
        np.abs(ahead - behind), height=HEIGHT_SHARE * least_g, distance=DISTANCE, prominence=PROMINENCE_SHARE * least_g
    )
    return [Moment(int(peak), int(peak) + HALF) for peak in peaks]
