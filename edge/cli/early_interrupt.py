"""Ctrl-C while the command line is still being imported: the process ends at once, without a traceback.

Importing this module begins that; `over` ends it. It is the first import of `edge.cli.main`.
"""

from __future__ import annotations

import os
import signal
import threading
from types import FrameType

from edge.cli.interrupt import INTERRUPTED


def _end(_number: int, _frame: FrameType | None) -> None:
    os._exit(INTERRUPTED)  # nothing has been begun that would have to be ended


_begun = (
    threading.current_thread() is threading.main_thread()
    and signal.getsignal(signal.SIGINT) is signal.default_int_handler
)
if _begun:
    signal.signal(signal.SIGINT, _end)


def over() -> None:
    """All is imported: Ctrl-C raises KeyboardInterrupt again."""
    if _begun and signal.getsignal(signal.SIGINT) is _end:
        signal.signal(signal.SIGINT, signal.default_int_handler)
