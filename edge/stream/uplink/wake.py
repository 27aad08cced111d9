"""Waking the uplink's thread from any other, also while it ends."""

from __future__ import annotations

import contextlib
import socket
import threading


class Wake:
    """A byte in a socket pair; `fd` can be polled for reading.

    The number of a closed file goes to whatever is opened next. So `call` and `close` exclude each other, and nothing
    is ever written by number.
    """

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._read, self._write = socket.socketpair()
        self._read.setblocking(False)
        self._write.setblocking(False)
        self.fd = self._read.fileno()

    def call(self) -> None:
        """Wake it. From any thread, never waits for it; does nothing after `close`."""
        with self._lock, contextlib.suppress(OSError):  # full: it is awake already; closed: it has ended
            self._write.send(b"x")

    def heard(self) -> None:
        """Take what is there; by the thread that is woken."""
        with contextlib.suppress(BlockingIOError):
            self._read.recv(65536)

    def close(self) -> None:
        """When the thread has ended. Calling it twice does no harm."""
        with self._lock:
            self._write.close()
            self._read.close()
