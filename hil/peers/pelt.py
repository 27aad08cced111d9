"""PELT by `ruptures` on a board's sum (Killick, Fearnhead and Eckley 2012): piecewise constant, squared error.

`KernelCPD` with a linear kernel is that cost, in C. Chunks of 60 s with 5 s more on either side keep the work linear in
time. The penalty is a quarter of the least step squared (one frame that is half a step off pays for its own piece), but
no less than three times BIC's ``sd² ln n`` for the noise in the chunk (median absolute difference between neighbours).

It is offline. Its decision is dated as if it were run anew on each sample, which is more than anybody would do.
"""

from __future__ import annotations

import math

import numpy as np
from ruptures import KernelCPD

from hil.peers.recording import Floats
from hil.peers.steps import RATE_HZ, Moment

CHUNK = round(60 * RATE_HZ)
MARGIN = round(5 * RATE_HZ)
SHORTEST = 2
PENALTY_STEPS2 = 0.25
BIC_TIMES = 3.0


def moments(sum_g: Floats, least_g: float) -> list[Moment]:
    """First frames of the pieces."""
    found = []
    for begin in range(0, sum_g.size, CHUNK):
        first = max(begin - MARGIN, 0)
        chunk = sum_g[first : begin + CHUNK + MARGIN]
        if chunk.size < 2 * SHORTEST + 1:
            continue
        noise_g = 1.4826 * float(np.median(np.abs(np.diff(chunk)))) / math.sqrt(2.0)
        penalty = max(PENALTY_STEPS2 * least_g**2, BIC_TIMES * noise_g**2 * math.log(chunk.size))
        pieces = KernelCPD(kernel="linear", min_size=SHORTEST).fit(chunk[:, None]).predict(pen=penalty)
        edges = (first + int(edge) for edge in pieces[:-1])
        found += [Moment(edge, edge) for edge in edges if begin <= edge < begin + CHUNK]
    return found
