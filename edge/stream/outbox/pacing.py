"""How often damage is mended: a disk that damages everything must not be filled with what was set aside."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable

_AT_ONCE = 3
_QUIET_S = 300.0
_MOST_WAIT_S = 60.0


class Pacing:
    """The first few times at once, then with growing pauses, until it has been quiet for a while.

    Args:
        mono_s: the monotonic clock.
    """

    def __init__(self, mono_s: Callable[[], float]) -> None:
        self._mono_s = mono_s
        self._last_s: deque[float] = deque(maxlen=_AT_ONCE)
        self._wait_s = 1.0
        self._due_s = 0.0

    def wait_s(self) -> float:
        """How long to wait yet; 0: now."""
        now_s = self._mono_s()
        if self._last_s and now_s - self._last_s[-1] > _QUIET_S:
            self._last_s.clear()
            self._wait_s = 1.0
        if len(self._last_s) < _AT_ONCE:
            return 0.0
        return max(0.0, self._due_s - now_s)

    def did(self) -> None:
        """It was mended."""
        self._last_s.append(self._mono_s())
        self._due_s = self._mono_s() + self._wait_s
        self._wait_s = min(2.0 * self._wait_s, _MOST_WAIT_S)
