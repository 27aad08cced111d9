"""ADWIN by `river` on a board's sum (Bifet and Gavaldà 2007, "Learning from time-changing data with adaptive
windowing").

Its bound is made for values within 0..1, so the sum is divided: `UNIT_STEPS` least steps are one. It looks for a cut at
every sample (river's default is every 32nd). What is left in its window after a cut came after the change, so the
visit lasted from there up to now.
"""

from __future__ import annotations

from river.drift import ADWIN

from hil.peers.recording import Floats
from hil.peers.steps import Moment

DELTA = 0.5  # chosen on tuning scenes; river's default of 0.002 misses steps, it is made for slow changes
UNIT_STEPS = 0.3
FEWEST = 2
LONGEST = 20  # frames, 1 s: a cut so far back is of a visit that was told long ago


def moments(sum_g: Floats, least_g: float) -> list[Moment]:
    """Frames at which the mean changed."""
    window = ADWIN(delta=DELTA, clock=1, min_window_length=FEWEST, grace_period=2 * FEWEST)
    found: list[Moment] = []
    for frame, value in enumerate((sum_g / (UNIT_STEPS * least_g)).tolist()):
        window.update(value)
        if window.drift_detected:
            if window.width <= LONGEST:
                found.append(Moment(max(frame - int(window.width), 0), frame))
            found.append(Moment(frame, frame))
    return found
