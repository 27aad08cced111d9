"""One node, one process: who runs a node holds its state folder."""

from __future__ import annotations

import contextlib
import fcntl
import os
from pathlib import Path

from firmware_bridge.errors import ShelfedgeError

_PID_FILE = "node.pid"


class NodeRunsError(ShelfedgeError, RuntimeError):
    """Another process runs this node. Two would take each other's samples and number their events twice."""


class StateLock:
    """Held from when it is made until `release`, or until the process ends in whatever way.

    The lock is on the folder itself, so that it works on a disk that can't be written to, and a file left behind by a
    power cut means nothing.

    Raises:
        NodeRunsError: somebody has it. OSError: there is no such folder.
    """

    def __init__(self, folder: Path) -> None:
        self._file = os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
        self._pid_path = folder / _PID_FILE
        try:
            fcntl.flock(self._file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            os.close(self._file)
            raise NodeRunsError(
                f"this node runs already{self._whose()}, with its state in {folder}; stop that one first, or give the "
                f"other node file a node id or a state folder of its own"
            ) from None
        except OSError:
            os.close(self._file)
            raise
        with contextlib.suppress(OSError):
            self._pid_path.write_text(f"{os.getpid()}\n")

    def release(self) -> None:
        """Let another process run the node."""
        with contextlib.suppress(OSError):
            self._pid_path.unlink()
        os.close(self._file)

    def _whose(self) -> str:
        try:
            pid = int(self._pid_path.read_text())
        except (OSError, ValueError):
            return ""
        return f" (process {pid})"
