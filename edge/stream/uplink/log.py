"""The uplink's log: a trouble that lasts for days is one line, and one again each hour, not one per try."""

from __future__ import annotations

import logging
import time
from collections.abc import Callable

_AGAIN_S = 3600.0
_MOST_SUBJECTS = 64

logger = logging.getLogger("shelfedge.uplink")


class ThrottledLog:
    """Says a sentence on a subject when it is a new one, or an hour after it was last said; else at debug level."""

    def __init__(self, now_s: Callable[[], float] = time.monotonic) -> None:
        self._now_s = now_s
        self._said: dict[str, tuple[str, float]] = {}

    def say(self, subject: str, level: int, sentence: str, least_s: float = 0.0) -> None:
        """Log the sentence, unless it is what was last said on the subject, or the last was less than `least_s` ago."""
        now_s = self._now_s()
        last, said_s = self._said.get(subject, ("", 0.0))
        if last and now_s - said_s < (_AGAIN_S if sentence == last else least_s):
            logger.debug(sentence)
            return
        if len(self._said) >= _MOST_SUBJECTS:
            self._said.clear()
        self._said[subject] = (sentence, now_s)
        logger.log(level, sentence)

    def forget(self, subject: str) -> None:
        """The trouble is over: the next time it is news again."""
        self._said.pop(subject, None)
