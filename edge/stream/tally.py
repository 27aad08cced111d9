"""What an event stream amounts to: the one line at the end of a replay."""

from __future__ import annotations

from edge.trace.event import Event, Status


class Tally:
    """Counts events by how their last revision stands."""

    def __init__(self) -> None:
        self._last: dict[str, Event] = {}

    def add(self, event: Event) -> None:
        """Count a revision; the same event's later revision takes its place."""
        before = self._last.get(event.event_id)
        if before is None or event.revision >= before.revision:
            self._last[event.event_id] = event

    def sentence(self, trace_s: float, took_s: float) -> str:
        """For example ``8 events final (5 for review), 1 retracted; 100.0 s in 0.4 s, 250 times real time``."""
        final = [event for event in self._last.values() if event.status is Status.FINAL]
        review = sum(event.needs_review for event in final)
        parts = [f"{len(final)} event{'' if len(final) == 1 else 's'} final ({review} for review)"]
        for status, word in ((Status.PROVISIONAL, "still provisional"), (Status.RETRACTED, "retracted")):
            count = sum(event.status is status for event in self._last.values())
            if count:
                parts.append(f"{count} {word}")
        pace = f", {float(f'{trace_s / took_s:.3g}'):.12g} times real time" if took_s > 0 else ""
        return f"{', '.join(parts)}; {trace_s:.1f} s of samples in {took_s:.1f} s{pace}"
