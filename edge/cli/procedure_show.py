"""Shows a procedure while it runs: on the whole screen, or as plain lines where there is no terminal."""

from __future__ import annotations

import contextlib
import os
import signal
import time
from collections.abc import Callable, Iterator, Sequence
from types import FrameType

import typer
from rich.console import Console
from rich.live import Live

from calibration.prompts import Progress, Prompt, Step
from edge.cli.calibrate_screen import ProcedureScreen, plain_line
from edge.cli.interrupt import INTERRUPTED
from edge.node.board_source import BoardSource
from edge.node.calibrate import Procedure, follow

_FRAME_S = 0.12
_ENDS = (signal.SIGTERM, signal.SIGHUP)


def show(procedure: Procedure, source: BoardSource, screen: ProcedureScreen, plain: bool, to_stderr: bool) -> None:
    """Run it to its end. Raises what `follow` does."""
    if plain:

        def say(said: Prompt | Progress) -> None:
            if isinstance(said, Prompt):
                typer.echo(plain_line(said), err=to_stderr)

        follow(procedure, source, say)
        return
    console = Console(stderr=to_stderr)
    with Live(console=console, screen=True, auto_refresh=False) as live:
        shown_s = 0.0

        def draw(said: Prompt | Progress) -> None:
            nonlocal shown_s
            screen.tell(said)
            if isinstance(said, Prompt) and said.step not in (Step.CLEAR, Step.WAIT):
                console.bell()  # eyes are on the weight
            if isinstance(said, Prompt) or time.monotonic() - shown_s > _FRAME_S:
                live.update(screen.frame(*console.size), refresh=True)
                shown_s = time.monotonic()

        follow(procedure, source, draw)


class _Ended(BaseException):
    """Somebody ended the process, or the terminal's window was closed."""

    def __init__(self, number: int) -> None:
        super().__init__(number)
        self.number = number


@contextlib.contextmanager
def uninterrupted() -> Iterator[None]:
    """Ctrl-C and the like don't count: what is written within is written whole, and what is said of it is true."""
    with _handled((signal.SIGINT, *_ENDS), lambda number, frame: None):
        yield


@contextlib.contextmanager
def stopped_by_ctrl_c(text: str) -> Iterator[None]:
    """Ctrl-C within, at a question too: say that nothing was changed, and leave with 130; 1 where stdout was closed.

    The same for a terminal that is closed and for SIGTERM, with 128 and the signal's number.
    """
    came: list[int] = []

    def end(number: int, _frame: FrameType | None) -> None:
        came.append(number)
        raise _Ended(number)

    try:
        with _handled(_ENDS, end):
            yield
    except (KeyboardInterrupt, typer.Abort):
        _say_last(text)
        raise typer.Exit(INTERRUPTED) from None
    except BrokenPipeError:  # who reads what we write (head, less) has gone: that stops it as well
        _say_last(text)
        _write_nowhere(1)
        raise typer.Exit(1) from None
    except _Ended as ended:
        _say_last(text)
        raise typer.Exit(128 + ended.number) from None
    except OSError:
        if not came:
            raise
        _say_last(text)  # the screen couldn't be left in order: its window is gone
        raise typer.Exit(128 + came[0]) from None


def goes_on(question: str) -> bool:
    """Ask it; whatever ends the command is no."""
    try:
        with stopped_by_ctrl_c(""):
            return typer.confirm(question, default=True)
    except typer.Exit:
        return False


@contextlib.contextmanager
def _handled(numbers: Sequence[signal.Signals], handler: Callable[[int, FrameType | None], None]) -> Iterator[None]:
    before = {number: signal.signal(number, handler) for number in numbers}
    try:
        yield
    finally:
        for number, former in before.items():
            signal.signal(number, former)


def _say_last(text: str) -> None:
    try:
        typer.echo(f"\n{text}", err=True)
    except OSError:  # nobody is there any more; the interpreter would complain when it flushes at exit
        _write_nowhere(1, 2)


def _write_nowhere(*streams: int) -> None:
    """What is still to be flushed at exit is written to nobody."""
    nowhere = os.open(os.devnull, os.O_WRONLY)
    for stream in streams:
        os.dup2(nowhere, stream)
