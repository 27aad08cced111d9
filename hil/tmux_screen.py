"""A real terminal of a given size that nobody sees: a command in tmux, what it shows, and keys for it."""

from __future__ import annotations

import os
import re
import shlex
import shutil
import subprocess
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from types import TracebackType

_LOOK_S = 0.1


class NoTmuxError(RuntimeError):
    """tmux isn't on this machine."""


class Screen:
    """A command in a terminal; ended with the context.

    Raises NoTmuxError where there is no tmux.
    """

    def __init__(
        self, columns: int, lines: int, command: Sequence[str], folder: Path, environ: Mapping[str, str]
    ) -> None:
        if shutil.which("tmux") is None:
            raise NoTmuxError("tmux isn't here; install it (sudo apt-get install tmux) and run this again")
        self.columns, self.lines = columns, lines
        self._name = f"shelfedge-screens-{os.getpid()}-{time.monotonic_ns()}"
        self._environ = {**os.environ, "LANG": "C.UTF-8", "LC_ALL": "C.UTF-8", "COLORTERM": "", **environ}
        self._environ.pop("NO_COLOR", None)
        # What it leaves on the screen stays there until it has been looked at.
        line = f"{shlex.join(command)}; exec sleep 3600"
        self._tmux(
            "-f", os.devnull, "new-session", "-d", "-x", str(columns), "-y", str(lines), "-c", str(folder), line,
            ";", "set-option", "-g", "status", "off", ";", "resize-window", "-x", str(columns), "-y", str(lines),
        )  # fmt: skip

    def __enter__(self) -> Screen:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        subprocess.run(["tmux", "-L", self._name, "kill-server"], check=False, capture_output=True)

    def text(self) -> str:
        """What stands there."""
        return self._tmux("capture-pane", "-p")

    def ansi(self) -> str:
        """The same with its colours, each line to its end."""
        return self._tmux("capture-pane", "-e", "-N", "-p")

    def whole_ansi(self) -> str:
        """The same with all lines that have gone off the top."""
        return self._tmux("capture-pane", "-e", "-N", "-p", "-S", "-")

    def press(self, *keys: str) -> None:
        """Keys by tmux's names: `y`, `Enter`, `Right`."""
        self._tmux("send-keys", *keys)

    def wait_for(self, pattern: str, patience_s: float) -> bool:
        """Until the screen has it; whether it came in time."""
        until_s = time.monotonic() + patience_s
        while not re.search(pattern, self.text()):
            if time.monotonic() > until_s:
                return False
            time.sleep(_LOOK_S)
        return True

    def _tmux(self, *arguments: str) -> str:
        done = subprocess.run(
            ["tmux", "-L", self._name, *arguments], env=self._environ, capture_output=True, text=True, check=True
        )
        return done.stdout
