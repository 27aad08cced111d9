"""`shelfedge teach SKU`: what a unit weighs, by putting some on the shelf."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer


def teach(
    sku: Annotated[str, typer.Argument(metavar="SKU", help="The product, as the planogram calls it.")],
    config: Annotated[
        Path | None,
        typer.Argument(metavar="[NODE.yaml]", help="The node file; else ./node.yaml, or /etc/shelfedge/node.yaml."),
    ] = None,
    board: Annotated[str | None, typer.Option(metavar="BOARD", help="Else where the planogram has it.")] = None,
    slot: Annotated[str | None, typer.Option(metavar="SLOT", help="The slot it lies in, and so its board.")] = None,
    count: Annotated[int, typer.Option(min=1, max=1000, help="How many units.")] = 5,
    at_a_time: Annotated[int, typer.Option(min=1, max=100, help="How many of them in most steps.")] = 1,
    sure: Annotated[
        bool, typer.Option("--sure", help="Steps are single units, though the planogram's weight says otherwise.")
    ] = False,
    trace: Annotated[
        Path | None, typer.Option(metavar="FILE", help="From a recording, not from the shelf: all steps in it.")
    ] = None,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Only say it; the planogram stays.")] = False,
    yes: Annotated[bool, typer.Option("--yes", "-y", help="Write it without asking.")] = False,
    as_json: Annotated[bool, typer.Option("--json", help="The result as JSON; prompts go to stderr.")] = False,
    plain: Annotated[bool, typer.Option("--plain", help="Plain lines, also in a terminal.")] = False,
    simulate: Annotated[
        int | None,
        typer.Option(
            min=0,
            metavar="SEED",
            help="Practise on a simulated board, with somebody there; nothing is saved.",
        ),
    ] = None,
    speed: Annotated[float, typer.Option(min=0.1, max=1e9, help="Of a simulated run: times real time.")] = 1.0,
) -> None:
    """Teach what a unit weighs: put units down or take them away, one after the other; nothing is pressed.

    Weight and spread go into the planogram, whose comments and layout stay; its former text is kept beside it. Units
    that go back the way they came are the same ones, and counted once. The node must not run meanwhile, the board has
    to be calibrated. Ctrl-C at any time: nothing is changed.
    """
    import sys

    from edge.cli.node_choice import node_file
    from edge.cli.teach_run import Asked, teach_sku
    from edge.cli.window import only_lines
    from edge.config.setup import load_setup
    from edge.node.teach import where_is

    path = node_file(config)
    setup = load_setup(path)
    where = where_is(setup, path, sku, board, slot)
    terminal = sys.stdin.isatty() and sys.stdout.isatty() and not as_json
    asked = Asked(sku, where, path, setup, count, at_a_time, sure, trace, dry_run, terminal and not yes, as_json,
                  only_lines(plain or trace is not None, as_json), simulate, speed)  # fmt: skip
    raise typer.Exit(teach_sku(asked))
