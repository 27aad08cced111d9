"""How old an entry is, though the clock on the wall may have been wrong when it was made."""

from __future__ import annotations

from collections.abc import Callable

from edge.stream.outbox.spans import Span

_NS_PER_MS = 1_000_000
_STEP_MS = 1000  # a clock that is set by less makes nothing old


class AgeClock:
    """Wall time that goes on with the monotonic clock, until it is told better.

    Args:
        now_ns: wall time now. mono_s: the monotonic clock.
    """

    def __init__(self, now_ns: int, mono_s: Callable[[], float]) -> None:
        self._mono_s = mono_s
        self._began_s = mono_s()
        self._offset_ns = now_ns - int(self._began_s * 1e9)

    def now_ns(self) -> int:
        """Wall time."""
        return self._offset_ns + int(self._mono_s() * 1e9)

    def set(self, wall_ns: int) -> int:
        """The wall time now; gives by how many milliseconds that is later than assumed, 0 for less than a second."""
        step_ns = wall_ns - self.now_ns()
        self._offset_ns += step_ns
        step_ms = step_ns // _NS_PER_MS
        return step_ms if abs(step_ms) >= _STEP_MS else 0

    def age_s(self, span: Span, seq: int, wall_ms: int, *, this_boot: bool = False) -> float:
        """Age of an entry. One of this boot isn't older than the boot, whatever its wall time says."""
        if seq <= span.step_seq:
            wall_ms += span.step_ms
        age_s = (self.now_ns() // _NS_PER_MS - wall_ms) / 1e3
        return min(age_s, self._mono_s() - self._began_s) if this_boot else age_s
