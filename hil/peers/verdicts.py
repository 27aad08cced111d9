"""A peer's decision in the trace's words. Peers have no reject option: nothing is ever sent to review."""

from __future__ import annotations

from dataclasses import dataclass

from edge.trace.event import Event, Kind, Status
from hil.peers.shelf import Spot


@dataclass(frozen=True, slots=True)
class Verdict:
    """What a peer says happened, and when. ``grams``: signed change. ``confidence``: 0..1, what the rule maximised."""

    spot: Spot
    sku: str
    quantity: int
    grams: float
    place_mm: tuple[float | None, float | None]
    time_ns: int
    decided_ns: int
    confidence: float


def events_of(peer: str, verdicts: list[Verdict]) -> list[Event]:
    """Final events in order of time."""
    return [
        Event(
            event_id=f"{peer}-{number:06d}",
            revision=1,
            status=Status.FINAL,
            kind=Kind.PICK if verdict.grams < 0 else Kind.PUT,
            board=verdict.spot.board,
            slot=verdict.spot.slot,
            sku=verdict.sku,
            quantity=verdict.quantity,
            grams=verdict.grams,
            x_mm=verdict.place_mm[0],
            y_mm=verdict.place_mm[1],
            time_ns=verdict.time_ns,
            decided_ns=verdict.decided_ns,
            confidence=min(max(verdict.confidence, 0.0), 1.0),
            needs_review=False,
        )
        for number, verdict in enumerate(sorted(verdicts, key=lambda verdict: verdict.time_ns), 1)
    ]
