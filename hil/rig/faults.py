"""What can be made to go wrong on a rig: everything a chip model can do, and what only a board can."""

from __future__ import annotations

import enum
from dataclasses import dataclass

from drivers.hx711.chip_faults import ChipFault, PlannedFault


class BoardFault(enum.Enum):
    """Faults of a chip on its board which the plain chip model has not. All are lasting."""

    OSCILLATING = "oscillating"  # DOUT toggles by itself at `amount` Hz (default 2000): a loose wire near a motor
    NOISY = "noisy"  # Gaussian noise of `amount` counts rms on top (default 5000): AGND not tied to ground


class Way(enum.Enum):
    """A direction on the serial line."""

    TO_HOST = "host"
    TO_MCU = "mcu"


class Reset(enum.Enum):
    """What resets the MCU while its power stays."""

    EXTERNAL = "external"
    BROWN_OUT = "brown-out"


@dataclass(frozen=True, slots=True)
class PlannedBoardFault:
    """As `PlannedFault`, for a `BoardFault`. Times are true time in ns; ``end_ns`` None: for good."""

    fault: BoardFault
    begin_ns: int
    end_ns: int | None = None
    amount: float | None = None


RIG_FAULTS: tuple[ChipFault | BoardFault, ...] = (*ChipFault, *BoardFault)
"""All of them, in the order of the bits of ``fault`` in the truth."""


def order(planned: PlannedFault | PlannedBoardFault) -> str:
    """The simulator's words for it: name begin end bit amount; - where there is none."""
    bit = planned.bit if isinstance(planned, PlannedFault) else 0
    end = "-" if planned.end_ns is None else str(planned.end_ns)
    amount = "-" if planned.amount is None else repr(float(planned.amount))
    return f"{planned.fault.value.replace(' ', '-')} {planned.begin_ns} {end} {bit} {amount}"
