"""What a guided run tells the person in front of the board: data, for a terminal, a page or a script."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum


class Step(StrEnum):
    """What is going on."""

    CLEAR = "clear the board"
    PUT = "put the weight"
    TAKE_OFF = "take it off"
    WAIT = "leave it alone"
    DONE = "done"


@dataclass(frozen=True, slots=True)
class Prompt:
    """What to do now. It holds until the next one.

    Attributes:
        text: one sentence for a person.
        place, x_mm, y_mm: where to put the weight; empty and None where there is nothing to put.
        weight_g: what shall lie on the board then, in all; 0 for nothing.
        number, of: of this placement among all, from 1; 0 before and after them.
        mistake: what went wrong just now, if something did; it is asked for again.
        limit_s: how long this is waited for.
        remark: what else there is to know; nothing went wrong.
    """

    step: Step
    text: str
    place: str = ""
    x_mm: float | None = None
    y_mm: float | None = None
    weight_g: float = 0.0
    number: int = 0
    of: int = 0
    mistake: str = ""
    limit_s: float = 0.0
    remark: str = ""


@dataclass(frozen=True, slots=True)
class Progress:
    """Where things stand, for a live display; nothing needs to be done about it.

    Attributes:
        live_g: about what lies on the board; None before the first placement told the gains.
        resting: nothing moves. held: how much of the rest that is needed has passed, 0 to 1.
        seconds_left: until the present step is given up. run_left_s: until the run is done, about.
        warming_counts_per_s: how fast the worst channel drifts, while the empty board is waited for.
    """

    step: Step
    live_g: float | None
    resting: bool
    held: float
    seconds_left: float
    run_left_s: float
    warming_counts_per_s: float | None = None
