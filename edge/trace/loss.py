"""What a damaged trace has lost, in words that can be acted on."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Loss:
    """Something in a trace that couldn't be used.

    Attributes:
        what: a sentence.
        offset: where in the file, in bytes; None where it isn't a place in the file.
        size: how many bytes, where known.
        begin_ns, end_ns: the time that is missing, on the trace's clock, where known.
    """

    what: str
    offset: int | None = None
    size: int | None = None
    begin_ns: int | None = None
    end_ns: int | None = None

    def __str__(self) -> str:
        place = ""
        if self.offset is not None:
            place = f"byte {self.offset}" if self.size is None else f"bytes {self.offset}..{self.offset + self.size}"
            place += ": "
        when = ""
        if self.begin_ns is not None and self.end_ns is not None:
            when = f" (between {self.begin_ns / 1e9:.3f} s and {self.end_ns / 1e9:.3f} s)"
        return f"{place}{self.what}{when}"


def losses_text(where: str, losses: Sequence[Loss], shown: int = 20) -> str:
    """All losses as lines, the first ``shown`` in full."""
    lines = [f"{where}: {loss}" for loss in losses[:shown]]
    if len(losses) > shown:
        lines.append(f"{where}: and {len(losses) - shown} more")
    return "\n".join(lines)
