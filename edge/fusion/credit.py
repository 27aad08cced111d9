"""How far a shelf camera is believed: the chance that what it says of a visit is wrong, learned as it goes.

A camera may be dirty, turned, late, or look at another shelf, and nobody has noticed. What it tells of a visit is then
noise, for all slots alike, so the doubt is one for all of it: stories are weighed by ``(1 - e) exp(seen) + e``. Where
the scale alone was certain, the camera's word is compared with what happened: the log odds of e fall by how much better
it was than noise, and rise by how much worse. A camera that is new has to earn its credit.
"""

from __future__ import annotations

import math

AT_FIRST = 0.1
LEAST, MOST = 0.005, 0.95
MOST_GAIN, MOST_LOSS = 1.5, 2.5  # per visit, log odds
FORGET = 0.02  # per visit, towards the first


class Credit:
    """The doubt about one camera.

    Attributes:
        wrong: chance that what it says of a visit is noise.
    """

    def __init__(self) -> None:
        self._log_odds = _log_odds(AT_FIRST)
        self.wrong = AT_FIRST

    def learn(self, log_ratio: float) -> None:
        """What it told where it was known: log ratio of the truth against noise."""
        log_odds = self._log_odds - min(max(log_ratio, -MOST_LOSS), MOST_GAIN)
        log_odds += FORGET * (_log_odds(AT_FIRST) - log_odds)
        self._log_odds = min(max(log_odds, _log_odds(LEAST)), _log_odds(MOST))
        self.wrong = 1.0 / (1.0 + math.exp(-self._log_odds))


def _log_odds(p: float) -> float:
    return math.log(p / (1.0 - p))
