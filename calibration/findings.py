"""What a run found wrong or worth telling: a named reason, the evidence in physical units, the remedy in a sentence."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum


class Reason(StrEnum):
    """Names that stay the same for programs; the first block refuses a calibration, the second one is only told."""

    DRIFTING = "drifting"
    NOISY = "too noisy"
    RESTLESS = "never at rest"
    SATURATED = "saturated"
    SILENT_CELL = "silent cell"
    STUCK_CELL = "stuck cell"
    DEAD_CELL = "dead cell"
    CORNERS_APART = "corners apart"
    NO_RETURN = "no return to zero"
    OFF_LABEL = "off the label"
    NOT_MOVED = "weight not moved"
    NOT_EMPTY = "board not empty"
    WRONG_PLACE = "wrong place"
    LIFTED_EARLY = "lifted too early"
    WRONG_WEIGHT = "wrong weight"
    SWAPPED_BOARDS = "swapped boards"
    STOPPED = "stopped"
    OFF_CALIBRATION = "calibration no longer holds"
    WRONG_RATE = "wrong rate"
    BUMPED = "bumped"
    TOO_SHORT = "too short for the noise"
    TOO_STEADY = "temperature too steady"
    UNRELATED = "temperature doesn't explain it"
    NO_THERMOMETER = "no thermometer"
    MARK_ELSEWHERE = "mark elsewhere"
    MARKS_DISAGREE = "marks disagree"
    MARKS_MIRRORED = "marks mirrored"
    PLANE_UNKNOWN = "places not known"
    MAP_OFF = "map no longer holds"

    WIRING_DIFFERS = "wiring differs"
    WIRING_UNSURE = "wiring unsure"
    REVERSED_CELL = "reversed cell"
    UNEVEN = "uneven"
    CELL_ELSEWHERE = "cell elsewhere"
    PLACE_UNSURE = "place unsure"
    UNTOLD = "not known"
    ZERO_MOVED = "zero moved"
    MARKS_ROUGH = "marks roughly placed"
    MARKS_UNCHECKED = "marks unchecked"
    PLANE_UNSURE = "places partly unsure"
    PRINT_SCALED = "print not to scale"
    LENS_BENDS = "lens bends"


TOLD_ONLY = frozenset(
    {
        Reason.WIRING_DIFFERS,
        Reason.WIRING_UNSURE,
        Reason.REVERSED_CELL,
        Reason.UNEVEN,
        Reason.CELL_ELSEWHERE,
        Reason.PLACE_UNSURE,
        Reason.UNTOLD,
        Reason.ZERO_MOVED,
        Reason.MARKS_ROUGH,
        Reason.MARKS_UNCHECKED,
        Reason.PLANE_UNSURE,
        Reason.PRINT_SCALED,
        Reason.LENS_BENDS,
    }
)


@dataclass(frozen=True, slots=True)
class Finding:
    """One thing found.

    Attributes:
        subject: the cell's, place's, mark's or board's name that it is about; empty for the whole board or camera.
        evidence: what was measured, and against what.
        remedy: what to do next, in one sentence; empty where nothing needs doing.
    """

    reason: Reason
    subject: str
    evidence: str
    remedy: str

    @property
    def refuses(self) -> bool:
        """A calibration with this isn't trustworthy."""
        return self.reason not in TOLD_ONLY

    def __str__(self) -> str:
        about = f" ({self.subject})" if self.subject else ""
        return f"{self.reason}{about}: {self.evidence}" + (f"; {self.remedy}" if self.remedy else "")
