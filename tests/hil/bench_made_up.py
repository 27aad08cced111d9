"""Small made-up scenes, events and outcomes for the bench's own arithmetic."""

from __future__ import annotations

from dataclasses import dataclass, replace

from edge.config.setup import Setup, setup_from_texts
from edge.trace.event import Event, Kind, Label, Status
from hil.case_facts import CaseFacts, EventFact

NODE = """
node: n
planogram: planogram.yaml
boards:
  b: {width: 600 mm, depth: 400 mm, rate: 80 Hz, driver: simulated, cells: {only: {x: 300 mm, y: 200 mm}}}
"""
PLANOGRAM = """
skus:
  cola: {name: Cola, weight: 352 g}
  water: {name: Water, weight: 520 g}
slots:
  A1: {board: b, sku: cola, x: [0 mm, 300 mm], count: 6}
  A2: {board: b, sku: water, x: [300 mm, 600 mm], count: 4}
"""


@dataclass(frozen=True)
class MadeUpCase:
    """What of a `Case` the bench's arithmetic looks at."""

    labels: tuple[Label, ...]
    grams: tuple[float, ...] = ()
    disturbances: tuple[tuple[str, float, float], ...] = ()
    duration_s: float = 3600.0
    layout: str = "corners"
    family: str = "calm"

    @property
    def setup(self) -> Setup:
        return shelf()


def shelf() -> Setup:
    """A board with six cola in A1 and four water in A2."""
    return setup_from_texts(NODE, PLANOGRAM, "", "made up")


def label(start_s: float, end_s: float, **fields: object) -> Label:
    base = Label(Kind.PICK, "b", "cola", "A1", 1, start_s, end_s)
    return replace(base, **fields)  # type: ignore[arg-type]


def event(name: str, time_s: float, decided_s: float, **fields: object) -> Event:
    base = Event(
        event_id=name,
        revision=1,
        status=Status.FINAL,
        kind=Kind.PICK,
        board="b",
        slot="A1",
        sku="cola",
        quantity=1,
        grams=-352.0,
        x_mm=None,
        y_mm=None,
        time_ns=round(time_s * 1e9),
        decided_ns=round(decided_s * 1e9),
        confidence=0.999,
        needs_review=False,
    )
    return replace(base, **fields)  # type: ignore[arg-type]


def fact(confidence: float, right: bool = True, units: int = 1, **fields: object) -> EventFact:
    """An accepted event, all of whose units are right or none."""
    base = EventFact(units, units if right else 0, right, False, confidence, False, False)
    return replace(base, **fields)  # type: ignore[arg-type]


def outcome(*events: EventFact, family: str = "calm", label_units: int = 0, missed_units: int = 0) -> CaseFacts:
    """An hour's scene that came to these events."""
    return CaseFacts("corners", family, 0, 1.0, label_units, missed_units, events, (0.1,), (1.0,), (1.5,), (0.5,))
