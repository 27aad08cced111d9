"""Damage that was found and mended, kept in the file until a `damaged` note tells it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

_RANGES_PER_NOTE = 100
Range = tuple[int, int, int]


@dataclass(frozen=True, slots=True)
class Report:
    """One file that was damaged.

    Attributes:
        file: its name now. rows_kept, rows_lost: entries carried over, and known to be lost (at least).
        missing: the lost ones as (boot, first seq, last seq).
    """

    file: str
    rows_kept: int
    rows_lost: int
    missing: tuple[Range, ...] = ()

    def data(self) -> dict[str, Any]:
        """As it is kept."""
        return {
            "file": self.file,
            "kept": self.rows_kept,
            "lost": self.rows_lost,
            "missing": [list(each) for each in self.missing],
        }

    def next_note(self) -> tuple[dict[str, Any], Report | None]:
        """What a note says of it, and what remains for the next one: a note names at most 100 ranges."""
        named, later = self.missing[:_RANGES_PER_NOTE], self.missing[_RANGES_PER_NOTE:]
        lost_later = sum(last - first + 1 for _, first, last in later)
        details = {
            "file": self.file,
            "rows_kept": self.rows_kept,
            "rows_lost": max(0, self.rows_lost - lost_later),
            "missing": [list(each) for each in named],
        }
        return details, Report(self.file, 0, lost_later, later) if later else None


def report_from(data: dict[str, Any]) -> Report:
    """A report out of its record. Raises ValueError, TypeError or KeyError for anything else."""
    missing = tuple((int(boot), int(first), int(last)) for boot, first, last in data["missing"])
    return Report(str(data["file"]), int(data["kept"]), int(data["lost"]), missing)
