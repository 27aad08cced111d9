"""`shelfedge service install`, `status` and `uninstall`."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

app = typer.Typer(no_args_is_help=True, help="Run a node as a systemd service of this machine.")
_Name = Annotated[str, typer.Option(metavar="NAME", help="The service's name; give another one to a second node.")]


@app.command()
def install(
    node: Annotated[Path, typer.Argument(metavar="NODE.yaml", help="The node file; it is checked first.")],
    user: Annotated[
        str, typer.Option(metavar="NAME", help="Whom it runs as; 'shelfedge' is made if there is none.")
    ] = "shelfedge",
    only_print: Annotated[bool, typer.Option("--print", help="Print the unit file; change nothing.")] = False,
    name: _Name = "shelfedge",
) -> None:
    """Start a node now and at every boot, and again whenever it fails."""
    from edge.config.setup import load_setup
    from edge.node.service import Service, plan_service
    from edge.node.service_unit import unit_text

    plan = plan_service(node, load_setup(node), name, user)
    if only_print:
        typer.echo(unit_text(plan), nl=False)
        return
    Service(name, typer.echo).install(plan)


@app.command()
def status(name: _Name = "shelfedge") -> None:
    """What systemd says of the service; exit code 1 when it doesn't run."""
    from edge.node.service import Service

    text, runs = Service(name).status()
    typer.echo(text)
    if not runs:
        raise typer.Exit(1)


@app.command()
def uninstall(name: _Name = "shelfedge") -> None:
    """Stop the service and remove it; what the node has kept stays."""
    from edge.node.service import Service

    Service(name, typer.echo).uninstall()
