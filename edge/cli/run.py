"""`shelfedge run`: a node, until it is told to stop."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

LONGEST_S = 10 * 366 * 86_400.0


def run(
    node_file: Annotated[Path, typer.Argument(metavar="NODE.yaml", help="The node file.")],
    seed: Annotated[int, typer.Option(min=0, help="Of simulated boards: another seed, another shopper.")] = 1,
    visit_every: Annotated[
        float, typer.Option(min=0.2, max=3600, help="Of simulated boards: seconds between visits.")
    ] = 4.0,
    seconds: Annotated[
        float | None, typer.Option("--for", min=0.1, metavar="SECONDS", help="Stop by itself after so long.")
    ] = None,
    log_level: Annotated[str, typer.Option(metavar="LEVEL", help="debug, info, warning or error.")] = "info",
    log_form: Annotated[
        str, typer.Option(metavar="FORM", help="auto, journal, json or text; auto: as stderr's reader wants it.")
    ] = "auto",
) -> None:
    """Run a node: its boards, fusion, outbox, uplink and health, until SIGTERM or Ctrl-C. SIGHUP reads its files again.

    A planogram is taken over while it runs; other changes need a restart. Under systemd it reports when it is ready.
    """
    import os

    if seconds is not None and not 0.1 <= seconds <= LONGEST_S:
        raise typer.BadParameter(f"expected 0.1 to {LONGEST_S:.0f} seconds (10 years)", param_hint="--for")
    if not 0.2 <= visit_every <= 3600:  # nan passes typer's range
        raise typer.BadParameter("expected 0.2 to 3600 seconds", param_hint="--visit-every")

    from edge.cli.run_signals import until_signalled
    from edge.config.setup import load_setup
    from edge.node.logs import LEVELS, set_up_logs
    from edge.node.run import Asked, NodeRun, RunOptions
    from edge.node.warm_up import fill_cache

    if log_level not in LEVELS:
        raise typer.BadParameter(f"expected one of {', '.join(LEVELS)}, got '{log_level}'", param_hint="--log-level")
    if log_form not in ("auto", "journal", "json", "text"):
        raise typer.BadParameter(f"expected auto, journal, json or text, got '{log_form}'", param_hint="--log-form")
    setup = load_setup(node_file)
    set_up_logs(log_level, log_form)  # type: ignore[arg-type]  # checked above
    asked = Asked()
    with until_signalled(asked.stop.set, asked.reload.set):
        if not fill_cache(lambda: not asked.stop.is_set(), setup.node.follows_people):
            raise typer.Exit
        code = NodeRun(node_file, setup, RunOptions(seed, visit_every, seconds), os.environ, asked=asked).run()
    raise typer.Exit(code)
