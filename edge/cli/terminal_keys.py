"""Keys as they are pressed, without waiting for any; the terminal is as it was when the context is left."""

from __future__ import annotations

import contextlib
import os
import select
import sys
import termios
import time
import tty
from types import TracebackType
from typing import Any

_NAMES = {b"\x1b[A": "up", b"\x1b[B": "down", b"\x1b[C": "right", b"\x1b[D": "left"}
_NAMES |= {b"\x1bO" + name[2:]: key for name, key in list(_NAMES.items())}
_NAMES |= {b"\x1b[5~": "up", b"\x1b[6~": "down"}


class TerminalKeys:
    """Ctrl-C stays what it is. Without a terminal on stdin there are no keys, and only time passes."""

    def __init__(self) -> None:
        self._file: int | None = None
        self._before: list[Any] = []

    def __enter__(self) -> TerminalKeys:
        try:
            if sys.stdin is not None and sys.stdin.isatty():
                file = sys.stdin.fileno()
                self._before = termios.tcgetattr(file)
                tty.setcbreak(file)
                self._file = file
        except (OSError, ValueError, termios.error):
            self._file = None
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._file is not None:
            with contextlib.suppress(OSError, termios.error):  # the terminal has gone
                termios.tcsetattr(self._file, termios.TCSADRAIN, self._before)
            self._file = None

    def wait(self, seconds: float) -> list[str]:
        """The keys pressed, as soon as there are any; none after so long. Arrows are 'up', 'down', 'left', 'right'."""
        if self._file is None:
            time.sleep(seconds)
            return []
        try:
            ready, _, _ = select.select([self._file], [], [], seconds)
            if not ready:
                return []
            pressed = os.read(self._file, 256)
        except OSError:
            pressed = b""
        if not pressed:  # hung up
            self._file = None
            return []
        return keys_in(pressed)


def keys_in(pressed: bytes) -> list[str]:
    """What a terminal sent, by key; sequences that aren't known are left out whole."""
    found = []
    at = 0
    while at < len(pressed):
        length = _sequence(pressed[at:])
        part = pressed[at : at + length]
        if part in _NAMES:
            found.append(_NAMES[part])
        elif length == 1 and 0x20 <= part[0] < 0x7F:
            found.append(part.decode())
        at += length
    return found


def _sequence(pressed: bytes) -> int:
    """Bytes of the first key in there."""
    if pressed[:1] != b"\x1b" or len(pressed) < 2 or pressed[1:2] not in b"[O":
        return 1
    for length in range(3, len(pressed) + 1):
        if 0x40 <= pressed[length - 1] <= 0x7E:
            return length
    return len(pressed)
