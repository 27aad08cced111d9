"""Ctrl-C always ends the command, also where the interpreter can't pass it on."""

from __future__ import annotations

import os
import signal
import sys
from types import FrameType

INTERRUPTED = 130
_AGAIN_S = 0.05


class _Interrupts:
    """Whether Ctrl-C was pressed. Compilers and callbacks out of C may swallow the KeyboardInterrupt it raises."""

    def __init__(self) -> None:
        self.came = False

    def on_signal(self, _number: int, _frame: FrameType | None) -> None:
        if self.came:  # nobody presses it twice who wants to wait
            os._exit(INTERRUPTED)
        self.came = True
        raise KeyboardInterrupt

    def on_alarm(self, _number: int, _frame: FrameType | None) -> None:
        raise KeyboardInterrupt

    def on_swallowed(self, ignored: sys.UnraisableHookArgs) -> None:
        """Raise it once more, a little later: then the callback that swallowed it is over."""
        if issubclass(ignored.exc_type, KeyboardInterrupt):
            signal.setitimer(signal.ITIMER_REAL, _AGAIN_S)
        else:
            sys.__unraisablehook__(ignored)


def end_on_interrupt() -> None:
    """Raise KeyboardInterrupt on Ctrl-C, again if it was swallowed; leave at once on the second Ctrl-C."""
    if signal.getsignal(signal.SIGINT) is not signal.default_int_handler:
        return  # started in the background, where Ctrl-C isn't meant for us
    interrupts = _Interrupts()
    signal.signal(signal.SIGINT, interrupts.on_signal)
    signal.signal(signal.SIGALRM, interrupts.on_alarm)
    sys.unraisablehook = interrupts.on_swallowed
