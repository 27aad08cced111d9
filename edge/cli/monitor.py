"""`shelfedge monitor`: what the boards feel, live."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer


def monitor(
    config: Annotated[Path | None, typer.Argument(metavar="[NODE.yaml]", help="The node's file.")] = None,
    board: Annotated[str | None, typer.Option(metavar="ID", help="This board alone, as large as it goes.")] = None,
    rotate: Annotated[bool, typer.Option("--rotate", help="From board to board, 5 s each.")] = False,
    supply: Annotated[
        str | None, typer.Option(metavar="VOLT", help="The amplifiers' analog supply, for nV: 5V (usual), 2.7V.")
    ] = None,
    json_: Annotated[bool, typer.Option("--json", help="An object a second, for programs.")] = False,
    once: Annotated[bool, typer.Option("--once", help="One look, then leave.")] = False,
    plain: Annotated[bool, typer.Option("--plain", help="Plain lines, also in a terminal.")] = False,
) -> None:
    """Watch weights, rates, noise, the last change and the last events live, to be read at arm's length.

    A running node is asked and not disturbed. Without one the boards are opened, and no node can be started meanwhile.
    The tare (key t) is for this display alone, and is taken when the board rests. Without a terminal: a line per board
    and second.

    Exit codes: 0 left with q, or a look was had; 1 refused, or (--once) a board gives no samples; 2 wrong usage; 130
    Ctrl-C.
    """
    import time

    from edge.cli.monitor_show import run_lines, run_once, run_screen
    from edge.cli.node_choice import node_file, quantity
    from edge.cli.window import only_lines
    from edge.config.quantity import SUPPLY
    from edge.config.setup import load_setup
    from edge.node.board_source import check_board
    from edge.node.monitor import USUAL_SUPPLY_V, Monitor
    from edge.node.monitor_feed import open_feed

    path = node_file(config)
    setup = load_setup(path)
    if board is not None:
        check_board(setup, board, path)
    supply_v = USUAL_SUPPLY_V if supply is None else quantity(SUPPLY, supply, "--supply")
    feed = open_feed(path, setup)
    try:
        found = Monitor(feed, supply_v)
        boards = [] if board is None else [board]
        if once:
            raise typer.Exit(run_once(found, boards, json_, time.monotonic_ns))
        if only_lines(plain, json_):
            run_lines(found, boards, json_, time.monotonic_ns)
        else:
            run_screen(found, board, rotate, time.monotonic_ns)
    finally:
        feed.close()
