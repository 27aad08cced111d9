"""What happened at a board or camera that isn't a sample: losses, restarts, silence, with its time and its remedy."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Notice:
    """One happening, for the log, for health and for the person who mends it.

    Attributes:
        board: the board's or the camera's id in the node file.
        cell: name of the cell; None where it concerns the whole board or its MCU, and for a camera.
        cause: short fixed name, the same whoever says it: 'link gap', 'mcu overrun', 'chip restart', 'mcu restart',
            'unplugged', 'ready timeout', 'clock jump', 'slow reads', 'rate' ...; of a camera: 'stall', 'frozen',
            'dark', 'covered', 'moved' (told when they begin and when they are over), 'dropped frames', 'restart' ...
        begin_ns: monotonic time at which it began.
        end_ns: monotonic time at which it was over; equal to `begin_ns` for an instant.
        samples_lost: conversions, or frames, that were not delivered because of it; 0 where none.
        text: a sentence for a technician, with the remedy.
    """

    board: str
    cell: str | None
    cause: str
    begin_ns: int
    end_ns: int
    samples_lost: int
    text: str
