"""A command in a terminal of its own, and what somebody in front of it sees: a screen of characters, keys to press."""

from __future__ import annotations

import contextlib
import fcntl
import os
import re
import select
import signal
import struct
import subprocess
import sys
import termios
import time
from collections.abc import Mapping, Sequence
from types import TracebackType

_LAUNCH = (
    "import fcntl, os, sys, termios; os.setsid(); fcntl.ioctl(0, termios.TIOCSCTTY, 0); "
    "os.execv(sys.argv[1], sys.argv[1:])"
)
_SEQUENCE = re.compile(rb"\x1b\[([?0-9;]*)([A-Za-z])|\x1b[=>]")
_UNFINISHED = re.compile(rb"\x1b(\[[?0-9;]*)?$")


class Screen:
    """As much of a terminal as full-screen pages and lines that scroll need; colours are left out.

    Attributes:
        rows: what is on it now. text: everything that was ever written, with line ends. bells: how often it rang.
        full: a program has the whole screen, as editors do.
    """

    def __init__(self, columns: int, lines: int) -> None:
        self._columns, self._lines = columns, lines
        self.rows = [""] * lines
        self.text = ""
        self.bells = 0
        self.full = False
        self._row = self._column = 0
        self._rest = b""

    def write(self, data: bytes) -> None:
        """What the program wrote."""
        data, self._rest = self._rest + data, b""
        if unfinished := _UNFINISHED.search(data):
            data, self._rest = data[: unfinished.start()], data[unfinished.start() :]
        at = 0
        for found in _SEQUENCE.finditer(data):
            self._plain(data[at : found.start()])
            self._control(found[1] or b"", found[2] or b"")
            at = found.end()
        self._plain(data[at:])

    def _plain(self, data: bytes) -> None:
        cut = len(data)
        while cut and cut > len(data) - 4:  # a letter of several bytes that isn't whole yet
            with contextlib.suppress(UnicodeDecodeError):
                text = data[:cut].decode()
                break
            cut -= 1
        else:
            text = data.decode("utf-8", "replace")
            cut = len(data)
        self._rest = data[cut:] + self._rest
        self.text += text
        for letter in text:
            self._letter(letter)

    def _letter(self, letter: str) -> None:
        if letter == "\a":
            self.bells += 1
        elif letter == "\r":
            self._column = 0
        elif letter == "\n":
            self._row += 1
            if self._row == self._lines:
                self._row -= 1
                self.rows = [*self.rows[1:], ""]
        elif letter == "\b":
            self._column = max(self._column - 1, 0)
        elif self._column < self._columns:
            row = self.rows[self._row].ljust(self._column)
            self.rows[self._row] = row[: self._column] + letter + row[self._column + 1 :]
            self._column += 1

    def _control(self, values: bytes, what: bytes) -> None:
        if values == b"?1049" and what in b"hl":
            self.full = what == b"h"
            self.rows, self._row, self._column = [""] * self._lines, 0, 0
        elif what == b"H":
            numbers = [max(int(each or 1), 1) - 1 for each in (values or b"1;1").split(b";")]
            self._row, self._column = min(numbers[0], self._lines - 1), numbers[1] if len(numbers) > 1 else 0
        elif what == b"J" and values in (b"2", b"3"):
            self.rows = [""] * self._lines
        elif what == b"K":
            self.rows[self._row] = "" if values == b"2" else self.rows[self._row][: self._column]
        elif what == b"A":
            self._row = max(self._row - int(values or 1), 0)


class Terminal:
    """`shelfedge` with these arguments in a terminal of that size. Leaving the context ends it.

    Attributes:
        screen: what is seen.
    """

    def __init__(
        self,
        arguments: Sequence[str],
        columns: int = 80,
        lines: int = 24,
        environment: Mapping[str, str] | None = None,
        cwd: str | None = None,
    ) -> None:
        self.screen = Screen(columns, lines)
        self._handle, own = os.openpty()
        fcntl.ioctl(own, termios.TIOCSWINSZ, struct.pack("HHHH", lines, columns, 0, 0))
        command = [sys.executable, "-c", _LAUNCH, sys.executable, "-m", "edge.cli.main", *arguments]
        variables = {**os.environ, **(environment or {}), "TERM": "xterm-256color"}
        for name in ("COLUMNS", "LINES", "NO_COLOR"):
            variables.pop(name, None)
        self._child = subprocess.Popen(command, stdin=own, stdout=own, stderr=own, env=variables, cwd=cwd)
        os.close(own)

    def look(self, seconds: float = 0.05) -> bool:
        """Take in what is written within that time; False once the command has ended and all was read."""
        until = time.monotonic() + seconds
        while (left := until - time.monotonic()) > 0:
            if not select.select([self._handle], [], [], left)[0]:
                return True
            try:
                data = os.read(self._handle, 65_536)
            except OSError:  # its end
                return False
            if not data:
                return False
            self.screen.write(data)
        return True

    def look_for(self, text: str, seconds: float = 60.0) -> bool:
        """Until that was written; False where it never was."""
        until = time.monotonic() + seconds
        while text not in self.screen.text and time.monotonic() < until:
            if not self.look():
                break
        return text in self.screen.text

    def press(self, keys: str) -> None:
        """Type that."""
        os.write(self._handle, keys.encode())

    def signal(self, number: signal.Signals) -> None:
        """Send a signal to the command."""
        self._child.send_signal(number)

    def hang_up(self) -> None:
        """Close the window."""
        os.close(self._handle)
        self._handle = -1

    def end(self, seconds: float = 30.0) -> int:
        """Wait for its end; the exit code."""
        until = time.monotonic() + seconds
        while self._handle >= 0 and time.monotonic() < until and self.look(0.2):
            pass
        return self._child.wait(max(until - time.monotonic(), 1.0))

    def close(self) -> None:
        """End it, if it hasn't."""
        if self._child.poll() is None:
            self._child.kill()
            self._child.wait()
        if self._handle >= 0:
            os.close(self._handle)
            self._handle = -1

    def __enter__(self) -> Terminal:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()
