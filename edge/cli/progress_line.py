"""One line on a terminal's stderr that says how far something is; nothing where nobody looks."""

from __future__ import annotations

import shutil
import sys
import time

_EVERY_S = 0.2


class ProgressLine:
    """`show` it as often as you like, `clear` it before anything else is written there."""

    def __init__(self) -> None:
        self._looked_at = sys.stderr.isatty()
        self._shown_s: float | None = None

    def show(self, text: str) -> None:
        """In the place of what it said before."""
        now_s = time.monotonic()
        if self._looked_at and (self._shown_s is None or now_s - self._shown_s >= _EVERY_S):
            self._shown_s = now_s
            width = shutil.get_terminal_size().columns
            sys.stderr.write(f"\r\x1b[K{text[: width - 1]}")
            sys.stderr.flush()

    def clear(self) -> None:
        """As if there had been none."""
        if self._shown_s is not None:
            self._shown_s = None
            sys.stderr.write("\r\x1b[K")
            sys.stderr.flush()
