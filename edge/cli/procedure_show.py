"""Shows a procedure while it runs: on the whole screen, or as plain lines where there is no terminal."""

from __future__ import annotations

import contextlib
import signal
import time
from collections.abc import Iterator

import typer
from rich.console import Console
from rich.live import Live

from calibration.prompts import Progress, Prompt
from edge.cli.calibrate_screen import ProcedureScreen, plain_line
from edge.node.board_source import BoardSource
from edge.node.calibrate import Procedure, follow

_FRAME_S = 0.12


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
            if isinstance(said, Prompt) or time.monotonic() - shown_s > _FRAME_S:
                live.update(screen.frame(*console.size), refresh=True)
                shown_s = time.monotonic()

        follow(procedure, source, draw)


@contextlib.contextmanager
def uninterrupted() -> Iterator[None]:
    """Ctrl-C waits: what is written within is written whole, and what is said afterwards is true."""
    signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGINT})
    try:
        yield
    finally:
        signal.pthread_sigmask(signal.SIG_UNBLOCK, {signal.SIGINT})


@contextlib.contextmanager
def stopped_by_ctrl_c(text: str) -> Iterator[None]:
    """Ctrl-C within, at a question too: say that nothing was changed, and leave with 130."""
    try:
        yield
    except (KeyboardInterrupt, typer.Abort):
        typer.echo(f"\n{text}", err=True)
        raise typer.Exit(130) from None
