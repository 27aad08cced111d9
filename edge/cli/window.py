"""What the terminal can show: a whole screen or lines alone, and whether its window is large enough."""

from __future__ import annotations

import os
import sys

from rich.text import Text

LEAST = (40, 10)
"""Columns and lines below which no screen says anything whole."""
_WITHOUT_CURSOR = ("dumb", "unknown")  # terminals that can't draw over what they have shown


def only_lines(wanted: bool, for_program: bool = False) -> bool:
    """Whether a command has to write lines instead of drawing the screen.

    Args:
        wanted: by ``--plain``. for_program: stdout is for one (``--json``).
    """
    terminal = sys.stdout.isatty() and os.environ.get("TERM", "").lower() not in _WITHOUT_CURSOR
    return wanted or for_program or not terminal


def too_small(columns: int, lines: int, least: tuple[int, int] = LEAST) -> list[Text]:
    """What to show where words would be cut; empty where the window has at least ``least`` columns and lines."""
    if columns >= least[0] and lines >= least[1]:
        return []
    needs = f"{least[0]} x {least[1]}"
    rows = ["make the window", "larger:", f"it has {columns} x {lines},", f"needs {needs}"]
    if columns >= 60:
        rows = [f"make the window larger: it has {columns} x {lines}, needs {needs}"]
    return [Text(row[:columns], "bold yellow", no_wrap=True) for row in rows[: max(lines, 1)]]
