"""Word to systemd (`Type=notify`): ready, alive, stopping, and a line of status. Without systemd it says nothing."""

from __future__ import annotations

import os
import socket
from collections.abc import Callable, Mapping

_SHARE_OF_WATCHDOG = 3  # a ping at most every third of the time that systemd allows


class ServiceManager:
    """The other end of NOTIFY_SOCKET.

    Never waits and never raises: a service manager that doesn't listen must not hold up the node.

    Args:
        environ: the process's. clock: monotonic nanoseconds.
    """

    def __init__(self, environ: Mapping[str, str], clock: Callable[[], int], pid: int | None = None) -> None:
        self._address = _address(environ.get("NOTIFY_SOCKET", ""))
        self._clock = clock
        self._ping_every_ns = _watchdog_ns(environ, os.getpid() if pid is None else pid) // _SHARE_OF_WATCHDOG
        self._pinged_ns: int | None = None
        self._socket: socket.socket | None = None
        if self._address is not None:
            self._socket = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM | socket.SOCK_CLOEXEC)
            self._socket.setblocking(False)

    @property
    def watched(self) -> bool:
        """Whether systemd waits for pings."""
        return self._ping_every_ns > 0 and self._socket is not None

    def ready(self, status: str) -> None:
        """The node runs."""
        self._say(f"READY=1\nSTATUS={_line(status)}")

    def status(self, text: str) -> None:
        """A line that `systemctl status` shows."""
        self._say(f"STATUS={_line(text)}")

    def alive(self) -> None:
        """The node has got on. Call it as often as that is so; systemd is told often enough and no more."""
        now_ns = self._clock()
        if not self.watched or (self._pinged_ns is not None and now_ns - self._pinged_ns < self._ping_every_ns):
            return
        if self._say("WATCHDOG=1"):
            self._pinged_ns = now_ns

    def reloading(self) -> None:
        """It reads its files again; say `ready` afterwards."""
        self._say(f"RELOADING=1\nMONOTONIC_USEC={self._clock() // 1000}")

    def stopping(self) -> None:
        """It is on its way out."""
        self._say("STOPPING=1\nSTATUS=stopping")

    def close(self) -> None:
        """Let go of the socket."""
        if self._socket is not None:
            self._socket.close()
            self._socket = None

    def _say(self, text: str) -> bool:
        if self._socket is None or self._address is None:
            return False
        try:
            self._socket.sendto(text.encode(), self._address)
        except OSError:
            return False
        return True


def _address(path: str) -> str | None:
    """A path, or an abstract name (systemd writes its first byte, 0, as @)."""
    if path.startswith("@"):
        return "\0" + path[1:]
    return path if path.startswith("/") else None


def _watchdog_ns(environ: Mapping[str, str], pid: int) -> int:
    """What systemd allows between two pings; 0 where it doesn't watch this process."""
    text, whose = environ.get("WATCHDOG_USEC", ""), environ.get("WATCHDOG_PID", "")
    if not text.isdecimal() or (whose and whose != str(pid)):
        return 0
    return int(text) * 1000


def _line(text: str) -> str:
    return " ".join(text.split())
