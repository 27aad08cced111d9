"""Wall time for the edge of the node: what the clock on the wall says of a monotonic instant, and how far to trust it.

Inside the node monotonic time decides everything. Here it is given a date, by the distance between the two clocks.
"""

from __future__ import annotations

import ctypes
import time
from collections.abc import Callable
from dataclasses import dataclass

from edge.stream.entry import Stamp, TimeQuality

EARLIEST_NS = 1_735_689_600 * 1_000_000_000  # 2025-01-01: no clock that is right says less
STEP_NS = 100_000_000  # worth telling
_SAME_NS = 1_000_000  # clocks are read one after the other: less than this apart is no step
_BACK_NS = 1_000_000_000  # a clock that is set back by less is not taken for one that has forgotten the time
_CLOSE_NS = 100_000  # two readings of the monotonic clock with one of the other in between
_TRIES = 5
_STA_UNSYNC = 0x0040


@dataclass(frozen=True, slots=True)
class ClockChange:
    """The wall clock was set, or is to be trusted more or less than before.

    Attributes:
        offset_ms: wall time = monotonic time + this, from now on.
        jumped_ms: by how much that has changed since the last one that was told.
    """

    offset_ms: int
    quality: TimeQuality
    jumped_ms: int


@dataclass(frozen=True, slots=True)
class _View:
    offset_ns: int
    quality: TimeQuality


class WallClock:
    """Both clocks, and what the kernel thinks of the one on the wall.

    Args:
        mono, wall: the clocks, in nanoseconds.
        synced: whether the wall clock is disciplined.
        last_known_ns: the latest wall time that the node remembers; a clock that says less is wrong.
    """

    def __init__(
        self,
        mono: Callable[[], int] = time.monotonic_ns,
        wall: Callable[[], int] = time.time_ns,
        synced: Callable[[], bool] | None = None,
        last_known_ns: int = 0,
    ) -> None:
        self._mono = mono
        self._wall = wall
        self._synced = synced or kernel_says_synced
        self.last_known_ns = last_known_ns
        self._view = self._told = self._look_at(self._offset_ns())
        self._remember()

    @property
    def quality(self) -> TimeQuality:
        """How far the clock can be trusted now."""
        return self._view.quality

    @property
    def offset_ms(self) -> int:
        """Wall time minus monotonic time."""
        return round(self._view.offset_ns / 1_000_000)

    def stamp(self, mono_ns: int) -> Stamp:
        """The wall time of a monotonic instant, as the clock on the wall stands now, whatever it has done since."""
        offset_ns = self._offset_ns()
        if abs(offset_ns - self._view.offset_ns) > _SAME_NS:
            self._view = self._look_at(offset_ns)
        view = self._view
        return Stamp(mono_ns + view.offset_ns, view.quality)

    def look(self) -> ClockChange | None:
        """To be called about once a second: what has changed, if it is a step of 100 ms or more, or the quality."""
        self._view = view = self._look_at(self._offset_ns())
        self._remember()
        jumped_ns = view.offset_ns - self._told.offset_ns
        if abs(jumped_ns) < STEP_NS and view.quality == self._told.quality:
            return None
        self._told = view
        return ClockChange(self.offset_ms, view.quality, round(jumped_ns / 1_000_000))

    def _look_at(self, offset_ns: int) -> _View:
        wall_ns = self._mono() + offset_ns
        if wall_ns < EARLIEST_NS:
            quality = TimeQuality.WRONG
        elif self._synced():
            quality = TimeQuality.SYNCED
        else:
            quality = TimeQuality.WRONG if wall_ns < self.last_known_ns - _BACK_NS else TimeQuality.FREE
        return _View(offset_ns, quality)

    def _remember(self) -> None:
        """A disciplined clock is right even where what is remembered says later; a wrong one is not remembered."""
        wall_ns = self._mono() + self._view.offset_ns
        if self._view.quality is TimeQuality.SYNCED:
            self.last_known_ns = wall_ns
        elif self._view.quality is TimeQuality.FREE:
            self.last_known_ns = max(self.last_known_ns, wall_ns)

    def _offset_ns(self) -> int:
        """Wall minus monotonic time, read so close together that being interrupted in between doesn't matter."""
        best_ns, closest_ns = 0, None
        for _ in range(_TRIES):
            before_ns = self._mono()
            wall_ns = self._wall()
            after_ns = self._mono()
            apart_ns = after_ns - before_ns
            if closest_ns is None or apart_ns < closest_ns:
                best_ns, closest_ns = wall_ns - (before_ns + after_ns) // 2, apart_ns
            if apart_ns <= _CLOSE_NS:
                break
        return best_ns


class _Timex(ctypes.Structure):
    """`struct timex` of Linux, up to the field that is wanted; the rest is room (208 bytes on 64-bit machines)."""

    _fields_ = (
        ("modes", ctypes.c_uint),
        ("offset", ctypes.c_long),
        ("freq", ctypes.c_long),
        ("maxerror", ctypes.c_long),
        ("esterror", ctypes.c_long),
        ("status", ctypes.c_int),
        ("rest", ctypes.c_byte * 256),
    )


def _adjtimex() -> Callable[[_Timex], int] | None:
    try:
        function = ctypes.CDLL(None, use_errno=True).adjtimex
    except (OSError, AttributeError):  # no libc that can be opened, or one without it
        return None

    def call(timex: _Timex) -> int:
        return int(function(ctypes.byref(timex)))

    return call


_kernel_clock = _adjtimex()


def kernel_says_synced() -> bool:
    """Whether something disciplines the kernel's clock (man adjtimex: STA_UNSYNC). Where it can't be asked: no."""
    if _kernel_clock is None:
        return False
    timex = _Timex()  # modes 0: only read
    return _kernel_clock(timex) >= 0 and not timex.status & _STA_UNSYNC
