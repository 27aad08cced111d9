"""Times as people type them: `2h`, `18:05`, `2026-11-21T18:05`."""

from __future__ import annotations

import re
from datetime import datetime, timedelta

from edge.config.quantity import AGE
from edge.trace.errors import TraceError

_CLOCK = re.compile(r"\d{1,2}:\d{2}(:\d{2})?")


def span_s(text: str, option: str) -> float:
    """A length of time with its unit, in seconds. Raises TraceError naming the option."""
    try:
        return AGE.parse(text)
    except ValueError as error:
        raise TraceError(f"{option} {text}: {error}") from None


def wall_ns(text: str, option: str, now: datetime) -> int:
    """Nanoseconds since 1970 (UTC) of a date and time, or of a time of day: the latest one that isn't after ``now``.

    Without a time zone, ``now``'s is meant. Raises TraceError naming the option.
    """
    try:
        if _CLOCK.fullmatch(text):
            hours, minutes, *seconds = (int(part) for part in text.split(":"))
            moment = now.replace(hour=hours, minute=minutes, second=seconds[0] if seconds else 0, microsecond=0)
            if moment > now:
                moment -= timedelta(days=1)
        else:
            moment = datetime.fromisoformat(text)
            if moment.tzinfo is None:
                moment = moment.astimezone() if now.tzinfo is None else moment.replace(tzinfo=now.tzinfo)
        return round(moment.timestamp() * 1e6) * 1000
    except (ValueError, OverflowError, OSError):
        raise TraceError(
            f"{option} {text}: expected a time of day such as 18:05, or a date and time such as 2026-11-21T18:05"
        ) from None
