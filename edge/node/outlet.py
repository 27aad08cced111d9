"""From what is decided to what is kept: gives events and notes their wall time and hands them to the committer."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from typing import Any

from edge.stream.entry import EventEntry, Note, Stamp, TimeQuality
from edge.stream.outbox.records import Body
from edge.stream.wall_clock import ClockChange
from edge.stream.wire import WireError, decode_items, encode
from edge.trace.event import Event


class Outlet:
    """Puts entries into the stream. Never waits: what a full queue can't take is counted by the committer.

    Args:
        give: takes a body (`Committer.give`).
        stamp: the wall time of a monotonic instant. mono_ns: the monotonic clock.
    """

    def __init__(self, give: Callable[[Body], bool], stamp: Callable[[int], Stamp], mono_ns: Callable[[], int]) -> None:
        self._give = give
        self._stamp = stamp
        self._mono_ns = mono_ns
        self._ever_unsure = False

    def events(self, events: Iterable[Event]) -> None:
        """Events, in the order in which they were decided."""
        for event in events:
            stamp = self._stamped(event.time_ns)
            self._give(Body(_EventBytes(event, stamp), stamp.wall_ns + event.decided_ns - event.time_ns))

    def note(self, what: str, details: Mapping[str, Any]) -> None:
        """Something that the stream says of itself, now."""
        now_ns = self._mono_ns()
        stamp = self._stamped(now_ns)
        self._give(
            Body(
                lambda boot, seq: encode(Note(boot, seq, what, stamp, now_ns, {"boot": boot, **details})), stamp.wall_ns
            )
        )

    def clock_changed(self, change: ClockChange) -> None:
        """What was stamped in this boot while the clock couldn't be trusted can now be given a better time."""
        self.note(
            "clock",
            {
                "offset_ms": change.offset_ms,
                "quality": change.quality.name.lower(),
                "jumped_ms": change.jumped_ms,
            },
        )

    def better_stamp(self, boot: int) -> Callable[[int, bytes], Stamp | None]:
        """Gives the wall time of an entry (boot, full form) of ``boot`` that was stamped by a clock that couldn't be
        trusted and now can; else None. From any thread."""

        def better(of: int, full: bytes) -> Stamp | None:
            if of != boot or not self._ever_unsure:
                return None
            stamp = self._stamp(self._mono_ns())
            if stamp.quality is not TimeQuality.SYNCED:
                return None
            mono_ns = unsure_since(full)
            return None if mono_ns is None else self._stamp(mono_ns)

        return better

    def _stamped(self, mono_ns: int) -> Stamp:
        stamp = self._stamp(mono_ns)
        self._ever_unsure = self._ever_unsure or stamp.quality is not TimeQuality.SYNCED
        return stamp


def unsure_since(full: bytes) -> int | None:
    """The monotonic time of an entry (its full form) whose wall time wasn't sure; None of any other."""
    try:
        (entry,) = decode_items(full)
    except (WireError, ValueError):
        return None
    if entry.time.quality is TimeQuality.SYNCED:
        return None
    return entry.event.time_ns if isinstance(entry, EventEntry) else entry.mono_ns


class _EventBytes:
    """Encodes one event once its number is known."""

    __slots__ = ("_event", "_time")

    def __init__(self, event: Event, time: Stamp) -> None:
        self._event = event
        self._time = time

    def __call__(self, boot: int, seq: int) -> bytes:
        return encode(EventEntry(boot, seq, self._event, self._time))
