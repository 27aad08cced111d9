"""The two things said of a trace in the same words: what happened (`Label`) and what was decided (`Event`).

They live on the trace's floor because traces, plots, scores, fusion and the stream all speak of them.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from enum import StrEnum


class Kind(StrEnum):
    """Which way an item went."""

    PICK = "pick"
    PUT = "put"


class Status(StrEnum):
    """How settled an event is. The same ``event_id`` comes again with the next revision when this changes."""

    PROVISIONAL = "provisional"
    FINAL = "final"
    RETRACTED = "retracted"


@dataclass(frozen=True, slots=True)
class Alternative:
    """Another explanation of the same change, with its probability."""

    kind: Kind | None
    sku: str | None
    slot: str | None
    quantity: int
    probability: float


@dataclass(frozen=True, slots=True)
class Evidence:
    """What an event was decided from.

    Attributes:
        change_g: change of each cell's weight in grams, in the board's order of cells (NaN for a cell without data).
        sd_g: one standard deviation of the total change.
        before_ms, after_ms: how much quiet on either side was averaged.
        begin_ns, end_ns: when the board left quiet and came back to it.
        faults: names of faults seen in the samples, for example ``"cell fl: stuck"``.
    """

    change_g: tuple[float, ...]
    sd_g: float
    before_ms: float
    after_ms: float
    begin_ns: int
    end_ns: int
    faults: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Event:
    """One movement of one kind of item, with how sure we are of it.

    Attributes:
        event_id: unique within a trace and the same for all revisions of the event.
        sku, slot: None for an object that isn't in the planogram.
        grams: change of the weight on the board; negative when taken.
        x_mm, y_mm: where on the board, from its front left corner; None where the cells can't tell.
        time_ns: when the item moved. decided_ns: when this revision was decided. Both monotonic.
        confidence: probability that kind, SKU, slot and quantity are all right.
        who: distribution over tracks, filled in by cameras.
    """

    event_id: str
    revision: int
    status: Status
    kind: Kind
    board: str
    slot: str | None
    sku: str | None
    quantity: int
    grams: float
    x_mm: float | None
    y_mm: float | None
    time_ns: int
    decided_ns: int
    confidence: float
    needs_review: bool
    alternatives: tuple[Alternative, ...] = ()
    who: tuple[tuple[str, float], ...] = ()
    evidence: Evidence | None = field(default=None)


@dataclass(frozen=True, slots=True)
class Label:
    """What really happened, by a person or by the simulator.

    ``sku`` or ``slot`` None: not known to the labeller, so any answer agrees. Times in seconds on the trace's clock.
    ``foreign``: an object that isn't in the planogram (sku and slot None); only an event without a SKU agrees.
    """

    kind: Kind
    board: str
    sku: str | None
    slot: str | None
    quantity: int
    start_s: float
    end_s: float
    foreign: bool = False
