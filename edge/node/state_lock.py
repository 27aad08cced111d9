"""One node, one process: who runs a node holds its state folder."""

from __future__ import annotations

import contextlib
import fcntl
import os
from pathlib import Path

from firmware_bridge.errors import ShelfedgeError

_PID_FILE = "node.pid"
_LOCKS = Path("/proc/locks")


class NodeRunsError(ShelfedgeError, RuntimeError):
    """Another process runs this node. Two would take each other's samples and number their events twice."""


def holder_of(folder: Path) -> int | None:
    """The process that runs the node with this state folder; None where none does. Looks, and takes nothing."""
    try:
        ours = folder.stat()
        lines = _LOCKS.read_text().splitlines()
    except OSError:
        return None
    noted = _noted_pid(folder / _PID_FILE)
    device = f"{os.major(ours.st_dev):02x}:{os.minor(ours.st_dev):02x}"
    for line in lines:
        words = line.split()
        if len(words) < 6 or words[1] != "FLOCK" or words[3] != "WRITE":
            continue
        where, _, inode = words[5].rpartition(":")
        if inode == str(ours.st_ino) and (where == device or words[4] == str(noted)):  # some disks are called otherwise
            return int(words[4])
    return None


def _noted_pid(path: Path) -> int | None:
    try:
        return int(path.read_text())
    except (OSError, ValueError):
        return None


class StateLock:
    """Held from when it is made until `release`, or until the process ends in whatever way.

    The lock is on the folder itself, so that it works on a disk that can't be written to, and a file left behind by a
    power cut means nothing.

    Raises:
        NodeRunsError: somebody has it. OSError: there is no such folder.
    """

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._pid_path = folder / _PID_FILE
        self._file = self._taken()

    def renew(self) -> bool:
        """Take it anew where the folder was removed or replaced; whether that was so. To be called now and then.

        Raises:
            NodeRunsError: another process was quicker. It isn't held any more. OSError: the folder can't be made.
        """
        if self._is_there():
            return False
        self._folder.mkdir(parents=True, exist_ok=True)
        fresh = self._taken()
        os.close(self._file)
        self._file = fresh
        return True

    def release(self) -> None:
        """Let another process run the node."""
        if self._is_there():
            with contextlib.suppress(OSError):
                self._pid_path.unlink()
        os.close(self._file)

    def _taken(self) -> int:
        file = os.open(self._folder, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            os.close(file)
            raise NodeRunsError(
                f"this node runs already{self._whose()}, with its state in {self._folder}; stop that one first, or "
                f"give the other node file a node id or a state folder of its own"
            ) from None
        except OSError:
            os.close(file)
            raise
        with contextlib.suppress(OSError):
            self._pid_path.write_text(f"{os.getpid()}\n")
        return file

    def _is_there(self) -> bool:
        """Whether what is held is still the folder at the path."""
        ours = os.fstat(self._file)
        try:
            there = self._folder.stat()
        except OSError as error:
            return not isinstance(error, FileNotFoundError | NotADirectoryError)  # a disk that fails has it still
        return (there.st_dev, there.st_ino) == (ours.st_dev, ours.st_ino)

    def _whose(self) -> str:
        pid = _noted_pid(self._pid_path)
        return "" if pid is None else f" (process {pid})"
