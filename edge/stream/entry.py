"""What the stream is made of: events and notes, numbered in the order in which the node committed them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from enum import IntEnum
from typing import Any

from edge.trace.event import Event


class TimeQuality(IntEnum):
    """How far a wall time can be trusted."""

    SYNCED = 0  # the clock is disciplined, for example by NTP
    FREE = 1  # it runs on its own
    WRONG = 2  # it is known to be wrong: earlier than it has been before


@dataclass(frozen=True, slots=True)
class Stamp:
    """The wall time of a monotonic instant, in nanoseconds since 1970 (UTC)."""

    wall_ns: int
    quality: TimeQuality


@dataclass(frozen=True, slots=True)
class EventEntry:
    """One revision of an event in the stream.

    Attributes:
        boot: a number that grows by one with every start of the node (32 bit).
        seq: counts the entries of a boot from 1 on, without gaps (64 bit).
        time: wall time of ``event.time_ns``; on the wire and in the outbox to the millisecond.
        historical: it was sent late, out of what had been buffered.
    """

    boot: int
    seq: int
    event: Event
    time: Stamp
    historical: bool = False


@dataclass(frozen=True, slots=True)
class Note:
    """Something the stream says of itself, in the same numbering as the events. EVENTS.md lists the kinds.

    Attributes:
        what: which kind of note; readers pass over one that they don't know.
        mono_ns: the monotonic instant, or None where the sender kept it for himself.
        details: plain values by name: numbers, texts, truth values, None, and lists and mappings of them.
    """

    boot: int
    seq: int
    what: str
    time: Stamp
    mono_ns: int | None
    details: Mapping[str, Any]
    historical: bool = False


Entry = EventEntry | Note
