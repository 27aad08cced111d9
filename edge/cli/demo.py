"""`shelfedge demo`: watch events being found on simulated shelves, live."""

from __future__ import annotations

from typing import Annotated

import typer


def demo(
    seconds: Annotated[float, typer.Option(min=10, max=3600, help="Length of the scene.")] = 60.0,
    seed: Annotated[int, typer.Option(min=0, help="Another seed, another shopper and other boards.")] = 1,
    speed: Annotated[float, typer.Option(min=0.1, max=50, help="Times real time.")] = 2.0,
    no_screen: Annotated[bool, typer.Option("--no-screen", help="Plain lines, also in a terminal.")] = False,
) -> None:
    """Watch picks and returns being found live on simulated shelves, beside what really happened. No hardware."""
    from edge.cli.demo_show import run_plain, run_screen
    from edge.cli.window import only_lines

    if only_lines(no_screen):
        run_plain(seed, seconds, speed)
    else:
        run_screen(seed, seconds, speed)
