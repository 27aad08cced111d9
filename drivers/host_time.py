"""The host's clock, its waiting and its threads: the three things a driver takes from the machine it runs on.

Drivers get them as one object, so that a fake can be a machine whose every operation costs a known time.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from typing import Protocol


class Worker(Protocol):
    """A thread that was started."""

    def join(self, timeout: float | None = None) -> None:
        """Wait until it has ended, at most `timeout` seconds."""

    def is_alive(self) -> bool:
        """Whether it hasn't ended."""


class HostTime(Protocol):
    """What a driver needs of its machine."""

    def now_ns(self) -> int:
        """Monotonic nanoseconds."""

    def wait(self, stop: threading.Event, seconds: float) -> None:
        """Return after that time, or sooner when `stop` is set."""

    def spawn(self, name: str, work: Callable[[], None]) -> Worker:
        """Run `work` in a thread of its own."""


class MachineTime:
    """The machine itself."""

    def __init__(self, clock: Callable[[], int] = time.monotonic_ns) -> None:
        self.now_ns = clock

    def wait(self, stop: threading.Event, seconds: float) -> None:
        """Return after that time, or sooner when `stop` is set."""
        if seconds > 0:
            stop.wait(seconds)

    def spawn(self, name: str, work: Callable[[], None]) -> Worker:
        """Run `work` in a thread of its own; a daemon, so that a stuck kernel call can't keep the process alive."""
        thread = threading.Thread(target=work, name=name, daemon=True)
        thread.start()
        return thread
