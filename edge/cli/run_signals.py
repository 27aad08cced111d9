"""Signals that a running node understands."""

from __future__ import annotations

import contextlib
import os
import signal
from collections.abc import Callable, Iterator
from types import FrameType


@contextlib.contextmanager
def until_signalled(stop: Callable[[], None], reload: Callable[[], None]) -> Iterator[None]:
    """SIGTERM and SIGINT ask to stop, and end the process at once when they come again; SIGHUP asks to reload."""
    came = 0

    def on_stop(number: int, _frame: FrameType | None) -> None:
        nonlocal came
        came += 1
        if came > 1:  # nobody asks twice who wants to wait
            os._exit(128 + number)
        stop()

    def on_reload(_number: int, _frame: FrameType | None) -> None:
        reload()

    wanted = {signal.SIGTERM: on_stop, signal.SIGINT: on_stop, signal.SIGHUP: on_reload}
    before = {number: signal.signal(number, handler) for number, handler in wanted.items()}
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
