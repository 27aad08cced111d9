"""Page-Hinkley test by `river` on a board's sum (Page 1954, "Continuous inspection schemes").

River's defaults (delta 0.005, threshold 50) are for values near 1. Here both are in grams: the test allows for a
quarter of the least step and fires once half of that step has added up. It begins anew at each change, with three
samples, so that one visit may raise it several times. Constants chosen on tuning scenes.
"""

from __future__ import annotations

from river.drift import PageHinkley

from hil.peers.recording import Floats
from hil.peers.steps import Moment

ALLOWED_SHARE = 0.25
THRESHOLD_STEPS = 0.5
FEWEST = 3


def moments(sum_g: Floats, least_g: float) -> list[Moment]:
    """Frames at which the test fired."""
    test = PageHinkley(
        min_instances=FEWEST, delta=ALLOWED_SHARE * least_g, threshold=THRESHOLD_STEPS * least_g, mode="both"
    )
    found = []
    for frame, grams in enumerate(sum_g.tolist()):
        test.update(grams)
        if test.drift_detected:
            found.append(Moment(frame, frame))
    return found
