"""What happened at a board that isn't a sample: losses, restarts, silence, each with its time and its remedy."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Notice:
    """One happening, for the log, for health and for the person who mends it.

    Attributes:
        board: the board's id in the node file.
        cell: name of the cell; None where it concerns the whole board or its MCU.
        cause: short fixed name, the same whoever says it: 'link gap', 'mcu overrun', 'chip restart', 'mcu restart',
            'unplugged', 'ready timeout', 'clock jump', 'slow reads', 'rate' ...
        begin_ns: monotonic time at which it began.
        end_ns: monotonic time at which it was over; equal to `begin_ns` for an instant.
        samples_lost: conversions that were not delivered because of it; 0 where none.
        text: a sentence for a technician, with the remedy.
    """

    board: str
    cell: str | None
    cause: str
    begin_ns: int
    end_ns: int
    samples_lost: int
    text: str
